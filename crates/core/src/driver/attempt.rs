//! One attempt: the job is made, handed to the attack and taken back.
use burn::prelude::*;

use crate::attack::{Algorithm, Attack, Reach};
use crate::job::{Job, Meter, Objective};
use crate::oracle::Oracle;
use crate::progress::Progress;
use crate::{Aim, Error, LabelOracle, Region, Result, Seed};

/// All an attempt needs, whatever its access level.
pub(super) struct Attempt<'a> {
    pub(super) algorithm: &'static str,
    pub(super) objective: Objective,
    pub(super) reach: Reach,
    pub(super) enough: Tensor<2>,
    pub(super) region: Region,
    pub(super) aim: Aim,
    pub(super) ids: Vec<u64>,
    pub(super) meter: Meter,
    pub(super) seed: Seed,
    pub(super) restart: u32,
    pub(super) progress: &'a dyn Progress,
}

impl<'a> Attempt<'a> {
    pub(super) fn run(self, attack: &Attack, oracle: Oracle<'a>) -> Result<(Tensor<2>, Meter)> {
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
            Attack::Suite(suite) => {
                unreachable!("the driver takes the members of {}", suite.name())
            }
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
            enough: self.enough,
            aim: self.aim,
            objective: self.objective,
            reach: self.reach,
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
