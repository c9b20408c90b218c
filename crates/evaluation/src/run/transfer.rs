//! Adversarial rows on disk, and how those of one model do on another.
use std::path::{Path, PathBuf};

use burn::prelude::*;
use duress_datasets::Dataset;
use safetensors::{
    SafeTensors,
    tensor::{Dtype, TensorView},
};

use super::attack::attack_key;
use super::build::{BATCH, digest, file_name};
use super::lines::write_whole;
use super::{Built, Cost, Journal, Runner};
use crate::experiment::AttackPlan;
use crate::row::Measured;
use crate::{Error, Result};

/// The rows an attack returned on all test samples, `[N, F]`.
pub(crate) struct Adversarial<'a> {
    pub(super) key: &'a str,
    pub(super) test: &'a Dataset,
    pub(super) values: &'a [f32],
}

/// The key under which the clean rows are kept.
pub(crate) const CLEAN: &str = "clean";

impl Adversarial<'_> {
    /// Writes the rows into the run's folder.
    pub(super) fn save(&self, folder: &Path) -> Result<()> {
        let path = path(folder, self.key);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        let bytes: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let shape = vec![self.test.len(), self.test.features()];
        let fault = |reason: String| Error::Rows { path: path.clone(), line: 0, reason };
        let view = TensorView::new(Dtype::F32, shape, &bytes).map_err(|e| fault(e.to_string()))?;
        let about = [("key".to_string(), self.key.to_string())].into();
        let file = safetensors::serialize([("adversarial", view)], Some(about))
            .map_err(|error| fault(error.to_string()))?;
        write_whole(&path, &file)
    }

    /// The rows of measurement `key`, `samples` of `features` values each, if they were kept.
    pub(crate) fn load(folder: &Path, key: &str, shape: [usize; 2]) -> Result<Option<Vec<f32>>> {
        let path = path(folder, key);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
        let fault = |reason: String| Error::Rows { path: path.clone(), line: 0, reason };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| fault(error.to_string()))?;
        let view = file.tensor("adversarial").map_err(|error| fault(error.to_string()))?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            let got = format!("{:?} {:?}", view.dtype(), view.shape());
            return Err(fault(format!("expected F32 {shape:?}, got {got}")));
        }
        let (values, _) = view.data().as_chunks::<4>();
        Ok(Some(values.iter().map(|&value| f32::from_le_bytes(value)).collect()))
    }
}

/// The file of a key, whose parts may hold any character.
fn path(folder: &Path, key: &str) -> PathBuf {
    let name = format!("{}-{}.safetensors", file_name(key), &digest(&[key])[..8]);
    folder.join("adversarial").join(name)
}

impl Runner<'_> {
    /// Keeps the clean rows beside the adversarial ones, so that a report needs nothing else.
    pub(super) fn keep_clean_rows(&self, journal: &Journal) -> Result<()> {
        if path(journal.folder(), CLEAN).exists() {
            return Ok(());
        }
        let test = &self.data.test;
        Adversarial { key: CLEAN, test, values: test.values() }.save(journal.folder())
    }

    /// The rows that measurement `key` left on the test samples.
    pub(super) fn stored(&self, journal: &Journal, key: &str) -> Result<Option<Vec<f32>>> {
        let test = &self.data.test;
        Adversarial::load(journal.folder(), key, [test.len(), test.features()])
    }

    /// Hands the headline examples that the first attack without a surrogate made on each model to
    /// each other model.
    pub(super) fn transfer(&self, models: &[Built], journal: &mut Journal) -> Result<()> {
        let (test, passes) = (&self.data.test, self.context.passes);
        let pairs = self.experiment.threats.iter().filter_map(|threat| {
            let own = |plan: &&AttackPlan| plan.surrogate.is_none() && plan.supports(threat.norm);
            let plan = self.experiment.attacks.iter().find(own)?;
            Some((threat, plan))
        });
        for (threat, plan) in pairs {
            let (norm, epsilon) = (threat.norm, threat.headline());
            for source in models {
                let made = attack_key(&source.name, &plan.label, norm, epsilon);
                let Some(values) = self.stored(journal, &made)? else { continue };
                for target in models.iter().filter(|target| target.name != source.name) {
                    let key = format!("{made}/to/{}", target.name);
                    if journal.has(&key) {
                        continue;
                    }
                    let mut cost = Cost::begin();
                    let (mut both, mut fooled) = (0, 0);
                    let features = test.features();
                    for (part, rows) in values.chunks(BATCH * features).enumerate() {
                        let count = rows.len() / features;
                        let data = TensorData::new(rows.to_vec(), [count, features]);
                        let rows = Tensor::from_data(data, passes.device());
                        let classes = target.subject().classes_of(passes, rows)?;
                        for (place, class) in classes.into_iter().enumerate() {
                            let index = part * BATCH + place;
                            let label = test.label(index);
                            let counted = source.predicted[index] == label
                                && target.predicted[index] == label;
                            both += u64::from(counted);
                            fooled += u64::from(counted && class != label);
                        }
                    }
                    cost.forwards = test.len() as u64;
                    let measured = Measured::Transfer {
                        target: target.name.clone(),
                        attack: plan.label.clone(),
                        norm,
                        epsilon,
                        both_correct: both,
                        fooled,
                    };
                    let row = self.row(key, source, &cost, measured);
                    self.context.observer.row(&row);
                    journal.append(row, &[])?;
                }
            }
        }
        Ok(())
    }
}
