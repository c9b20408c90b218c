//! One file that a training goes on from, bit for bit.
//!
//! Layout: `DURESSCK`, the length of the header (u64, little endian), the header (JSON), the blobs
//! it lists, and the SHA-256 of everything before. The digest guards against damage, not against
//! malice: a checkpoint is for whoever wrote it; to pass weights on, save a [`crate::Model`].
use std::path::Path;

use burn::prelude::*;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::average::Average;
use super::data::TrainingData;
use super::memory::Memory;
use super::objective::Objective;
use super::recipe::Recipe;
use super::state::{Kept, Position, State};
use super::watch::EpochReport;
use crate::weights::hex;
use crate::{Error, Result, Trainable, Weights, atomic};

const MAGIC: &[u8; 8] = b"DURESSCK";
const SCHEMA: u32 = 2;
const DIGEST: usize = 32;

/// What makes two trainings the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fingerprint {
    recipe: String,
    objective: String,
    data: String,
    network: String,
    initial_weights: String,
}

impl Fingerprint {
    pub(super) fn new<M: Trainable>(
        network: &M,
        objective: &dyn Objective<M>,
        data: &TrainingData<'_>,
        extra: Option<&TrainingData<'_>>,
        recipe: &Recipe,
    ) -> Result<Self> {
        let weights = Weights::of(network)?;
        let second = extra.map_or_else(String::new, |extra| format!(" and {}", extra.digest()));
        let text = |value: serde_json::Result<String>| {
            value.map_err(|error| Error::Parse { what: "recipe", reason: error.to_string() })
        };
        Ok(Self {
            recipe: text(serde_json::to_string(recipe))?,
            objective: format!("{} {}", objective.name(), objective.parameters()),
            data: format!(
                "{}{second} {}",
                data.digest(),
                text(serde_json::to_string(data.domain))?
            ),
            network: format!("{} of {} values", std::any::type_name::<M>(), weights.len()),
            initial_weights: weights.digest(),
        })
    }

    fn check(&self, path: &Path, now: &Self) -> Result<()> {
        for (what, stored, now) in [
            ("network", &self.network, &now.network),
            ("data", &self.data, &now.data),
            ("recipe", &self.recipe, &now.recipe),
            ("objective", &self.objective, &now.objective),
            ("initial weights", &self.initial_weights, &now.initial_weights),
        ] {
            if stored != now {
                let (stored, now) = (stored.clone(), now.clone());
                return Err(Error::OtherRun { path: path.into(), what, stored, now });
            }
        }
        Ok(())
    }
}

/// The part of a checkpoint that is text. Floats are written as their bits, which JSON numbers
/// would not keep.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    schema: u32,
    fingerprint: Fingerprint,
    epoch: u32,
    step: u64,
    waited: u32,
    loss: u64,
    correct: u64,
    judged: u64,
    samples: u64,
    seconds: u64,
    stopped: Option<String>,
    updates: u64,
    best: Option<(u32, u64)>,
    history: Vec<Past>,
    /// Names of what the objective keeps, in the order of the blobs; tensors with their shapes.
    #[serde(default)]
    companions: Vec<String>,
    #[serde(default)]
    tensors: Vec<(String, [usize; 2])>,
    blobs: Vec<(Part, u64)>,
}

/// What a blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Network,
    Optimizer,
    Average,
    Best,
    Companion,
    Tensor,
}

/// An [`EpochReport`] in bits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Past {
    epoch: u32,
    loss: u64,
    correct: Option<u64>,
    samples: u64,
    learning_rate: u64,
    score: Option<u64>,
    seconds: u64,
}

impl From<&EpochReport> for Past {
    fn from(report: &EpochReport) -> Self {
        Self {
            epoch: report.epoch,
            loss: report.loss.to_bits(),
            correct: report.correct,
            samples: report.samples,
            learning_rate: report.learning_rate.to_bits(),
            score: report.score.map(f64::to_bits),
            seconds: report.seconds.to_bits(),
        }
    }
}

