//! A generative network trained on an experiment's training samples, and what it makes.
use duress_core::{Domain, Seed};
use duress_defenses::TrainingRows;
use duress_defenses::generative::{
    DiffusionPlan, GanPlan, Plan, PseudoLabelled, RowSampler, fit, generate,
};

use super::build::Built;
use super::data::Data;
use super::{Context, Runner};
use crate::experiment::{Experiment, ModelPlan, Source};
use crate::{Error, Result};

/// How a generative network is made and trained: `name = "gan"` or `"diffusion"` and the
/// hyperparameters of [`GanPlan`] or [`DiffusionPlan`], the missing ones at their defaults.
#[derive(Clone, Debug, PartialEq)]
pub enum GeneratorPlan {
    /// A generator and its critic.
    Gan(GanPlan),
    /// Noise that is taken away step by step.
    Diffusion(DiffusionPlan),
}

impl GeneratorPlan {
    /// Reads a plan from the text of a file (TOML).
    ///
    /// # Errors
    /// The reason in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut table: toml::Table =
            toml::from_str(text).map_err(|error| crate::experiment::one_line(error.message()))?;
        let Some(toml::Value::String(name)) = table.remove("name") else {
            return Err("`name` is missing: \"gan\" or \"diffusion\"".into());
        };
        let fault = |error: toml::de::Error| {
            format!("generator `{name}`: {}", crate::experiment::one_line(error.message()))
        };
        match name.as_str() {
            "gan" => table.try_into().map(Self::Gan).map_err(fault),
            "diffusion" => table.try_into().map(Self::Diffusion).map_err(fault),
            _ => Err(format!("no generator `{name}`; known: gan, diffusion")),
        }
    }

    /// Checks the hyperparameters, and whether there is such a network for rows of `domain`.
    fn check(&self, domain: &Domain) -> Result<()> {
        match self {
            Self::Gan(plan) => plan.check(NAME, domain)?,
            Self::Diffusion(plan) => plan.check(NAME, domain)?,
        }
        Ok(())
    }

    /// The network, trained on the rows or taken from the folder that comes with them.
    fn sampler(&self, rows: &TrainingRows<'_>, seed: Seed) -> Result<Box<dyn RowSampler>> {
        Ok(match self {
            Self::Gan(plan) => Box::new(fit(NAME, plan, rows, seed)?.network().clone()),
            Self::Diffusion(plan) => Box::new(fit(NAME, plan, rows, seed)?),
        })
    }
}

/// Who asks, in errors.
const NAME: &str = "generator";

/// What is to be generated.
#[derive(Clone, Debug)]
pub struct GenerationPlan {
    /// The generative network.
    pub generator: GeneratorPlan,
    /// Name of the model of the experiment that labels the samples.
    pub model: String,
    /// Number of samples.
    pub samples: usize,
    /// Least softmax probability of a label, in `[0, 1)`.
    pub least_confidence: f64,
    /// Seed of the samples; the networks are trained by the experiment's.
    pub seed: Seed,
}

