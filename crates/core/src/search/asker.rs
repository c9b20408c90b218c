//! One sample's side of a search.
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use rand_chacha::ChaCha8Rng;

use super::round::{Answer, Kind, Question};
use super::{Gradients, Halt, Scores};
use crate::projection::{self, Scratch};
use crate::{Domain, Norm, Objective, Part, Reach, Seed, Use};

/// What the samples of a search have in common.
pub(super) struct Common {
    pub(super) domain: Domain,
    pub(super) classes: usize,
    pub(super) norm: Norm,
    pub(super) objective: Objective,
    pub(super) reach: Reach,
    pub(super) targeted: bool,
    pub(super) refusal: Option<usize>,
    pub(super) seed: Seed,
    pub(super) restart: u32,
}

/// What the sample and the round hand each other.
#[derive(Default)]
pub(super) struct Exchange {
    pub(super) question: Option<Question>,
    pub(super) answer: Option<Result<Answer, Halt>>,
    pub(super) left: Option<u64>,
}

/// The sample under attack and the way to ask the model about it.
///
/// Rows are `F` values in raw units; several rows stand one after the other.
pub struct Asker<L> {
    pub(super) common: Arc<Common>,
    pub(super) id: u64,
    pub(super) label: usize,
    pub(super) clean: Vec<f32>,
    pub(super) lower: Vec<f32>,
    pub(super) upper: Vec<f32>,
    pub(super) radius: f64,
    pub(super) enough: f64,
    pub(super) exchange: Arc<Mutex<Exchange>>,
    pub(super) best: Option<(Vec<f32>, f64)>,
    pub(super) settled: Option<Vec<f32>>,
    pub(super) level: PhantomData<fn(L)>,
}

impl<L> Asker<L> {
    /// The clean row.
    #[must_use]
    pub fn clean(&self) -> &[f32] {
        &self.clean
    }

    /// Smallest value each feature may take: box, mask and (for a search of a ball, Linf) ball.
    #[must_use]
    pub fn lower(&self) -> &[f32] {
        &self.lower
    }

    /// Largest value each feature may take.
    #[must_use]
    pub fn upper(&self) -> &[f32] {
        &self.upper
    }

    /// The radius of the threat model; that of the whole box for a search of the nearest point.
    #[must_use]
    pub fn radius(&self) -> f64 {
        self.radius
    }

    /// The norm of the threat model.
    #[must_use]
    pub fn norm(&self) -> Norm {
        self.common.norm
    }

