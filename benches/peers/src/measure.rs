//! One attack, timed and judged as the other toolkits are.
use anyhow::{Context, Result, bail};
use burn::prelude::*;
use duress_attacks::LossKind;
use duress_core::{
    Attack, Classifier, Goal, Norm, Oracle, Outcome, Passes, Problem, Reach, Sample, Seed, Status,
    Threat, WhiteBox, predictions, run,
};
use serde::Serialize;

use crate::clock::Clock;
use crate::folder::Folder;

/// Rounding that a perturbation may exceed the radius by.
const TOLERANCE: f64 = 1e-5;

/// Samples and queries of the attack before the one that is timed.
const WARM_UP: (usize, u64) = (4, 8);

/// How to attack.
pub(crate) struct Plan {
    /// With its parameters.
    pub(crate) attack: Attack,
    /// Of the ball and of the distances.
    pub(crate) norm: Norm,
    /// The radius that samples are judged at.
    pub(crate) epsilon: f64,
    /// Whether the nearest point is looked for.
    pub(crate) nearest: bool,
    /// How many of the first images.
    pub(crate) samples: usize,
    /// Threads of the passes.
    pub(crate) threads: usize,
    /// Seconds that the repetitions take at least, and their least number.
    pub(crate) repeat: (f64, usize),
    /// Of all draws.
    pub(crate) seed: Seed,
}

/// The line that is printed.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Line {
    /// On the wall, a run.
    pub(crate) seconds: f64,
    /// Processor time of all threads, a run; `null` where the system does not tell.
    pub(crate) cpu_seconds: Option<f64>,
    /// Runs that the two are the mean of.
    pub(crate) runs: usize,
    /// Share of the samples that are right when clean and stay right within the radius.
    pub(crate) robust: f64,
    /// Over the samples that are right when clean; `null` if most were not fooled.
    pub(crate) median_distance: Option<f64>,
    /// Forward rows an attacked sample, those of gradients included.
    pub(crate) queries: f64,
    /// Of these, rows with a gradient.
    pub(crate) gradients: f64,
}

/// The attack called `name` with parameters in JSON.
pub(crate) fn attack(name: &str, config: &str) -> Result<Attack> {
    let entry = duress_attacks::find(name).with_context(|| format!("no attack `{name}`"))?;
    let config: serde_json::Value = serde_json::from_str(config).context("--config")?;
    let table = toml::Table::try_from(config).context("--config")?;
    (entry.parse)(table).with_context(|| format!("--config of `{name}`"))
}

impl Plan {
    /// Warms up, then attacks until the repetitions are done.
    pub(crate) fn measure(&self, folder: &Folder) -> Result<Line> {
        let device = Device::flex();
        let total = self.samples.min(folder.labels.len());
        let passes = Passes::with_workers(&device, self.threads)?;
        let model = folder.classifier()?;
        let rows = folder.rows(&(0..total).collect::<Vec<_>>(), &device);
        let predicted = predictions(passes.logits(&model, rows)?)?;
        let right: Vec<usize> =
            (0..total).filter(|&at| predicted[at].0 == folder.labels[at]).collect();
        if right.is_empty() {
            bail!("none of the first {total} samples is classified right");
        }
        self.warm_up(&model, &passes, folder, &right)?;
        let oracle = WhiteBox::new(&model, &passes);
        let problem = self.problem(Oracle::Gradients(&oracle), folder, &right)?;
        let (least, times) = self.repeat;
        let clock = Clock::start();
        let mut outcome = run(&self.attack, &problem)?;
        let mut runs = 1;
        while runs < times || clock.seconds() < least {
            outcome = run(&self.attack, &problem)?;
            runs += 1;
        }
        let (seconds, cpu_seconds) = (clock.seconds(), clock.cpu_seconds());
        let each = |sum: f64| sum / runs as f64;
        Ok(Line {
            seconds: each(seconds),
            cpu_seconds: cpu_seconds.map(each),
            runs,
            ..self.judge(&outcome, total)
        })
    }

    /// The first pass of a batch size is slower than the later ones, and so are the first steps of
    /// an attack.
    fn warm_up(
        &self,
        model: &dyn Classifier,
        passes: &Passes,
        folder: &Folder,
        right: &[usize],
    ) -> Result<()> {
        let oracle = WhiteBox::new(model, passes);
        let (few, queries) = WARM_UP;
        let few = &right[..right.len().min(few)];
        let problem = self.problem(Oracle::Gradients(&oracle), folder, few)?;
        run(&self.attack, &problem.with_budget(Some(queries)))?;
        let labels = right.iter().map(|&at| folder.labels[at]).collect();
        let aim = Goal::Untargeted(labels).aim(passes.device());
        let rows = folder.rows(right, passes.device());
        passes.gradient(model, rows, &aim, &LossKind::CrossEntropy)?;
        Ok(())
    }

