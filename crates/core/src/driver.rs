//! Runs an attack and measures the result itself instead of trusting it.
//!
//! The driver peels off samples that already meet the goal, hands the rest to the attack, restarts
//! it on what is left, keeps the best attempt of each sample, and checks every row it returns with
//! a fresh forward pass and in f64: in the ball, in the box, prediction as claimed.
use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::attack::{Algorithm, Attack, Setting};
use crate::job::{Job, Meter, Objective, indices};
use crate::oracle::Oracle;
use crate::progress::{Progress, Silent};
use crate::verify::{Verdict, Verifier};
use crate::{Error, Goal, LabelOracle, Region, Result, Seed, Threat};

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
}

impl<'a> Problem<'a> {
    /// Clean rows `[N, F]` in raw units, what counts as success, and what the adversary may do.
    ///
    /// Samples are numbered from 0, the seed is 0, queries are not limited.
    #[must_use]
    pub fn new(oracle: Oracle<'a>, rows: Tensor<2>, goal: Goal, threat: Threat) -> Self {
        let ids = (0..rows.dims()[0] as u64).collect();
        Self { oracle, rows, goal, threat, ids, seed: Seed(0), budget: None, progress: &Silent }
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
}

/// What [`run`] measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The returned rows `[N, F]`: adversarial where broken, the last best attempt where the
    /// sample survived, clean where it was not attacked.
    pub rows: Tensor<2>,
    /// One entry a sample, in the order of the batch.
    pub samples: Vec<Sample>,
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
/// [`Error::Access`], [`Error::Parameter`]. A model that cannot be attacked:
/// [`Error::LogitsNotFinite`], [`Error::GradientNotFinite`], [`Error::NoGradient`]. An attack that
/// breaks its contract: [`Error::OutsideBall`], [`Error::OutsideDomain`], [`Error::Budget`].
pub fn run(attack: &Attack, problem: &Problem<'_>) -> Result<Outcome> {
    let Problem { oracle, rows, goal, threat, ids, seed, budget, progress } = problem;
    let model = oracle.labels();
    let algorithm = attack.algorithm();
    check(attack, *oracle, problem)?;
    let count = rows.dims()[0];
    if count == 0 {
        return Ok(Outcome { rows: rows.clone(), samples: Vec::new() });
    }
    let region = Region::new(rows.clone(), threat, model.domain())?;
    let verifier = Verifier::new(*oracle, algorithm.name(), rows.clone(), threat, ids)?;
    let clean = verifier.clean(goal)?;

    let mut best: Vec<Verdict> = clean.clone();
    let mut result = rows.clone();
    let mut meter = Meter { forwards: vec![0; count], backwards: vec![0; count], budget: *budget };
    let mut attacked = vec![false; count];

    progress.begin(algorithm.name(), count as u64 * u64::from(algorithm.restarts().max(1)));
    for restart in 0..algorithm.restarts().max(1) {
        let open: Vec<usize> = (0..count)
            .filter(|&position| !best[position].met)
            .filter(|&position| budget.is_none_or(|most| meter.forwards[position] < most))
            .collect();
        progress.advance((count - open.len()) as u64);
        if open.is_empty() {
            continue;
        }
        let places = indices(&open, &rows.device());
        let attempt = Attempt {
            algorithm: algorithm.name(),
            region: region.select(&places),
            aim: goal.select(&open).aim(&rows.device()),
            ids: open.iter().map(|&position| ids[position]).collect(),
            meter: meter.select(&open),
            seed: *seed,
            restart,
            progress: *progress,
        };
        let (proposed, spent) = attempt.run(attack, *oracle)?;
        meter.store(&open, &spent);
        let verdicts = verifier.check(&open, proposed.clone(), goal)?;
        let better: Vec<usize> = (0..open.len())
            .filter(|&index| {
                let (old, new) = (&best[open[index]], &verdicts[index]);
                !attacked[open[index]] || new.improves(old, goal.is_targeted())
            })
            .collect();
        result = replace(result, &open, &proposed, &better);
        for index in better {
            best[open[index]] = verdicts[index].clone();
            attacked[open[index]] = true;
        }
        progress.advance(open.len() as u64);
    }
    progress.end();

    let samples = (0..count).map(|position| {
        let verdict = &best[position];
        Sample {
            id: ids[position],
            label: goal.labels()[position],
            clean_prediction: clean[position].prediction,
            clean_confidence: clean[position].confidence,
            confidence: verdict.confidence,
            status: match (attacked[position], verdict.met) {
                (true, true) => Status::Broken,
                (_, false) => Status::Survived,
                (false, true) => Status::AlreadyMet,
            },
            prediction: verdict.prediction,
            loss: verdict.loss,
            distance: verdict.distance,
            forwards: meter.forwards[position],
            backwards: meter.backwards[position],
        }
    });
    Ok(Outcome { rows: result, samples: samples.collect() })
}

fn check(attack: &Attack, oracle: Oracle<'_>, problem: &Problem<'_>) -> Result<()> {
    let model = oracle.labels();
    let (algorithm, norm) = (attack.algorithm(), problem.threat.norm());
    let [count, features] = problem.rows.dims();
    if features != model.domain().features() || problem.ids.len() != count {
        return Err(Error::Shape {
            what: "rows",
            expected: format!("[{}, {}]", problem.ids.len(), model.domain().features()),
            got: format!("[{count}, {features}]"),
        });
    }
    problem.goal.check(count, model.classes())?;
    problem.threat.radii(count)?;
    if !algorithm.norms().contains(&norm) {
        let supported: Vec<_> = algorithm.norms().iter().map(ToString::to_string).collect();
        return Err(Error::UnsupportedNorm {
            algorithm: algorithm.name(),
            norm,
            supported: supported.join(", "),
        });
    }
    if attack.access() > oracle.access() {
        return Err(Error::Access {
            algorithm: algorithm.name(),
            needed: attack.access(),
            given: oracle.access(),
        });
    }
    algorithm.check(&Setting {
        domain: model.domain(),
        classes: model.classes(),
        targeted: problem.goal.is_targeted(),
    })
}

/// All an attempt needs, whatever its access level.
struct Attempt<'a> {
    algorithm: &'static str,
    region: Region,
    aim: crate::Aim,
    ids: Vec<u64>,
    meter: Meter,
    seed: Seed,
    restart: u32,
    progress: &'a dyn Progress,
}

