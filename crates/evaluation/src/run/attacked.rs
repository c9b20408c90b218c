//! One attack on all test samples, stage by stage and batch by batch.
use std::collections::HashSet;
use std::time::Instant;

use burn::prelude::*;
use duress_core::{
    Attack, Goal, Norm, Oracle, Problem, Progress, Reach, Sample, Stage, Status, Threat, host, run,
};

use super::build::{BATCH, Refusal};
use super::parts::{Part, Parts};
use super::phase::Phase;
use super::{Built, Runner};
use crate::experiment::AttackPlan;
use crate::{Result, short};

/// What an attack left of the test samples, in their order.
#[derive(Clone, Debug)]
pub(super) struct Attacked {
    pub(super) samples: Vec<Sample>,
    /// The returned rows, `F` values each.
    pub(super) rows: Vec<f32>,
    features: usize,
    /// Wall-clock seconds of all parts, those of earlier starts included.
    pub(super) seconds: f64,
    /// One entry a member of a suite; one for any other attack.
    pub(super) stages: Vec<Stage>,
}

/// What is asked of the attack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    /// A point in the ball of this radius.
    Within(f64),
    /// The nearest point.
    Nearest,
}

impl Question {
    /// A search of the nearest point answers for all radii at once.
    pub(super) fn of(plan: &AttackPlan, epsilon: f64) -> Self {
        if is_search(&plan.attack) { Question::Nearest } else { Question::Within(epsilon) }
    }
}

/// Whether one run of the attack answers for all radii: it looks for the nearest point. Members of
/// a suite hand what they left to the next, so a suite runs once a radius.
pub(crate) fn is_search(attack: &Attack) -> bool {
    !matches!(attack, Attack::Suite(_)) && attack.algorithm().reach() == Reach::Nearest
}

impl Runner<'_> {
    /// Runs a plan on all test samples, from where an earlier start of the run left off.
    pub(super) fn attacked(
        &self,
        model: &Built,
        surrogate: Option<&Built>,
        plan: &AttackPlan,
        norm: Norm,
        question: Question,
        (parts, settled): (&Parts, &HashSet<u64>),
    ) -> Result<Attacked> {
        let test = &self.data.test;
        let radius = match question {
            Question::Within(epsilon) => format!("{norm} {}", short(epsilon)),
            Question::Nearest => format!("{norm}, nearest"),
        };
        let what = format!("{}: {} at {radius}", model.name, plan.label);
        let members = plan.attack.stages(norm);
        let attempts = test.len() as u64 * plan.attack.attempts(norm);
        let phase = Phase::begin(self.context.observer, &what, attempts);
        let mut all = Attacked {
            samples: (0..test.len())
                .map(|at| {
                    match model.refusal.filter(|refusal| model.predicted[at] == refusal.class) {
                        Some(Refusal { class, .. }) => {
                            refused(test.ids()[at], test.label(at), class)
                        }
                        None => untouched(test.ids()[at], test.label(at)),
                    }
                })
                .collect(),
            rows: test.values().to_vec(),
            features: test.features(),
            seconds: 0.0,
            stages: Vec::new(),
        };
        let mut open: Vec<usize> =
            (0..test.len()).filter(|&at| !settled.contains(&test.ids()[at])).collect();
        // A refusal is neither right nor a success.
        open.retain(|&at| all.samples[at].status != Status::AlreadyMet);
        for (stage, (label, attack)) in members.iter().enumerate() {
            let label = match &plan.attack {
                Attack::Suite(_) => format!("{}/{label}", plan.label),
                _ => plan.label.clone(),
            };
            let given = open.len();
            let size = if attack.algorithm().joint() { open.len().max(1) } else { BATCH };
            for (batch, positions) in open.chunks(size).enumerate() {
                let part = parts.get((stage, batch), || {
                    self.part(model, surrogate, plan, (attack, positions), norm, question, &phase)
                })?;
                all.take(positions, part, &label, stage == 0);
            }
            let correct = |&&at: &&usize| all.samples[at].status != Status::AlreadyMet;
            let attacked = open.iter().filter(correct).count();
            open.retain(|&position| all.samples[position].status == Status::Survived);
            let skipped = (test.len() - given) as u64;
            phase.advance(skipped * u64::from(attack.algorithm().restarts().max(1)));
            let by = |sample: &&Sample| sample.broken_by.as_ref() == Some(&label);
            let broken = all.samples.iter().filter(by).count();
            let given = if stage == 0 { attacked } else { given };
            all.stages.push(Stage { label, given, broken });
        }
        Ok(all)
    }

    /// One batch of one stage.
    #[expect(clippy::too_many_arguments, reason = "all of a problem, none of it twice")]
    fn part(
        &self,
        model: &Built,
        surrogate: Option<&Built>,
        plan: &AttackPlan,
        (attack, positions): (&Attack, &[usize]),
        norm: Norm,
        question: Question,
        phase: &Phase<'_>,
    ) -> Result<Part> {
        let begun = Instant::now();
        let (test, passes) = (&self.data.test, self.context.passes);
        let features = test.features();
        let values: Vec<f32> = positions
            .iter()
            .flat_map(|&position| &test.values()[position * features..][..features])
            .copied()
            .collect();
        let shape = [positions.len(), features];
        let rows = Tensor::from_data(TensorData::new(values, shape), passes.device());
        let labels = positions.iter().map(|&at| test.label(at)).collect();
        let goal = match model.refusal {
            Some(Refusal { class, .. }) => Goal::Undetected { labels, refusal: class },
            None => Goal::Untargeted(labels),
        };
        let ids = positions.iter().map(|&position| test.ids()[position]).collect();
        let attempt = |oracle: Oracle<'_>, judge: Option<Oracle<'_>>| {
            let problem = match question {
                Question::Within(epsilon) => {
                    Problem::new(oracle, rows, goal, Threat::new(norm, epsilon)?)
                }
                Question::Nearest => Problem::nearest(oracle, rows, goal, norm)?,
            };
            let problem = problem
                .with_ids(ids)
                .with_seed(self.experiment.seed)
                .with_budget(plan.budget)
                .with_progress(phase);
            match judge {
                Some(judge) => run(attack, &problem.judged_by(judge)),
                None => run(attack, &problem),
            }
        };
        let draws = (plan.model_draws.unwrap_or(AttackPlan::DRAWS), self.experiment.seed);
        let outcome = match surrogate {
            None if plan.passes_by() => model.subject().with_unaware(passes, attempt),
            None => model.subject().with_adversary(passes, draws, attempt),
            Some(surrogate) => surrogate.subject().with_adversary(passes, draws, |own, _| {
                model.with_oracle(passes, |judge| attempt(own, Some(judge)))
            }),
        }?;
        let rows = host::floats(outcome.rows)?;
        Ok(Part { samples: outcome.samples, rows, seconds: begun.elapsed().as_secs_f64() })
    }
}

