//! What an objective does before the first step: it trains its companions.
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use burn::module::Module;
use duress_core::{Passes, Progress, Seed};

use super::data::TrainingData;
use super::objective::Objective;
use super::recipe::Recipe;
use super::run::{Run, train};
use crate::initialization::he_normal;
use crate::{Result, Trainable};

/// The training that is about to begin.
pub struct Preparation<'a, M> {
    /// The initial weights.
    pub network: &'a M,
    /// The samples.
    pub data: &'a TrainingData<'a>,
    /// The recipe.
    pub recipe: &'a Recipe,
    /// The device to train on.
    pub passes: &'a Passes,
    /// Asked whether to stop.
    pub progress: &'a dyn Progress,
    /// Where the training that is about to begin keeps its state.
    pub(super) checkpoint: Option<&'a Path>,
}

impl<M: Trainable> Preparation<'_, M> {
    /// Trains a companion of the network (a teacher, a surrogate) on the same samples; early
    /// stopping and data of a second set are not for it.
    ///
    /// Where the training keeps its state in a file, the companion does so in a file beside it,
    /// `name` appended: an interrupted preparation goes on where it was.
    ///
    /// # Errors
    /// Those of [`train`].
    pub fn companion(
        &self,
        name: &str,
        network: &M,
        objective: &dyn Objective<M>,
        recipe: &Recipe,
    ) -> Result<M> {
        let recipe = Recipe { early_stop: None, mix: None, ..recipe.clone() };
        let path = self.checkpoint.map(|path| beside(path, name));
        let run =
            Run { checkpoint: path.as_deref(), progress: self.progress, ..Run::new(self.passes) };
        Ok(train(network, objective, self.data, &recipe, run)?.last)
    }
}

/// The file of the companion `name` of the training whose file is `path`.
pub(super) fn beside(path: &Path, name: &str) -> PathBuf {
    let mut file = OsString::from(path.as_os_str());
    file.push(".");
    file.push(name);
    PathBuf::from(file)
}

/// A copy of `network` in evaluation mode with weights drawn afresh: each weight of rank two or
/// more from `N(0, 2 / fan_in)`, biases and shifts zero, scales and running statistics as they are.
///
/// He, Zhang, Ren, Sun. *Delving Deep into Rectifiers.* ICCV 2015, eq. (10).
/// <https://arxiv.org/abs/1502.01852>
#[must_use]
pub fn redrawn<M: Module>(network: &M, seed: Seed) -> M {
    he_normal(network.valid(), seed)
}
