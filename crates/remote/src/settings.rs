//! How a remote model is asked, whatever the wire.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{RemoteError, Result};
use crate::output::OutputKind;
use crate::sample::SampleFormat;

/// What the model takes and answers, how fast and how persistently it is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What the model answers with.
    pub output: OutputKind,
    /// Number of classes. A first query finds it where the model answers with scores.
    pub classes: Option<usize>,
    /// How a row becomes a sample.
    pub sample: SampleFormat,
    /// Most rows of one request; a longer batch is cut.
    pub rows_per_request: usize,
    /// Most requests a second, repeated ones included; no limit by default.
    pub requests_per_second: Option<f64>,
    /// Requests that may go out at once before that limit holds.
    pub burst: u32,
    /// What happens after a failure that may pass.
    pub retry: Retry,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            output: OutputKind::Logits,
            classes: None,
            sample: SampleFormat::default(),
            rows_per_request: 256,
            requests_per_second: None,
            burst: 1,
            retry: Retry::default(),
        }
    }
}

/// Waits between attempts: each twice as long as the one before, the same in each run. A server's
/// `Retry-After` makes a wait longer, never shorter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Attempts after the first.
    pub retries: u32,
    /// Wait before the second attempt.
    pub first_wait_seconds: f64,
    /// No wait is longer; a server that asks for more is given up.
    pub longest_wait_seconds: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { retries: 5, first_wait_seconds: 0.5, longest_wait_seconds: 60.0 }
    }
}

impl Settings {
    /// Checks the ranges.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |field, expected: &str, got: String| {
            Err(RemoteError::Setting { field, expected: expected.into(), got })
        };
        if self.rows_per_request == 0 {
            return wrong("rows_per_request", "at least 1", "0".into());
        }
        if let Some(classes) = self.classes.filter(|classes| !(1..=MOST_CLASSES).contains(classes))
        {
            return wrong("classes", "from 1 to 2^24", classes.to_string());
        }
        if let Some(rate) = self.requests_per_second
            && !(rate.is_finite() && rate > 0.0)
        {
            return wrong("requests_per_second", "a finite number above 0", rate.to_string());
        }
        if self.burst == 0 {
            return wrong("burst", "at least 1", "0".into());
        }
        seconds("first_wait_seconds", self.retry.first_wait_seconds)?;
        seconds("longest_wait_seconds", self.retry.longest_wait_seconds)?;
        Ok(())
    }
}

impl Retry {
    /// How long to wait after the `failed`-th failure, from 0, where the server asked for `asked`;
    /// an error with what it asked for if that is too long.
    pub(crate) fn wait(&self, failed: u32, asked: Option<Duration>) -> Result<Duration, Duration> {
        let longest = duration(self.longest_wait_seconds);
        let own = self.first_wait_seconds * 2.0_f64.powi(failed.min(64).cast_signed());
        let own = duration(own).min(longest);
        match asked {
            Some(asked) if asked > longest => Err(asked),
            Some(asked) => Ok(own.max(asked)),
            None => Ok(own),
        }
    }

    /// No wait is longer.
    pub(crate) fn longest(&self) -> Duration {
        duration(self.longest_wait_seconds)
    }
}

/// A span of time from a file.
pub(crate) fn seconds(field: &'static str, value: f64) -> Result<Duration> {
    let span = Duration::try_from_secs_f64(value).ok().filter(|span| *span <= MOST_TIME);
    span.ok_or_else(|| RemoteError::Setting {
        field,
        expected: "a number of seconds, at most 30 days".into(),
        got: value.to_string(),
    })
}

/// The same where zero would leave no time for anything.
pub(crate) fn time_out(field: &'static str, value: f64) -> Result<Duration> {
    let span = seconds(field, value)?;
    if span.is_zero() {
        let expected = "a number of seconds above 0".into();
        return Err(RemoteError::Setting { field, expected, got: value.to_string() });
    }
    Ok(span)
}

/// Of checked seconds.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(MOST_TIME).min(MOST_TIME)
}

const MOST_TIME: Duration = Duration::from_hours(24 * 30);

/// A class number must be exact in an f32.
const MOST_CLASSES: usize = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_a_server_may_make_them_longer() {
        let retry = Retry { retries: 9, first_wait_seconds: 0.5, longest_wait_seconds: 3.0 };
        let waits: Vec<f64> =
            (0..5).map(|failed| retry.wait(failed, None).unwrap().as_secs_f64()).collect();
        assert_eq!(waits, [0.5, 1.0, 2.0, 3.0, 3.0]);
        let second = Duration::from_secs;
        assert_eq!(retry.wait(0, Some(second(2))), Ok(second(2)));
        assert_eq!(retry.wait(9, Some(second(2))), Ok(second(3)));
        assert_eq!(retry.wait(0, Some(second(4))), Err(second(4)));
        assert_eq!(retry.wait(u32::MAX, None), Ok(second(3)));
    }

    #[test]
    fn a_value_outside_its_range_is_named() {
        let told = |settings: Settings| settings.check().unwrap_err().to_string();
        let default = Settings::default;
        assert!(default().check().is_ok());
        assert!(told(Settings { rows_per_request: 0, ..default() }).contains("rows_per_request"));
        assert!(told(Settings { classes: Some(0), ..default() }).contains("classes"));
        assert!(told(Settings { burst: 0, ..default() }).contains("burst"));
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let settings = Settings { requests_per_second: Some(rate), ..default() };
            assert!(told(settings).contains("requests_per_second"));
            let retry = Retry { first_wait_seconds: rate, ..Retry::default() };
            assert_eq!(Settings { retry, ..default() }.check().is_err(), rate != 0.0);
        }
        assert!(time_out("timeout_seconds", 0.0).is_err());
    }

    #[test]
    fn a_file_may_set_any_field_and_no_other() {
        let text = "output = \"probabilities\"\nclasses = 3\n[sample]\nchannels_last = true\n\
                    units = { kind = \"standardized\", mean = [0.5], std = [0.25] }\n\
                    [retry]\nretries = 1\n";
        let settings: Settings = toml::from_str(text).unwrap();
        assert_eq!(settings.output, OutputKind::Probabilities);
        assert_eq!((settings.classes, settings.retry.retries), (Some(3), 1));
        assert!(settings.sample.channels_last);
        assert!(toml::from_str::<Settings>("clases = 3").is_err());
    }
}