    /// The input space.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.common.domain
    }

    /// Classes of the model.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.common.classes
    }

    /// The label to leave or to reach.
    #[must_use]
    pub fn label(&self) -> usize {
        self.label
    }

    /// Whether the label is to be reached.
    #[must_use]
    pub fn is_targeted(&self) -> bool {
        self.common.targeted
    }

    /// Whether predicting `class` is what the adversary wants.
    #[must_use]
    pub fn is_met(&self, class: usize) -> bool {
        (class == self.label) == self.common.targeted && self.common.refusal != Some(class)
    }

    /// A generator of the sample's own, the same in every batch. Each `step` has another one.
    #[must_use]
    pub fn generator(&self, step: u32) -> ChaCha8Rng {
        let Common { seed, restart, .. } = *self.common;
        seed.stream(self.id, restart, step, Use::Step)
    }

    /// Queries left to this sample; `None` without a budget.
    #[must_use]
    pub fn queries_left(&self) -> Option<u64> {
        lock(&self.exchange).left
    }

    /// The distance of a row from the clean one, in the threat model's norm.
    #[must_use]
    pub fn distance(&self, row: &[f32]) -> f64 {
        let pairs = row.iter().zip(&self.clean);
        let delta: Vec<f64> = pairs.map(|(&new, &old)| f64::from(new) - f64::from(old)).collect();
        self.common.norm.of_slice(&delta)
    }

    /// Moves each feature of a row into its allowed interval.
    pub fn clip(&self, row: &mut [f32]) {
        for (value, (&low, &high)) in row.iter_mut().zip(self.lower.iter().zip(&self.upper)) {
            *value = value.clamp(low, high);
        }
    }

    /// The nearest point (Euclidean) of the ball and the box to a row, in place.
    pub fn project(&self, row: &mut [f32]) {
        let Self { clean, lower, upper, radius, .. } = self;
        let part = Part { center: clean, lower, upper, radius: *radius as f32 };
        match projection::onto(self.common.norm) {
            Some(project) => project(row, part, &mut Scratch::default()),
            None => projection::keep(row, part),
        }
    }

    /// The nearest row so far that meets the goal, and its distance.
    #[must_use]
    pub fn best(&self) -> Option<(&[f32], f64)> {
        self.best.as_ref().map(|(row, distance)| (row.as_slice(), *distance))
    }

    /// The row to return if none that meets the goal is found: the best failing attempt.
    pub fn settle(&mut self, row: &[f32]) {
        self.settled = Some(row.to_vec());
    }

    /// Takes note of a row that meets the goal, as the model answered. Rows that were asked about
    /// are noted already.
    ///
    /// # Errors
    /// [`Halt::Solved`] if no nearer row is asked for.
    pub fn found(&mut self, row: &[f32]) -> Result<(), Halt> {
        let distance = self.distance(row);
        if self.best.as_ref().is_none_or(|(_, best)| distance < *best) {
            self.best = Some((row.to_vec(), distance));
        }
        let solved = match (self.common.objective, self.common.reach) {
            (Objective::Maximise, _) => false,
            (Objective::Succeed, Reach::Ball | Reach::Box) => true,
            (Objective::Succeed | Objective::Minimise, _) => distance <= self.enough,
        };
        if solved { Err(Halt::Solved) } else { Ok(()) }
    }

    /// The predicted class of each of `rows`, one query each. Rows that meet the goal are noted.
    ///
    /// Ask for some hundred rows at a time: they are held in memory for all samples at once.
    ///
    /// # Errors
    /// [`Halt::Budget`] if fewer queries are left than rows, none of them spent;
    /// [`Halt::Solved`] as [`Asker::found`].
    pub async fn labels(&mut self, rows: Vec<f32>) -> Result<Vec<usize>, Halt> {
        let (rows, answer) = self.ask(Kind::Labels, rows, Vec::new()).await?;
        self.note(&rows, &answer.labels)?;
        Ok(answer.labels)
    }

    /// Whether the model's prediction of one row is what the adversary wants: one query.
    ///
    /// # Errors
    /// As [`Asker::labels`].
    pub async fn meets(&mut self, row: &[f32]) -> Result<bool, Halt> {
        let labels = self.labels(row.to_vec()).await?;
        Ok(labels.first().is_some_and(|&class| self.is_met(class)))
    }

    async fn ask(
        &mut self,
        kind: Kind,
        rows: Vec<f32>,
        rivals: Vec<usize>,
    ) -> Result<(Vec<f32>, Answer), Halt> {
        if rows.is_empty() {
            return Ok((rows, Answer::default()));
        }
        lock(&self.exchange).question = Some(Question { kind, rows, rivals });
        let exchange = &self.exchange;
        let answer = poll_fn(|_| match lock(exchange).answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        });
        let answer = answer.await;
        let rows = lock(exchange).question.take().map(|question| question.rows);
        Ok((rows.unwrap_or_default(), answer?))
    }

    /// Keeps the rows that meet the goal, the nearest first.
    fn note(&mut self, rows: &[f32], labels: &[usize]) -> Result<(), Halt> {
        let features = self.clean.len();
        let mut solved = Ok(());
        for (row, &class) in rows.chunks_exact(features.max(1)).zip(labels) {
            if self.is_met(class) {
                solved = self.found(row).and(solved);
            }
        }
        solved
    }
}

impl Asker<Scores> {
    /// The `K` logits of each of `rows`, one query each. Rows that meet the goal are noted.
    ///
    /// # Errors
    /// As [`Asker::labels`].
    pub async fn logits(&mut self, rows: Vec<f32>) -> Result<Vec<f32>, Halt> {
        let (rows, answer) = self.ask(Kind::Logits, rows, Vec::new()).await?;
        self.note(&rows, &answer.labels)?;
        Ok(answer.logits)
    }

    /// The `K` logits of each of `rows`, one query each, as [`Asker::logits`]; but the rows are no
    /// candidates: they may lie outside the ball and the box, and meeting the goal there ends
    /// nothing. For differences around a point.
    ///
    /// # Errors
    /// [`Halt::Budget`] if fewer queries are left than rows, none of them spent.
    pub async fn probe(&mut self, rows: Vec<f32>) -> Result<Vec<f32>, Halt> {
        let (_, answer) = self.ask(Kind::Logits, rows, Vec::new()).await?;
        Ok(answer.logits)
    }
}

/// What [`Asker::gradient`] answers, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slopes {
    /// The `K` logits of each row.
    pub logits: Vec<f32>,
    /// The loss of each row.
    pub loss: Vec<f32>,
    /// The gradient of each row, `F` values.
    pub gradient: Vec<f32>,
}

impl Asker<Gradients> {
    /// The `K` logits of each of `rows`, one query each.
    ///
    /// # Errors
    /// As [`Asker::labels`].
    pub async fn logits(&mut self, rows: Vec<f32>) -> Result<Vec<f32>, Halt> {
        let (rows, answer) = self.ask(Kind::Logits, rows, Vec::new()).await?;
        self.note(&rows, &answer.labels)?;
        Ok(answer.logits)
    }

    /// Logits, the search's loss and its input gradient at each of `rows`, one query and one
    /// backward pass each. `rivals` names the second class of the loss for each row.
    ///
    /// # Errors
    /// As [`Asker::labels`].
    pub async fn gradient(&mut self, rows: Vec<f32>, rivals: Vec<usize>) -> Result<Slopes, Halt> {
        let (rows, answer) = self.ask(Kind::Gradient, rows, rivals).await?;
        self.note(&rows, &answer.labels)?;
        let Answer { logits, loss, gradient, .. } = answer;
        Ok(Slopes { logits, loss, gradient })
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
