//! Whether a property of a network holds: by a search for a counterexample, then by branch and bound
//! over the input
//!
//! or over the neurons.
//!
//! A box of inputs is bounded; where the bound does not settle it, it is cut. With few inputs it is
//! cut along an input ([`Complete::Inputs`]), with many at a neuron with a kink, such as a `ReLU`,
//! which is fixed on either side ([`Complete::Neurons`]). Both end with an answer, given time; a network
//! with other curves than kinks may be left [`Verdict::Unknown`] by the second.
//!
//! [`Verdict::Holds`] is proved for real arithmetic (see [`crate::bounds`]); a counterexample is
//! checked with the plain pass that is handed in, so it is one of the network as it runs.
mod exact;
mod inputs;
mod neurons;
mod search;

use std::time::{Duration, Instant};

use burn::prelude::Device;
use duress_graph::Graph;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::vnnlib::{Conjunction, Property, Region};

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// No input of the property's boxes has an unsafe output.
    Holds,
    /// This one has.
    Violated {
        /// The input, each value an f32.
        inputs: Vec<f64>,
        /// What the network answers.
        outputs: Vec<f64>,
    },
    /// Neither was shown.
    Unknown,
    /// Time ran out.
    Timeout,
}

impl Verdict {
    /// The word that VNN-COMP uses.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Holds => "unsat",
            Verdict::Violated { .. } => "sat",
            Verdict::Unknown => "unknown",
            Verdict::Timeout => "timeout",
        }
    }
}

/// What is cut where a bound settles nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Complete {
    /// Inputs, if there are at most [`Options::most_inputs`], else neurons.
    #[default]
    Auto,
    /// Boxes of inputs.
    Inputs,
    /// Kinks, fixed on either side.
    Neurons,
    /// Nothing here: a mixed-integer program is solved, for networks of some tens of neurons. Its
    /// verdicts hold within the tolerance of the solver, unlike all others.
    Exact,
}

/// What a verification may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Seconds.
    pub timeout_seconds: f64,
    /// What is cut.
    pub complete: Complete,
    /// How boxes are bounded while they are cut.
    pub method: bounds::Method,
    /// Most inputs that [`Complete::Auto`] cuts.
    pub most_inputs: usize,
    /// How parts with fixed kinks are bounded, and the whole first.
    pub bounds: bounds::Options,
    /// Steps of the optimiser on a part with fixed kinks.
    pub iterations: usize,
    /// Starts of the search for a counterexample.
    pub starts: usize,
    /// Its steps.
    pub steps: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout_seconds: 60.0,
            complete: Complete::Auto,
            method: bounds::Method::Crown,
            most_inputs: 20,
            bounds: bounds::Options::default(),
            iterations: 12,
            starts: 128,
            steps: 200,
        }
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The answer.
    pub verdict: Verdict,
    /// Boxes, or parts of them, that were bounded.
    pub boxes: u64,
    /// Seconds.
    pub seconds: f64,
}

/// Checks `property` of `graph`.
///
/// `forward` is a plain pass of the network as it is deployed; `device` computes the search.
///
/// # Errors
/// A network or a property that cannot be bounded; another number of inputs or outputs.
pub fn verify(
    graph: &Graph,
    property: &Property,
    forward: &(dyn Fn(&[f32]) -> bounds::Result<Vec<f64>> + Sync),
    device: &Device,
    options: &Options,
) -> bounds::Result<Outcome> {
    let begun = Instant::now();
    let network = bounds::Network::new(graph)?;
    for (what, expected, got) in [
        ("inputs of the property", network.features(), property.inputs),
        ("outputs of the property", network.outputs(), property.outputs),
    ] {
        if expected != got {
            return Err(bounds::Error::Length { what, expected, got });
        }
    }
    // A time that no clock holds is no limit.
    let limit = Duration::try_from_secs_f64(options.timeout_seconds).unwrap_or(Duration::MAX);
    let on_device = duress_graph::Network::new(graph.clone(), device)?;
    let device = (&on_device, device);
    let task = Task { network: &network, property, forward, device, options, begun, limit };
    let (verdict, boxes) = task.run()?;
    Ok(Outcome { verdict, boxes, seconds: begun.elapsed().as_secs_f64() })
}

/// Starts and steps of the search that comes before all bounds.
const QUICK: (usize, usize) = (16, 20);

/// Shares of the time that the first search of each region and the long one may take.
const SHARES: [f64; 2] = [0.05, 0.15];

/// One property of one network.
struct Task<'a> {
    network: &'a bounds::Network,
    property: &'a Property,
    forward: &'a (dyn Fn(&[f32]) -> bounds::Result<Vec<f64>> + Sync),
    /// The network where the search runs.
    device: (&'a duress_graph::Network, &'a Device),
    options: &'a Options,
    begun: Instant,
    limit: Duration,
}

impl Task<'_> {
    fn run(&self) -> bounds::Result<(Verdict, u64)> {
        // Most counterexamples are found at once; a bound comes before a long search for another.
        let Options { starts, steps, .. } = self.options;
        let quick = (((*starts).min(QUICK.0), (*steps).min(QUICK.1)), SHARES[0]);
        for region in &self.property.regions {
            if let Some(verdict) = self.search(region, &region.unsafe_outputs, quick)? {
                return Ok((verdict, 0));
            }
        }
        let (mut open, mut boxes) = (false, 0);
        for region in &self.property.regions {
            let (verdict, bounded) = self.branch(region)?;
            boxes += bounded;
            match verdict {
                Verdict::Holds => {}
                Verdict::Unknown => open = true,
                other => return Ok((other, boxes)),
            }
        }
        Ok((if open { Verdict::Unknown } else { Verdict::Holds }, boxes))
    }

    /// Whether the region holds no counterexample, and what was bounded.
    fn branch(&self, region: &Region) -> bounds::Result<(Verdict, u64)> {
        if region.unsafe_outputs.is_empty() {
            return Ok((Verdict::Holds, 0));
        }
        let few = region.lower.len() <= self.options.most_inputs;
        match self.options.complete {
            Complete::Inputs => self.branch_on_inputs(region),
            Complete::Auto if few => self.branch_on_inputs(region),
            Complete::Exact => self.by_programs(region),
            Complete::Auto | Complete::Neurons => self.branch_on_neurons(region),
        }
    }

    /// A long search for what a first bound left open.
    fn searched<'b>(
        &self,
        region: &Region,
        conjunctions: impl IntoIterator<Item = &'b Conjunction>,
    ) -> bounds::Result<Option<Verdict>> {
        let effort = (self.options.starts, self.options.steps);
        self.search(region, conjunctions, (effort, SHARES[1]))
    }

    /// A share of the time.
    fn share(&self, share: f64) -> Duration {
        Duration::try_from_secs_f64(self.limit.as_secs_f64() * share).unwrap_or(Duration::MAX)
    }

    fn is_late(&self) -> bool {
        self.begun.elapsed() >= self.limit
    }

    /// The verdict if the plain pass agrees that `point` is a counterexample.
    fn checked(&self, point: &[f64]) -> bounds::Result<Option<Verdict>> {
        let inputs: Vec<f32> = point.iter().map(|&value| value as f32).collect();
        let rounded: Vec<f64> = inputs.iter().copied().map(f64::from).collect();
        let outputs = (self.forward)(&inputs)?;
        let found = self.property.is_violated(&rounded, &outputs);
        Ok(found.then_some(Verdict::Violated { inputs: rounded, outputs }))
    }
}

#[cfg(test)]
mod tests;
