//! Runs an attack and measures the result itself instead of trusting it.
//!
//! The driver peels off samples that already meet the goal, hands the rest to the attack (to each
//! member of a suite in turn), restarts it on what is left, keeps the best attempt of each sample,
//! and checks every row it returns with a fresh forward pass and in f64: in the ball, in the box,
//! prediction as claimed.
mod attempt;
mod state;

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::attack::{Attack, Reach, Setting};
use crate::oracle::Oracle;
use crate::progress::{Progress, Silent};
use crate::{Error, Goal, Norm, Result, Seed, Threat};
use state::State;

/// One batch to attack.
pub struct Problem<'a> {
    oracle: Oracle<'a>,
    rows: Tensor<2>,
    goal: Goal,
    threat: Threat,
    ids: Vec<u64>,
    seed: Seed,
    budget: Option<u64>,
    progress: &'a dyn Progress,
    minimise: bool,
    judge: Option<Oracle<'a>>,
}

impl<'a> Problem<'a> {
    /// Clean rows `[N, F]` in raw units, what counts as success, and what the adversary may do.
    ///
    /// Samples are numbered from 0, the seed is 0, queries are not limited.
    #[must_use]
    pub fn new(oracle: Oracle<'a>, rows: Tensor<2>, goal: Goal, threat: Threat) -> Self {
        let ids = (0..rows.dims()[0] as u64).collect();
        Self {
            oracle,
            rows,
            goal,
            threat,
            ids,
            seed: Seed(0),
            budget: None,
            progress: &Silent,
            minimise: false,
            judge: None,
        }
    }

    /// The same without a radius: how near to each row is the nearest point that meets the goal?
    /// For attacks of [`Reach::Nearest`].
    ///
    /// # Errors
    /// [`Error::Radius`] if the box has no finite diameter.
    pub fn nearest(oracle: Oracle<'a>, rows: Tensor<2>, goal: Goal, norm: Norm) -> Result<Self> {
        let threat = Threat::new(norm, oracle.labels().domain().diameter(norm))?;
        Ok(Self { minimise: true, ..Self::new(oracle, rows, goal, threat) })
    }

    /// A transfer attack: the adversary works on the problem's oracle, a surrogate, and `target`
    /// alone decides whether a sample meets its goal, before and after. Samples that the surrogate
    /// gets wrong go on to raise its loss.
    #[must_use]
    pub fn judged_by(self, target: Oracle<'a>) -> Self {
        Self { judge: Some(target), ..self }
    }

    /// Names the samples: random draws follow the id, not the place in the batch.
    #[must_use]
    pub fn with_ids(self, ids: Vec<u64>) -> Self {
        Self { ids, ..self }
    }

    /// Sets the seed of all draws.
    #[must_use]
    pub fn with_seed(self, seed: Seed) -> Self {
        Self { seed, ..self }
    }

    /// Limits the queries an attack may spend on each sample, over all restarts.
    #[must_use]
    pub fn with_budget(self, budget: Option<u64>) -> Self {
        Self { budget, ..self }
    }

    /// Reports progress, one unit a sample and restart.
    #[must_use]
    pub fn with_progress(self, progress: &'a dyn Progress) -> Self {
        Self { progress, ..self }
    }
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The clean row meets the goal already; it was not attacked.
    AlreadyMet,
    /// The attack met the goal inside the region, checked afterwards.
    Broken,
    /// The attack did not find a way.
    Survived,
}

/// What the driver measured on one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Id of the sample.
    pub id: u64,
    /// Label to leave or to reach.
    pub label: usize,
    /// Prediction at the clean row.
    pub clean_prediction: usize,
    /// What became of it.
    pub status: Status,
    /// Prediction at the returned row.
    pub prediction: usize,
    /// Softmax probability of the clean prediction; `None` without score access.
    pub clean_confidence: Option<f32>,
    /// Softmax probability of the prediction at the returned row.
    pub confidence: Option<f32>,
    /// Cross-entropy of the label at the returned row; `None` without score access.
    pub loss: Option<f64>,
    /// Distance of the returned row in the threat model's norm.
    pub distance: f64,
    /// Forward passes the attack spent.
    pub forwards: u64,
    /// Backward passes the attack spent.
    pub backwards: u64,
    /// Where broken, the attack that did it: its name, or its label in the suite.
    pub broken_by: Option<String>,
}

