//! What is known of each sample while a run goes on.
use burn::prelude::*;

use super::attempt::Attempt;
use super::{Outcome, Problem, Sample, Stage, Status};
use crate::attack::{Attack, Reach};
use crate::job::{Meter, Objective, indices};
use crate::verify::{Verdict, Verifier};
use crate::{Region, Result};

/// The best attempt on each sample so far.
pub(super) struct State<'r, 'p> {
    problem: &'r Problem<'p>,
    verifier: Verifier<'r>,
    region: Region,
    clean: Vec<Verdict>,
    best: Vec<Verdict>,
    rows: Tensor<2>,
    meter: Meter,
    attacked: Vec<bool>,
    broken_by: Vec<Option<String>>,
    stages: Vec<Stage>,
}

impl<'r, 'p> State<'r, 'p> {
    /// Looks at the clean rows.
    pub(super) fn new(problem: &'r Problem<'p>, name: &'static str) -> Result<Self> {
        let Problem { oracle, rows, goal, threat, ids, budget, judge, .. } = problem;
        let count = rows.dims()[0];
        let judge = judge.unwrap_or(*oracle);
        let region = Region::new(rows.clone(), threat, judge.labels().domain())?;
        let verifier = Verifier::new(judge, name, rows.clone(), threat, ids)?;
        let clean = verifier.clean(goal)?;
        Ok(Self {
            problem,
            verifier,
            region,
            best: clean.clone(),
            clean,
            rows: rows.clone(),
            meter: Meter { forwards: vec![0; count], backwards: vec![0; count], budget: *budget },
            attacked: vec![false; count],
            broken_by: vec![None; count],
            stages: Vec::new(),
        })
    }

    /// Runs one attack with its restarts on what is left.
    pub(super) fn stage(&mut self, label: &str, attack: &Attack) -> Result<()> {
        let before = self.broken();
        let mut given = 0;
        let restarts = attack.algorithm().restarts().max(1);
        for restart in 0..restarts {
            let open = self.open();
            if restart == 0 {
                given = open.len();
            }
            self.problem.progress.advance((self.best.len() - open.len()) as u64);
            if !open.is_empty() {
                self.attempt(label, attack, restart, &open)?;
                self.problem.progress.advance(open.len() as u64);
            }
        }
        let broken = self.broken() - before;
        self.stages.push(Stage { label: label.to_owned(), given, broken });
        Ok(())
    }

    fn broken(&self) -> usize {
        self.broken_by.iter().filter(|by| by.is_some()).count()
    }

    /// Samples that an attempt can still do something for.
    fn open(&self) -> Vec<usize> {
        let left = |position: &usize| {
            self.problem.budget.is_none_or(|most| self.meter.forwards[*position] < most)
        };
        let wanted = |position: &usize| {
            if self.problem.minimise {
                !self.clean[*position].met
            } else {
                !self.best[*position].met
            }
        };
        (0..self.best.len()).filter(wanted).filter(left).collect()
    }

    fn attempt(
        &mut self,
        label: &str,
        attack: &Attack,
        restart: u32,
        open: &[usize],
    ) -> Result<()> {
        let problem = self.problem;
        let device = self.rows.device();
        let ball = self.region.select(&indices(open, &device));
        let reach = attack.algorithm().reach();
        let attempt = Attempt {
            algorithm: attack.algorithm().name(),
            objective: match (problem.minimise, problem.judge, reach) {
                (true, _, _) => Objective::Minimise,
                (false, Some(_), Reach::Ball) => Objective::Maximise,
                _ => Objective::Succeed,
            },
            reach,
            enough: if problem.minimise { ball.radius().zeros_like() } else { ball.radius() },
            region: if reach == Reach::Ball { ball.clone() } else { ball.whole_box() },
            aim: problem.goal.select(open).aim(&device),
            ids: open.iter().map(|&position| problem.ids[position]).collect(),
            meter: self.meter.select(open),
            seed: problem.seed,
            restart,
            progress: problem.progress,
        };
        let (mut proposed, spent) = attempt.run(attack, problem.oracle)?;
        if reach == Reach::Nearest && !problem.minimise {
            proposed = into_ball(&ball, proposed);
        }
        self.meter.store(open, &spent);
        let verdicts = self.verifier.check(open, proposed.clone(), &problem.goal)?;
        let targeted = problem.goal.is_targeted();
        let better: Vec<usize> = (0..open.len())
            .filter(|&index| {
                let (old, new) = (&self.best[open[index]], &verdicts[index]);
                !self.attacked[open[index]] || new.improves(old, targeted)
            })
            .collect();
        self.rows = replace(self.rows.clone(), open, &proposed, &better);
        for index in better {
            let position = open[index];
            self.attacked[position] = true;
            if verdicts[index].met {
                self.broken_by[position] = Some(label.to_owned());
            }
            self.best[position] = verdicts[index].clone();
        }
        Ok(())
    }

    /// The measurement of each sample.
    pub(super) fn finish(self) -> Outcome {
        let problem = self.problem;
        let samples = (0..self.best.len()).map(|position| {
            let (clean, verdict) = (&self.clean[position], &self.best[position]);
            Sample {
                id: problem.ids[position],
                label: problem.goal.labels()[position],
                clean_prediction: clean.prediction,
                clean_confidence: clean.confidence,
                status: match (self.attacked[position], verdict.met) {
                    (true, true) => Status::Broken,
                    (_, false) => Status::Survived,
                    (false, true) => Status::AlreadyMet,
                },
                prediction: verdict.prediction,
                confidence: verdict.confidence,
                loss: verdict.loss,
                distance: verdict.distance,
                forwards: self.meter.forwards[position],
                backwards: self.meter.backwards[position],
                broken_by: self.broken_by[position].clone(),
            }
        });
        Outcome { samples: samples.collect(), rows: self.rows, stages: self.stages }
    }
}

/// The rows that lie in their balls as they are, the others projected: an attack that looks for
/// the nearest point and ends outside the ball leaves its best attempt inside.
fn into_ball(ball: &Region, rows: Tensor<2>) -> Tensor<2> {
    let distance = ball.norm().of(rows.clone() - ball.center());
    let [count, features] = rows.dims();
    let inside = distance.lower_equal(ball.radius()).expand([count, features]);
    ball.project(rows.clone()).mask_where(inside, rows)
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
