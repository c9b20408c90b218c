//! Training a generative network on rows, and keeping it as a file.
use std::fmt::Debug;
use std::path::Path;

use burn::module::Module;
use burn::prelude::*;
use duress_core::{Domain, Passes, Progress, Seed};
use duress_models::train::Run;
use duress_models::{
    Error, Objective, Recipe, Result, Trainable, TrainingData, Weights, he_normal, train,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::transformation::TrainingRows;

/// Version of the card; raised when a field changes its meaning.
const SCHEMA: u32 = 1;

/// How a generative network is made and trained.
pub trait Plan: Clone + Debug + PartialEq + Send + Sync + Serialize + DeserializeOwned {
    /// What is trained.
    type Network: Trainable;

    /// What it is, in files.
    const KIND: &'static str;

    /// Checks the hyperparameters, and whether the network is defined for rows of `domain`;
    /// `algorithm` is who asks.
    ///
    /// # Errors
    /// [`duress_core::Error::Parameter`], [`duress_core::Error::Layout`].
    fn check(&self, algorithm: &'static str, domain: &Domain) -> duress_core::Result<()>;

    /// The network with weights that are still to be drawn.
    fn blank(&self, domain: &Domain, device: &Device) -> Self::Network;

    /// What it minimises.
    fn objective(&self) -> Box<dyn Objective<Self::Network>>;

    /// How.
    fn recipe(&self, seed: Seed) -> Recipe;
}

/// What is known of a generative network, kept beside its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerativeCard<P> {
    /// Version of the card when it was written.
    pub schema: u32,
    /// [`Plan::KIND`].
    pub kind: String,
    /// Version of this crate when it was written.
    pub version: String,
    /// How it was made and trained.
    pub plan: P,
    /// The input space, in raw units.
    pub domain: Domain,
    /// Seed of the initial weights and of the training.
    pub seed: Seed,
    /// SHA-256 of the training rows.
    pub data_digest: String,
    /// Number of training rows.
    pub rows: u64,
}

/// A trained generative network in evaluation mode, and its card.
#[derive(Clone, Debug)]
pub struct Fitted<P: Plan> {
    network: P::Network,
    card: GenerativeCard<P>,
}

impl<P: Plan> Fitted<P> {
    /// Trains on the rows of `data` (labels are not looked at) by the seed: same rows, plan, seed
    /// and device, same bits. With a checkpoint in `run` an interrupted training goes on from
    /// there.
    ///
    /// # Errors
    /// Those of [`Plan::check`] and [`train()`].
    pub fn train(
        plan: &P,
        data: &TrainingData<'_>,
        seed: Seed,
        run: Run<'_, P::Network>,
    ) -> Result<Self> {
        plan.check(P::KIND, data.domain)?;
        let network = he_normal(plan.blank(data.domain, run.passes.device()), seed);
        let trained = train(&network, plan.objective().as_ref(), data, &plan.recipe(seed), run)?;
        Ok(Self { network: trained.last.valid(), card: card(plan, data, seed) })
    }

    /// The network, in evaluation mode.
    #[must_use]
    pub fn network(&self) -> &P::Network {
        &self.network
    }

    /// What is known of it.
    #[must_use]
    pub fn card(&self) -> &GenerativeCard<P> {
        &self.card
    }

    /// Writes weights and card to one safetensors file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`]; [`duress_core::Error::Device`] if a read fails.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let text = serde_json::to_string(&self.card)
            .map_err(|error| Error::Parse { what: P::KIND, reason: error.to_string() })?;
        Weights::of(&self.network)?.save(path, &text)
    }

    /// Reads what [`Fitted::save`] wrote onto `device`. The file is not trusted.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for anything but such a file of this kind and schema;
    /// [`Error::Weights`] for tensors that do not fit its card.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let (weights, text) = Weights::load(path)?;
        let fault = |expected: String, got: String| Error::Format {
            path: path.into(),
            at: "card",
            expected,
            got,
        };
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| fault("JSON".into(), error.to_string()))?;
        let (schema, kind) = (&value["schema"], &value["kind"]);
        if schema.as_u64() != Some(u64::from(SCHEMA)) || kind.as_str() != Some(P::KIND) {
            let expected = format!("schema {SCHEMA} of kind {}", P::KIND);
            return Err(fault(expected, format!("schema {schema} of kind {kind}")));
        }
        let card: GenerativeCard<P> = serde_json::from_value(value)
            .map_err(|error| fault(format!("the card of a {}", P::KIND), error.to_string()))?;
        card.plan.check(P::KIND, &card.domain)?;
        let blank = card.plan.blank(&card.domain, &device.clone().inner());
        Ok(Self { network: weights.apply(blank)?.valid(), card })
    }
}

