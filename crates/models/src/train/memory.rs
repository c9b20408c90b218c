//! What an objective keeps between steps, as a part of the checkpoint.
use std::collections::BTreeMap;

use burn::module::Module;
use burn::prelude::*;

/// Networks and tensors by name: a teacher, a perturbation, a running count.
///
/// A checkpoint holds all of it to the bit, so that a training that was interrupted goes on as if
/// it had not been. Networks are in evaluation mode, tensors off the tape.
#[derive(Clone, Debug)]
pub struct Memory<M> {
    networks: BTreeMap<String, M>,
    tensors: BTreeMap<String, Tensor<2>>,
}

impl<M> Default for Memory<M> {
    fn default() -> Self {
        Self { networks: BTreeMap::new(), tensors: BTreeMap::new() }
    }
}

impl<M: Module> Memory<M> {
    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.tensors.is_empty()
    }

    /// The network called `name`, in evaluation mode.
    #[must_use]
    pub fn network(&self, name: &str) -> Option<&M> {
        self.networks.get(name)
    }

    /// The tensor called `name`, off the tape.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<Tensor<2>> {
        self.tensors.get(name).cloned()
    }

    /// Keeps a copy of `network` in evaluation mode, in place of one of the same name.
    pub fn keep_network(&mut self, name: &str, network: &M) {
        self.networks.insert(name.into(), network.valid());
    }

    /// Keeps `tensor`, in place of one of the same name.
    pub fn keep_tensor(&mut self, name: &str, tensor: Tensor<2>) {
        self.tensors.insert(name.into(), tensor.inner());
    }

    /// Forgets the tensor called `name`, if there is one.
    pub fn forget_tensor(&mut self, name: &str) {
        self.tensors.remove(name);
    }

    /// The networks, in the order of their names.
    pub(super) fn networks(&self) -> impl Iterator<Item = (&String, &M)> {
        self.networks.iter()
    }

    /// The tensors, in the order of their names.
    pub(super) fn tensors(&self) -> impl Iterator<Item = (&String, &Tensor<2>)> {
        self.tensors.iter()
    }
}
