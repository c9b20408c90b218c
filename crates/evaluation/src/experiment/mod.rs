//! An experiment as a file: data, models, threats, attacks, detectors, certifiers.
mod attack;
mod certifier;
mod checkpoint;
mod data;
mod detector;
mod model;
mod text;
mod threat;

use std::path::Path;

use duress_certification::Certification;
use duress_core::Seed;
use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use attack::AttackPlan;
pub use certifier::CertifierPlan;
pub use checkpoint::Checkpoint;
pub use data::{DataPlan, DataSource, Files};
pub use detector::{AdaptivePlan, DetectorPlan};
pub use model::{Behind, EndpointPlan, ModelPlan, Source};
pub use threat::ThreatPlan;

use crate::{Error, Result, hexadecimal};
pub(crate) use text::one_line;

/// A checked experiment.
#[derive(Debug)]
pub struct Experiment {
    /// Name of the run folder.
    pub name: String,
    /// Title of the report.
    pub title: String,
    /// Seed of all draws.
    pub seed: Seed,
    /// What the models are trained and measured on.
    pub data: DataPlan,
    /// The models, each after those it builds on.
    pub models: Vec<ModelPlan>,
    /// What the adversary may do.
    pub threats: Vec<ThreatPlan>,
    /// The attacks.
    pub attacks: Vec<AttackPlan>,
    /// The detectors.
    pub detectors: Vec<DetectorPlan>,
    /// The certifiers.
    pub certifiers: Vec<CertifierPlan>,
    /// Whether samples that are proved in a ball are not attacked in it.
    pub skip_certified: bool,
    /// Whether to measure how adversarial examples transfer between the models.
    pub transfer: bool,
    /// SHA-256 of the text.
    pub digest: String,
}

/// The file as it stands, tables of algorithms unread.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    title: Option<String>,
    #[serde(default)]
    seed: Seed,
    data: DataPlan,
    #[serde(default)]
    model: Vec<model::Table>,
    #[serde(default)]
    threat: Vec<ThreatPlan>,
    #[serde(default)]
    attack: Vec<toml::Table>,
    #[serde(default)]
    detector: Vec<toml::Table>,
    #[serde(default)]
    certify: Vec<toml::Table>,
    #[serde(default)]
    skip_certified: bool,
    #[serde(default)]
    transfer: bool,
}

impl Experiment {
    /// Reads and checks an experiment file.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read; [`Error::Experiment`] naming the table and
    /// the key for everything else.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        Self::parse(&text).map_err(|reason| Error::Experiment { path: path.to_owned(), reason })
    }

    /// Checks an experiment given as text.
    ///
    /// # Errors
    /// The reason in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the file is empty; an experiment needs `name`, `[data]`, `[[model]]`, \
                        `[[threat]]` and `[[attack]]`"
                .into());
        }
        let file: File = toml::from_str(text).map_err(|error| text::located(&error, text))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = &file.name;
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(format!(
                "`name` must be letters, digits, `-`, `_`, `.` and not begin with `.`, got `{name}`"
            ));
        }
        if file.model.is_empty() {
            return Err("an experiment needs at least one [[model]]".into());
        }
        let models = model::check_all(file.model)?;
        if let Some(model) = models.iter().find(|model| model.is_trained() && !file.data.trains()) {
            return Err(format!(
                "[[model]] `{}` is trained, and the `path` of [data] has no training part: give \
                 [data] a `train_path`, or the model the `file` of a trained one",
                model.name
            ));
        }
        if file.data.validation <= 0.0
            && let Some(model) = models.iter().find(|model| model.stops_early())
        {
            return Err(format!(
                "[data]: `validation` must be above 0 for the `early_stop` of [[model]] `{}`",
                model.name
            ));
        }
        let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        let threats = threat::check_all(file.threat)?;
        let attacks = attack::check_all(file.attack, &threats, &names)?;
        let detectors = detector::check_all(file.detector, &names, &attacks, &threats)?;
        check_detectors(&detectors, &models, &file.data)?;
        let certifiers = certifier::check_all(file.certify, &models)?;
        if attacks.is_empty() != threats.is_empty() {
            return Err("[[attack]] and [[threat]] need each other".into());
        }
        if let Some(threat) =
            threats.iter().find(|threat| !attacks.iter().any(|plan| plan.supports(threat.norm)))
        {
            let norm = threat.norm;
            return Err(format!("[[threat]] {norm}: no [[attack]] supports it, so none would run"));
        }
        let aware = |norm| attacks.iter().any(|plan| plan.supports(norm) && plan.aware);
        if let Some(threat) = threats.iter().find(|threat| !aware(threat.norm)) {
            let norm = threat.norm;
            return Err(format!(
                "[[threat]] {norm}: every [[attack]] that supports it has `aware = false`, and its \
                 headline would be what is left by an adversary who knows nothing of the defence; \
                 add one without `aware = false`"
            ));
        }
        if file.transfer && attacks.is_empty() {
            return Err("`transfer` needs an [[attack]]".into());
        }
        let proves = |plan: &CertifierPlan| matches!(plan.certifier, Certification::Proved(_));
        if file.skip_certified && !certifiers.iter().any(proves) {
            return Err("`skip_certified` needs a [[certify]] that proves, such as `crown`".into());
        }
        let digest = Sha256::digest(text.as_bytes());
        Ok(Self {
            title: file.title.unwrap_or_else(|| file.name.clone()),
            name: file.name,
            seed: file.seed,
            data: file.data,
            models,
            threats,
            attacks,
            detectors,
            certifiers,
            skip_certified: file.skip_certified,
            transfer: file.transfer,
            digest: hexadecimal(&digest),
        })
    }
}

/// Checks that there are samples to fit detectors on and to set their thresholds on, and that the
/// models they watch are in this process.
fn check_detectors(
    detectors: &[DetectorPlan],
    models: &[ModelPlan],
    data: &DataPlan,
) -> Result<(), String> {
    let Some(first) = detectors.first() else { return Ok(()) };
    let at = |name: &str, reason: &str| format!("in [[detector]] `{name}`: {reason}");
    if !data.trains() {
        return Err(at(first.name, "it is fitted on training samples: give [data] a `train_path`"));
    }
    if data.validation <= 0.0 {
        let reason = "its threshold is set on validation samples: `validation` of [data] must be \
                      above 0";
        return Err(at(first.name, reason));
    }
    let service = |model: &&ModelPlan| matches!(model.source, Source::Remote { .. });
    for detector in detectors {
        let watched = |model: &&ModelPlan| detector.models.contains(&model.name);
        if let Some(model) = models.iter().filter(watched).find(service) {
            let name = &model.name;
            return Err(at(
                detector.name,
                &format!("`{name}` is a service, whose inside is not seen; name other `models`"),
            ));
        }
    }
    Ok(())
}
