//! What the tests of transformations share.
#![allow(dead_code, reason = "each test file uses a part")]
use std::sync::{Arc, OnceLock};

use burn::prelude::*;
use duress_core::Randomized;
use duress_core::{Aim, Classifier, Domain, Loss, Passes, Seed};
use duress_defenses::transformation::{Adversary, Mapping};
use duress_defenses::{DEFENSES, Defended, Defense, TrainingRows, Transformation};

/// Three logits, each a fixed weighting of the features.
pub(crate) struct Weighted(pub(crate) Domain);

impl Classifier for Weighted {
    fn domain(&self) -> &Domain {
        &self.0
    }

    fn classes(&self) -> usize {
        3
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        rows.clone().matmul(weights(rows.dims()[1], &rows.device().inner()))
    }
}

/// `[F, 3]`, all different and of either sign.
fn weights(features: usize, device: &Device) -> Tensor<2> {
    let value = |cell: usize| ((cell * 29 + 11) % 97) as f32 / 48.5 - 1.0;
    let values: Vec<f32> = (0..features * 3).map(value).collect();
    Tensor::from_data(TensorData::new(values, [features, 3]), device)
}

/// The first logit.
#[derive(Debug)]
pub(crate) struct First;

impl Loss for First {
    fn name(&self) -> &'static str {
        "first"
    }

    fn per_sample(&self, logits: Tensor<2>, _: &Aim) -> Tensor<1> {
        logits.narrow(1, 0, 1).squeeze_dim(1)
    }
}

/// A defended classifier at one draw.
pub(crate) struct At<'a>(pub(crate) Adversary<'a>, pub(crate) u64);

impl Classifier for At<'_> {
    fn domain(&self) -> &Domain {
        Randomized::domain(&self.0)
    }

    fn classes(&self) -> usize {
        Randomized::classes(&self.0)
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        Randomized::forward(&self.0, rows, self.1)
    }
}

/// The stand-in of a mapping by itself, in front of [`Weighted`].
pub(crate) struct StandIn {
    pub(crate) mapping: Box<dyn Mapping>,
    pub(crate) base: Weighted,
}

impl Classifier for StandIn {
    fn domain(&self) -> &Domain {
        self.mapping.outer().unwrap_or(&self.base.0)
    }

    fn classes(&self) -> usize {
        3
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let draws = duress_defenses::transformation::Draws::shared(7);
        self.base.forward(self.mapping.surrogate(rows, &draws))
    }
}

/// The transformation `name` with some fields.
pub(crate) fn transformation(name: &str, fields: &str) -> Box<dyn Transformation> {
    let entry = duress_defenses::find(name).unwrap();
    match (entry.parse)(fields.parse().unwrap()).unwrap() {
        Defense::Transformation(transformation) => transformation,
        _ => panic!("{name} is no transformation"),
    }
}

/// Every transformation of the table at its defaults.
pub(crate) fn all() -> Vec<Box<dyn Transformation>> {
    // A database of a few patches answers sooner.
    let fields = |name: &str| match name {
        "denoiser" => "width = 2\ndepth = 2\nepochs = 1".parse().unwrap(),
        "quilting" => "patches = 200".parse().unwrap(),
        // So do networks of a few maps that hardly learnt anything.
        "defense-gan" => {
            "restarts = 2\nsteps = 5\n[gan]\nlatent = 4\nwidth = 4\nepochs = 1".parse().unwrap()
        }
        "diffusion-purifier" => {
            "strength = 0.2\n[diffusion]\nsteps = 20\nwidth = 4\nepochs = 2".parse().unwrap()
        }
        "magnet-reformer" => "[autoencoder]\nepochs = 3".parse().unwrap(),
        _ => toml::Table::new(),
    };
    let parsed = DEFENSES.iter().map(|entry| (entry.parse)(fields(entry.name)).unwrap());
    parsed
        .filter_map(|defense| match defense {
            Defense::Transformation(transformation) => Some(transformation),
            _ => None,
        })
        .collect()
}

/// Planes of a picture of two planes behind a thermometer of 16 levels.
const ENCODED: usize = 32;

/// One input space of each kind; those of encoded pictures belong to the thermometer.
pub(crate) fn domains() -> Vec<Domain> {
    vec![
        Domain::image(1, 8, 8).unwrap(),
        Domain::image(3, 11, 9).unwrap(),
        Domain::image(ENCODED, 6, 5).unwrap(),
        Domain::waveform(2, 120).unwrap(),
        Domain::table(vec![-1.0, 0.0, 5.0, 0.0], vec![1.0, 10.0, 6.0, 0.5]).unwrap(),
    ]
}

/// Rows of a domain, none near a step of a quantiser with few levels.
pub(crate) fn rows(domain: &Domain, count: usize) -> Vec<f32> {
    let features = domain.features();
    (0..count * features)
        .map(|cell| {
            let (row, feature) = (cell / features, cell % features);
            let share = ((cell * 37 + row * 11 + feature * feature) % 64) as f32 / 64.0 + 0.003;
            let (low, high) = (domain.lower().at(feature), domain.upper().at(feature));
            low + share * (high - low)
        })
        .collect()
}

/// What networks are trained with.
pub(crate) fn passes() -> &'static Passes {
    static PASSES: OnceLock<Passes> = OnceLock::new();
    PASSES.get_or_init(|| Passes::new(&Device::flex()).unwrap())
}

/// A transformation ready for a domain, fitted if it needs it; `None` where it is not defined.
pub(crate) fn defended(
    transformation: &dyn Transformation,
    domain: &Domain,
    seed: u64,
) -> Option<Defended> {
    let encoded = domain.image_shape().is_ok_and(|[channels, ..]| channels == ENCODED);
    if encoded != (transformation.name() == "thermometer") {
        return None;
    }
    transformation.check(domain).ok()?;
    let base = Arc::new(Weighted(domain.clone()));
    let values = rows(domain, 40);
    let data = TrainingRows::new(&values, domain).unwrap().on(passes());
    let fitted = transformation.fit(&data).unwrap();
    let ready = fitted.as_deref().unwrap_or(transformation);
    assert_eq!(fitted.is_some(), transformation.needs_data());
    Some(ready.wrap(base, Seed(seed)).unwrap())
}

/// Rows as a tensor.
pub(crate) fn tensor(values: &[f32], features: usize) -> Tensor<2> {
    let shape = [values.len() / features, features];
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}
