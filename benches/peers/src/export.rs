//! Training the small network, so that the comparison needs nothing but the project.
use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::prelude::*;
use duress_core::{Epsilon, Passes, Seed, predictions};
use duress_datasets::{Dataset, Folders, Part};
use duress_defenses::FgsmTraining;
use duress_models::train::{
    Objective, OptimizerRecipe, Recipe, Run, Schedule, Standard, TrainingData, train,
};

use crate::arguments::Training;
use crate::folder::{Folder, Meta};
use crate::net::SmallNet;

/// Images written beside the network.
const IMAGES: usize = 256;

/// Data and how long to train on them.
struct Task {
    name: &'static str,
    train: Dataset,
    test: Dataset,
    /// Height and width of the images.
    side: usize,
    /// Radii in Linf and L2 that the network is judged at.
    radii: (f64, f64),
    /// Epochs on the images as they are, and on attacked ones.
    epochs: (u32, u32),
}

impl Task {
    /// MNIST, if it is in `data`, else the embedded digits.
    fn new(data: Option<PathBuf>) -> Result<Self> {
        let folders = Folders::new(data);
        let both = |name: &str| {
            let part = |part| duress_datasets::load(name, &folders, part);
            anyhow::Ok((part(Part::Train)?, part(Part::Test)?))
        };
        if let Ok((train, test)) = both("mnist") {
            let (radii, epochs) = ((0.3, 2.0), (2, 4));
            return Ok(Self { name: "mnist", train, test, side: 28, radii, epochs });
        }
        let (train, test) = both("digits")?;
        let (radii, epochs) = ((0.2, 0.5), (20, 30));
        Ok(Self { name: "digits", train, test, side: 8, radii, epochs })
    }

    fn learn(
        &self,
        net: &SmallNet,
        objective: &dyn Objective<SmallNet>,
        epochs: u32,
        passes: &Passes,
    ) -> Result<SmallNet> {
        let data = TrainingData {
            rows: self.train.values(),
            labels: self.train.labels(),
            ids: self.train.ids(),
            domain: self.train.domain(),
            classes: self.train.class_names().len(),
        };
        let optimizer = OptimizerRecipe::Adam {
            learning_rate: 2e-3,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
        };
        let schedule = Schedule::Cosine { warmup_epochs: 0 };
        let recipe = Recipe { epochs, optimizer, schedule, ..Recipe::default() };
        Ok(train(net, objective, &data, &recipe, Run::new(passes))?.last)
    }
}

/// What was written, or was there.
pub(crate) struct Written {
    /// The name in the tables.
    pub(crate) name: String,
    /// How many of the images the network gets right.
    pub(crate) right: usize,
    /// How many images there are.
    pub(crate) images: usize,
}

/// Trains and writes, unless the folder is complete.
pub(crate) fn export(folder: &Path, training: Training, data: Option<PathBuf>) -> Result<Written> {
    let device = Device::flex();
    let passes = Passes::new(&device)?;
    if !Folder::is_complete(folder) {
        learn(training, Task::new(data)?, &passes)?.write(folder)?;
    }
    let folder = Folder::read(folder, &device)?;
    let images = folder.labels.len();
    let rows = folder.rows(&(0..images).collect::<Vec<_>>(), &device);
    let predicted = predictions(passes.logits(&folder.classifier()?, rows)?)?;
    let pairs = predicted.iter().zip(&folder.labels);
    let right = pairs.filter(|((got, _), label)| got == *label).count();
    Ok(Written { name: folder.meta.name, right, images })
}

fn learn(training: Training, task: Task, passes: &Passes) -> Result<Folder> {
    let (standard, robust) = task.epochs;
    let mut net = SmallNet::new(task.side, Seed(0), passes.device())?;
    net = task.learn(&net, &Standard, standard, passes)?;
    let (linf, l2) = task.radii;
    let mut name = task.name.to_owned();
    if training == Training::Robust {
        // From a network that sees the digits: at this radius a fresh one may never leave the
        // constant answer.
        let objective = FgsmTraining { epsilon: Epsilon::new(linf)?, ..FgsmTraining::default() };
        net = task.learn(&net, &objective, robust, passes)?;
        name.push_str("_robust");
    }
    let shown = task.test.take(IMAGES);
    Ok(Folder {
        meta: Meta::new(&name, task.side, linf, l2),
        net,
        images: shown.values().to_vec(),
        labels: shown.labels().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Most images are right after a few epochs; the second call finds the folder as it is.
    #[test]
    fn digits_are_learned_once() {
        let place = tempfile::tempdir().unwrap();
        let task = Task { epochs: (15, 3), ..Task::new(None).unwrap() };
        assert_eq!((task.name, task.side), ("digits", 8));
        let passes = Passes::new(&Device::flex()).unwrap();
        learn(Training::Robust, task, &passes).unwrap().write(place.path()).unwrap();
        let written = export(place.path(), Training::Robust, None).unwrap();
        assert_eq!((written.name.as_str(), written.images), ("digits_robust", IMAGES));
        assert!(written.right * 10 >= IMAGES * 8, "{}", written.right);
    }
}
