//! Ratios as a measurement of criterion's.
//!
//! Two timings taken one after the other differ by what else the machine did meanwhile. A ratio of
//! two runs that follow each other directly, again and again, does so far less: its median stands
//! on a machine that is not quiet.
use std::time::{Duration, Instant};

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};

/// Measures `time of one run / time of another`; use it with [`Ratio::of`].
#[derive(Clone, Copy, Debug)]
pub struct Ratio;

impl Ratio {
    /// The sum over `rounds` of how much longer `run` takes than `base`.
    ///
    /// The order changes from round to round, so that neither always finds the caches of the other.
    pub fn of(rounds: u64, mut run: impl FnMut(), mut base: impl FnMut()) -> f64 {
        let ratio = |round: u64| {
            let (run, base) = if round.is_multiple_of(2) {
                let base = timed(&mut base);
                (timed(&mut run), base)
            } else {
                (timed(&mut run), timed(&mut base))
            };
            run.as_secs_f64() / base.as_secs_f64().max(f64::MIN_POSITIVE)
        };
        (0..rounds).map(ratio).sum()
    }
}

fn timed(run: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

impl Measurement for Ratio {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    fn end(&self, (): ()) -> f64 {
        0.0
    }

    fn add(&self, a: &f64, b: &f64) -> f64 {
        a + b
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Ratio {
    fn scale_values(&self, _: f64, _: &mut [f64]) -> &'static str {
        "x"
    }

    fn scale_throughputs(&self, _: f64, _: &Throughput, _: &mut [f64]) -> &'static str {
        "x"
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "x"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_three_times_as_long_has_the_ratio_three() {
        let pause = |millis| move || std::thread::sleep(Duration::from_millis(millis));
        let got = Ratio::of(2, pause(60), pause(20)) / 2.0;
        assert!((2.0..4.0).contains(&got), "{got}");
    }
}