/// What one attack of a run did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Name of the attack, or its label in the suite.
    pub label: String,
    /// Samples it was given.
    pub given: usize,
    /// Samples of these that it broke.
    pub broken: usize,
}

/// What [`run`] measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The returned rows `[N, F]`: adversarial where broken, the last best attempt where the
    /// sample survived, clean where it was not attacked.
    pub rows: Tensor<2>,
    /// One entry a sample, in the order of the batch.
    pub samples: Vec<Sample>,
    /// One entry an attack: one, or the members of a suite.
    pub stages: Vec<Stage>,
}

impl Outcome {
    /// How many samples have `status`.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.samples.iter().filter(|sample| sample.status == status).count()
    }
}

/// Attacks every sample of `problem` that does not meet its goal already.
///
/// # Errors
/// Wrong input: [`Error::Shape`], [`Error::Input`], [`Error::Label`], [`Error::UnsupportedNorm`],
/// [`Error::Access`], [`Error::Parameter`], [`Error::Reach`], [`Error::NeedsRadius`]. A model that
/// cannot be attacked: [`Error::LogitsNotFinite`], [`Error::GradientNotFinite`],
/// [`Error::NoGradient`]. An attack that breaks its contract: [`Error::OutsideBall`],
/// [`Error::OutsideDomain`], [`Error::Budget`].
pub fn run(attack: &Attack, problem: &Problem<'_>) -> Result<Outcome> {
    let norm = problem.threat.norm();
    check_problem(problem)?;
    check_attack(attack, problem)?;
    let stages = attack.stages(norm);
    for (_, member) in &stages {
        check_attack(member, problem)?;
    }
    let count = problem.rows.dims()[0];
    if count == 0 {
        return Ok(Outcome { rows: problem.rows.clone(), samples: vec![], stages: vec![] });
    }
    problem.progress.begin(attack.algorithm().name(), count as u64 * attack.attempts(norm));
    let mut state = State::new(problem, attack.algorithm().name())?;
    for (label, member) in stages {
        state.stage(&label, member)?;
    }
    problem.progress.end();
    Ok(state.finish())
}

fn check_problem(problem: &Problem<'_>) -> Result<()> {
    let model = problem.oracle.labels();
    let [count, features] = problem.rows.dims();
    if features != model.domain().features() || problem.ids.len() != count {
        return Err(Error::Shape {
            what: "rows",
            expected: format!("[{}, {}]", problem.ids.len(), model.domain().features()),
            got: format!("[{count}, {features}]"),
        });
    }
    if let Some(judge) = problem.judge
        && (judge.labels().domain() != model.domain()
            || judge.labels().classes() != model.classes())
    {
        return Err(Error::Shape {
            what: "target of a transfer",
            expected: format!("{} features, {} classes", features, model.classes()),
            got: format!(
                "{} features, {} classes (or another box)",
                judge.labels().domain().features(),
                judge.labels().classes()
            ),
        });
    }
    problem.goal.check(count, model.classes())?;
    problem.threat.radii(count).map(|_| ())
}

fn check_attack(attack: &Attack, problem: &Problem<'_>) -> Result<()> {
    let (model, algorithm) = (problem.oracle.labels(), attack.algorithm());
    let norm = problem.threat.norm();
    if !algorithm.norms().contains(&norm) {
        let supported: Vec<_> = algorithm.norms().iter().map(ToString::to_string).collect();
        return Err(Error::UnsupportedNorm {
            algorithm: algorithm.name(),
            norm,
            supported: supported.join(", "),
        });
    }
    if attack.access() > problem.oracle.access() {
        return Err(Error::Access {
            algorithm: algorithm.name(),
            needed: attack.access(),
            given: problem.oracle.access(),
        });
    }
    if problem.minimise && algorithm.reach() == Reach::Ball {
        return Err(Error::NeedsRadius { algorithm: algorithm.name() });
    }
    if algorithm.reach() == Reach::Box {
        let needed = model.domain().diameter(norm);
        let radii = problem.threat.radii(problem.rows.dims()[0])?;
        if let Some(&radius) = radii.iter().find(|&&radius| radius < needed * (1.0 - 1e-9)) {
            return Err(Error::Reach { algorithm: algorithm.name(), norm, radius, needed });
        }
    }
    algorithm.check(&Setting {
        domain: model.domain(),
        classes: model.classes(),
        targeted: problem.goal.is_targeted(),
    })
}