    fn problem<'a>(
        &self,
        oracle: Oracle<'a>,
        folder: &Folder,
        chosen: &[usize],
    ) -> Result<Problem<'a>> {
        let rows = folder.rows(chosen, &Device::flex());
        let goal = Goal::Untargeted(chosen.iter().map(|&at| folder.labels[at]).collect());
        let ball = self.attack.algorithm().reach() == Reach::Ball;
        let problem = match (self.nearest, ball) {
            (true, false) => Problem::nearest(oracle, rows, goal, self.norm)?,
            (true, true) => {
                let radius = folder.domain()?.diameter(self.norm);
                Problem::new(oracle, rows, goal, Threat::new(self.norm, radius)?)
            }
            (false, _) => Problem::new(oracle, rows, goal, Threat::new(self.norm, self.epsilon)?),
        };
        let ids = chosen.iter().map(|&at| at as u64).collect();
        Ok(problem.with_ids(ids).with_seed(self.seed))
    }

    /// All but the times.
    fn judge(&self, outcome: &Outcome, total: usize) -> Line {
        let distance = |sample: &Sample| match sample.status {
            Status::Broken => sample.distance,
            Status::AlreadyMet | Status::Survived => f64::INFINITY,
        };
        let distances: Vec<f64> = outcome.samples.iter().map(distance).collect();
        let standing = distances.iter().filter(|&&it| it > self.epsilon + TOLERANCE).count();
        let mean = |count: fn(&Sample) -> u64| {
            outcome.samples.iter().map(count).sum::<u64>() as f64 / distances.len() as f64
        };
        Line {
            seconds: 0.0,
            cpu_seconds: None,
            runs: 0,
            robust: standing as f64 / total as f64,
            queries: mean(|sample| sample.forwards),
            gradients: mean(|sample| sample.backwards),
            median_distance: Some(median(distances)).filter(|median| median.is_finite()),
        }
    }
}

/// The middle value, or the mean of the middle two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Meta;
    use crate::net::SmallNet;

    /// Twelve grey images whose labels are what an untrained network says, but for the first.
    fn folder() -> Folder {
        let device = Device::flex();
        let net = SmallNet::new(8, Seed(1), &device).unwrap();
        let images: Vec<f32> = (0..12 * 64).map(|at| (at * 37 % 101) as f32 / 100.0).collect();
        let meta = Meta::new("small", 8, 0.2, 0.5);
        let mut folder = Folder { meta, net, images, labels: vec![0; 12] };
        let rows = folder.rows(&(0..12).collect::<Vec<_>>(), &device);
        let passes = Passes::with_workers(&device, 1).unwrap();
        let logits = passes.logits(&folder.classifier().unwrap(), rows).unwrap();
        folder.labels = predictions(logits).unwrap().into_iter().map(|(label, _)| label).collect();
        folder.labels[0] = (folder.labels[0] + 1) % 10;
        folder
    }

    fn plan(name: &str, config: &str, nearest: bool) -> Plan {
        Plan {
            attack: attack(name, config).unwrap(),
            norm: if name == "pgd" { Norm::Linf } else { Norm::L2 },
            epsilon: 1.0,
            nearest,
            samples: 100,
            threads: 2,
            repeat: (0.0, 1),
            seed: Seed(0),
        }
    }

    #[test]
    fn a_ball_that_holds_the_box_leaves_none_standing_and_each_step_is_counted() {
        let line = plan("pgd", r#"{"steps": 3, "random_start": false}"#, false)
            .measure(&folder())
            .unwrap();
        assert!(line.robust.abs() < 1e-12, "{line:?}");
        assert!(line.queries >= 1.0 && line.queries <= 3.0, "{line:?}");
        assert!((line.queries - line.gradients).abs() < 1e-12, "{line:?}");
        assert!(line.seconds > 0.0 && line.runs == 1);
    }

    #[test]
    fn the_nearest_points_are_as_near_with_one_thread_as_with_two() {
        let two = plan("deepfool", "{}", true).measure(&folder()).unwrap();
        let one = Plan { threads: 1, ..plan("deepfool", "{}", true) }.measure(&folder()).unwrap();
        assert_eq!(one.median_distance, two.median_distance);
        assert!(two.median_distance.is_some_and(|distance| distance > 0.0 && distance < 1.0));
        assert!(two.robust.abs() < 1e-12);
    }

    #[test]
    fn repetitions_are_counted_and_averaged() {
        let plan = Plan { repeat: (0.0, 3), ..plan("deepfool", "{}", true) };
        assert_eq!(plan.measure(&folder()).unwrap().runs, 3);
    }

    #[test]
    fn an_attack_that_needs_a_ball_gets_the_box() {
        let config = r#"{"steps": 64, "step_size": 0.5}"#;
        let line = plan("simba", config, true).measure(&folder()).unwrap();
        assert!(line.median_distance.is_some(), "{line:?}");
    }

    /// 1 of 12 is wrong when clean; a radius that nobody reaches leaves the other 11.
    #[test]
    fn samples_that_are_wrong_when_clean_are_not_robust() {
        let tiny = Plan { epsilon: 1e-9, ..plan("deepfool", "{}", true) };
        let line = tiny.measure(&folder()).unwrap();
        assert!((line.robust - 11.0 / 12.0).abs() < 1e-12 || line.robust < 11.0 / 12.0);
        assert!(tiny.measure(&folder()).unwrap().robust > 0.9);
    }

    #[test]
    fn an_unknown_name_key_or_value_is_named() {
        let told = |name, config| format!("{:#}", attack(name, config).unwrap_err());
        assert_eq!(told("pdg", "{}"), "no attack `pdg`");
        assert!(told("pgd", r#"{"setps": 3}"#).contains("unknown field `setps`"));
        assert!(told("pgd", "[1]").starts_with("--config"));
        assert!(told("pgd", "{").starts_with("--config: EOF"));
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert!((median(vec![3.0, 1.0, f64::INFINITY, 2.0]) - 2.5).abs() < 1e-12);
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!(median(vec![1.0, f64::INFINITY]).is_infinite());
    }
}
