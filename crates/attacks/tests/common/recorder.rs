//! A model that remembers what it was asked, row by row.
use std::sync::Mutex;

use burn::prelude::*;
use duress_core::{
    Attack, Domain, Goal, LabelOracle, Norm, Oracle, Outcome, Problem, Result, ScoreOracle, Seed,
    Threat, host, run,
};

/// Answers with any function of a row, and keeps the rows in the order they came.
pub struct Recorder<F> {
    domain: Domain,
    classes: usize,
    answer: F,
    device: Device,
    rows: Mutex<Vec<Vec<f32>>>,
}

/// What a recorder's rows are attacked for.
pub enum Target {
    /// A point of the ball.
    Ball(Threat),
    /// The nearest point.
    Nearest(Norm),
}

impl<F: Fn(&[f32]) -> Vec<f32> + Send + Sync> Recorder<F> {
    pub fn new(domain: Domain, classes: usize, answer: F) -> Self {
        Self { domain, classes, answer, device: Device::flex(), rows: Mutex::default() }
    }

    /// Attacks clean rows at `values` of label 0; what the attack asked between the driver's own
    /// looks before and after, and the outcome.
    pub fn attacked(
        &self,
        attack: &Attack,
        values: &[Vec<f32>],
        target: Target,
        seed: u64,
    ) -> (Vec<Vec<f32>>, Outcome) {
        self.rows.lock().unwrap().clear();
        let shape = [values.len(), self.domain.features()];
        let rows = Tensor::from_data(TensorData::new(values.concat(), shape), &self.device);
        let goal = Goal::Untargeted(vec![0; values.len()]);
        let problem = match target {
            Target::Ball(threat) => Problem::new(Oracle::Scores(self), rows, goal, threat),
            Target::Nearest(norm) => {
                Problem::nearest(Oracle::Scores(self), rows, goal, norm).unwrap()
            }
        };
        let outcome = run(attack, &problem.with_seed(Seed(seed))).unwrap();
        let mut asked = self.rows.lock().unwrap().clone();
        asked.drain(..values.len());
        asked.truncate(asked.len() - values.len());
        let counted: u64 = outcome.samples.iter().map(|sample| sample.forwards).sum();
        assert_eq!(counted, asked.len() as u64, "every query is counted");
        (asked, outcome)
    }
}

impl<F: Fn(&[f32]) -> Vec<f32> + Send + Sync> LabelOracle for Recorder<F> {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn labels(&self, rows: Tensor<2>) -> Result<Tensor<1, Int>> {
        Ok(self.logits(rows)?.argmax(1).squeeze_dim(1))
    }
}

impl<F: Fn(&[f32]) -> Vec<f32> + Send + Sync> ScoreOracle for Recorder<F> {
    fn logits(&self, rows: Tensor<2>) -> Result<Tensor<2>> {
        let (count, values) = (rows.dims()[0], host::floats(rows)?);
        let rows: Vec<Vec<f32>> =
            values.chunks(self.domain.features()).map(<[f32]>::to_vec).collect();
        let logits: Vec<f32> = rows.iter().flat_map(|row| (self.answer)(row)).collect();
        self.rows.lock().unwrap().extend(rows);
        Ok(Tensor::from_data(TensorData::new(logits, [count, self.classes]), &self.device))
    }
}
