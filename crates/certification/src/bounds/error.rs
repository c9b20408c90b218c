//! What can go wrong before a bound is computed; a bound that says nothing is a result.
use duress_graph::Unsupported;

/// An error of the bounds of a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Operations without a sound relaxation, all of them.
    #[error("no bounds for {}", list(nodes))]
    Unsupported {
        /// The nodes in the order of the graph.
        nodes: Vec<Unsupported>,
    },
    /// A list of the wrong length.
    #[error("{what}: expected {expected} values, got {got}")]
    Length {
        /// Which list.
        what: &'static str,
        /// How many values it needs.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// A value that is not a finite number.
    #[error("{what}: a finite number expected at {index}, got {value}")]
    NotFinite {
        /// Which list.
        what: &'static str,
        /// Place in the list.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A box whose lower side is above its upper side, or a centre outside the domain.
    #[error("{what}: feature {index} must have {low} <= {high}")]
    Empty {
        /// Which set.
        what: &'static str,
        /// The feature.
        index: usize,
        /// What should be lower.
        low: f64,
        /// What should be higher.
        high: f64,
    },
    /// An L0 ball without a domain, in which a changed feature could be anything.
    #[error("an l0 ball needs the box of a domain: a changed feature has no other limit")]
    Unbounded,
    /// A label that names no output.
    #[error("label {label} but the network has {outputs} outputs")]
    Label {
        /// The label.
        label: usize,
        /// Results of the network.
        outputs: usize,
    },
    /// A network too large for the memory that was granted.
    #[error("one row of bounds needs {needed} values and {granted} are granted: raise `memory`")]
    Memory {
        /// Values for one row.
        needed: usize,
        /// The limit.
        granted: usize,
    },
    /// A parameter outside its range.
    #[error("`{field}` must be {expected}, got {got}")]
    Parameter {
        /// The field.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What came.
        got: f64,
    },
    /// An error of the graph.
    #[error(transparent)]
    Graph(#[from] duress_graph::Error),
    /// An error of the vocabulary.
    #[error(transparent)]
    Core(#[from] duress_core::Error),
}

fn list(nodes: &[Unsupported]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Shorthand of this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;
