//! The table of attacks: everything else finds an attack here, by name.
use duress_core::{Access, Attack, Error, GradientAttack, LabelAttack, Norm, Result, ScoreAttack};
use serde::{Serialize, de::DeserializeOwned};

use crate::evasion::{
    apgd, corruption, decision, gradient as by_gradient, minimum, noise, physical,
    score as by_score, suites, universal,
};

/// What the command line, the experiments and the documentation know of an attack.
#[derive(Debug)]
pub struct Entry {
    /// Name in configuration files and reports.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// Where the algorithm is defined.
    pub reference: &'static str,
    /// Norms it is defined for.
    pub norms: &'static [Norm],
    /// What it needs to see of the model.
    pub access: Access,
    /// Whether it can aim at a class.
    pub targeted: bool,
    /// Its hyperparameters at their defaults.
    pub defaults: fn() -> toml::Table,
    /// Reads its hyperparameters; missing keys take their defaults, unknown keys are errors.
    pub parse: fn(toml::Table) -> Result<Attack, toml::de::Error>,
}

/// Every attack, in alphabetical order.
pub const ATTACKS: &[Entry] = &[
    physical::ADVERSARIAL_PATCH,
    apgd::APGD,
    apgd::APGD_T,
    suites::PLUS,
    suites::RAND,
    suites::STANDARD,
    by_score::BANDITS,
    by_gradient::BIM,
    decision::BOUNDARY,
    minimum::BRENDEL_BETHGE,
    minimum::CARLINI_WAGNER_L0,
    minimum::CARLINI_WAGNER_L2,
    minimum::CARLINI_WAGNER_LINF,
    by_gradient::COMPOSITE,
    corruption::ENTRY,
    minimum::DDN,
    minimum::DEEPFOOL,
    by_gradient::DI_FGSM,
    minimum::EAD,
    physical::ELASTIC,
    minimum::FAB,
    minimum::FAB_T,
    by_gradient::FGM,
    by_gradient::FGSM_RS,
    physical::FLOW,
    minimum::FMN,
    noise::GAUSSIAN_NOISE,
    by_score::GEN_ATTACK,
    decision::GEODA,
    decision::HOP_SKIP_JUMP,
    by_gradient::JOINT_PGD,
    minimum::JSMA,
    by_gradient::KL_PGD,
    by_gradient::MI_FGSM,
    by_score::NES,
    by_gradient::NI_FGSM,
    by_score::ONE_PIXEL,
    by_gradient::ORTHOGONAL_PGD,
    by_gradient::PGD,
    decision::POINTWISE,
    by_gradient::R_FGSM,
    decision::RAYS,
    by_gradient::SELECTIVE_PGD,
    by_gradient::SI_NI_FGSM,
    minimum::SIGMA_ZERO,
    decision::SIGN_OPT,
    by_score::SIMBA,
    minimum::SMALLEST_RADIUS,
    by_score::SPARSE_RS,
    by_score::SPARSE_RS_PATCH,
    minimum::SPARSEFOOL,
    physical::SPATIAL,
    by_score::SPSA,
    by_score::SQUARE,
    physical::STICKER,
    minimum::SUPERDEEPFOOL,
    decision::SURFREE,
    by_gradient::TI_FGSM,
    noise::UNIFORM_NOISE,
    universal::UNIVERSAL_DEEPFOOL,
    universal::UNIVERSAL_SGD,
    by_gradient::VMI_FGSM,
    by_gradient::VNI_FGSM,
    suites::WORST_OF,
    by_score::ZOO,
];

/// The entry called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    ATTACKS.iter().find(|entry| entry.name == name)
}

impl Entry {
    pub(crate) fn positive(&self, field: &'static str, value: f64) -> Result<()> {
        self.expect(value.is_finite() && value > 0.0, field, "positive", value)
    }

    pub(crate) fn not_negative(&self, field: &'static str, value: f64) -> Result<()> {
        self.expect(value.is_finite() && value >= 0.0, field, "at least 0", value)
    }

    pub(crate) fn at_least_one(&self, field: &'static str, value: u64) -> Result<()> {
        self.expect(value >= 1, field, "at least 1", value)
    }

    pub(crate) fn share(&self, field: &'static str, value: f64) -> Result<()> {
        self.expect((0.0..=1.0).contains(&value), field, "between 0 and 1", value)
    }

    pub(crate) fn expect(
        &self,
        holds: bool,
        field: &'static str,
        expected: &'static str,
        got: impl ToString,
    ) -> Result<()> {
        if holds {
            return Ok(());
        }
        Err(Error::Parameter { algorithm: self.name, field, expected, got: got.to_string() })
    }
}

pub(crate) fn gradient<A: GradientAttack + DeserializeOwned + 'static>(
    table: toml::Table,
) -> Result<Attack, toml::de::Error> {
    Ok(Attack::Gradient(Box::new(table.try_into::<A>()?)))
}

pub(crate) fn score<A: ScoreAttack + DeserializeOwned + 'static>(
    table: toml::Table,
) -> Result<Attack, toml::de::Error> {
    Ok(Attack::Score(Box::new(table.try_into::<A>()?)))
}

pub(crate) fn label<A: LabelAttack + DeserializeOwned + 'static>(
    table: toml::Table,
) -> Result<Attack, toml::de::Error> {
    Ok(Attack::Label(Box::new(table.try_into::<A>()?)))
}

pub(crate) fn defaults<A: Default + Serialize>() -> toml::Table {
    // A struct of numbers and names always has a table form.
    toml::Table::try_from(A::default()).unwrap_or_default()
}