/// A sample that was not attacked and is classified as labelled.
fn untouched(id: u64, label: usize) -> Sample {
    Sample {
        id,
        label,
        clean_prediction: label,
        status: Status::Survived,
        prediction: label,
        clean_confidence: None,
        confidence: None,
        loss: None,
        distance: 0.0,
        forwards: 0,
        backwards: 0,
        broken_by: None,
    }
}

/// A sample that the model refuses to answer without an adversary.
fn refused(id: u64, label: usize, refusal: usize) -> Sample {
    Sample {
        clean_prediction: refusal,
        prediction: refusal,
        status: Status::AlreadyMet,
        ..untouched(id, label)
    }
}

impl Attacked {
    /// Takes over what a stage found at `positions`: a break, or a better failing attempt.
    fn take(&mut self, positions: &[usize], part: Part, label: &str, first: bool) {
        let features = self.features;
        self.seconds += part.seconds;
        for (index, (&position, mut sample)) in positions.iter().zip(part.samples).enumerate() {
            if sample.status == Status::Broken {
                sample.broken_by = Some(label.to_owned());
            }
            let better = first || improves(&sample, &self.samples[position]);
            if first {
                self.samples[position] = sample;
            } else {
                let old = &mut self.samples[position];
                sample.forwards += old.forwards;
                sample.backwards += old.backwards;
                if better {
                    *old = sample;
                } else {
                    (old.forwards, old.backwards) = (sample.forwards, sample.backwards);
                }
            }
            if better {
                let row = &part.rows[index * features..][..features];
                self.rows[position * features..][..features].copy_from_slice(row);
            }
        }
    }

    /// What the search of the nearest point says about the ball of radius `epsilon`: points beyond
    /// it count for nothing, and their samples end where they began.
    pub(super) fn within(&self, epsilon: f64, clean: &[f32]) -> Self {
        let mut ball = self.clone();
        for (index, sample) in ball.samples.iter_mut().enumerate() {
            if sample.status == Status::Broken && sample.distance > epsilon {
                sample.status = Status::Survived;
                sample.prediction = sample.clean_prediction;
                sample.confidence = sample.clean_confidence;
                (sample.loss, sample.broken_by) = (None, None);
                let row = index * self.features..(index + 1) * self.features;
                ball.rows[row.clone()].copy_from_slice(&clean[row]);
            }
        }
        ball
    }
}

/// Whether an attempt of a later stage replaces the one before it.
fn improves(new: &Sample, old: &Sample) -> bool {
    new.status == Status::Broken || matches!((new.loss, old.loss), (Some(a), Some(b)) if a > b)
}
