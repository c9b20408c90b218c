//! Files of other frameworks, read with distrust into tensors by name.
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::{DType, TensorData};
use burn_store::burn_pack;
use burn_store::pytorch_reader::{self, PytorchReader};
use safetensors::{Dtype, SafeTensors};

use super::key_map::WeightLayout;
use crate::{Error, Result};

/// What a file holds for one name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// Numbers in row-major order.
    Floats(Vec<f32>),
    /// Something else, and what.
    Other(String),
}

/// A tensor of the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Foreign {
    pub(super) shape: Vec<usize>,
    pub(super) content: Content,
}

/// The tensors of a file by name, wrappers such as `state_dict.` or `module.` taken off.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignWeights {
    pub(super) tensors: BTreeMap<String, Foreign>,
    pub(super) layout: WeightLayout,
}

impl ForeignWeights {
    /// Reads a `PyTorch` checkpoint, a safetensors or a burnpack file; the bytes say which it is.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for anything else, for a file that is cut short, and for
    /// one that claims much more than it holds.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let io = |source| Error::Io { path: path.into(), source };
        let length = fs::metadata(path).map_err(io)?.len();
        let mut head = [0; 9];
        let read = {
            use std::io::Read;
            let mut file = fs::File::open(path).map_err(io)?.take(9);
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(io)?;
            head[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        };
        let (tensors, layout) = if head[..4] == burn_pack::MAGIC_NUMBER.to_le_bytes() {
            (burnpack(path)?, WeightLayout::Burn)
        } else if read == 9 && head[8] == b'{' {
            safetensors(path)?
        } else {
            (pytorch(path, length)?, WeightLayout::Pytorch)
        };
        let mut tensors = unwrapped(tensors);
        tensors.retain(|name, _| leaf(name) != "num_batches_tracked");
        if tensors.is_empty() {
            return Err(fault(path, "tensors", "at least one", "none".into()));
        }
        Ok(Self { tensors, layout })
    }

    /// Names and shapes, in the order of the names.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
    }

    /// The values of a tensor in row-major order; `None` where it is not there or holds no floats.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        match &self.tensors.get(name)?.content {
            Content::Floats(values) => Some(values),
            Content::Other(_) => None,
        }
    }

    /// How the file lays out the weight of a linear layer.
    #[must_use]
    pub fn layout(&self) -> WeightLayout {
        self.layout
    }
}

type Tensors = BTreeMap<String, Foreign>;

fn pytorch(path: &Path, length: u64) -> Result<Tensors> {
    const EXPECTED: &str = "a PyTorch state dict, safetensors or burnpack";
    let bad = |error: pytorch_reader::PytorchError| match error {
        pytorch_reader::PytorchError::Io(source) if is_of_the_system(&source) => {
            Error::Io { path: path.into(), source }
        }
        other => fault(path, "checkpoint", EXPECTED, other.to_string()),
    };
    let reader = PytorchReader::new(path).map_err(bad)?;
    // A view may repeat one number as often as it likes; a state dict does not.
    let claimed = reader
        .tensors()
        .values()
        .try_fold(0_u64, |sum, tensor| sum.checked_add(tensor.byte_len() as u64));
    if claimed.is_none_or(|claimed| claimed > length.saturating_mul(MOST_REPEATED)) {
        let expected = format!("tensors of at most {MOST_REPEATED} times the file, {length} bytes");
        let got = claimed.map_or("more than 2^64".into(), |claimed| claimed.to_string());
        return Err(fault(path, "checkpoint", &expected, got));
    }
    let mut tensors = Tensors::new();
    for (name, tensor) in reader.into_tensors() {
        use pytorch_reader::DType as Kind;
        let kind = match tensor.dtype() {
            Kind::F64 => Ok(DType::F64),
            Kind::F32 => Ok(DType::F32),
            Kind::F16 => Ok(DType::F16),
            Kind::BF16 => Ok(DType::BF16),
            other => Err(format!("{other:?}")),
        };
        let shape = tensor.shape().to_vec();
        let content = match kind {
            Ok(kind) => {
                let bytes = tensor
                    .read()
                    .map_err(|error| fault(path, "checkpoint", EXPECTED, error.to_string()))?;
                floats(path, &name, bytes, (&shape, kind))?
            }
            Err(kind) => Content::Other(kind),
        };
        tensors.insert(name, Foreign { shape, content });
    }
    Ok(tensors)
}

