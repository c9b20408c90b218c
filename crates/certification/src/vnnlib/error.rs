//! What can be wrong with a property file, and where.
use std::path::PathBuf;

/// A file of the competition's formats that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VnnlibError {
    /// Text that is not made of balanced lists.
    #[error("line {line}: {fault}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        fault: String,
    },
    /// A construct that is well formed and not understood.
    #[error("line {line}: {what} is not supported; expected {expected}")]
    Unsupported {
        /// The line, from 1.
        line: usize,
        /// What came.
        what: String,
        /// What would have been understood.
        expected: &'static str,
    },
    /// A variable that was not declared, or twice, or leaves a gap.
    #[error("line {line}: the variable `{name}` {fault}")]
    Variable {
        /// The line, from 1.
        line: usize,
        /// Its name.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// An input without a lower or an upper bound.
    #[error("the input `X_{input}` has no {side} bound in one of the cases: assert one")]
    MissingBound {
        /// The input.
        input: usize,
        /// `lower` or `upper`.
        side: &'static str,
    },
    /// A property that forbids no output: also what is left of a file that was cut short.
    #[error("no output is constrained in one of the cases: assert something about a `Y_j`")]
    NoOutputs,
    /// A file whose meaning takes more memory than it should.
    #[error("the property has more than {limit} {what}: split it")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that could not be written.
    #[error(transparent)]
    Write(#[from] duress_models::Error),
    /// A line of `instances.csv` that names no instance.
    #[error("{}, line {line}: {fault}", path.display())]
    Instance {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        fault: String,
    },
    /// A counterexample with a value that is no number.
    #[error("`{variable}` of a counterexample must be finite, got {value}")]
    NotFinite {
        /// The variable.
        variable: String,
        /// Its value.
        value: f64,
    },
}
