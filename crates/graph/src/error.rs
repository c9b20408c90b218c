//! Errors of graphs and their files: what was expected, what came, and what helps.
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::Op;

/// One node of a file that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Name of the node in the file; its outputs where it has none.
    pub node: String,
    /// Its operator, with the domain where that is not ONNX's own.
    pub operator: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unsupported { node, operator, reason } = self;
        write!(f, "{operator} `{node}` ({reason})")
    }
}

/// What can go wrong between a file or a module and a graph.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that does not follow its format.
    #[error("{at}: expected {expected}, got {got}")]
    Format {
        /// The part of the file.
        at: String,
        /// What the format asks for.
        expected: String,
        /// What came.
        got: String,
    },
    /// A file larger than is read.
    #[error("{}: {bytes} bytes, more than the {limit} that are read", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Nodes that cannot be imported, all of them.
    #[error("{} unsupported: {}", count(nodes.len()), list(nodes))]
    Unsupported {
        /// The nodes in the order of the file.
        nodes: Vec<Unsupported>,
    },
    /// A network that is not one function of each sample for itself.
    #[error("the network mixes the samples of a batch: {0}")]
    Mixes(String),
    /// An input or output that cannot be told from others, or of the wrong kind.
    #[error("{what}: expected {expected}, got {got}")]
    Interface {
        /// Input or output.
        what: &'static str,
        /// What is needed.
        expected: String,
        /// What the network has.
        got: String,
    },
    /// Shapes that do not fit together.
    #[error("{0}")]
    Shape(String),
    /// An array that would be made and that no machine should hold.
    #[error("an array of shape {shape:?} has more than the 2^26 values allowed")]
    TooLarge {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A network whose result is the same for each sample.
    #[error("the output does not depend on the input")]
    ConstantOutput,
    /// A value that is NaN or infinite in the weights.
    #[error("weight `{name}` is not finite at {index}")]
    NotFinite {
        /// Name of the weight.
        name: String,
        /// Place in row-major order.
        index: usize,
    },
    /// A forward pass that could not be recorded.
    #[error("the forward pass could not be recorded: {0}")]
    Recording(String),
    /// An error of the vocabulary.
    #[error(transparent)]
    Core(#[from] duress_core::Error),
}

fn count(nodes: usize) -> String {
    if nodes == 1 { "1 node is".into() } else { format!("{nodes} nodes are") }
}

fn list(nodes: &[Unsupported]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// The same fault of shapes, with the node where it is.
    pub(crate) fn at(self, op: &Op, name: &str) -> Self {
        match self {
            Error::Shape(reason) => Error::Shape(format!("{} `{name}`: {reason}", op.name())),
            other => other,
        }
    }

    pub(crate) fn format(
        at: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Error::Format { at: at.into(), expected: expected.into(), got: got.into() }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
