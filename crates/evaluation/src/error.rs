//! Errors of experiments: where they are and what to change.
use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with an experiment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An experiment that does not parse or contradicts itself.
    #[error("{}: {reason}", path.display())]
    Experiment {
        /// The experiment file.
        path: PathBuf,
        /// Which table, which key, what was expected.
        reason: String,
    },
    /// A file of rows that this version cannot read.
    #[error("{}, line {line}: {reason}", path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A run folder that holds another experiment.
    #[error(
        "{} holds another run ({what} was {stored}, now {now}); choose another --out, or --fresh \
         to repeat all measurements there",
        path.display()
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: String,
        /// Its value in the folder.
        stored: String,
        /// Its value now.
        now: String,
    },
    /// A folder without a run.
    #[error("{} holds no run: there is no run.json in it", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A run that another process is writing to.
    #[error("{}: another process is writing to this run", path.display())]
    Busy {
        /// The file that is locked.
        path: PathBuf,
    },
    /// A measurement that is no number: a bug of the evaluation or of a model.
    #[error("measurement `{key}`: {reason}")]
    Measurement {
        /// Its key.
        key: String,
        /// Which field.
        reason: String,
    },
    /// A model and data that do not fit: an attack would measure nothing.
    #[error("`{model}` and the data do not fit: {}", crate::plausible::stops(findings))]
    Implausible {
        /// Name of the model.
        model: String,
        /// All that was found, warnings included.
        findings: Vec<crate::plausible::Finding>,
    },
    /// An attack found a point inside a certified ball: one of the two is wrong.
    #[error(
        "contradiction on `{model}`, sample {sample}: certified at radius {certified}, \
         broken by {attack} at distance {distance}"
    )]
    Contradiction {
        /// Name of the model.
        model: String,
        /// Id of the sample.
        sample: u64,
        /// The certified radius.
        certified: f64,
        /// The attack.
        attack: String,
        /// Distance of the adversarial point, in the certificate's norm.
        distance: f64,
    },
    /// An attack found a margin below its lower bound: one of the two is wrong.
    #[error(
        "contradiction on `{model}`, sample {sample}: a margin of at least {lower} is certified, \
         and an attack reached {upper}"
    )]
    Unsound {
        /// Name of the model.
        model: String,
        /// Id of the sample.
        sample: u64,
        /// The bound.
        lower: f64,
        /// What was reached.
        upper: f64,
    },
    /// An error of the vocabulary.
    #[error(transparent)]
    Core(#[from] duress_core::Error),
    /// An error of a data set.
    #[error(transparent)]
    Data(#[from] duress_datasets::Error),
    /// An error of a model or its training.
    #[error(transparent)]
    Model(#[from] duress_models::Error),
    /// A network of a file that cannot be used.
    #[error("{}: {source}", path.display())]
    Network {
        /// The file.
        path: PathBuf,
        /// Why.
        source: duress_graph::Error,
    },
    /// A network that cannot be bounded, or a set that is none.
    #[error(transparent)]
    Bound(#[from] duress_certification::bounds::Error),
    /// A property that cannot be read.
    #[error("{}: {source}", path.display())]
    Property {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: duress_certification::vnnlib::VnnlibError,
    },
    /// A graph whose evaluation failed: a bug.
    #[error(transparent)]
    Graph(#[from] duress_graph::Error),
    /// A service that cannot be used.
    #[error(transparent)]
    Service(Box<duress_remote::RemoteError>),
    /// A detector that cannot be fitted or asked.
    #[error(transparent)]
    Detection(duress_defenses::detection::Error),
    /// An error of a metric: a bug of the evaluation.
    #[error(transparent)]
    Metric(#[from] duress_metrics::Error),
    /// A picture that cannot be drawn.
    #[error(transparent)]
    Report(#[from] crate::report::Error),
    /// A value that cannot be written as JSON.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn network(path: &Path) -> impl FnOnce(duress_graph::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Network { path, source }
    }

    /// A fault of a file in VNN-LIB or of a list of them.
    pub fn property(path: &Path) -> impl FnOnce(duress_certification::vnnlib::VnnlibError) -> Self {
        let path = path.to_owned();
        move |source| Self::Property { path, source }
    }

    /// Whether the user asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Error::Core(duress_core::Error::Cancelled)
                | Error::Model(duress_models::Error::Core(duress_core::Error::Cancelled))
                | Error::Bound(duress_certification::bounds::Error::Core(
                    duress_core::Error::Cancelled
                ))
        ) || matches!(self, Error::Service(error)
                if matches!(**error, duress_remote::RemoteError::Stopped))
    }

    /// Whether the input is at fault, rather than the machine or the model.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        use duress_core::Error as Core;
        let core = |error: &Core| {
            !matches!(
                error,
                Core::Device(_)
                    | Core::Cancelled
                    | Core::Remote(_)
                    | Core::OutsideBall { .. }
                    | Core::OutsideDomain { .. }
                    | Core::Budget { .. }
            )
        };
        match self {
            Error::Io { .. }
            | Error::Experiment { .. }
            | Error::Rows { .. }
            | Error::OtherRun { .. }
            | Error::NoRun { .. }
            | Error::Implausible { .. }
            | Error::Network { .. }
            | Error::Bound(_)
            | Error::Property { .. }
            | Error::Detection(_)
            | Error::Data(_) => true,
            // What the user set, rather than what the service did.
            Error::Service(error) => {
                use duress_remote::RemoteError as Remote;
                matches!(
                    **error,
                    Remote::Setting { .. }
                        | Remote::LabelsOnly { .. }
                        | Remote::ClassesUnknown { .. }
                )
            }
            Error::Core(error) | Error::Model(duress_models::Error::Core(error)) => core(error),
            Error::Model(error) => !matches!(error, duress_models::Error::LossNotFinite { .. }),
            _ => false,
        }
    }
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
