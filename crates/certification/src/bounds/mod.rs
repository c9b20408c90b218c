//! Sound bounds on what a network can answer on a set of inputs.
//!
//! ```no_run
//! # use duress_certification::bounds::{Error, InputSet, Method, Network, Options};
//! # use duress_core::Norm;
//! # fn certified(graph: &duress_graph::Graph, image: &[f64]) -> Result<bool, Error> {
//! let network = Network::new(graph)?;
//! let set = InputSet::ball(image, Norm::Linf, 0.1, None)?;
//! let margins = network.margins(&set, 7, Method::Crown, &Options::default())?;
//! # Ok(
//! margins.is_certified()
//! # ) }
//! ```
//!
//! # What a bound promises
//!
//! A bound holds for the network as [`duress_graph::Graph`] has it, computed in real arithmetic,
//! for each input of the set ([`Semantic::Real`]). Bounds are computed in f64 with rounding to
//! nearest; what that can cost is added up a priori and subtracted (Higham's `γₙ Σ |aᵢ||bᵢ|`),
//! so a bound is on the safe side of the exact one. Its last bits may differ between processors, by
//! the instructions these have; it holds whichever they are. Functions such as `exp` are granted a relative
//! error of 1e-13. A bound that overflows or is not a number is −∞ and certifies nothing.
//!
//! It says nothing of what a device computes in f32, which can be a different function: with a
//! constant of 2²⁶ inside, a network that is robust in real arithmetic can answer anything in f32,
//! and the other way round. Nor does it cover what was rounded before the graph existed, such as a
//! batch normalisation folded into weights.
//!
//! # Methods
//!
//! [`Method::Ibp`] is the fastest and loosest; [`Method::Zonotope`] goes forward with what values
//! have in common, for networks of few neurons, and [`Method::Forward`] with
//! lines in terms of the input, for few features; [`Method::CrownIbp`] goes back once;
//! [`Method::Crown`] bounds each value before a relaxation the same way, and [`Method::AlphaCrown`]
//! then optimises the slopes. Each keeps the better of its bound and that of intervals, value by value,
//! and α-CROWN that of CROWN.
#![expect(clippy::float_cmp, reason = "what is compared is exact: 0, 1, sides of an interval")]

mod affine;
mod alpha_crown;
mod analysis;
mod backward;
pub(crate) mod beta_crown;
mod chain;
mod crown;
mod encoding;
mod error;
mod forward;
mod input;
mod interval;
mod kernel;
mod lines;
mod network;
mod relaxation;
mod rounding;
mod specification;
mod zonotope;

use serde::{Deserialize, Serialize};

use analysis::Way;
use backward::{Analysis, Until};
pub(crate) use chain::Chain;
pub(crate) use encoding::Sum;
pub use error::{Error, Result};
pub use input::InputSet;
pub use interval::Intervals;
pub(crate) use lines::LowerLine;
pub use network::Network;
pub use specification::Specification;

/// How bounds are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Intervals, the specification merged into the last linear layers.
    Ibp,
    /// Zonotopes, cut with intervals; balls that are no boxes are taken for the boxes around them.
    Zonotope,
    /// Linear bounds of each value by the input, taken forward, cut with intervals.
    Forward,
    /// Linear bounds of the specification, intervals before each relaxation.
    CrownIbp,
    /// Linear bounds of the specification and of what enters each relaxation.
    Crown,
    /// CROWN with optimised lower slopes.
    AlphaCrown,
}

impl Method {
    /// All; the slower ones last.
    pub const ALL: [Method; 6] = [
        Method::Ibp,
        Method::Zonotope,
        Method::Forward,
        Method::CrownIbp,
        Method::Crown,
        Method::AlphaCrown,
    ];
}

/// What arithmetic a bound speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Semantic {
    /// Real arithmetic; bounds computed in f64 and widened outward by what rounding can cost.
    Real,
}

/// What bounds may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Largest number of f64 values that rows of coefficients may take together.
    pub memory: usize,
    /// Most rows that are computed together.
    pub rows: usize,
    /// Steps of the optimiser for the specification.
    pub iterations: usize,
    /// Steps of the optimiser for each value before a relaxation; 0 takes these from CROWN.
    pub intermediate_iterations: usize,
    /// Length of its first step: slopes are between 0 and 1.
    pub step_size: f64,
    /// What the length is multiplied by after each step.
    pub decay: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory: 1 << 27,
            rows: 64,
            iterations: 20,
            intermediate_iterations: 20,
            step_size: 0.1,
            decay: 0.98,
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<()> {
        for (field, value, most) in
            [("step_size", self.step_size, f64::MAX), ("decay", self.decay, 1.0)]
        {
            if !(value > 0.0 && value <= most) {
                let expected = "a number above 0, and a decay of at most 1";
                return Err(Error::Parameter { field, expected, got: value });
            }
        }
        Ok(())
    }
}

