#![doc = include_str!("../README.md")]
mod array;
mod clock;
mod command;
mod counters;
mod endpoint;
mod error;
mod http;
mod oracle;
mod output;
mod rate;
mod sample;
mod secret;
mod service;
mod settings;

pub use array::{Array, Batch};
pub use clock::{Clock, Monotonic};
pub use command::{CommandEndpoint, CommandSettings};
pub use counters::Totals;
pub use endpoint::Endpoint;
pub use error::{Fault, RemoteError, Result};
pub use http::{HttpEndpoint, HttpSettings, Protocol};
pub use oracle::{RemoteLabels, RemoteScores};
pub use output::OutputKind;
pub use sample::{SampleFormat, Units};
pub use secret::Secret;
pub use service::Remote;
pub use settings::{Retry, Settings};
