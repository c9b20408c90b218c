//! The batch's side of a search: one pass answers what all samples asked.
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use burn::prelude::*;
use rayon::prelude::*;

use super::asker::{Asker, Common, Exchange, lock};
use super::{Halt, Search, Searching};
use crate::classifier::{Evaluation, arg_max};
use crate::goal::FAR_BELOW;
use crate::job::Job;
use crate::{Aim, Error, LabelOracle, Objective, Result, host};

/// Most rows of one pass: what a round holds on the device at once.
const ROWS_OF_A_PASS: usize = 8192;

/// What is asked about rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Labels,
    Logits,
    Gradient,
}

/// Rows of one sample, and for a gradient the rival class of each (or none).
pub(super) struct Question {
    pub(super) kind: Kind,
    pub(super) rows: Vec<f32>,
    pub(super) rivals: Vec<usize>,
}

/// What the model said, row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) labels: Vec<usize>,
    pub(super) logits: Vec<f32>,
    pub(super) loss: Vec<f32>,
    pub(super) gradient: Vec<f32>,
}

impl Answer {
    pub(super) fn labels(labels: Tensor<1, Int>) -> Result<Self> {
        Ok(Self { labels: host::labels(labels)?, ..Self::default() })
    }

    pub(super) fn logits(logits: Tensor<2>) -> Result<Self> {
        let classes = logits.dims()[1].max(1);
        let logits = host::floats(logits)?;
        let labels = logits.chunks_exact(classes).map(arg_max).collect();
        Ok(Self { labels, logits, ..Self::default() })
    }

    pub(super) fn gradient(at: Evaluation) -> Result<Self> {
        let answer = Self::logits(at.logits)?;
        Ok(Self { loss: host::floats(at.loss)?, gradient: host::floats(at.gradient)?, ..answer })
    }

    /// The answers to the rows in `range` of `total`.
    fn part(&self, range: Range<usize>, total: usize) -> Self {
        fn cut<T: Clone>(values: &[T], range: &Range<usize>, total: usize) -> Vec<T> {
            let width = values.len() / total.max(1);
            values[range.start * width..range.end * width].to_vec()
        }
        Self {
            labels: cut(&self.labels, &range, total),
            logits: cut(&self.logits, &range, total),
            loss: cut(&self.loss, &range, total),
            gradient: cut(&self.gradient, &range, total),
        }
    }

    /// Lets the label of `rows` rows stand for a refusal too, as [`Aim::join_refusal`] does.
    fn join_refusal(&mut self, label: usize, refusal: usize, rows: usize) {
        if self.logits.is_empty() {
            return;
        }
        let classes = self.logits.len() / rows.max(1);
        for logits in self.logits.chunks_exact_mut(classes.max(1)) {
            logits[label] = logits[label].max(logits[refusal]);
            logits[refusal] = FAR_BELOW;
        }
    }

    fn append(&mut self, more: Self) {
        self.labels.extend(more.labels);
        self.logits.extend(more.logits);
        self.loss.extend(more.loss);
        self.gradient.extend(more.gradient);
    }
}

/// A sample that is still searching.
struct Runner<'s> {
    index: usize,
    label: usize,
    future: Searching<'s>,
    exchange: Arc<Mutex<Exchange>>,
    ended: Option<Result<(), Halt>>,
}

