//! Time that only goes forward, and waits that a user can end.
use std::time::{Duration, Instant};

use crate::error::{RemoteError, Result};

/// A monotonic clock; tests put another in its place.
pub trait Clock: Send + Sync {
    /// Time since some moment.
    fn now(&self) -> Duration;

    /// Returns after `duration`.
    fn sleep(&self, duration: Duration);
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic(Instant);

impl Default for Monotonic {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// How long a wait is deaf to the user.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// Waits for `duration` in slices.
///
/// # Errors
/// [`RemoteError::Stopped`] once `stop` says so.
pub(crate) fn pause(clock: &dyn Clock, duration: Duration, stop: &dyn Fn() -> bool) -> Result<()> {
    let end = clock.now().saturating_add(duration);
    loop {
        if stop() {
            return Err(RemoteError::Stopped);
        }
        let left = end.saturating_sub(clock.now());
        if left.is_zero() {
            return Ok(());
        }
        clock.sleep(left.min(SLICE));
    }
}

/// A clock that only sleeping moves.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Fake(std::sync::Mutex<Duration>);

#[cfg(test)]
impl Clock for Fake {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap() += duration;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_takes_its_time_and_ends_when_asked() {
        let clock = Fake::default();
        pause(&clock, Duration::from_millis(120), &|| false).unwrap();
        assert_eq!(clock.now(), Duration::from_millis(120));
        let stop = || clock.now() >= Duration::from_millis(300);
        let ended = pause(&clock, Duration::from_hours(1), &stop);
        assert_eq!(ended, Err(RemoteError::Stopped));
        assert_eq!(clock.now(), Duration::from_millis(320));
    }
}
