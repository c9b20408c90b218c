//! What is done of a measurement that is not complete: a killed run takes it up from here.
use std::fs;
use std::path::PathBuf;

use duress_core::Sample;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Journal;
use super::build::{digest, file_name};
use super::lines::write_whole;
use crate::{Error, Result};

/// Folder of the unfinished measurements in a run's folder.
pub(super) const PARTS: &str = "parts";

/// What an attack left of some samples.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) samples: Vec<Sample>,
    /// Their rows, `F` values each.
    pub(super) rows: Vec<f32>,
    /// Wall-clock seconds it took.
    pub(super) seconds: f64,
}

/// The samples as text: TOML keeps every bit of a float.
#[derive(Serialize, Deserialize)]
struct Lines {
    seconds: f64,
    samples: Vec<Sample>,
}

/// The parts of one measurement on disk.
pub(super) struct Parts {
    folder: PathBuf,
}

impl Parts {
    /// Those of measurement `key`.
    pub(super) fn of(journal: &Journal, key: &str) -> Self {
        let name = format!("{}-{}", file_name(key), &digest(&[key])[..8]);
        Self { folder: journal.folder().join(PARTS).join(name) }
    }

    /// Part `batch` of `stage`, made by `make` unless it is there.
    pub(super) fn get(
        &self,
        (stage, batch): (usize, usize),
        make: impl FnOnce() -> Result<Part>,
    ) -> Result<Part> {
        let path = self.folder.join(format!("{stage}-{batch}.safetensors"));
        if path.exists() {
            let bytes = fs::read(&path).map_err(Error::io(&path))?;
            // A part of another layout is no error: it is made again.
            if let Some(part) = decode(&bytes) {
                return Ok(part);
            }
        }
        let part = make()?;
        fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder))?;
        let bytes =
            encode(&part).map_err(|reason| Error::Rows { path: path.clone(), line: 0, reason })?;
        write_whole(&path, &bytes)?;
        Ok(part)
    }

    /// Part `batch` as a table, made by `make` unless it is there.
    pub(super) fn table<T: Serialize + DeserializeOwned>(
        &self,
        batch: usize,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let path = self.folder.join(format!("{batch}.toml"));
        if path.exists() {
            let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
            if let Ok(part) = toml::from_str(&text) {
                return Ok(part);
            }
        }
        let part = make()?;
        fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder))?;
        let fault = |reason: toml::ser::Error| Error::Rows {
            path: path.clone(),
            line: 0,
            reason: reason.to_string(),
        };
        write_whole(&path, toml::to_string(&part).map_err(fault)?.as_bytes())?;
        Ok(part)
    }

    /// Deletes them, and the folder of all parts once it is empty: the measurement is complete.
    pub(super) fn clear(self) -> Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(&self.folder)(error));
            }
            _ => {}
        }
        if let Some(all) = self.folder.parent() {
            // It stays where it holds parts of others.
            let _ = fs::remove_dir(all);
        }
        Ok(())
    }
}

fn encode(part: &Part) -> Result<Vec<u8>, String> {
    let text = toml::to_string(&Lines { seconds: part.seconds, samples: part.samples.clone() });
    let about = [("samples".to_string(), text.map_err(|error| error.to_string())?)].into();
    let bytes: Vec<u8> = part.rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![part.rows.len()], &bytes)
        .map_err(|error| error.to_string())?;
    serialize([("rows", view)], Some(about)).map_err(|error| error.to_string())
}

fn decode(bytes: &[u8]) -> Option<Part> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let text = header.metadata().as_ref()?.get("samples")?;
    let Lines { seconds, samples } = toml::from_str(text).ok()?;
    let file = SafeTensors::deserialize(bytes).ok()?;
    let (values, _) = file.tensor("rows").ok()?.data().as_chunks::<4>();
    let rows = values.iter().map(|&value| f32::from_le_bytes(value)).collect();
    Some(Part { samples, rows, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::Status;

    #[test]
    fn a_part_survives_a_round_trip_to_the_bit() {
        let sample = Sample {
            id: 7,
            label: 3,
            clean_prediction: 3,
            status: Status::Broken,
            prediction: 1,
            clean_confidence: Some(0.1 + 0.2),
            confidence: None,
            loss: Some(1.0 / 3.0),
            distance: 0.1 + 0.2,
            forwards: 12,
            backwards: 11,
            broken_by: Some("pgd".into()),
        };
        let part =
            Part { samples: vec![sample], rows: vec![0.1, f32::MIN_POSITIVE, -0.0], seconds: 0.7 };
        let again = decode(&encode(&part).unwrap()).unwrap();
        assert_eq!(again.samples, part.samples);
        let bits = |rows: &[f32]| rows.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again.rows), bits(&part.rows));
        assert!(decode(b"not a part").is_none());
    }
}
