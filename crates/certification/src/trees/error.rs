//! What can be wrong with trees, their files and the boxes they are certified over.

/// A tree ensemble that is none, or an input that does not fit it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A node that cannot be used.
    #[error("tree {tree}, node {node}: {fault}")]
    Node {
        /// The tree, from 0.
        tree: usize,
        /// The node, as the file numbers it.
        node: usize,
        /// What is wrong with it.
        fault: String,
    },
    /// An ensemble of no features, no classes or base scores that do not fit.
    #[error("tree ensemble: {0}")]
    Ensemble(String),
    /// A file that is not in the expected format.
    #[error("the trees cannot be read: {0}")]
    Format(String),
    /// An input row or a box that does not fit.
    #[error("feature {feature}: expected {expected}, got {got}")]
    Input {
        /// The feature.
        feature: usize,
        /// What would have fitted.
        expected: String,
        /// What came.
        got: String,
    },
    /// A list of the wrong length.
    #[error("{what}: expected {expected} values, got {got}")]
    Length {
        /// Which list.
        what: &'static str,
        /// Its length.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// A hyperparameter outside its range.
    #[error("tree certifier: `{field}` must be {expected}, got {got}")]
    Parameter {
        /// Name of the field.
        field: &'static str,
        /// The range.
        expected: &'static str,
        /// The rejected value.
        got: String,
    },
}