/// Trains a generative network on the training samples of `experiment` and draws samples, labelled
/// by one of its models. Networks are kept in the cache; a training that was interrupted goes on
/// from its checkpoint there. `check` is asked of the input space before anything is trained.
///
/// # Errors
/// [`Error::Experiment`] for a model that is not there, is a service, random or may refuse;
/// those of the trainings and of [`generate`]; a cancelled run, which the same call continues.
pub fn generate_samples(
    experiment: &Experiment,
    plan: &GenerationPlan,
    context: &Context<'_>,
    check: impl FnOnce(&Domain) -> Result<()>,
) -> Result<(PseudoLabelled, Domain)> {
    let data = Data::load(experiment, context)?;
    let runner = Runner { experiment, context, data };
    let fault = |reason: String| Error::Experiment { path: experiment.name.clone().into(), reason };
    let needed = needed(experiment, &plan.model).map_err(fault)?;
    runner.check_training()?;
    let train = &runner.data.train;
    if train.is_empty() {
        return Err(fault("[data]: there are no training samples to learn from".into()));
    }
    check(train.domain())?;
    plan.generator.check(train.domain())?;
    if !(0.0..1.0).contains(&plan.least_confidence) {
        let got = plan.least_confidence;
        return Err(fault(format!("`least_confidence` must be in [0, 1), got {got}")));
    }
    let mut models: Vec<Built> = Vec::new();
    for one in needed {
        if one.abstention().is_some() {
            let name = &one.name;
            return Err(fault(format!(
                "model `{name}` may refuse to answer: name one that does not"
            )));
        }
        models.push(runner.assemble(one, &models)?);
    }
    let Some(labels) = models.last() else {
        return Err(fault(format!("no model `{}`", plan.model)));
    };
    let classifier = labels.classifier("who labels samples")?;
    let rows = TrainingRows::new(train.values(), train.domain())?
        .on(context.passes)
        .heard_by(context.observer)
        .kept_in(&context.cache);
    let sampler = plan.generator.sampler(&rows, experiment.seed)?;
    let made = generate(
        sampler.as_ref(),
        classifier.as_ref(),
        plan.samples,
        plan.least_confidence,
        plan.seed,
        context.passes,
        context.observer,
    )?;
    Ok((made, train.domain().clone()))
}

/// The model and those it is made of, in the order of the file.
fn needed<'e>(experiment: &'e Experiment, name: &str) -> Result<Vec<&'e ModelPlan>, String> {
    let names = || experiment.models.iter().map(|plan| plan.name.as_str());
    if !names().any(|known| known == name) {
        let known: Vec<&str> = names().collect();
        return Err(format!("no model `{name}`; there are: {}", known.join(", ")));
    }
    let mut wanted = vec![name.to_owned()];
    let mut found = Vec::new();
    // Each model stands after those it is made of.
    for plan in experiment.models.iter().rev() {
        if !wanted.contains(&plan.name) {
            continue;
        }
        match &plan.source {
            Source::Wrapped { base, .. } | Source::Answering { base, .. } => {
                wanted.push(base.clone());
            }
            Source::Voting { members, .. } => wanted.extend(members.iter().cloned()),
            _ => {}
        }
        found.push(plan);
    }
    found.reverse();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_a_generator_and_overrides_what_it_names() {
        let plan = GeneratorPlan::parse("name = \"gan\"\nlatent = 5").unwrap();
        assert_eq!(plan, GeneratorPlan::Gan(GanPlan { latent: 5, ..GanPlan::default() }));
        let plan = GeneratorPlan::parse("name = \"diffusion\"").unwrap();
        assert_eq!(plan, GeneratorPlan::Diffusion(DiffusionPlan::default()));
        for (text, expected) in [
            ("", "`name` is missing"),
            ("name = \"vae\"", "no generator `vae`; known: gan, diffusion"),
            ("name = \"gan\"\nlatnet = 5", "unknown field `latnet`"),
            ("name =", "invalid"),
        ] {
            let error = GeneratorPlan::parse(text).unwrap_err();
            assert!(error.contains(expected) || expected == "invalid", "{error}");
        }
    }

    #[test]
    fn a_model_comes_with_those_it_is_made_of_and_no_others() {
        let trained = |name: &str| {
            format!(
                "[[model]]\nname = \"{name}\"\narchitecture = {{ name = \"mlp\", hidden = [4] }}\n"
            )
        };
        let text = [
            "name = \"e\"\n[data]\nname = \"digits\"\n".to_owned(),
            trained("a"),
            trained("b"),
            "[[model]]\nname = \"c\"\nbase = \"b\"\ndefense = { name = \"jpeg\" }\n".to_owned(),
            trained("d"),
        ]
        .concat();
        let experiment = Experiment::parse(&text).unwrap();
        let names = |name| -> Vec<String> {
            needed(&experiment, name).unwrap().iter().map(|plan| plan.name.clone()).collect()
        };
        assert_eq!((names("c"), names("a")), (vec!["b".into(), "c".into()], vec!["a".to_owned()]));
        let error = needed(&experiment, "e").unwrap_err();
        assert_eq!(error, "no model `e`; there are: a, b, c, d");
    }
}
