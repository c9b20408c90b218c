//! At most so many requests a second: a token bucket.
use std::time::Duration;

/// Tokens drip into the bucket at a fixed rate up to its capacity; a request takes one.
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    per_second: f64,
    capacity: f64,
    /// Below zero where tokens are promised to requests that still wait.
    tokens: f64,
    filled: Duration,
}

impl TokenBucket {
    /// A full bucket: `capacity` requests may go out at once, then `per_second`.
    pub(crate) fn new(per_second: f64, capacity: u32, now: Duration) -> Self {
        let capacity = f64::from(capacity.max(1));
        Self { per_second, capacity, tokens: capacity, filled: now }
    }

    /// Takes a token and returns how long to wait before it may be used.
    pub(crate) fn take(&mut self, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = now.max(self.filled);
        self.tokens = (self.tokens + passed * self.per_second).min(self.capacity) - 1.0;
        if self.tokens >= 0.0 {
            return Duration::ZERO;
        }
        let seconds = -self.tokens / self.per_second;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let at = Duration::from_millis;
        let mut bucket = TokenBucket::new(4.0, 2, at(0));
        let waits: Vec<Duration> = (0..4).map(|_| bucket.take(at(0))).collect();
        assert_eq!(waits, [at(0), at(0), at(250), at(500)]);
        // A second fills four; two were promised.
        assert_eq!(bucket.take(at(1000)), at(0));
        assert_eq!(bucket.take(at(1000)), at(0));
        assert_eq!(bucket.take(at(1000)), at(250));
    }

    #[test]
    fn a_bucket_does_not_overflow() {
        let mut bucket = TokenBucket::new(1.0, 1, Duration::ZERO);
        let late = Duration::from_hours(1);
        assert_eq!(bucket.take(late), Duration::ZERO);
        assert_eq!(bucket.take(late), Duration::from_secs(1));
    }
}
