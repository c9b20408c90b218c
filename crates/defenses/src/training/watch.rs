//! Robust accuracy after each epoch: for early stopping and against catastrophic overfitting.
use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{
    Attack, Cut, Domain, Goal, Oracle, Passes, Problem, Progress, Seed, Status, Threat, WhiteBox,
    run,
};
use duress_models::train::{EpochReport, Verdict, Watch, snapshot};
use duress_models::{Result, Trainable};

/// What counts as catastrophic overfitting to a single-step adversary. Wong, Rice, Kolter. *Fast is
/// Better than Free.* ICLR 2020, §5. <https://arxiv.org/abs/2001.03994>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CollapseCheck {
    /// Robust accuracy falls by more than this from one epoch to the next.
    pub fall: f64,
    /// The accuracy at the points trained on is above the robust accuracy by more than this: of
    /// trainings that never were robust.
    pub mismatch: f64,
    /// Epoch from which on the training's radius is the one that is watched.
    pub full_radius: u32,
}

/// Measures the network on held-out samples after each epoch, under PGD.
///
/// Never give it test samples: what it measures selects the weights.
pub struct RobustnessWatch<'a> {
    /// Rows `[N, F]` in raw units, on the device of the passes.
    pub rows: Tensor<2>,
    /// Their labels.
    pub labels: Vec<usize>,
    /// Their ids.
    pub ids: Vec<u64>,
    /// Input space.
    pub domain: &'a Domain,
    /// The threat model to measure under.
    pub threat: Threat,
    /// The attack that measures.
    pub attack: Pgd,
    /// When to stop the training.
    pub collapse: Option<CollapseCheck>,
    /// Seed of the attack's starts.
    pub seed: Seed,
    /// Computes the passes.
    pub passes: &'a Passes,
    /// Asked whether to stop.
    pub progress: &'a dyn Progress,
}

impl<M: Trainable> Watch<M> for RobustnessWatch<'_> {
    fn epoch(&mut self, network: &M, history: &[EpochReport], due: bool) -> Result<Verdict> {
        if !due && self.collapse.is_none() {
            return Ok(Verdict::default());
        }
        let frozen = snapshot(network, self.domain)?;
        let oracle = WhiteBox::with_cut(&frozen, self.passes, Cut::FULL);
        let goal = Goal::Untargeted(self.labels.clone());
        let quiet = Quiet(self.progress);
        let problem =
            Problem::new(Oracle::Gradients(&oracle), self.rows.clone(), goal, self.threat.clone())
                .with_ids(self.ids.clone())
                .with_seed(self.seed)
                .with_progress(&quiet);
        let attack = Attack::Gradient(Box::new(self.attack.clone()));
        let survived = run(&attack, &problem)?.count(Status::Survived);
        let score = survived as f64 / self.labels.len().max(1) as f64;
        Ok(Verdict { score: Some(score), stop: self.collapsed(history, score) })
    }
}

impl RobustnessWatch<'_> {
    /// Compares with the epoch before, which stands in the reports: right after a resume too; and
    /// with what the epoch got right at the points that it trained on.
    fn collapsed(&self, history: &[EpochReport], score: f64) -> Option<String> {
        let limits = self.collapse?;
        let told = |what: &str, from: f64, to: f64| {
            let (from, to) = (100.0 * from, 100.0 * to);
            Some(format!("catastrophic overfitting: {what} {from:.1} % to {to:.1} %"))
        };
        let before = history.iter().rev().skip(1).find_map(|report| report.score);
        if let Some(before) = before.filter(|before| before - score > limits.fall) {
            return told("robust accuracy fell from", before, score);
        }
        let now = history.last().filter(|report| report.epoch >= limits.full_radius)?;
        let trained = now.correct? as f64 / now.samples.max(1) as f64;
        if trained - score > limits.mismatch {
            return told("more steps take the accuracy from", trained, score);
        }
        None
    }
}

/// Passes the user's wish to stop on, and no progress of an inner measurement.
struct Quiet<'a>(&'a dyn Progress);

impl Progress for Quiet<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