/// Lower bounds of the margins of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Margins {
    /// The label.
    pub label: usize,
    /// For each class j a lower bound of `logit[label] − logit[j]`; 0 at the label, −∞ where
    /// nothing is known.
    pub lower: Vec<f64>,
    /// How they were computed.
    pub method: Method,
    /// What they speak of.
    pub semantic: Semantic,
}

impl Margins {
    /// The least margin; −∞ for a network with one result.
    #[must_use]
    pub fn worst(&self) -> f64 {
        let others = self.lower.iter().enumerate().filter(|(class, _)| *class != self.label);
        others.map(|(_, &lower)| lower).reduce(f64::min).unwrap_or(f64::NEG_INFINITY)
    }

    /// Whether the label is the only class with the largest logit, on all of the input set.
    #[must_use]
    pub fn is_certified(&self) -> bool {
        self.worst() > 0.0
    }
}

impl Network {
    /// Lower bounds of the margins of `label` on `set`.
    ///
    /// # Errors
    /// A label that is no output, a set of another number of features, options out of range, or a
    /// network too large for the memory granted.
    pub fn margins(
        &self,
        set: &InputSet,
        label: usize,
        method: Method,
        options: &Options,
    ) -> Result<Margins> {
        let outputs = self.outputs();
        let others: Vec<usize> = (0..outputs).filter(|&class| class != label).collect();
        let specification = Specification::margins(outputs, label, &others)?;
        let mut lower = self.lower_bounds(set, &specification, method, options)?;
        lower.insert(label, 0.0);
        Ok(Margins { label, lower, method, semantic: Semantic::Real })
    }

    /// Lower bounds of the rows of `specification` on `set`.
    ///
    /// # Errors
    /// As [`Network::margins`].
    pub fn lower_bounds(
        &self,
        set: &InputSet,
        specification: &Specification,
        method: Method,
        options: &Options,
    ) -> Result<Vec<f64>> {
        options.check()?;
        if specification.outputs() != self.outputs() {
            let (expected, got) = (self.outputs(), specification.outputs());
            return Err(Error::Length { what: "specification", expected, got });
        }
        let analysis = self.analyse(set, method, options)?;
        let mut best = crown::bound(&analysis, specification, Until::Curve, options)?;
        let mut keep = |bounds: Vec<f64>| {
            best.iter_mut().zip(bounds).for_each(|(best, bound)| *best = best.max(bound));
        };
        match method {
            Method::Ibp => {}
            Method::Zonotope => keep(zonotope::bound(self, set, specification, options)?),
            Method::Forward => keep(forward::bound(self, set, specification, options)?),
            Method::CrownIbp | Method::Crown | Method::AlphaCrown => {
                keep(crown::bound(&analysis, specification, Until::Input, options)?);
            }
        }
        if method == Method::AlphaCrown {
            if options.intermediate_iterations > 0 {
                let way = Way::Optimised(&analysis);
                let tighter = analysis::by_planes(self, set, options, way)?;
                keep(alpha_crown::bound(&tighter, specification, options)?);
            } else {
                keep(alpha_crown::bound(&analysis, specification, options)?);
            }
        }
        Ok(best)
    }

    /// Bounds of all values of each node of the graph, in its order.
    ///
    /// # Errors
    /// As [`Network::margins`].
    pub fn node_bounds(
        &self,
        set: &InputSet,
        method: Method,
        options: &Options,
    ) -> Result<Vec<Intervals>> {
        options.check()?;
        let mut analysis = self.analyse(set, method, options)?;
        let all = |step: usize| (0..self.sizes[step]).collect::<Vec<usize>>();
        if matches!(method, Method::CrownIbp | Method::Crown | Method::AlphaCrown) {
            for &step in &self.nodes {
                analysis::refine(&mut analysis, step, &all(step), options, Way::Planes)?;
            }
        }
        if method == Method::AlphaCrown && options.intermediate_iterations > 0 {
            let way = Way::Optimised(&analysis);
            let mut tighter = analysis::by_planes(self, set, options, way)?;
            for &step in &self.nodes {
                analysis::refine(&mut tighter, step, &all(step), options, way)?;
            }
            return Ok(self.nodes.iter().map(|&step| tighter.known[step].clone()).collect());
        }
        Ok(self.nodes.iter().map(|&step| analysis.known[step].clone()).collect())
    }

    fn analyse<'a>(
        &'a self,
        set: &'a InputSet,
        method: Method,
        options: &Options,
    ) -> Result<Analysis<'a>> {
        match method {
            Method::Ibp => analysis::by_intervals(self, set, false),
            Method::CrownIbp => analysis::by_intervals(self, set, true),
            Method::Zonotope => zonotope::intervals(self, set, options),
            Method::Forward => forward::intervals(self, set, options),
            Method::Crown | Method::AlphaCrown => {
                analysis::by_planes(self, set, options, Way::Planes)
            }
        }
    }
}
