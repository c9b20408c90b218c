//! Models behind HTTP.
mod address;
mod connection;
mod kserve;
mod retry_after;

use serde::{Deserialize, Serialize};

use crate::array::{self, Array, Batch, ReadFault};
use crate::endpoint::Endpoint;
use crate::error::{Fault, RemoteError, Result};
use crate::secret::Secret;
use crate::settings::time_out;
use address::Address;
use connection::Connection;
use kserve::Names;

/// What is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The Open Inference Protocol, version 2, in JSON, as Triton, `MLServer`, `KServe` and
    /// `TorchServe` speak it. The address is that of a model, `.../v2/models/NAME`, or its
    /// `.../infer`.
    #[default]
    Kserve,
    /// The body of a POST is an NPY array of the batch, the answer one of scores or labels.
    Npy,
}

/// Where the model is and how to reach it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// `http://` or `https://`; without a name or password, which belong into a token.
    pub url: String,
    /// What is spoken.
    #[serde(default)]
    pub protocol: Protocol,
    /// Name of the input tensor (`kserve`). By default the first that the model's metadata names,
    /// else `input-0`.
    #[serde(default)]
    pub input: Option<String>,
    /// Name of the output tensor to read (`kserve`). By default the first.
    #[serde(default)]
    pub output: Option<String>,
    /// A proxy such as `http://host:port`. The environment is not read.
    #[serde(default)]
    pub proxy: Option<String>,
    /// Longest wait for a connection.
    #[serde(default = "ten")]
    pub connect_timeout_seconds: f64,
    /// Longest time of a request from its beginning to the last byte of the answer.
    #[serde(default = "sixty")]
    pub timeout_seconds: f64,
    /// Longest answer.
    #[serde(default = "megabytes")]
    pub answer_bytes: u64,
}

impl HttpSettings {
    /// The defaults for a model at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            protocol: Protocol::Kserve,
            input: None,
            output: None,
            proxy: None,
            connect_timeout_seconds: ten(),
            timeout_seconds: sixty(),
            answer_bytes: megabytes(),
        }
    }
}

/// A model behind HTTP. Redirects are errors: they would drop the body of the request, and a token
/// belongs to the address it was given for.
#[derive(Debug)]
pub struct HttpEndpoint {
    connection: Connection,
    address: Address,
    settings: HttpSettings,
    /// The tensors' names, once known; `None` with other protocols.
    names: Option<Names>,
}

impl HttpEndpoint {
    /// Nothing is sent yet. `token` goes along as `Authorization: Bearer`.
    ///
    /// # Errors
    /// [`RemoteError::Setting`] for an address, a proxy or a time-out that cannot be used.
    pub fn new(settings: HttpSettings, token: Option<Secret>) -> Result<Self> {
        let address = Address::new(&settings.url, settings.protocol)?;
        let limits = connection::Limits {
            connect: time_out("connect_timeout_seconds", settings.connect_timeout_seconds)?,
            whole: time_out("timeout_seconds", settings.timeout_seconds)?,
            answer: settings.answer_bytes,
        };
        let connection =
            Connection::new(address.shown.clone(), limits, settings.proxy.as_deref(), token)?;
        let names = match &settings.input {
            Some(input) if settings.protocol == Protocol::Kserve => {
                Some(Names { input: input.clone(), output: settings.output.clone() })
            }
            _ => None,
        };
        Ok(Self { connection, address, settings, names })
    }

    fn ask_kserve(&self, batch: &Batch<'_>, names: &Names) -> Result<Array, Fault> {
        let endpoint = self.name();
        let wanted = self.settings.output.as_deref();
        let body =
            kserve::question(batch, &names.input, wanted).map_err(|error| RemoteError::Format {
                endpoint: endpoint.into(),
                what: "question",
                expected: "numbers that JSON can hold".into(),
                got: error.to_string(),
            })?;
        let answer = self.connection.post(&self.address.ask, "application/json", &body)?;
        Ok(kserve::answer(&answer, names.output.as_deref(), endpoint)?)
    }

    fn ask_npy(&self, batch: &Batch<'_>) -> Result<Array, Fault> {
        let endpoint = || self.name().to_owned();
        let body = array::encode(batch).map_err(|error| RemoteError::Connection {
            endpoint: endpoint(),
            reason: error.to_string(),
        })?;
        let answer = self.connection.post(&self.address.ask, "application/octet-stream", &body)?;
        let mut rest = answer.as_slice();
        let array = array::read(&mut rest, self.settings.answer_bytes, self.name());
        let truncated = |got, expected| {
            // The body came whole, so it is the server that cut the array.
            Fault::Final(RemoteError::Truncated { endpoint: endpoint(), expected, got })
        };
        let array = array.map_err(|fault| match fault {
            ReadFault::Wrong(error) => Fault::Final(error),
            ReadFault::Truncated(got, expected) => truncated(got, expected),
            ReadFault::Empty => truncated(0, 8),
            ReadFault::Io(error) => Fault::Final(RemoteError::Connection {
                endpoint: endpoint(),
                reason: error.to_string(),
            }),
        })?;
        if !rest.is_empty() {
            return Err(Fault::Final(RemoteError::Format {
                endpoint: endpoint(),
                what: "answer",
                expected: "one array and nothing behind it".into(),
                got: format!("{} more bytes", rest.len()),
            }));
        }
        Ok(array)
    }
}

impl Endpoint for HttpEndpoint {
    fn name(&self) -> &str {
        &self.address.shown
    }

    fn is_ready(&self) -> bool {
        self.settings.protocol != Protocol::Kserve || self.names.is_some()
    }

    fn prepare(&mut self) -> Result<(), Fault> {
        let mut names = match self.connection.get(&self.address.model)? {
            Some(metadata) => kserve::names(&metadata, self.name())?,
            None => Names::default(),
        };
        if self.settings.output.is_some() {
            names.output.clone_from(&self.settings.output);
        }
        self.names = Some(names);
        Ok(())
    }

    fn ask(&mut self, batch: &Batch<'_>, _: &dyn Fn() -> bool) -> Result<Array, Fault> {
        match (self.settings.protocol, &self.names) {
            (Protocol::Npy, _) => self.ask_npy(batch),
            (Protocol::Kserve, Some(names)) => self.ask_kserve(batch, names),
            (Protocol::Kserve, None) => self.ask_kserve(batch, &Names::default()),
        }
    }
}

fn ten() -> f64 {
    10.0
}

fn sixty() -> f64 {
    60.0
}

fn megabytes() -> u64 {
    64 << 20
}
