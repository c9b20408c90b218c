//! What can go wrong between a row that leaves and an answer that can be trusted.
use std::time::Duration;

/// An endpoint that cannot be used, did not answer, or answered something else.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// A setting outside its range.
    #[error("remote model: `{field}` must be {expected}, got {got}")]
    Setting {
        /// Name of the field.
        field: &'static str,
        /// The range, in words.
        expected: String,
        /// The rejected value.
        got: String,
    },
    /// Rows of another width than the domain's.
    #[error("rows for {endpoint}: expected [N, {expected}], got [N, {got}]")]
    Rows {
        /// The endpoint.
        endpoint: String,
        /// Features of the domain.
        expected: usize,
        /// Features that came.
        got: usize,
    },
    /// A value that cannot be sent.
    #[error("row {row}, feature {feature} is {value}: only finite values are sent to {endpoint}")]
    Input {
        /// The endpoint.
        endpoint: String,
        /// Row of the batch.
        row: usize,
        /// Value of the row, in the order in which it is sent.
        feature: usize,
        /// The value.
        value: f32,
    },
    /// No connection, or one that broke.
    #[error("{endpoint}: {reason}")]
    Connection {
        /// The endpoint.
        endpoint: String,
        /// What the network said.
        reason: String,
    },
    /// No answer in time.
    #[error("{endpoint}: no answer within {:.3} s; raise the time-out or send fewer rows a request{detail}", .limit.as_secs_f64())]
    Timeout {
        /// The endpoint.
        endpoint: String,
        /// The limit.
        limit: Duration,
        /// What else is known, such as what a program wrote to its standard error.
        detail: String,
    },
    /// An HTTP status that is not a success.
    #[error("{endpoint}: HTTP status {status}{body}")]
    Status {
        /// The endpoint.
        endpoint: String,
        /// The status.
        status: u16,
        /// The beginning of the body, `": ..."`, or nothing.
        body: String,
    },
    /// An answer from elsewhere.
    #[error(
        "{endpoint}: HTTP status {status} to `{location}`; redirects are not followed, since they \
         drop the request's body: give the final address"
    )]
    Redirect {
        /// The endpoint.
        endpoint: String,
        /// The status.
        status: u16,
        /// Where to.
        location: String,
    },
    /// An answer that is longer than the memory set aside for it.
    #[error(
        "{endpoint}: the answer is longer than `answer_bytes`, {limit} bytes; raise it or send fewer rows a request"
    )]
    TooLong {
        /// The endpoint.
        endpoint: String,
        /// The limit.
        limit: u64,
    },
    /// An answer that ends early.
    #[error("{endpoint}: the answer ended after {got} of {expected} bytes")]
    Truncated {
        /// The endpoint.
        endpoint: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes that came.
        got: u64,
    },
    /// An answer that cannot be read.
    #[error("{endpoint}: {what}: expected {expected}, got {got}")]
    Format {
        /// The endpoint.
        endpoint: String,
        /// Which part.
        what: &'static str,
        /// What should be there.
        expected: String,
        /// What is there.
        got: String,
    },
    /// An answer of another shape than the question's.
    #[error("{endpoint}: expected an answer of shape {expected}, got {got:?}")]
    Shape {
        /// The endpoint.
        endpoint: String,
        /// The expected shape, in words.
        expected: String,
        /// The shape that came.
        got: Vec<usize>,
    },
    /// A score that is not a number or infinite.
    #[error("{endpoint}: the score of row {row}, class {class} is {value}")]
    NotFinite {
        /// The endpoint.
        endpoint: String,
        /// Row of the batch.
        row: usize,
        /// The class.
        class: usize,
        /// The score.
        value: f64,
    },
    /// A probability below zero or above one.
    #[error(
        "{endpoint}: the probability of row {row}, class {class} is {value}; a model that answers \
         with logits needs `output = \"logits\"`"
    )]
    NotAProbability {
        /// The endpoint.
        endpoint: String,
        /// Row of the batch.
        row: usize,
        /// The class.
        class: usize,
        /// What came.
        value: f64,
    },
    /// A label that names no class.
    #[error("{endpoint}: the label of row {row} is {value}, expected an integer from 0 to {}", .classes - 1)]
    NotAClass {
        /// The endpoint.
        endpoint: String,
        /// Row of the batch.
        row: usize,
        /// What came.
        value: f64,
        /// Classes of the model.
        classes: usize,
    },
    /// Scores were asked of a model that answers with labels.
    #[error("{endpoint} answers with labels: it can be attacked by label attacks only")]
    LabelsOnly {
        /// The endpoint.
        endpoint: String,
    },
    /// The number of classes cannot be found by asking for labels.
    #[error("{endpoint} answers with labels: `classes` must say how many there are")]
    ClassesUnknown {
        /// The endpoint.
        endpoint: String,
    },
    /// A program that does not start.
    #[error("`{program}` does not start: {reason} (a path with spaces needs quotes)")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// A program that ended without an answer.
    #[error("`{program}` ended without an answer ({status}){stderr}")]
    Died {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote to its standard error, `"; it wrote: ..."`, or nothing.
        stderr: String,
    },
    /// A server that wants to be left alone for longer than allowed.
    #[error(
        "{last}; it asks to wait {:.1} s, longer than `longest_wait_seconds`, {:.1}",
        .asked.as_secs_f64(), .longest.as_secs_f64()
    )]
    WaitTooLong {
        /// What it asked for.
        asked: Duration,
        /// The limit.
        longest: Duration,
        /// How it said so.
        last: Box<RemoteError>,
    },
    /// Each attempt failed.
    #[error("gave up after {attempts} attempts: {last}")]
    GaveUp {
        /// How many.
        attempts: u32,
        /// The last failure.
        last: Box<RemoteError>,
    },
    /// The user asked to stop.
    #[error("cancelled")]
    Stopped,
    /// This machine's own device failed.
    #[error(transparent)]
    Core(#[from] duress_core::Error),
}