/// Runs a search on every active sample. `pass` answers rows; its last argument makes the aim of
/// a gradient question.
pub(super) fn run<'a, O: LabelOracle + ?Sized, L: 'static>(
    job: &mut Job<'a, O>,
    search: &dyn Search<L>,
    pass: impl Fn(&Job<'a, O>, Kind, Tensor<2>, &dyn Fn() -> Result<Aim>) -> Result<Answer>,
) -> Result<Tensor<2>> {
    if job.active() == 0 {
        return Ok(job.clean());
    }
    let mut askers = askers(job)?;
    let mut runners: Vec<Runner<'_>> = askers
        .iter_mut()
        .enumerate()
        .map(|(index, asker)| {
            let (label, exchange) = (asker.label, Arc::clone(&asker.exchange));
            Runner { index, label, future: search.search(asker), exchange, ended: None }
        })
        .collect();
    while !runners.is_empty() {
        if job.progress.cancelled() {
            return Err(Error::Cancelled);
        }
        runners.par_iter_mut().for_each(|runner| {
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(ended) = runner.future.as_mut().poll(&mut context) {
                runner.ended = Some(ended);
            }
        });
        for runner in &runners {
            if let Some(Err(Halt::Failed(error))) = &runner.ended {
                return Err(error.clone());
            }
        }
        runners.retain(|runner| runner.ended.is_none());
        for kind in [Kind::Labels, Kind::Logits, Kind::Gradient] {
            answer(job, &runners, kind, &pass)?;
        }
    }
    drop(runners);
    Ok(gather(job, askers))
}

/// Answers the questions of one kind, those within their budgets.
fn answer<'a, O: LabelOracle + ?Sized>(
    job: &mut Job<'a, O>,
    runners: &[Runner<'_>],
    kind: Kind,
    pass: &impl Fn(&Job<'a, O>, Kind, Tensor<2>, &dyn Fn() -> Result<Aim>) -> Result<Answer>,
) -> Result<()> {
    let features = job.region.center().dims()[1];
    let device = job.region.center().device();
    let goal = job.aim.goal();
    let (mut values, mut rivals, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let mut asked: Vec<(&Runner<'_>, usize)> = Vec::new();
    for runner in runners {
        let mut exchange = lock(&runner.exchange);
        let Some(question) = exchange.question.as_ref().filter(|question| question.kind == kind)
        else {
            continue;
        };
        let rows = question.rows.len() / features.max(1);
        if rows * features != question.rows.len() {
            return Err(Error::Shape {
                what: "rows of a question",
                expected: format!("a multiple of {features} values"),
                got: question.rows.len().to_string(),
            });
        }
        if job.left(runner.index).is_some_and(|left| rows as u64 > left) {
            exchange.answer = Some(Err(Halt::Budget));
            continue;
        }
        values.extend_from_slice(&question.rows);
        rivals.extend_from_slice(&question.rivals);
        labels.extend(std::iter::repeat_n(runner.label, rows));
        let cost = rows as u64 * job.oracle.cost();
        job.charge_one(runner.index, cost, kind == Kind::Gradient)?;
        exchange.left = job.left(runner.index);
        asked.push((runner, rows));
    }
    let total = labels.len();
    if total == 0 {
        return Ok(());
    }
    let mut answers = Answer::default();
    for start in (0..total).step_by(ROWS_OF_A_PASS) {
        let range = start..total.min(start + ROWS_OF_A_PASS);
        let part = values[range.start * features..range.end * features].to_vec();
        let rows = Tensor::from_data(TensorData::new(part, [range.len(), features]), &device);
        let aim = || {
            let labels = labels[range.clone()].to_vec();
            let aim = goal.with_labels(labels).aim(&device);
            if rivals.len() != total {
                return Ok(aim);
            }
            let rivals: Vec<i64> =
                rivals[range.clone()].iter().map(|&class| class as i64).collect();
            let shape = [rivals.len()];
            Ok(aim.with_rivals(Tensor::from_data(TensorData::new(rivals, shape), &device)))
        };
        answers.append(pass(job, kind, rows, &aim)?);
    }
    let mut start = 0;
    for (runner, rows) in asked {
        let mut answer = answers.part(start..start + rows, total);
        if answer.logits.iter().any(|logit| !logit.is_finite()) {
            return Err(Error::LogitsNotFinite { sample: job.ids[runner.index] });
        }
        if answer.gradient.iter().any(|slope| !slope.is_finite()) {
            return Err(Error::GradientNotFinite { sample: job.ids[runner.index] });
        }
        if let Some(refusal) = job.aim.refusal() {
            answer.join_refusal(runner.label, refusal, rows);
        }
        lock(&runner.exchange).answer = Some(Ok(answer));
        start += rows;
    }
    Ok(())
}

/// One asker an active sample.
fn askers<O: LabelOracle + ?Sized, L>(job: &Job<'_, O>) -> Result<Vec<Asker<L>>> {
    let region = &job.region;
    let (clean, lower) = (host::floats(region.center())?, host::floats(region.lower())?);
    let upper = host::floats(region.upper())?;
    let (radius, enough) = (host::floats(region.radius())?, host::floats(job.enough.clone())?);
    let labels = host::labels(job.aim.labels())?;
    let features = region.center().dims()[1];
    let common = Arc::new(Common {
        domain: job.oracle.domain().clone(),
        classes: job.oracle.classes(),
        norm: region.norm(),
        objective: job.objective,
        reach: job.reach,
        targeted: job.aim.is_targeted(),
        refusal: job.aim.refusal(),
        seed: job.seed,
        restart: job.restart,
    });
    let asker = |index: usize| {
        let row = |values: &[f32]| values[index * features..(index + 1) * features].to_vec();
        let exchange = Exchange { left: job.left(index), ..Exchange::default() };
        Asker {
            common: Arc::clone(&common),
            id: job.ids[index],
            label: labels[index],
            clean: row(&clean),
            lower: row(&lower),
            upper: row(&upper),
            radius: f64::from(radius[index]),
            enough: f64::from(enough[index]),
            exchange: Arc::new(Mutex::new(exchange)),
            best: None,
            settled: None,
            level: PhantomData,
        }
    };
    Ok((0..job.active()).map(asker).collect())
}

/// The row each sample ends with.
fn gather<O: LabelOracle + ?Sized, L>(job: &Job<'_, O>, askers: Vec<Asker<L>>) -> Tensor<2> {
    let center = job.region.center();
    let ([count, features], device) = (center.dims(), center.device());
    let mut values = Vec::with_capacity(count * features);
    for asker in askers {
        let best = asker.best.map(|(row, _)| row);
        let row = match asker.common.objective {
            Objective::Maximise => asker.settled.or(best),
            Objective::Succeed | Objective::Minimise => best.or(asker.settled),
        };
        values.extend(row.unwrap_or(asker.clean));
    }
    Tensor::from_data(TensorData::new(values, [count, features]), &device)
}
