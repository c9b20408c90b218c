//! Bounds of the first model of an experiment on sets around its test samples, from both sides.
use std::path::PathBuf;
use std::time::Instant;

use burn::prelude::*;
use duress_attacks::{LossKind, Pgd};
use duress_certification::bounds::{InputSet, Method, Network, Options};
use duress_core::{
    Attack, Bound, Classifier, Cut, Domain, Goal, Layout, Norm, Oracle, Problem, Threat, WhiteBox,
    host, run,
};
use duress_graph::Graph;
use serde::Serialize;

use super::data::Data;
use super::{Context, Runner};
use crate::experiment::{DataSource, Experiment, ModelPlan, Source};
use crate::{Error, Result};

/// The set around each sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Around {
    /// A ball, in the box of the domain.
    Ball {
        /// Its norm.
        norm: Norm,
        /// Its radius, in units of the raw input.
        radius: f64,
    },
    /// A box a sample, `[N, F]` row-major.
    Boxes {
        /// Lower sides.
        lower: Vec<f32>,
        /// Upper sides.
        upper: Vec<f32>,
    },
}

/// What is known of one sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bounded {
    /// Position in the data set's original order.
    pub index: u64,
    /// The label.
    pub label: usize,
    /// For each class j, a lower bound of `logit[label] − logit[j]` over the set; 0 at the label;
    /// `None` where nothing is known (JSON has no infinity).
    pub lower: Vec<Option<f64>>,
    /// For each class j, the smallest `logit[label] − logit[j]` that an attack found in the set.
    pub upper: Vec<f64>,
    /// Whether the label is certified: all bounds of other classes are above 0.
    pub certified: bool,
    /// Seconds of the lower bounds.
    pub seconds: f64,
}

/// Bounds of the first model of `experiment` around each test sample, handed to `visit` as they
/// come.
///
/// # Errors
/// Wrong input; a network with operations that have no bounds;
/// [`Error::Unsound`] where an attack went below a lower bound.
pub fn bound(
    experiment: &Experiment,
    context: &Context<'_>,
    around: &Around,
    method: Method,
    mut visit: impl FnMut(&Bounded) -> Result<()>,
) -> Result<()> {
    let data = Data::load(experiment, context)?;
    let runner = Runner { experiment, context, data };
    let plan = runner.first()?;
    let (graph, classifier) = runner.graph(plan)?;
    let network = Network::new(&graph)?;
    let domain = runner.limits();
    if let Around::Boxes { lower, upper } = around {
        let expected = runner.data.test.values().len();
        for (what, values) in [("--lower", lower), ("--upper", upper)] {
            if values.len() != expected {
                let reason = format!(
                    "{what}: expected {expected} values, one a feature and sample, got {}",
                    values.len()
                );
                return Err(Error::Experiment { path: experiment.name.clone().into(), reason });
            }
        }
    }
    let test = &runner.data.test;
    context.observer.begin(&format!("{}: bounds", plan.name), test.len() as u64);
    for index in 0..test.len() {
        if context.observer.cancelled() {
            return Err(duress_core::Error::Cancelled.into());
        }
        let center: Vec<f64> = test.row(index).iter().copied().map(f64::from).collect();
        let set = match around {
            Around::Ball { norm, radius } => {
                InputSet::ball(&center, *norm, *radius, domain.as_ref())?
            }
            Around::Boxes { lower, upper } => {
                let side = |values: &[f32]| {
                    let row = &values[index * test.features()..][..test.features()];
                    row.iter().copied().map(f64::from).collect()
                };
                InputSet::sides(side(lower), side(upper))?
            }
        };
        let begun = Instant::now();
        let label = test.label(index);
        let margins = network.margins(&set, label, method, &Options::default())?;
        let seconds = begun.elapsed().as_secs_f64();
        let upper = runner.attacked_margins(&graph, &classifier, &set, around, index)?;
        let finite = |bound: &f64| bound.is_finite().then_some(*bound);
        let bounded = Bounded {
            index: test.ids()[index],
            label,
            lower: margins.lower.iter().map(finite).collect(),
            upper,
            certified: margins.is_certified(),
            seconds,
        };
        check(plan, &bounded)?;
        visit(&bounded)?;
        context.observer.advance(1);
    }
    Ok(())
}

/// What an attack measured is computed in f64 at points that f32 rounded: so much may lie between.
const ROUNDING: f64 = 1e-5;

fn check(plan: &ModelPlan, bounded: &Bounded) -> Result<()> {
    for (lower, upper) in bounded.lower.iter().zip(&bounded.upper) {
        let Some(lower) = lower else { continue };
        if lower - upper > ROUNDING * (1.0 + upper.abs()) {
            return Err(Error::Unsound {
                model: plan.name.clone(),
                sample: bounded.index,
                lower: *lower,
                upper: *upper,
            });
        }
    }
    Ok(())
}