fn card<P: Plan>(plan: &P, data: &TrainingData<'_>, seed: Seed) -> GenerativeCard<P> {
    GenerativeCard {
        schema: SCHEMA,
        kind: P::KIND.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        plan: plan.clone(),
        domain: data.domain.clone(),
        seed,
        data_digest: data.digest(),
        rows: data.labels.len() as u64,
    }
}

/// Rows without classes, as the training loop takes them.
pub(crate) struct Unlabelled<'a> {
    rows: &'a [f32],
    domain: &'a Domain,
    labels: Vec<usize>,
    ids: Vec<u64>,
}

impl<'a> Unlabelled<'a> {
    /// Rows `[N, F]`, row-major, numbered from 0.
    pub(crate) fn new(rows: &'a [f32], domain: &'a Domain) -> Self {
        let count = rows.len() / domain.features();
        Self { rows, domain, labels: vec![0; count], ids: (0..count as u64).collect() }
    }

    pub(crate) fn data(&self) -> TrainingData<'_> {
        TrainingData {
            rows: self.rows,
            labels: &self.labels,
            ids: &self.ids,
            domain: self.domain,
            classes: 1,
        }
    }
}

/// Trains on training samples, or reads what an earlier call kept in the folder that comes with
/// them; `algorithm` is who asks. An interrupted training goes on from its checkpoint there.
///
/// # Errors
/// [`duress_core::Error::Fit`] without passes or if the training fails, those of [`Plan::check`],
/// [`duress_core::Error::Cancelled`].
pub fn fit<P: Plan>(
    algorithm: &'static str,
    plan: &P,
    data: &TrainingRows<'_>,
    seed: Seed,
) -> duress_core::Result<Fitted<P>> {
    plan.check(algorithm, data.domain())?;
    let failed = |reason: String| duress_core::Error::Fit { algorithm, reason };
    let passes = data.passes().ok_or_else(|| {
        failed("it trains a network and got no passes to do so (`TrainingRows::on`)".into())
    })?;
    let rows = Unlabelled::new(data.values(), data.domain());
    kept(plan, &rows.data(), seed, passes, data.progress(), data.folder()).map_err(|error| {
        match error {
            Error::Core(error) => error,
            other => failed(other.to_string()),
        }
    })
}

/// The network from its file in `folder` if it is there, else trained and kept.
fn kept<P: Plan>(
    plan: &P,
    data: &TrainingData<'_>,
    seed: Seed,
    passes: &Passes,
    progress: &dyn Progress,
    folder: Option<&Path>,
) -> Result<Fitted<P>> {
    let run = Run { progress, ..Run::new(passes) };
    let Some(folder) = folder else { return Fitted::train(plan, data, seed, run) };
    let expected = card(plan, data, seed);
    let text = serde_json::to_string(&expected)
        .map_err(|error| Error::Parse { what: P::KIND, reason: error.to_string() })?;
    let mut hasher = Sha256::new();
    hasher.update(&text);
    // Another device trains to other bits.
    hasher.update(format!("{:?}", passes.device()));
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize()[..8]);
    let key = u64::from_be_bytes(first);
    let stem = format!("{}-{key:016x}", P::KIND);
    let [file, checkpoint] =
        ["safetensors", "checkpoint"].map(|end| folder.join(format!("{stem}.{end}")));
    if file.exists() {
        let fitted = Fitted::load(&file, passes.device())?;
        if fitted.card == expected {
            progress.note(&format!("{}: trained before, {}", P::KIND, file.display()));
            return Ok(fitted);
        }
        return Err(Error::OtherRun {
            path: file,
            what: "card",
            stored: serde_json::to_string(&fitted.card).unwrap_or_default(),
            now: text,
        });
    }
    let fault = |path: &Path| {
        let path = path.to_owned();
        |source| Error::Io { path, source }
    };
    std::fs::create_dir_all(folder).map_err(fault(folder))?;
    progress.note(&format!("{}: training on {} samples", P::KIND, data.labels.len()));
    let fitted = Fitted::train(plan, data, seed, Run { checkpoint: Some(&checkpoint), ..run })?;
    fitted.save(&file)?;
    // The network is safe: the way there is no longer needed.
    if checkpoint.exists() {
        std::fs::remove_file(&checkpoint).map_err(fault(&checkpoint))?;
    }
    Ok(fitted)
}
