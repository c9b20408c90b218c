//! One request, and what its failure means.
use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body, Proxy};

use super::retry_after;
use crate::error::{Fault, RemoteError, Result, excerpt};
use crate::secret::Secret;

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Longest wait for a connection.
    pub(super) connect: Duration,
    /// Longest time of all.
    pub(super) whole: Duration,
    /// Longest answer in bytes.
    pub(super) answer: u64,
}

/// A pool of connections to one model.
pub(super) struct Connection {
    agent: Agent,
    endpoint: String,
    limits: Limits,
    token: Option<Secret>,
}

impl Connection {
    pub(super) fn new(
        endpoint: String,
        limits: Limits,
        proxy: Option<&str>,
        token: Option<Secret>,
    ) -> Result<Self> {
        let proxy = proxy.map(Proxy::new).transpose().map_err(|error| RemoteError::Setting {
            field: "proxy",
            expected: format!("a proxy address ({error})"),
            got: "another text (not shown)".into(),
        })?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(proxy)
            .accept_encoding("identity")
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_global(Some(limits.whole));
        let agent = config.build().new_agent();
        Ok(Self { agent, endpoint, limits, token })
    }

    /// The body of the answer to `body`.
    pub(super) fn post(&self, url: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut request = self.agent.post(url).header("Content-Type", kind);
        if let Some(token) = &self.token {
            request = request.header("Authorization", token.bearer());
        }
        let response = request.send(body).map_err(|error| self.fault(error))?;
        self.body(response)
    }

    /// What is at `url`; `None` if the server has nothing there.
    pub(super) fn get(&self, url: &str) -> Result<Option<Vec<u8>>, Fault> {
        let mut request = self.agent.get(url);
        if let Some(token) = &self.token {
            request = request.header("Authorization", token.bearer());
        }
        let response = request.call().map_err(|error| self.fault(error))?;
        match response.status() {
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED => Ok(None),
            _ => self.body(response).map(Some),
        }
    }

    fn body(&self, mut response: Response<Body>) -> Result<Vec<u8>, Fault> {
        let status = response.status();
        if status.is_redirection() {
            let location = response.headers().get(header::LOCATION);
            let location = location.map(|location| self.shown(location.as_bytes(), 200));
            return Err(Fault::Final(RemoteError::Redirect {
                endpoint: self.endpoint.clone(),
                status: status.as_u16(),
                location: location.unwrap_or_default(),
            }));
        }
        if !status.is_success() {
            return Err(self.refusal(response));
        }
        let too_long = || {
            let (endpoint, limit) = (self.endpoint.clone(), self.limits.answer);
            Fault::Final(RemoteError::TooLong { endpoint, limit })
        };
        if response.body().content_length().is_some_and(|length| length > self.limits.answer) {
            return Err(too_long());
        }
        let mut bytes = Vec::new();
        let mut body = response.body_mut().as_reader().take(self.limits.answer.saturating_add(1));
        body.read_to_end(&mut bytes).map_err(|error| self.fault(ureq::Error::from(error)))?;
        if bytes.len() as u64 > self.limits.answer {
            return Err(too_long());
        }
        Ok(bytes)
    }

    /// A status that is not a success.
    fn refusal(&self, mut response: Response<Body>) -> Fault {
        let status = response.status();
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let wait = text(header::RETRY_AFTER)
            .and_then(|value| retry_after::parse(value, text(header::DATE)));
        // The status is what counts; a body that breaks off explains as far as it goes.
        let mut bytes = Vec::new();
        let _ = response.body_mut().as_reader().take(4096).read_to_end(&mut bytes);
        let body = self.shown(&bytes, 300);
        let error = RemoteError::Status {
            endpoint: self.endpoint.clone(),
            status: status.as_u16(),
            body: if body.is_empty() { body } else { format!(": {body}") },
        };
        match status.as_u16() {
            429 | 500 | 502 | 503 | 504 => Fault::Transient { error, wait },
            _ => Fault::Final(error),
        }
    }

    /// Text of the server, without a token that it repeats.
    fn shown(&self, bytes: &[u8], most: usize) -> String {
        let text = String::from_utf8_lossy(bytes);
        let text = match &self.token {
            Some(token) => token.hide_in(&text),
            None => text.into_owned(),
        };
        excerpt(text.as_bytes(), most)
    }

    fn fault(&self, error: ureq::Error) -> Fault {
        let endpoint = self.endpoint.clone();
        let broken = |reason: String| RemoteError::Connection {
            endpoint: self.endpoint.clone(),
            reason: self.shown(reason.as_bytes(), 300),
        };
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                let limit = self.limits.connect.min(self.limits.whole);
                let detail = " (no connection)".into();
                Fault::transient(RemoteError::Timeout { endpoint, limit, detail })
            }
            ureq::Error::Timeout(_) => {
                let (limit, detail) = (self.limits.whole, String::new());
                Fault::transient(RemoteError::Timeout { endpoint, limit, detail })
            }
            ureq::Error::Io(error) if may_pass(error.kind()) => {
                Fault::transient(broken(error.to_string()))
            }
            ureq::Error::ConnectionFailed => Fault::transient(broken(error.to_string())),
            other => Fault::Final(broken(other.to_string())),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("endpoint", &self.endpoint)
            .field("limits", &self.limits)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// Whether a connection that failed in this way may work the next time.
fn may_pass(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::TimedOut
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::Interrupted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}