impl Runner<'_> {
    /// The graph of a model that has one, and the model.
    pub(super) fn graph(&self, plan: &ModelPlan) -> Result<(Graph, Box<dyn Classifier>)> {
        let device = self.context.passes.device();
        match &plan.source {
            Source::Onnx { path, preparation, ends } => {
                let network = self.onnx(path, preparation, ends)?;
                self.has_classes(&plan.name, network.classes())?;
                Ok((network.graph().clone(), Box::new(network)))
            }
            Source::Loaded { path } => {
                let model = duress_models::Model::load(path, device)?;
                self.fits(&plan.name, &model)?;
                Ok((model.graph()?, Box::new(model)))
            }
            Source::Weights { path, architecture, normalization, keys } => {
                let given = normalization.as_ref();
                let model = self.weights(path, architecture, given, keys.as_deref())?;
                Ok((model.graph()?, Box::new(model)))
            }
            _ => Err(Error::Experiment {
                path: PathBuf::from(&self.experiment.name),
                reason: format!("[[model]] `{}`: bounds need a network of a file", plan.name),
            }),
        }
    }

    /// The box of the domain; that of table rows is known only if the user gave it, or if all
    /// values lie in the unit interval.
    pub(super) fn limits(&self) -> Option<Domain> {
        let test = &self.data.test;
        let given = match &self.experiment.data.source {
            DataSource::Files(files) => files.options.bounds.is_some(),
            DataSource::Known(_) => true,
        };
        let domain = test.domain();
        if given || !matches!(domain.layout(), Layout::Table { .. }) {
            return Some(domain.clone());
        }
        let unit = |value: &f32| (0.0..=1.0).contains(value);
        if test.values().iter().all(unit) {
            self.context.observer.note("the box is [0, 1], which holds all data: or give bounds");
            return Domain::new(domain.layout(), Bound::Uniform(0.0), Bound::Uniform(1.0)).ok();
        }
        self.context.observer.note("no box limits the balls: give bounds if there is one");
        None
    }

    /// For each class the smallest margin of the label over it that PGD finds in the set, aimed at
    /// each class in turn.
    fn attacked_margins(
        &self,
        graph: &Graph,
        classifier: &dyn Classifier,
        set: &InputSet,
        around: &Around,
        index: usize,
    ) -> Result<Vec<f64>> {
        let (test, passes) = (&self.data.test, self.context.passes);
        let (label, classes) = (test.label(index), classifier.classes());
        let sides = set.intervals();
        // Rounded towards the inside: what f32 holds is in the set.
        let lower: Vec<f32> = sides.lower.iter().map(|&side| rounded(side, true)).collect();
        let upper: Vec<f32> = sides.upper.iter().map(|&side| rounded(side, false)).collect();
        let inside = |value: &f32, at: usize| value.max(lower[at]).min(upper[at]);
        let center: Vec<f32> =
            test.row(index).iter().enumerate().map(|(at, value)| inside(value, at)).collect();
        let (norm, radius) = match around {
            Around::Ball { norm, radius } => (*norm, *radius),
            Around::Boxes { .. } => {
                let reach = |at: usize| (center[at] - lower[at]).max(upper[at] - center[at]);
                (Norm::Linf, f64::from((0..center.len()).map(reach).fold(0.0, f32::max)))
            }
        };
        let domain = match (around, norm) {
            (_, Norm::Linf) | (Around::Boxes { .. }, _) => Domain::new(
                test.domain().layout(),
                Bound::PerFeature(lower),
                Bound::PerFeature(upper),
            )?,
            _ => test.domain().clone(),
        };
        let within = Within { classifier, domain };
        let others: Vec<usize> = (0..classes).filter(|&class| class != label).collect();
        let features = center.len();
        let mut points = vec![center.clone()];
        if radius > 0.0 && !others.is_empty() && norm != Norm::L0 {
            let rows = TensorData::new(center.repeat(others.len()), [others.len(), features]);
            let rows = Tensor::<2>::from_data(rows, passes.device());
            let ids = (0..others.len() as u64).map(|at| (test.ids()[index] << 16) + at).collect();
            let oracle = WhiteBox::with_cut(&within, passes, Cut::FULL);
            let threat = Threat::new(norm, radius)?;
            let goal = Goal::Targeted(others);
            let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat)
                .with_ids(ids)
                .with_seed(self.experiment.seed);
            let attack = Pgd { loss: LossKind::Margin, step_size: 0.1, ..Pgd::paper() };
            let outcome = run(&Attack::Gradient(Box::new(attack)), &problem)?;
            let found = host::floats(outcome.rows)?;
            points.extend(found.chunks_exact(features).map(<[f32]>::to_vec));
        }
        let mut least = vec![f64::INFINITY; classes];
        for point in points {
            let point: Vec<f64> = point.into_iter().map(f64::from).collect();
            let logits = graph.evaluate(&point)?;
            let logits = logits.values();
            for (least, logit) in least.iter_mut().zip(logits) {
                *least = least.min(logits[label] - logit);
            }
        }
        Ok(least)
    }
}

/// The nearest f32 that is not below (`up`) or not above the value.
fn rounded(value: f64, up: bool) -> f32 {
    let near = value as f32;
    match up {
        true if f64::from(near) < value => near.next_up(),
        false if f64::from(near) > value => near.next_down(),
        _ => near,
    }
}

/// A classifier in another box.
struct Within<'a> {
    classifier: &'a dyn Classifier,
    domain: Domain,
}

impl Classifier for Within<'_> {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        self.classifier.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.classifier.forward(rows)
    }
}
