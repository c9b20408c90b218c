//! Seconds on the wall and seconds of processor time.
use std::time::Instant;

/// Units of `/proc/self/stat` in a second: `USER_HZ`, which Linux fixes at 100 for all programs.
const TICKS: f64 = 100.0;

/// Two clocks that were started together.
pub(crate) struct Clock {
    wall: Instant,
    cpu: Option<f64>,
}

impl Clock {
    /// Starts both.
    pub(crate) fn start() -> Self {
        Self { cpu: cpu_seconds(), wall: Instant::now() }
    }

    /// Seconds on the wall since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.wall.elapsed().as_secs_f64()
    }

    /// Processor time of all threads since the start, in hundredths; `None` off Linux.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        Some(cpu_seconds()? - self.cpu?)
    }
}

fn cpu_seconds() -> Option<f64> {
    parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// User and system time, the 14th and the 15th field. The second, the program's name in
/// parentheses, may hold anything.
fn parse(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_may_hold_spaces_and_parentheses() {
        let stat = "1 (a) (b 7) R 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0";
        assert_eq!(parse(stat), Some(3.0));
        assert_eq!(parse("1 (a"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_takes_processor_time() {
        let clock = Clock::start();
        let mut sum = 0.0_f64;
        while clock.seconds() < 0.1 {
            sum += std::hint::black_box(1.0);
        }
        assert!(sum > 0.0);
        // The clock is the process's: other tests may add to it, and other processes take from it.
        assert!(clock.cpu_seconds().unwrap() > 0.0);
    }
}
