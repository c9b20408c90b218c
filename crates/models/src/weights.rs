//! The float tensors of a module by name, on the host.
use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use duress_core::host;
use sha2::{Digest, Sha256};

use crate::{Error, Result, WeightFault};

/// One tensor: shape and values in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// All float tensors of a module, batch-norm statistics included, by their dotted path.
///
/// The variants of an enum are no part of a path: a [`crate::Network`] names its tensors
/// `conv1.weight`, not `body.SmallCnn.conv1.weight`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    pub(crate) tensors: BTreeMap<String, Values>,
}

impl Weights {
    /// The tensors of `module`.
    ///
    /// # Errors
    /// [`duress_core::Error::Device`] if a read fails.
    pub fn of<M: Module>(module: &M) -> Result<Self> {
        // `valid` brings the running statistics up to date and moves off the tape.
        let mut collector = Collector { path: Path::default(), tensors: Ok(BTreeMap::new()) };
        module.valid().visit(&mut collector);
        Ok(Self { tensors: collector.tensors? })
    }

    /// `module` with these values.
    ///
    /// # Errors
    /// [`Error::Weights`] with every missing, unexpected or misshapen tensor.
    pub fn apply<M: Module>(&self, module: M) -> Result<M> {
        let have = self.tensors.iter().map(|(name, tensor)| (name, &tensor.shape));
        differences(&shapes(&module), have)?;
        Ok(module.map(&mut Applier { path: Path::default(), weights: self }))
    }

    /// Checks that `network` has the tensors of `pattern`.
    pub(crate) fn compare<M: Module>(pattern: &M, network: &M) -> Result<()> {
        differences(&shapes(pattern), shapes(network).iter())
    }

    /// SHA-256 over names, shapes and bits, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, Values { shape, values }) in &self.tensors {
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name);
            hasher.update((shape.len() as u64).to_le_bytes());
            for &side in shape {
                hasher.update((side as u64).to_le_bytes());
            }
            hash_floats(&mut hasher, values);
        }
        hex(&hasher.finalize())
    }

    /// Number of values over all tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.values.len()).sum()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and shapes, in the order of the names.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
    }

    /// The values of a tensor in row-major order.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.tensors.get(name).map(|tensor| tensor.values.as_slice())
    }
}

/// Hashes floats in pieces, without a copy of them all.
pub(crate) fn hash_floats(hasher: &mut Sha256, values: &[f32]) {
    let mut bytes = Vec::with_capacity(4 * values.len().min(4096));
    for piece in values.chunks(4096) {
        bytes.clear();
        for value in piece {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        hasher.update(&bytes);
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Names and shapes of the float tensors of a module.
fn shapes<M: Module>(module: &M) -> BTreeMap<String, Vec<usize>> {
    let mut visitor = Shapes { path: Path::default(), shapes: BTreeMap::new() };
    module.visit(&mut visitor);
    visitor.shapes
}

/// Every tensor of `have` that is not as in `expected`, and the other way round.
fn differences<'a>(
    expected: &BTreeMap<String, Vec<usize>>,
    have: impl Iterator<Item = (&'a String, &'a Vec<usize>)>,
) -> Result<()> {
    let have: BTreeMap<_, _> = have.collect();
    let mut faults = Vec::new();
    for (name, shape) in expected {
        match have.get(name) {
            None => faults.push(WeightFault::Missing(name.clone())),
            Some(&got) if got != shape => faults.push(WeightFault::Shape {
                name: name.clone(),
                expected: shape.clone(),
                got: got.clone(),
            }),
            Some(_) => {}
        }
    }
    let unknown = have.keys().filter(|name| !expected.contains_key(**name));
    faults.extend(unknown.map(|&name| WeightFault::Unexpected(name.clone())));
    if faults.is_empty() { Ok(()) } else { Err(Error::Weights { faults }) }
}

/// Where a traversal is; enums count for nothing.
#[derive(Default)]
pub(crate) struct Path {
    names: Vec<Option<String>>,
}

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        let part = match container {
            // The variant, and the field that holds the enum of a network.
            _ if container.starts_with("Enum:") => None,
            "Struct:Network" if name == "body" => None,
            _ => Some(name.into()),
        };
        self.names.push(part);
    }

    pub(crate) fn exit(&mut self) {
        self.names.pop();
    }

    pub(crate) fn name(&self) -> String {
        self.names.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

struct Collector {
    path: Path,
    tensors: Result<BTreeMap<String, Values>, duress_core::Error>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.transform_for_save().val();
        let shape = tensor.dims().to_vec();
        if let Ok(tensors) = &mut self.tensors {
            match host::floats(tensor) {
                Ok(values) => {
                    tensors.insert(self.path.name(), Values { shape, values });
                }
                Err(error) => self.tensors = Err(error),
            }
        }
    }
}

struct Shapes {
    path: Path,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.shapes.insert(self.path.name(), param.lazy_shape().to_vec());
    }
}

struct Applier<'a> {
    path: Path,
    weights: &'a Weights,
}

impl ModuleMapper for Applier<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Checked by `apply`: every name is there.
        let Some(Values { shape, values }) = self.weights.tensors.get(&self.path.name()) else {
            return param;
        };
        let data = TensorData::new(values.clone(), shape.clone());
        let tensor = Tensor::from_data(data, &param.lazy_device());
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}
