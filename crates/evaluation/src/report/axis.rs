//! Scales with round ticks.
use super::drawing::{Align, Drawing, Stroke, TextStyle, shorten};
use super::palette::{GRID, INK, MUTED};

/// How radii are written on an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RadiusUnit {
    /// As decimal numbers in the unit of the input.
    #[default]
    Decimal,
    /// As `k/255` of the full range of an 8-bit pixel.
    Over255,
}

/// A straight map from values to pixels, with its ticks.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    domain: (f64, f64),
    pixels: (f64, f64),
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From 0 to 100 percent.
    pub(super) fn percent(pixels: (f64, f64)) -> Self {
        Self::new((0.0, 100.0), pixels, 5)
    }

    /// From `domain.0` to `domain.1`, with about `count` ticks.
    pub(super) fn new(domain: (f64, f64), pixels: (f64, f64), count: usize) -> Self {
        let step = round_step((domain.1 - domain.0) / count as f64);
        Self { domain, pixels, ticks: ticks(domain, step) }
    }

    /// From 0 to the largest radius.
    pub(super) fn radius(largest: f64, unit: RadiusUnit, pixels: (f64, f64)) -> Self {
        let largest = if largest > 0.0 { largest } else { 1.0 };
        match unit {
            RadiusUnit::Decimal => Self::new((0.0, largest), pixels, 6),
            RadiusUnit::Over255 => {
                let step = round_step(largest * 255.0 / 8.0);
                let named = ticks((0.0, largest * 255.0), step);
                let named = named.into_iter().map(|(value, text)| {
                    (value / 255.0, if text == "0" { text } else { format!("{text}/255") })
                });
                Self { domain: (0.0, largest), pixels, ticks: named.collect() }
            }
        }
    }

    /// Decades of seconds from `10^low` to `10^high`, of which at most five are named; its values are
    /// the logarithms.
    pub(super) fn decades((low, high): (f64, f64), pixels: (f64, f64)) -> Self {
        let (first, last) = (low as i32, high as i32);
        let step = ((last - first) as usize).div_ceil(4).max(1);
        let name = |power: i32| match power {
            0.. => format!("{} s", 10_f64.powi(power)),
            -3.. => format!("{} ms", 10_f64.powi(power + 3)),
            -6.. => format!("{} µs", 10_f64.powi(power + 6)),
            _ => format!("1e{power} s"),
        };
        let ticks = (first..=last).step_by(step).map(|power| (f64::from(power), name(power)));
        Self { domain: (low, high), pixels, ticks: ticks.collect() }
    }

    /// Where it begins and ends.
    pub(super) fn pixels(&self) -> (f64, f64) {
        self.pixels
    }

    /// Values that are named, with their names.
    pub(super) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }

    /// The pixel of a value; values outside the domain land on its ends.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (low, high) = self.domain;
        let weight = ((value - low) / (high - low)).clamp(0.0, 1.0);
        self.pixels.0 + weight * (self.pixels.1 - self.pixels.0)
    }
}

/// Grid, tick labels and names of two axes; the vertical name stands above its axis.
pub(super) fn frame(drawing: &mut Drawing, x: &Axis, y: &Axis, names: (&str, &str)) {
    let (left, right) = x.pixels;
    let (bottom, top) = y.pixels;
    let small = TextStyle::new(12.0, MUTED);
    for (value, text) in &y.ticks {
        let height = y.at(*value);
        drawing.line((left, height), (right, height), Stroke::solid(GRID, 1.0));
        drawing.text((left - 8.0, height), Align::Right, text, small);
    }
    for (value, text) in &x.ticks {
        let place = x.at(*value);
        drawing.line((place, bottom), (place, bottom + 5.0), Stroke::solid(INK, 1.0));
        drawing.text((place, bottom + 16.0), Align::Centre, text, small);
    }
    drawing.line((left, bottom), (right, bottom), Stroke::solid(INK, 1.0));
    let name = TextStyle::new(13.0, INK);
    let below = shorten(names.0, right - left, name);
    drawing.text((0.5 * (left + right), bottom + 36.0), Align::Centre, &below, name);
    let above = shorten(names.1, right - MARGIN, name);
    drawing.text((MARGIN, top - 20.0), Align::Left, &above, name);
}

/// White space around every figure.
pub(super) const MARGIN: f64 = 14.0;

/// The next of 1, 2, 5, 10, … times a power of ten.
pub(super) fn round_step(rough: f64) -> f64 {
    let power = 10.0_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// A round step without the noise of its last bits.
pub(super) fn step_text(step: f64) -> String {
    format!("{step:.*}", digits(step))
}

/// Decimals that tell the multiples of a round step apart.
fn digits(step: f64) -> usize {
    (-step.log10() - 1e-9).ceil().max(0.0) as usize
}

/// Multiples of `step` in the domain, with the digits that tell them apart.
fn ticks((low, high): (f64, f64), step: f64) -> Vec<(f64, String)> {
    let digits = digits(step);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last)
        .map(|index| {
            let value = index as f64 * step;
            (value, if index == 0 { "0".to_owned() } else { format!("{value:.digits$}") })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_carry_only_the_digits_they_need() {
        assert_eq!(names(&Axis::percent((0.0, 1.0))), ["0", "20", "40", "60", "80", "100"]);
        let radius = Axis::radius(0.1, RadiusUnit::Decimal, (0.0, 1.0));
        assert_eq!(names(&radius), ["0", "0.02", "0.04", "0.06", "0.08", "0.10"]);
        let pixels = Axis::radius(8.0 / 255.0, RadiusUnit::Over255, (0.0, 1.0));
        assert_eq!(names(&pixels)[..3], ["0", "1/255", "2/255"]);
        assert_eq!(names(&pixels).len(), 9);
        assert_eq!(names(&Axis::radius(0.0, RadiusUnit::Decimal, (0.0, 1.0))).len(), 6);
    }

    #[test]
    fn decades_are_named_in_units_of_time() {
        let axis = Axis::decades((-5.0, 1.0), (0.0, 6.0));
        assert_eq!(names(&axis), ["10 µs", "1 ms", "100 ms", "10 s"]);
        assert!((axis.at(-2.0) - 3.0).abs() < 1e-12);
        assert_eq!(names(&Axis::decades((0.0, 1.0), (0.0, 1.0))), ["1 s", "10 s"]);
    }

    proptest! {
        #[test]
        fn every_range_gets_a_few_ticks_inside_it(low in -1e3_f64..1e3, span in 1e-3_f64..1e4) {
            let axis = Axis::new((low, low + span), (0.0, 100.0), 5);
            prop_assert!((2..=6).contains(&axis.ticks.len()), "{:?}", axis.ticks);
            let slack = span * 1e-6;
            let inside = |value: f64| low - slack <= value && value <= low + span + slack;
            prop_assert!(axis.ticks.iter().all(|&(value, _)| inside(value)));
        }
    }
}
