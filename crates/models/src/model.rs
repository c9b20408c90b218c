//! A trained network with everything needed to use it.
use burn::module::Module;
use burn::prelude::*;
use duress_core::{Activation, Classifier, Domain};

use crate::weights::Weights;
use crate::{Card, Error, Network, Result};

/// A network in evaluation mode and its card.
///
/// Rows are in raw units: a normalisation is inside.
#[derive(Clone, Debug)]
pub struct Model {
    network: Network,
    card: Card,
}

impl Model {
    /// A snapshot of `network`; later training does not reach it. The card takes over the
    /// normalisation of the network.
    ///
    /// # Errors
    /// [`Error::Weights`] if the network is not of the card's architecture, domain and classes;
    /// [`Error::Parameter`] for a network behind a front, which a card does not describe, and for
    /// class names that are not one a class, and what [`crate::Architecture::init`] returns.
    pub fn new(network: &Network, mut card: Card) -> Result<Self> {
        if let Some(front) = network.front() {
            return Err(Error::Parameter {
                what: "network",
                field: "front",
                expected: "none: a model is the layers alone (`Network::without_front`)".into(),
                got: format!("{front:?}"),
            });
        }
        let device = network.devices().into_iter().next().unwrap_or_default().inner();
        let blank = card.architecture.blank(&card.domain, card.classes, &device)?;
        Weights::compare(&blank, network)?;
        if let Some(normalization) = network.normalization() {
            normalization.check(&card.domain)?;
        }
        check_names(&card)?;
        card.normalization = network.normalization().cloned();
        Ok(Self { network: network.valid(), card })
    }

    /// Puts `weights` into the network that `card` describes.
    pub(crate) fn assemble(card: Card, weights: &Weights, device: &Device) -> Result<Self> {
        check_names(&card)?;
        let blank = card.architecture.blank(&card.domain, card.classes, &device.clone().inner())?;
        let mut network = weights.apply(blank)?;
        if let Some(normalization) = &card.normalization {
            network = network.with_normalization(normalization.clone(), &card.domain)?;
        }
        Ok(Self { network: network.valid(), card })
    }

    /// The network, in evaluation mode.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What is known of the model.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The same model with another account of its origin.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn with_card(self, card: Card) -> Result<Self> {
        Self::new(&self.network, card)
    }

    /// The weights on the host.
    ///
    /// # Errors
    /// [`duress_core::Error::Device`] if a read fails.
    pub fn weights(&self) -> Result<Weights> {
        Weights::of(&self.network)
    }

    /// SHA-256 of the weights: names, shapes and bits.
    ///
    /// # Errors
    /// [`duress_core::Error::Device`] if a read fails.
    pub fn digest(&self) -> Result<String> {
        Ok(self.weights()?.digest())
    }

    /// The same model on `device`.
    #[must_use]
    pub fn to_device(self, device: &Device) -> Self {
        let network = self.network.valid().to_device(&device.clone().inner());
        Self { network, card: self.card }
    }
}

impl Classifier for Model {
    fn domain(&self) -> &Domain {
        &self.card.domain
    }

    fn classes(&self) -> usize {
        self.card.classes
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.network.forward(rows)
    }

    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        self.network.activations(rows)
    }
}

fn check_names(card: &Card) -> Result<()> {
    let names = card.class_names.len();
    if names == 0 || names == card.classes {
        return Ok(());
    }
    Err(Error::Parameter {
        what: "card",
        field: "class_names",
        expected: format!("empty or {} names", card.classes),
        got: format!("{names} names"),
    })
}
