//! Proofs by one bound of all margins.
use duress_core::Norm;
use serde::{Deserialize, Serialize};

use super::{Proof, Prover, Subject, expect_norm, parameter};
use crate::bounds::{InputSet, Method, Options, Result};
use crate::table::{Certification, Entry};

/// A prediction is proved where the lower bounds of all its margins are above 0.
///
/// What a bound promises, and what not, stands in [`crate::bounds`].
#[derive(Clone, Debug, PartialEq)]
pub struct BoundProver {
    /// How margins are bounded.
    pub method: Method,
    /// Norm of the balls.
    pub norm: Norm,
    /// What a bound may cost.
    pub options: Options,
}

/// The hyperparameters as a file has them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    /// Norm of the balls.
    norm: Linf,
    /// What a bound may cost.
    options: Options,
}

/// A norm that is Linf if nothing is said.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Linf(Norm);

impl Default for Linf {
    fn default() -> Self {
        Self(Norm::Linf)
    }
}

impl Prover for BoundProver {
    fn name(&self) -> &'static str {
        entry(self.method).name
    }

    fn norm(&self) -> Norm {
        self.norm
    }

    fn check(&self) -> duress_core::Result<()> {
        expect_norm(self.name(), self.norm, &Norm::ALL)?;
        self.options.check().map_err(|error| parameter(self.name(), &error))
    }

    fn prove(&self, subject: &Subject<'_>, set: &InputSet, class: usize) -> Result<Proof> {
        let memory = self.options.memory / subject.together.max(1);
        let options = Options { memory, ..self.options.clone() };
        let margins = subject.network.margins(set, class, self.method, &options)?;
        Ok(if margins.is_certified() { Proof::Holds } else { Proof::Open })
    }
}

/// The entry of a method.
fn entry(method: Method) -> &'static Entry {
    match method {
        Method::Ibp => &IBP,
        Method::Zonotope => &ZONOTOPE,
        Method::Forward => &FORWARD,
        Method::CrownIbp => &CROWN_IBP,
        Method::Crown => &CROWN,
        Method::AlphaCrown => &ALPHA_CROWN,
    }
}

fn defaults() -> toml::Table {
    toml::Table::try_from(Table::default()).unwrap_or_default()
}

fn parse(table: toml::Table, method: Method) -> Result<Certification, toml::de::Error> {
    let Table { norm: Linf(norm), options } = table.try_into()?;
    Ok(Certification::Proved(Box::new(BoundProver { method, norm, options })))
}

/// What the table of certifiers says of a method.
const fn listed(
    name: &'static str,
    summary: &'static str,
    reference: &'static str,
    parse: fn(toml::Table) -> Result<Certification, toml::de::Error>,
) -> Entry {
    Entry { name, summary, reference, norm: Norm::Linf, defaults, parse }
}

pub(crate) const IBP: Entry =
    listed("ibp", "proof by interval bounds", "arXiv:1810.12715", |table| {
        parse(table, Method::Ibp)
    });

pub(crate) const ZONOTOPE: Entry = listed(
    "zonotope",
    "proof by zonotopes, for few neurons",
    "DeepZ, Singh et al., NeurIPS 2018",
    |table| parse(table, Method::Zonotope),
);

pub(crate) const FORWARD: Entry = listed(
    "forward",
    "proof by linear bounds taken forward, for few features",
    "arXiv:2002.12920",
    |table| parse(table, Method::Forward),
);

pub(crate) const CROWN_IBP: Entry = listed(
    "crown-ibp",
    "proof by linear bounds, intervals before each relaxation",
    "arXiv:1906.06316",
    |table| parse(table, Method::CrownIbp),
);

pub(crate) const CROWN: Entry =
    listed("crown", "proof by linear bounds", "arXiv:1811.00866", |table| {
        parse(table, Method::Crown)
    });

pub(crate) const ALPHA_CROWN: Entry = listed(
    "alpha-crown",
    "proof by linear bounds with optimised slopes",
    "arXiv:2011.13824",
    |table| parse(table, Method::AlphaCrown),
);
