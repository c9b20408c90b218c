//! Models as files: safetensors with the card in the metadata.
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::prelude::Device;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::card::SCHEMA;
use crate::weights::{Values, Weights};
use crate::{Card, Error, Model, Result, WeightFault, atomic};

/// Key of the card in the metadata. It stays the only key: the map of the format has no order.
const KEY: &str = "duress";

impl Model {
    /// Writes weights and card to one safetensors file: the same model gives the same bytes. The
    /// file appears whole or not at all.
    ///
    /// Tensors are named by their module path, such as `conv1.weight`, and hold 32-bit floats.
    ///
    /// # Errors
    /// [`Error::Io`]; [`duress_core::Error::Device`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let card = serde_json::to_string(self.card()).map_err(|error| Error::Format {
            path: path.into(),
            at: "card",
            expected: "a value that can be written".into(),
            got: error.to_string(),
        })?;
        self.weights()?.save(path, &card)
    }

    /// Reads a model that [`Model::save`] wrote onto `device`.
    ///
    /// The file is not trusted: its header cannot ask for more memory than a small multiple of
    /// its length.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for anything but a model of this schema;
    /// [`Error::Weights`] with every tensor that does not fit the card's architecture.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let file = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
        let fault = |at, expected: &str, got: String| Error::Format {
            path: path.into(),
            at,
            expected: expected.into(),
            got,
        };
        let tensors = SafeTensors::deserialize(&file)
            .map_err(|error| fault("header", "safetensors", error.to_string()))?;
        let (_, metadata) = SafeTensors::read_metadata(&file)
            .map_err(|error| fault("header", "safetensors", error.to_string()))?;
        let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let text =
            text.ok_or_else(|| fault("metadata", "a model card under `duress`", "none".into()))?;
        let card = card(text, &fault)?;
        // Before anything of the described size is allocated.
        let values: u64 = tensors.iter().map(|(_, view)| view.data().len() as u64 / 4).sum();
        let needed = card.architecture.parameters(&card.domain, card.classes)?;
        if needed > values {
            let expected = format!("the {needed} parameters of the card's architecture");
            return Err(fault("tensors", &expected, format!("{values} values")));
        }
        Model::assemble(card, &weights(&tensors)?, device)
    }
}

impl Weights {
    /// Writes the tensors to a safetensors file whose metadata holds `card` (JSON, say), a text
    /// that tells what they are: the same values give the same bytes. The file appears whole or
    /// not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: impl AsRef<Path>, card: &str) -> Result<()> {
        let path = path.as_ref();
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let data: Vec<(&String, &Values, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name, tensor, bytes(&tensor.values)))
            .collect();
        let views = data
            .iter()
            .map(|(name, tensor, bytes)| {
                Ok((name, TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
        let metadata = HashMap::from([(KEY.to_owned(), card.to_owned())]);
        let file = views.and_then(|views| safetensors::serialize(views, Some(metadata)));
        let file = file.map_err(|error| Error::Format {
            path: path.into(),
            at: "tensors",
            expected: "a value that can be written".into(),
            got: error.to_string(),
        })?;
        atomic::write(path, &[&file])
    }

    /// Reads a file that [`Weights::save`] wrote: the tensors, and the text about them.
    ///
    /// The file is not trusted: memory follows its length.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for anything but safetensors with such a text;
    /// [`Error::Weights`] for tensors that are not of finite 32-bit floats.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, String)> {
        let path = path.as_ref();
        let file = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
        let fault = |at, expected: &str, got: String| Error::Format {
            path: path.into(),
            at,
            expected: expected.into(),
            got,
        };
        let header =
            |error: safetensors::SafeTensorError| fault("header", "safetensors", error.to_string());
        let tensors = SafeTensors::deserialize(&file).map_err(header)?;
        let (_, metadata) = SafeTensors::read_metadata(&file).map_err(header)?;
        let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY)).cloned();
        let text = text.ok_or_else(|| fault("metadata", "a card under `duress`", "none".into()))?;
        Ok((weights(&tensors)?, text))
    }
}

/// Reads the schema first, so that a card of a later version says so.
fn card(text: &str, fault: &impl Fn(&'static str, &str, String) -> Error) -> Result<Card> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| fault("card", "JSON", error.to_string()))?;
    let schema = &value["schema"];
    if schema.as_u64() != Some(u64::from(SCHEMA)) {
        return Err(fault("card", &format!("schema {SCHEMA}"), schema.to_string()));
    }
    serde_json::from_value(value)
        .map_err(|error| fault("card", "the fields of a model card", error.to_string()))
}

fn weights(tensors: &SafeTensors<'_>) -> Result<Weights> {
    let (mut faults, mut found) = (Vec::new(), BTreeMap::new());
    for (name, view) in tensors.iter() {
        let name = name.to_owned();
        if view.dtype() != Dtype::F32 {
            faults.push(WeightFault::Kind { name, got: format!("{:?}", view.dtype()) });
            continue;
        }
        let (pieces, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = pieces.iter().map(|&piece| f32::from_le_bytes(piece)).collect();
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            faults.push(WeightFault::NotFinite { name, index });
            continue;
        }
        found.insert(name, Values { shape: view.shape().to_vec(), values });
    }
    if faults.is_empty() { Ok(Weights { tensors: found }) } else { Err(Error::Weights { faults }) }
}