fn safetensors(path: &Path) -> Result<(Tensors, WeightLayout)> {
    let file = fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let bad = |error: safetensors::SafeTensorError| {
        fault(path, "header", "safetensors", error.to_string())
    };
    let (_, metadata) = SafeTensors::read_metadata(&file).map_err(bad)?;
    let metadata = metadata.metadata().clone().unwrap_or_default();
    let ours = metadata.contains_key("duress");
    let burn = metadata.get("producer").is_some_and(|producer| producer == "burn");
    let layout = if ours || burn { WeightLayout::Burn } else { WeightLayout::Pytorch };
    let mut tensors = Tensors::new();
    for (name, view) in SafeTensors::deserialize(&file).map_err(bad)?.iter() {
        let kind = match view.dtype() {
            Dtype::F64 => Ok(DType::F64),
            Dtype::F32 => Ok(DType::F32),
            Dtype::F16 => Ok(DType::F16),
            Dtype::BF16 => Ok(DType::BF16),
            other => Err(format!("{other:?}")),
        };
        let shape = view.shape().to_vec();
        let content = match kind {
            Ok(kind) => floats(path, name, view.data().to_vec(), (&shape, kind))?,
            Err(kind) => Content::Other(kind),
        };
        tensors.insert(name.to_owned(), Foreign { shape, content });
    }
    Ok((tensors, layout))
}

fn burnpack(path: &Path) -> Result<Tensors> {
    let file = fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let bad = |error: burn_pack::Error| fault(path, "container", "burnpack", error.to_string());
    let reader =
        burn_pack::Reader::from_bytes(burn_pack::Bytes::from_bytes_vec(file)).map_err(bad)?;
    let mut tensors = Tensors::new();
    for tensor in reader.into_tensors().map_err(bad)? {
        let (name, kind, shape, _, bytes) = tensor.into_parts().map_err(bad)?;
        let shape = shape.to_vec();
        let content = match kind {
            DType::F64 | DType::F32 | DType::F16 | DType::BF16 => {
                floats(path, &name, bytes.to_vec(), (&shape, kind))?
            }
            other => Content::Other(format!("{other:?}")),
        };
        tensors.insert(name, Foreign { shape, content });
    }
    Ok(tensors)
}

/// Numbers of any width as 32-bit floats.
fn floats(
    path: &Path,
    name: &str,
    bytes: Vec<u8>,
    (shape, kind): (&[usize], DType),
) -> Result<Content> {
    let count = shape.iter().try_fold(kind.size(), |all, &side| all.checked_mul(side));
    if count != Some(bytes.len()) {
        let expected = format!("`{name}` of shape {shape:?} in {kind:?}");
        return Err(fault(path, "tensors", &expected, format!("{} bytes", bytes.len())));
    }
    let data = TensorData::from_bytes_vec(bytes, shape.to_vec(), kind).convert::<f32>();
    match data.try_into_vec::<f32>() {
        Ok(values) => Ok(Content::Floats(values)),
        Err(error) => Err(fault(path, "tensors", "floats", format!("{error:?}"))),
    }
}

/// The weights of a checkpoint without what was saved beside them, and without the names of what
/// they were wrapped in.
fn unwrapped(mut tensors: Tensors) -> Tensors {
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    loop {
        let wrapper =
            tensors.keys().map(|name| first(name)).find(|name| WRAPPERS.contains(&name.as_str()));
        let Some(wrapper) = wrapper else { return tensors };
        let within = |name: &str| first(name) == wrapper;
        let beside = |name: &str| BESIDE.contains(&first(name).as_str());
        // Only what is whole is taken off: `model.` beside `head.` is a part of the network.
        if !tensors.keys().all(|name| (within(name) && name.contains('.')) || beside(name)) {
            return tensors;
        }
        tensors = tensors
            .into_iter()
            .filter(|(name, _)| within(name))
            .map(|(name, tensor)| (name[wrapper.len() + 1..].to_owned(), tensor))
            .collect();
    }
}

/// The last part of a dotted name.
pub(super) fn leaf(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn is_of_the_system(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | PermissionDenied)
}

fn fault(path: &Path, at: &'static str, expected: &str, got: String) -> Error {
    Error::Format { path: path.into(), at, expected: expected.into(), got }
}

/// What checkpoints put around the weights.
const WRAPPERS: &[&str] =
    &["state_dict", "model_state_dict", "model", "module", "net", "network", "_orig_mod"];

/// What checkpoints keep beside the weights.
const BESIDE: &[&str] = &[
    "optimizer",
    "optimizer_state_dict",
    "optim",
    "scheduler",
    "lr_scheduler",
    "scheduler_state_dict",
    "scaler",
    "amp",
];

/// How much larger than their file the tensors may be: two names may share one storage.
const MOST_REPEATED: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors(names: &[&str]) -> Tensors {
        let one = Foreign { shape: vec![1], content: Content::Floats(vec![0.0]) };
        names.iter().map(|name| ((*name).to_owned(), one.clone())).collect()
    }

    fn names(given: &[&str]) -> Vec<String> {
        unwrapped(tensors(given)).into_keys().collect()
    }

    #[test]
    fn wrappers_come_off_and_an_optimizer_is_left_behind() {
        let given = ["state_dict.module.a.weight", "state_dict.module.b", "optimizer.state.0.x"];
        assert_eq!(names(&given), ["a.weight", "b"]);
        assert_eq!(names(&["model.a", "head.b"]), ["head.b", "model.a"]);
        assert_eq!(names(&["a.weight"]), ["a.weight"]);
        assert_eq!(names(&["model"]), ["model"]);
    }
}