impl From<Past> for EpochReport {
    fn from(past: Past) -> Self {
        Self {
            epoch: past.epoch,
            loss: f64::from_bits(past.loss),
            correct: past.correct,
            samples: past.samples,
            learning_rate: f64::from_bits(past.learning_rate),
            score: past.score.map(f64::from_bits),
            seconds: f64::from_bits(past.seconds),
        }
    }
}

/// Writes `state`; the old file stays until the new one is whole.
pub(super) fn save<M: Trainable>(
    path: &Path,
    fingerprint: &Fingerprint,
    state: &State<M>,
) -> Result<()> {
    let fault = |at: &'static str, reason: String| Error::Format {
        path: path.into(),
        at,
        expected: "a record that can be written".into(),
        got: reason,
    };
    let record = |network: &M| {
        // `valid` brings the running statistics up to date.
        let record = network.valid().into_record();
        record.into_bytes().map_err(|error| fault("weights", error.to_string()))
    };
    let mut blobs = vec![(Part::Network, record(&state.network)?)];
    let optimizer = state.optimizer.into_bytes();
    blobs
        .push((Part::Optimizer, optimizer.map_err(|error| fault("optimizer", error.to_string()))?));
    if let Some(average) = &state.average {
        blobs.push((Part::Average, record(&average.network)?));
    }
    if let Some(best) = &state.best {
        blobs.push((Part::Best, record(&best.network)?));
    }
    for (_, network) in state.memory.networks() {
        blobs.push((Part::Companion, record(network)?));
    }
    for (_, tensor) in state.memory.tensors() {
        let values = duress_core::host::floats(tensor.clone())?;
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        blobs.push((Part::Tensor, Bytes::from_bytes_vec(bytes)));
    }
    let at = state.at;
    let header = Header {
        schema: SCHEMA,
        fingerprint: fingerprint.clone(),
        epoch: at.epoch,
        step: at.step,
        waited: at.waited,
        loss: at.loss.to_bits(),
        correct: at.correct,
        judged: at.judged,
        samples: at.samples,
        seconds: at.seconds.to_bits(),
        stopped: state.stopped.clone(),
        updates: state.average.as_ref().map_or(0, |average| average.updates),
        best: state.best.as_ref().map(|best| (best.epoch, best.score.to_bits())),
        history: state.history.iter().map(Past::from).collect(),
        companions: state.memory.networks().map(|(name, _)| name.clone()).collect(),
        tensors: state
            .memory
            .tensors()
            .map(|(name, tensor)| (name.clone(), tensor.dims()))
            .collect(),
        blobs: blobs.iter().map(|(part, bytes)| (*part, bytes.len() as u64)).collect(),
    };
    let header = serde_json::to_vec(&header).map_err(|error| fault("header", error.to_string()))?;
    let length = (header.len() as u64).to_le_bytes();
    let mut parts: Vec<&[u8]> = vec![MAGIC, &length, &header];
    parts.extend(blobs.iter().map(|(_, bytes)| &bytes[..]));
    let mut hasher = Sha256::new();
    for part in &parts {
        hasher.update(part);
    }
    let digest = hasher.finalize();
    parts.push(&digest);
    atomic::write(path, &parts)
}

