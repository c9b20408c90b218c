//! Weights that another framework trained, put into one of our networks.
//!
//! Read are `PyTorch` checkpoints (`.pt`, `.pth`: zip, legacy and tar), safetensors of any origin
//! and burnpack files; which one it is, the bytes say. No code of a checkpoint runs. Numbers of 16
//! and 64 bits become 32-bit floats; counters of batches that a normalisation has seen are left out.
//!
//! A tensor of the file finds its place, in this order:
//! 1. by the [`KeyMap`], if there is one;
//! 2. by its name, then by its name after the usual renames (`layer1.0.bn1.weight` is
//!    `blocks.0.norm1.gamma`);
//! 3. by the shapes of its layer, where no other layer has them or where the layers that share
//!    them are numbered.
//!
//! Each tensor of the file must have a place and each place a tensor, or the error lists all
//! differences.
mod foreign;
mod key_map;
mod matching;
mod rename;
mod targets;

use std::path::Path;

use burn::prelude::Device;

pub use foreign::ForeignWeights;
pub use key_map::{KeyMap, WeightLayout};

use crate::{Card, Model, Result};

impl Model {
    /// Puts the weights of a file of another framework into the network that `card` describes: its
    /// architecture, domain, classes and normalisation count.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::Format`] for a file that is none of the formats, cut
    /// short or not what it claims; [`crate::Error::Weights`] with every tensor that finds no
    /// place, and every place without one; what [`crate::Architecture::init`] returns.
    pub fn import(
        path: impl AsRef<Path>,
        card: Card,
        keys: Option<&KeyMap>,
        device: &Device,
    ) -> Result<Self> {
        let device = device.clone().inner();
        let blank = card.architecture.blank(&card.domain, card.classes, &device)?;
        let targets = targets::of(&blank);
        let foreign = ForeignWeights::read(path)?;
        let weights = matching::place(foreign, &targets, keys)?;
        Model::assemble(card, &weights, &device)
    }
}
