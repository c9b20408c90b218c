//! A graph as bounds see it: linear steps, curves, largest values and products, nothing else.
mod attention;
mod elementwise;
mod kinks;
mod layout;
mod linear;
mod map;
mod product;
mod selection;
mod translate;
mod windowed;
mod windows;

use duress_graph::{Graph, Unary};

use super::{Error, Result};
pub(super) use map::{Groups, Map, Weight};

/// What a step computes of the steps before it.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The sample.
    Input,
    /// `Σ M x + bias` over the parts.
    Affine {
        /// Steps and maps.
        parts: Vec<(usize, Map)>,
        /// One a result; none if empty.
        bias: Vec<f64>,
    },
    /// A function of each value.
    Curve {
        /// Of which step.
        source: usize,
        /// The function.
        function: Function,
    },
    /// The largest value of each group.
    Maximum {
        /// Of which step.
        source: usize,
        /// Which values.
        groups: Groups,
    },
    /// The product of each pair of values.
    Product {
        /// One factor.
        left: usize,
        /// The other.
        right: usize,
    },
}

/// A function of one value with known bends.
#[derive(Clone, Debug)]
pub(super) enum Function {
    /// `positive · x` above 0, `negative · x` below.
    Kink {
        /// Slope below 0.
        negative: Weight,
        /// Slope above 0.
        positive: f64,
    },
    /// `min(max(x, low), high)`.
    Clip {
        /// Lower limit.
        low: f64,
        /// Upper limit.
        high: f64,
    },
    /// `x²`.
    Square,
    /// A function that is smooth but for single points.
    Smooth(Unary),
    /// A function with steps, which never falls.
    Stairs(Unary),
}

/// A network prepared for bounds.
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) steps: Vec<Step>,
    pub(super) sizes: Vec<usize>,
    /// For each node of the graph, the step that has its value.
    pub(super) nodes: Vec<usize>,
    pub(super) output: usize,
}

impl Network {
    /// Prepares `graph`, whose result is taken as a list of logits.
    ///
    /// # Errors
    /// [`Error::Unsupported`] names all nodes without a sound relaxation.
    pub fn new(graph: &Graph) -> Result<Self> {
        translate::translate(graph)
    }

    /// Number of features of a sample.
    #[must_use]
    pub fn features(&self) -> usize {
        self.sizes[0]
    }

    /// Number of results.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.sizes[self.output]
    }

    /// The steps that step `index` reads.
    pub(super) fn sources(&self, index: usize) -> Vec<usize> {
        match &self.steps[index] {
            Step::Input => Vec::new(),
            Step::Affine { parts, .. } => parts.iter().map(|(source, _)| *source).collect(),
            Step::Curve { source, .. } | Step::Maximum { source, .. } => vec![*source],
            Step::Product { left, right } => vec![*left, *right],
        }
    }

    /// For each step the last one that reads it; the result is needed for good.
    pub(super) fn last_uses(&self) -> Vec<usize> {
        let mut last: Vec<usize> = (0..self.steps.len()).collect();
        for index in 0..self.steps.len() {
            for source in self.sources(index) {
                last[source] = index;
            }
        }
        last[self.output] = usize::MAX;
        last
    }

    /// Whether a step is linear, so that nothing is lost in going back through it.
    pub(super) fn is_affine(&self, index: usize) -> bool {
        matches!(self.steps[index], Step::Affine { .. })
    }

    /// More terms than any sum of a bound has: each result of each step adds at most two to a
    /// coefficient or a constant, for each of the parts it is made of.
    pub(super) fn terms(&self) -> usize {
        let parts = |index: usize| match &self.steps[index] {
            Step::Affine { parts, .. } => parts.len().max(1),
            _ => 1,
        };
        self.sizes.iter().enumerate().map(|(index, size)| 2 * size * parts(index)).sum()
    }

    pub(super) fn check_features(&self, got: usize) -> Result<()> {
        let expected = self.features();
        if got == expected {
            Ok(())
        } else {
            Err(Error::Length { what: "input set", expected, got })
        }
    }
}
