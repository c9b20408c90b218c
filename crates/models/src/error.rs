//! Errors of networks, files and training: what was expected, what came.
use std::{io, path::PathBuf};

/// One way in which the tensors of a file do not fit a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightFault {
    /// The network needs a tensor that the file lacks.
    Missing(String),
    /// The file has a tensor that the network does not know.
    Unexpected(String),
    /// A tensor of another shape.
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape in the network.
        expected: Vec<usize>,
        /// Shape in the file.
        got: Vec<usize>,
    },
    /// A tensor of another type than 32-bit floats.
    Kind {
        /// Name of the tensor.
        name: String,
        /// Type in the file.
        got: String,
    },
    /// A tensor with a value that is NaN or infinite.
    NotFinite {
        /// Name of the tensor.
        name: String,
        /// Position of the first such value, in row-major order.
        index: usize,
    },
}

impl std::fmt::Display for WeightFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WeightFault::Missing(name) => write!(f, "`{name}` is missing"),
            WeightFault::Unexpected(name) => write!(f, "`{name}` is unexpected"),
            WeightFault::Shape { name, expected, got } => {
                write!(f, "`{name}` must be {expected:?}, got {got:?}")
            }
            WeightFault::NotFinite { name, index } => {
                write!(f, "`{name}` is not finite at {index}")
            }
            WeightFault::Kind { name, got } => write!(f, "`{name}` must be F32, got {got}"),
        }
    }
}

/// What can go wrong with a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the vocabulary: shapes, labels, domains, devices, cancellation.
    #[error(transparent)]
    Core(#[from] duress_core::Error),
    /// An error of graphs: a network that is no graph, or a file of one that cannot be written.
    #[error(transparent)]
    Graph(#[from] duress_graph::Error),
    /// A field of an architecture, a recipe, a normalisation or a decorator outside its range.
    #[error("{what}: `{field}` must be {expected}, got {got}")]
    Parameter {
        /// What the field belongs to.
        what: &'static str,
        /// Name of the field.
        field: &'static str,
        /// The range, in words.
        expected: String,
        /// The rejected value.
        got: String,
    },
    /// An image that a network's strides and kernels would shrink to nothing.
    #[error("{architecture} needs images of at least {least} by {least}, got {height} by {width}")]
    TooSmall {
        /// Name of the architecture.
        architecture: &'static str,
        /// Smallest side.
        least: usize,
        /// Height of the domain.
        height: usize,
        /// Width of the domain.
        width: usize,
    },
    /// A name that is not in the table.
    #[error("no architecture `{name}`; known: {known}")]
    UnknownArchitecture {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A description that does not parse.
    #[error("{what}: {reason}")]
    Parse {
        /// What was read.
        what: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// Classifiers that cannot work as one.
    #[error("ensemble member {member}: {what} must be {expected}, got {got}")]
    Member {
        /// Position in the ensemble.
        member: usize,
        /// Which property differs.
        what: &'static str,
        /// The value of the first member.
        expected: String,
        /// The value of this one.
        got: String,
    },
    /// A loss that is NaN or infinite.
    #[error("the loss of epoch {epoch}, step {step} is {value} (lower the learning rate or clip)")]
    LossNotFinite {
        /// Epoch, from 0.
        epoch: u32,
        /// Step of the epoch, from 0.
        step: u64,
        /// The loss.
        value: f32,
    },
    /// An objective that cannot compute its loss.
    #[error("objective `{objective}`: {reason}")]
    Objective {
        /// Name of the objective.
        objective: String,
        /// Why.
        reason: String,
    },
    /// A loss that no weight can change.
    #[error("objective `{objective}` returned a loss that does not depend on the weights")]
    LossDetached {
        /// Name of the objective.
        objective: String,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that does not follow its format.
    #[error("{}: {at}: expected {expected}, got {got}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The part of the file.
        at: &'static str,
        /// What the format asks for.
        expected: String,
        /// What came.
        got: String,
    },
    /// A file whose bytes do not have the digest that it states.
    #[error("{}: damaged: SHA-256 {stated} stated, {measured} measured", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The digest in the file.
        stated: String,
        /// The digest of its bytes.
        measured: String,
    },
    /// A checkpoint of another training run.
    #[error("{}: the checkpoint is of another run: {what} was {stored}, now {now}", path.display())]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// Value in the checkpoint.
        stored: String,
        /// Value of this run.
        now: String,
    },
    /// Tensors that do not fit the network, all of them.
    #[error("the weights do not fit: {}", list(faults))]
    Weights {
        /// Every difference, in the order of the names.
        faults: Vec<WeightFault>,
    },
}

fn list(faults: &[WeightFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_differences_of_weights_are_listed() {
        let shape = WeightFault::Shape { name: "b".into(), expected: vec![2, 3], got: vec![3, 2] };
        let faults = vec![WeightFault::Missing("a".into()), shape];
        let expected = "the weights do not fit: `a` is missing; `b` must be [2, 3], got [3, 2]";
        assert_eq!(Error::Weights { faults }.to_string(), expected);
    }
}