impl From<RemoteError> for duress_core::Error {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Stopped => Self::Cancelled,
            RemoteError::Core(error) => error,
            other => Self::Remote(other.to_string()),
        }
    }
}

/// Shorthand of this crate.
pub type Result<T, E = RemoteError> = std::result::Result<T, E>;

/// A failed attempt, and whether another may succeed.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Another attempt may succeed, not before `wait` has passed if the other side said so.
    Transient {
        /// What happened.
        error: RemoteError,
        /// What the other side asked to wait.
        wait: Option<Duration>,
    },
    /// Another attempt would fail as well.
    Final(RemoteError),
}

impl Fault {
    /// A failure that may pass.
    #[must_use]
    pub fn transient(error: RemoteError) -> Self {
        Self::Transient { error, wait: None }
    }
}

impl From<RemoteError> for Fault {
    fn from(error: RemoteError) -> Self {
        Self::Final(error)
    }
}

/// Text from elsewhere for a message: at most `most` characters, on one line.
pub(crate) fn excerpt(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut characters = text.trim().chars();
    let mut short: String =
        characters.by_ref().take(most).map(|it| if it.is_control() { ' ' } else { it }).collect();
    if characters.next().is_some() {
        short.push_str(" ...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_a_cancelled_run_and_the_rest_a_model_that_did_not_answer() {
        assert_eq!(duress_core::Error::from(RemoteError::Stopped), duress_core::Error::Cancelled);
        let error = RemoteError::LabelsOnly { endpoint: "http://a".into() };
        assert_eq!(
            duress_core::Error::from(error.clone()),
            duress_core::Error::Remote(error.to_string())
        );
    }

    #[test]
    fn an_excerpt_is_short_and_on_one_line() {
        assert_eq!(excerpt(b" a\nb\x1b[31m ", 10), "a b [31m");
        assert_eq!(excerpt(b"abcdef", 3), "abc ...");
        assert_eq!(excerpt(&[0xff, b'a'], 3), "\u{fffd}a");
    }
}