/// Reads the state of the training `now`; `network` says where its tensors belong.
pub(super) fn load<M: Trainable>(
    path: &Path,
    now: &Fingerprint,
    network: M,
    recipe: &Recipe,
) -> Result<State<M>> {
    let fault = |at, expected: &str, got: String| Error::Format {
        path: path.into(),
        at,
        expected: expected.into(),
        got,
    };
    let file = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let (header, blobs) = split(path, &file)?;
    header.fingerprint.check(path, now)?;
    let restore = |bytes: Bytes, into: M, at| {
        let record = ModuleRecord::from_bytes(bytes);
        let restored = record.and_then(|record| into.try_load_record(record));
        restored.map_err(|error| fault(at, "the tensors of the network", error.to_string()))
    };
    let device = network.devices().into_iter().next().unwrap_or_default().inner();
    let mut state = State::new(network, recipe);
    let spare = state.network.valid();
    let (mut companions, mut tensors) = (header.companions.iter(), header.tensors.iter());
    let mut memory = Memory::default();
    let unnamed = |at| fault(at, "a name in the header", "none".into());
    for (part, bytes) in blobs {
        match part {
            Part::Network => state.network = restore(bytes, spare.valid(), "weights")?.train(),
            Part::Optimizer => {
                let restored = recipe.optimizer.init().from_bytes(bytes);
                state.optimizer = restored.map_err(|error| {
                    fault("optimizer", "the state of the optimizer", error.to_string())
                })?;
            }
            Part::Average => {
                let average = restore(bytes, spare.valid(), "average")?;
                let decay = recipe.weight_average.unwrap_or_default();
                state.average = Some(Average::resume(&average, header.updates, decay));
            }
            Part::Best => {
                let (epoch, score) = header.best.unwrap_or_default();
                let network = restore(bytes, spare.valid(), "best weights")?;
                state.best = Some(Kept { network, epoch, score: f64::from_bits(score) });
            }
            Part::Companion => {
                let name = companions.next().ok_or_else(|| unnamed("companion"))?;
                memory.keep_network(name, &restore(bytes, spare.valid(), "companion")?);
            }
            Part::Tensor => {
                let (name, shape) = tensors.next().ok_or_else(|| unnamed("tensor"))?;
                let tensor = tensor(&bytes, *shape, &device).ok_or_else(|| {
                    let expected = format!("{shape:?} floats");
                    fault("tensor", &expected, format!("{} bytes", bytes.len()))
                })?;
                memory.keep_tensor(name, tensor);
            }
        }
    }
    state.memory = memory;
    state.at = Position {
        epoch: header.epoch,
        step: header.step,
        waited: header.waited,
        loss: f64::from_bits(header.loss),
        correct: header.correct,
        judged: header.judged,
        samples: header.samples,
        seconds: f64::from_bits(header.seconds),
    };
    state.history = header.history.into_iter().map(EpochReport::from).collect();
    state.stopped = header.stopped;
    Ok(state)
}

/// Little-endian floats as a tensor; `None` if there are more or fewer than the shape has.
fn tensor(bytes: &Bytes, shape: [usize; 2], device: &Device) -> Option<Tensor<2>> {
    let size = shape[0].checked_mul(shape[1])?.checked_mul(4)?;
    if size != bytes.len() {
        return None;
    }
    let value = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    let values: Vec<f32> = bytes.chunks_exact(4).map(value).collect();
    Some(Tensor::from_data(TensorData::new(values, shape), device))
}

/// Checks the digest and cuts the file.
fn split(path: &Path, file: &[u8]) -> Result<(Header, Vec<(Part, Bytes)>)> {
    let fault =
        |at, expected: String, got: String| Error::Format { path: path.into(), at, expected, got };
    let start = MAGIC.len() + 8;
    if file.len() < start + DIGEST || &file[..MAGIC.len()] != MAGIC {
        let expected = "a checkpoint, which starts with `DURESSCK`".into();
        return Err(fault("beginning", expected, format!("{} other bytes", file.len())));
    }
    let (body, stated) = file.split_at(file.len() - DIGEST);
    let measured = Sha256::digest(body);
    if measured[..] != *stated {
        let (stated, measured) = (hex(stated), hex(&measured));
        return Err(Error::Damaged { path: path.into(), stated, measured });
    }
    let mut length = [0; 8];
    length.copy_from_slice(&body[MAGIC.len()..start]);
    let (length, mut rest) = (u64::from_le_bytes(length), &body[start..]);
    let mut take = |at, length: u64| match usize::try_from(length) {
        Ok(length) if length <= rest.len() => {
            let (part, after) = rest.split_at(length);
            rest = after;
            Ok(part)
        }
        _ => Err(fault(at, format!("{length} bytes"), format!("{} bytes", rest.len()))),
    };
    let header: Header = serde_json::from_slice(take("header", length)?)
        .map_err(|error| fault("header", "the fields of a checkpoint".into(), error.to_string()))?;
    if header.schema != SCHEMA {
        return Err(fault("schema", SCHEMA.to_string(), header.schema.to_string()));
    }
    let mut blobs = Vec::new();
    for &(part, length) in &header.blobs {
        blobs.push((part, Bytes::from_bytes_vec(take("blob", length)?.to_vec())));
    }
    Ok((header, blobs))
}
