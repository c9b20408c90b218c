//! Certificates that are proofs: of networks whose operations are known.
//!
//! Most [`Prover`]s are asked about one ball at a time; [`certify`] finds the largest of some radii
//! at which they answer, and so gives the same [`Certificate`] as those that yield a radius
//! ([`Prover::radius`]).
mod bounded;
mod lipschitz;
mod local;
mod verified;

use burn::prelude::Device;
use duress_core::{Domain, Norm, Progress};
use duress_graph::Graph;

use crate::Certificate;
use crate::bounds::{self, InputSet, Network, Result};

pub use bounded::BoundProver;
pub(crate) use bounded::{ALPHA_CROWN, CROWN, CROWN_IBP, FORWARD, IBP, ZONOTOPE};
pub use lipschitz::{LipschitzMargin, SpectralProduct};
pub(crate) use lipschitz::{MARGIN as LIPSCHITZ_MARGIN, PRODUCT as SPECTRAL_PRODUCT};
pub(crate) use local::ENTRY as LOCAL_LIPSCHITZ;
pub use local::LocalLipschitz;
pub(crate) use verified::ENTRY as VERIFY;
pub use verified::VerifyProver;

/// A plain pass of a network as it is deployed, over one row.
pub type Forward<'a> = &'a (dyn Fn(&[f32]) -> Result<Vec<f64>> + Sync);

/// A network whose predictions are to be proved.
pub struct Subject<'a> {
    /// What it computes.
    pub graph: &'a Graph,
    /// The same, made ready for bounds.
    pub network: &'a Network,
    /// A plain pass as it is deployed: what is called a counterexample is one there.
    pub forward: Forward<'a>,
    /// The box that limits all perturbations, and the features that may change.
    pub domain: Option<&'a Domain>,
    /// Where a search for a counterexample runs.
    pub device: &'a Device,
    /// How many proofs run side by side: each takes its share of the memory.
    pub together: usize,
}

/// What is known of a ball.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// No point of it has another prediction.
    Holds,
    /// This point has: its values are f32, and it is in the ball.
    Refuted(Vec<f32>),
    /// Neither was shown.
    Open,
}

/// Proves that a network's prediction is the same on all of a ball.
pub trait Prover: std::fmt::Debug + Send + Sync {
    /// Name in the table of certifiers.
    fn name(&self) -> &'static str;

    /// The norm of the ball, in units of the raw input.
    fn norm(&self) -> Norm;

    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// [`duress_core::Error::Parameter`], [`duress_core::Error::UnsupportedNorm`].
    fn check(&self) -> duress_core::Result<()>;

    /// Checks that the method knows every operation of a network, whatever its weights: that it can
    /// be told before the network is trained.
    ///
    /// # Errors
    /// [`bounds::Error::Unsupported`].
    fn fits(&self, graph: &Graph, network: &Network) -> Result<()> {
        let _ = (graph, network);
        Ok(())
    }

    /// Whether one proof keeps all cores busy by itself.
    fn is_parallel(&self) -> bool {
        false
    }

    /// The radius of the ball around `center` on which it proves that `class` is the only one with
    /// the largest logit, without being asked about one ball at a time: 0 if there is no such ball,
    /// `None` if it has to be asked ([`Prover::prove`]). `radii` are those of interest, ascending.
    ///
    /// # Errors
    /// A network that cannot be bounded.
    fn radius(
        &self,
        subject: &Subject<'_>,
        center: &[f64],
        class: usize,
        radii: &[f64],
    ) -> Result<Option<f64>> {
        let _ = (subject, center, class, radii);
        Ok(None)
    }

    /// Whether `class` is the only one with the largest logit on all of `set`, the ball of
    /// [`Prover::norm`]. Open where [`Prover::radius`] gives the answer.
    ///
    /// # Errors
    /// A network or a set that cannot be bounded.
    fn prove(&self, subject: &Subject<'_>, set: &InputSet, class: usize) -> Result<Proof> {
        let _ = (subject, set, class);
        Ok(Proof::Open)
    }
}

/// A certificate, and where it ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Proved {
    /// The largest radius that was proved; its failure probability is 0.
    pub certificate: Certificate,
    /// The first radius at which the prover knows a point of another class, and that point.
    pub refuted: Option<(f64, Vec<f32>)>,
}

/// The largest of `radii`, in ascending order, at which the prediction at `row` is proved; the
/// first that is not ends the search. A prover that gives a radius itself is not asked about these.
///
/// Where two logits tie at the row, nothing is proved.
///
/// # Errors
/// A network or a row that cannot be bounded; [`duress_core::Error::Cancelled`].
pub fn certify(
    prover: &dyn Prover,
    subject: &Subject<'_>,
    row: &[f32],
    radii: &[f64],
    progress: &dyn Progress,
) -> Result<Proved> {
    let center: Vec<f64> = row.iter().copied().map(f64::from).collect();
    let logits = subject.graph.evaluate(&center)?;
    let class = prediction(logits.values());
    let mut found = Proved {
        certificate: Certificate {
            prediction: Some(class),
            radius: 0.0,
            failure_probability: 0.0,
            forwards: 1,
        },
        refuted: None,
    };
    if progress.cancelled() {
        return Err(duress_core::Error::Cancelled.into());
    }
    if let Some(radius) = prover.radius(subject, &center, class, radii)? {
        found.certificate.radius = radius;
        return Ok(found);
    }
    for &radius in radii {
        if progress.cancelled() {
            return Err(duress_core::Error::Cancelled.into());
        }
        let set = InputSet::ball(&center, prover.norm(), radius, subject.domain)?;
        match prover.prove(subject, &set, class)? {
            Proof::Holds => found.certificate.radius = radius,
            Proof::Refuted(point) => {
                found.refuted = Some((radius, point));
                break;
            }
            Proof::Open => break,
        }
    }
    Ok(found)
}

/// The first class with the largest logit; 0 if there is none.
#[must_use]
pub fn prediction(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// `Ok` if `norm` is one of `supported`.
fn expect_norm(algorithm: &'static str, norm: Norm, supported: &[Norm]) -> duress_core::Result<()> {
    if supported.contains(&norm) {
        return Ok(());
    }
    let supported = supported.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(duress_core::Error::UnsupportedNorm { algorithm, norm, supported })
}

/// The parameter error of a bound as one of the core crate.
fn parameter(algorithm: &'static str, error: &bounds::Error) -> duress_core::Error {
    duress_core::Error::Parameter {
        algorithm,
        field: "options",
        expected: "options that bounds can be computed with",
        got: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
