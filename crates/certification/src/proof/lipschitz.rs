//! Certified radii of what a network can stretch at most.
use std::sync::{Arc, Mutex, PoisonError};

use duress_core::Norm;
use duress_graph::Graph;
use serde::{Deserialize, Serialize};

use super::{Prover, Subject};
use crate::bounds::{InputSet, Method, Network, Options, Result};
use crate::lipschitz::LipschitzBound;
use crate::table::{Certification, Entry};

/// The L2 radius `margin / (√2 L)`, where `L` is a proven bound of how much all logits together
/// stretch: 1, up to rounding, for networks of 1-Lipschitz layers.
///
/// Whatever the layers are meant to be, their weights are bounded as they stand. Prach, Lampert.
/// *Almost-Orthogonal Layers.* ECCV 2022. <https://arxiv.org/abs/2208.03160>
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LipschitzMargin {
    /// Steps of the Gram iteration that bounds spectral norms.
    pub iterations: u32,
    #[serde(skip)]
    known: Known,
}

/// The L2 radius `min_j (z_y − z_j) / L_j`, where `L_j` is the product of proven bounds of all
/// operations before the last and, if that is linear, the length of the difference of its weights
/// of `y` and `j`. For any network; exact for a linear one.
///
/// Tsuzuku, Sato, Sugiyama. *Lipschitz-Margin Training.* `NeurIPS` 2018.
/// <https://arxiv.org/abs/1802.04034>
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpectralProduct {
    /// Steps of the Gram iteration that bounds spectral norms.
    pub iterations: u32,
    #[serde(skip)]
    known: Known,
}

impl LipschitzMargin {
    /// With so many steps of the Gram iteration.
    #[must_use]
    pub fn new(iterations: u32) -> Self {
        Self { iterations, known: Known::default() }
    }
}

impl SpectralProduct {
    /// With so many steps of the Gram iteration.
    #[must_use]
    pub fn new(iterations: u32) -> Self {
        Self { iterations, known: Known::default() }
    }
}

/// Enough for a factor of 1.001 at a thousand values a layer.
const ITERATIONS: u32 = 12;

/// Most steps that may be asked for: what they could still gain is below the rounding.
const MOST_ITERATIONS: u32 = 40;

impl Default for LipschitzMargin {
    fn default() -> Self {
        Self::new(ITERATIONS)
    }
}

impl Default for SpectralProduct {
    fn default() -> Self {
        Self::new(ITERATIONS)
    }
}

/// A graph and its bound.
type Bounded = (Graph, Arc<LipschitzBound>);

/// The graph that was bounded last, and its bound: the samples of a model share them.
#[derive(Clone, Debug, Default)]
struct Known(Arc<Mutex<Option<Bounded>>>);

impl Known {
    fn of(&self, graph: &Graph, iterations: u32) -> Result<Arc<LipschitzBound>> {
        // Nothing is half done where another thread ended early.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, bound)) = &*last
            && known == graph
        {
            return Ok(Arc::clone(bound));
        }
        let bound = Arc::new(LipschitzBound::of(graph, iterations)?);
        *last = Some((graph.clone(), Arc::clone(&bound)));
        Ok(bound)
    }
}

/// The least over the other classes of the margin at `center`, from below, over what `stretch` says
/// of the pair.
fn radius(
    subject: &Subject<'_>,
    center: &[f64],
    class: usize,
    stretch: impl Fn(usize) -> f64,
) -> Result<f64> {
    let point = InputSet::ball(center, Norm::L2, 0.0, None)?;
    let margins = subject.network.margins(&point, class, Method::Ibp, &Options::default())?;
    let others = margins.lower.iter().enumerate().filter(|&(other, _)| other != class);
    let radii = others.map(|(other, &margin)| {
        let radius = (margin / stretch(other)).next_down();
        // Not a number, and 0/0 of a constant margin, proves nothing.
        if radius > 0.0 { radius.min(f64::MAX) } else { 0.0 }
    });
    Ok(radii.reduce(f64::min).unwrap_or(0.0))
}

impl Prover for LipschitzMargin {
    fn name(&self) -> &'static str {
        MARGIN.name
    }

    fn norm(&self) -> Norm {
        Norm::L2
    }

    fn check(&self) -> duress_core::Result<()> {
        check(MARGIN.name, self.iterations)
    }

    fn fits(&self, graph: &Graph, _: &Network) -> Result<()> {
        // Without a step of the iteration it is a walk through the operations.
        LipschitzBound::of(graph, 0).map(|_| ())
    }

    fn radius(
        &self,
        subject: &Subject<'_>,
        center: &[f64],
        class: usize,
        _: &[f64],
    ) -> Result<Option<f64>> {
        let bound = self.known.of(subject.graph, self.iterations)?;
        let stretch = (bound.logits * 2.0_f64.sqrt().next_up()).next_up();
        radius(subject, center, class, |_| stretch).map(Some)
    }
}

impl Prover for SpectralProduct {
    fn name(&self) -> &'static str {
        PRODUCT.name
    }

    fn norm(&self) -> Norm {
        Norm::L2
    }

    fn check(&self) -> duress_core::Result<()> {
        check(PRODUCT.name, self.iterations)
    }

    fn fits(&self, graph: &Graph, _: &Network) -> Result<()> {
        // Without a step of the iteration it is a walk through the operations.
        LipschitzBound::of(graph, 0).map(|_| ())
    }

    fn radius(
        &self,
        subject: &Subject<'_>,
        center: &[f64],
        class: usize,
        _: &[f64],
    ) -> Result<Option<f64>> {
        let bound = self.known.of(subject.graph, self.iterations)?;
        let classes = bound.classes();
        let pair = |other: usize| bound.pairs[class * classes + other];
        radius(subject, center, class, pair).map(Some)
    }
}

fn check(algorithm: &'static str, iterations: u32) -> duress_core::Result<()> {
    if iterations <= MOST_ITERATIONS {
        return Ok(());
    }
    Err(duress_core::Error::Parameter {
        algorithm,
        field: "iterations",
        expected: "at most 40",
        got: iterations.to_string(),
    })
}

pub(crate) const MARGIN: Entry = Entry {
    name: "lipschitz-margin",
    summary: "proof in L2 for networks of 1-Lipschitz layers, by the margin",
    reference: "arXiv:2208.03160",
    norm: Norm::L2,
    defaults: || toml::Table::try_from(LipschitzMargin::default()).unwrap_or_default(),
    parse: |table| Ok(Certification::Proved(Box::new(table.try_into::<LipschitzMargin>()?))),
};

pub(crate) const PRODUCT: Entry = Entry {
    name: "spectral-product",
    summary: "proof in L2 by the product of spectral norms",
    reference: "arXiv:1802.04034",
    norm: Norm::L2,
    defaults: || toml::Table::try_from(SpectralProduct::default()).unwrap_or_default(),
    parse: |table| Ok(Certification::Proved(Box::new(table.try_into::<SpectralProduct>()?))),
};
