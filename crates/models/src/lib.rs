//! Networks, decorators, checkpoints and the training loop of duress.
//!
//! - [`Architecture`] describes a [`Network`]; [`ARCHITECTURES`] lists them by name.
//! - [`train()`] fits any [`Trainable`] burn module by a [`Recipe`] to an [`Objective`]; it is
//!   resumed bit for bit from its checkpoint.
//! - [`bounds`] bounds the margins of a [`Layered`] network on boxes, on the tape: what certified
//!   training minimises.
//! - [`Model`] is a trained network with its domain and its [`Card`], saved as one safetensors
//!   file; it is a [`duress_core::Classifier`], and a graph ([`Model::graph`]) that other runtimes
//!   take as ONNX ([`Model::export_onnx`]).
//! - [`Denoiser`] takes noise off pictures.
//! - [`Normalized`], [`Quantized`] and [`Ensemble`] wrap classifiers.
pub mod atomic;
pub mod bounds;
mod card;
mod decorators;
mod denoiser;
mod error;
mod export;
mod graph;
pub mod import;
mod initialization;
mod model;
mod network;
mod normalization;
mod save;
pub mod train;
mod weights;

pub use card::{Accuracy, Card, SCHEMA};
pub use decorators::{Averaged, Ensemble, Normalized, Quantized, Vote};
pub use denoiser::Denoiser;
pub use duress_graph::max_pool2d;
pub use error::{Error, Result, WeightFault};
pub use import::{ForeignWeights, KeyMap, WeightLayout};
pub use initialization::{Initialization, he_normal};
pub use model::Model;
pub use network::{
    ARCHITECTURES, Architecture, BasicBlock, Body, Committee, Dense, Entry, FirstLayer, Front,
    Hidden, Layer, Layered, LeNet, Lipschitz, LipschitzLayer, Mlp, Network, PreActivationBlock,
    ResNet, Sll, SmallCnn, Trainable, WideResNet, find, max_min,
};
pub use normalization::Normalization;
pub use train::{
    Batch, LossOutput, Objective, Recipe, Standard, Step, Trained, TrainingData, train,
};
pub use weights::Weights;