impl<'a> Attempt<'a> {
    fn run(self, attack: &Attack, oracle: Oracle<'a>) -> Result<(Tensor<2>, Meter)> {
        let given = oracle.access();
        let missing = |algorithm: &dyn Algorithm| Error::Access {
            algorithm: algorithm.name(),
            needed: attack.access(),
            given,
        };
        match attack {
            Attack::Gradient(attack) => {
                let oracle = oracle.gradients().ok_or_else(|| missing(attack.as_ref()))?;
                self.with(oracle, |job| attack.perturb(job))
            }
            Attack::Score(attack) => {
                let oracle = oracle.scores().ok_or_else(|| missing(attack.as_ref()))?;
                self.with(oracle, |job| attack.perturb(job))
            }
            Attack::Label(attack) => self.with(oracle.labels(), |job| attack.perturb(job)),
        }
    }

    fn with<O: LabelOracle + ?Sized>(
        self,
        oracle: &'a O,
        perturb: impl FnOnce(&mut Job<'a, O>) -> Result<Tensor<2>>,
    ) -> Result<(Tensor<2>, Meter)> {
        let mut job = Job {
            oracle,
            algorithm: self.algorithm,
            region: self.region,
            aim: self.aim,
            objective: Objective::Succeed,
            seed: self.seed,
            restart: self.restart,
            meter: self.meter,
            progress: self.progress,
            slots: (0..self.ids.len()).collect(),
            ids: self.ids,
            retired: Vec::new(),
        };
        let rows = perturb(&mut job)?;
        let rows = job.collect(rows)?;
        Ok((rows, job.meter))
    }
}

impl Meter {
    fn select(&self, positions: &[usize]) -> Self {
        let select = |counts: &[u64]| positions.iter().map(|&at| counts[at]).collect();
        Self {
            forwards: select(&self.forwards),
            backwards: select(&self.backwards),
            budget: self.budget,
        }
    }

    fn store(&mut self, positions: &[usize], spent: &Meter) {
        for (index, &at) in positions.iter().enumerate() {
            self.forwards[at] = spent.forwards[index];
            self.backwards[at] = spent.backwards[index];
        }
    }
}

/// `rows` with row `open[i]` taken from `proposed[i]`, for each `i` of `better`.
fn replace(rows: Tensor<2>, open: &[usize], proposed: &Tensor<2>, better: &[usize]) -> Tensor<2> {
    if better.is_empty() {
        return rows;
    }
    let (count, device) = (rows.dims()[0], rows.device());
    let mut source: Vec<usize> = (0..count).collect();
    for &index in better {
        source[open[index]] = count + index;
    }
    Tensor::cat(vec![rows, proposed.clone()], 0).select(0, indices(&source, &device))
}
