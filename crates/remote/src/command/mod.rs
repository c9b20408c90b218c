//! Models in a process of their own, spoken to over its standard input and output.
//!
//! # Protocol
//!
//! For each batch the program gets one NPY array on its standard input: version 1.0, type `<f4`,
//! row-major, shape `[N, ...]`. It answers with one NPY array on its standard output, `[N, K]`
//! scores or `[N]` labels, of any integer type or `f4` or `f8`, and flushes. Nothing else may go
//! to the standard output; the end of what it writes to its standard error is put into messages.
//!
//! The program lives on from batch to batch until its input ends:
//!
//! ```python
//! import io, sys, numpy as np
//! while sys.stdin.buffer.peek(1):
//!     np.lib.format.read_magic(sys.stdin.buffer)
//!     shape, _, kind = np.lib.format.read_array_header_1_0(sys.stdin.buffer)
//!     batch = np.frombuffer(sys.stdin.buffer.read(4 * int(np.prod(shape))), kind).reshape(shape)
//!     out = io.BytesIO(); np.save(out, predict(batch)); sys.stdout.buffer.write(out.getvalue()); sys.stdout.flush()
//! ```
//!
//! A program that ends after an answer, without an error, is started again for the next batch. One
//! that reads its input to the end before it answers, such as
//! `np.load(io.BytesIO(sys.stdin.buffer.read()))`, needs [`CommandSettings::one_batch`]. A program
//! that dies, hangs or ends without an answer counts as a failed attempt: it is killed and started
//! again, as often as [`crate::Retry`] allows.
//!
//! The program itself is killed, not what it started: name it without a shell around it.
mod child;
mod tail;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::array::{self, Array, Batch};
use crate::endpoint::Endpoint;
use crate::error::{Fault, RemoteError, Result};
use crate::settings::time_out;
use child::{Child, Outcome};

/// Which program to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSettings {
    /// Program and arguments, split as a shell splits them: what holds blanks needs quotes. No
    /// shell runs, so that nothing else of its language has a meaning.
    pub command: String,
    /// Whether the input ends after each batch, and the program is started anew for the next.
    #[serde(default)]
    pub one_batch: bool,
    /// Longest wait for an answer; the first includes the start of the program.
    #[serde(default = "sixty")]
    pub timeout_seconds: f64,
    /// Longest answer.
    #[serde(default = "megabytes")]
    pub answer_bytes: u64,
}

impl CommandSettings {
    /// The defaults for a command.
    #[must_use]
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            one_batch: false,
            timeout_seconds: sixty(),
            answer_bytes: megabytes(),
        }
    }
}

/// A program that answers over its standard output.
#[derive(Debug)]
pub struct CommandEndpoint {
    program: String,
    arguments: Vec<String>,
    one_batch: bool,
    time_out: Duration,
    answer_bytes: u64,
    child: Option<Child>,
}

impl CommandEndpoint {
    /// Nothing is started yet.
    ///
    /// # Errors
    /// [`RemoteError::Setting`] for an empty command, one with an open quote, or a time-out out of
    /// range.
    pub fn new(settings: &CommandSettings) -> Result<Self> {
        let words = shlex::split(&settings.command);
        let mut words = words.unwrap_or_default().into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program = program.ok_or_else(|| RemoteError::Setting {
            field: "command",
            expected: "a program and its arguments, each quote closed".into(),
            got: format!("`{}`", settings.command),
        })?;
        Ok(Self {
            program,
            arguments: words.collect(),
            one_batch: settings.one_batch,
            time_out: time_out("timeout_seconds", settings.timeout_seconds)?,
            answer_bytes: settings.answer_bytes,
            child: None,
        })
    }

    /// The program that is there, or one that is started.
    fn running(&mut self) -> Result<Child> {
        match self.child.take() {
            Some(child) => Ok(child),
            None => Child::start(&self.program, &self.arguments, self.answer_bytes),
        }
    }

    /// The message for a program that ended early.
    fn died(&self, child: Child) -> RemoteError {
        let (status, stderr) = child.end(GRACE);
        RemoteError::Died {
            program: self.program.clone(),
            status: status.map_or("killed".into(), |status| status.to_string()),
            stderr,
        }
    }
}

impl Endpoint for CommandEndpoint {
    fn name(&self) -> &str {
        &self.program
    }

    fn ask(&mut self, batch: &Batch<'_>, stop: &dyn Fn() -> bool) -> Result<Array, Fault> {
        let question = array::encode(batch).map_err(|error| RemoteError::Connection {
            endpoint: self.program.clone(),
            reason: error.to_string(),
        })?;
        loop {
            let mut child = self.running()?;
            match child.exchange(question.clone(), self.one_batch, self.time_out, stop) {
                Outcome::Answer(array) if self.one_batch => {
                    child.end(GRACE);
                    return Ok(array);
                }
                Outcome::Answer(array) => {
                    self.child = Some(child);
                    return Ok(array);
                }
                Outcome::Ended if child.has_answered() => {
                    let (status, stderr) = child.end(GRACE);
                    let status = match status {
                        // It answers one batch and ends: the next one is new.
                        Some(status) if status.success() => continue,
                        Some(status) => status.to_string(),
                        None => "killed".into(),
                    };
                    let program = self.program.clone();
                    return Err(Fault::transient(RemoteError::Died { program, status, stderr }));
                }
                Outcome::Ended => return Err(Fault::transient(self.died(child))),
                Outcome::TimedOut => {
                    let (_, detail) = child.end(Duration::ZERO);
                    let (endpoint, limit) = (self.program.clone(), self.time_out);
                    return Err(Fault::transient(RemoteError::Timeout { endpoint, limit, detail }));
                }
                Outcome::Stopped => {
                    child.end(Duration::ZERO);
                    return Err(Fault::Final(RemoteError::Stopped));
                }
                Outcome::Wrong(error) => {
                    child.end(Duration::ZERO);
                    return Err(Fault::Final(error));
                }
            }
        }
    }
}

impl Drop for CommandEndpoint {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            child.end(GRACE);
        }
    }
}

/// How long a program may take to end by itself once its input has.
const GRACE: Duration = Duration::from_secs(2);

fn sixty() -> f64 {
    60.0
}

fn megabytes() -> u64 {
    64 << 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_would() {
        let endpoint = |line: &str| CommandEndpoint::new(&CommandSettings::new(line));
        let split = endpoint(r#""/a b/python" -u 'my model.py' --x=1"#).unwrap();
        assert_eq!(split.name(), "/a b/python");
        assert_eq!(split.arguments, ["-u", "my model.py", "--x=1"]);
        for wrong in ["", "  ", "python 'a", "'' a"] {
            assert!(matches!(endpoint(wrong), Err(RemoteError::Setting { .. })), "{wrong}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_that_no_retry_mends() {
        let settings = CommandSettings::new("/no/such program");
        let mut endpoint = CommandEndpoint::new(&settings).unwrap();
        let batch = Batch { shape: &[1, 1], values: &[0.0] };
        let fault = endpoint.ask(&batch, &|| false).unwrap_err();
        let Fault::Final(RemoteError::Start { program, .. }) = fault else { unreachable!() };
        assert_eq!(program, "/no/such");
    }
}
