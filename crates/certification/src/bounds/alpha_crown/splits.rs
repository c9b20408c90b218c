//! Kinks that rows have fixed on one side, and the multipliers of the constraints that says.
//!
//! Wang et al., *Beta-CROWN: Efficient Bound Propagation with Per-neuron Split Constraints for Neural
//! Network Robustness Verification*, `NeurIPS` 2021, <https://arxiv.org/abs/2103.06624>, eq. 8 to 12.
//!
//! Where `s z ≥ 0` holds, subtracting `β s z` with `β ≥ 0` makes a function no larger: what
//! bounds the difference from below bounds the function. So the coefficient of `z` changes by `−β s`
//! on its way back, and that is all.
use super::slopes::Split;

/// A kink that no row has fixed.
const NONE: u32 = u32::MAX;

/// For some kinks, what each row knows of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Splits {
    /// For each free kink its place here.
    places: Vec<u32>,
    /// The kink at each place.
    kinks: Vec<u32>,
    pub(super) signs: Vec<f64>,
    pub(super) above: Vec<(f64, f64)>,
    pub(super) multipliers: Vec<f64>,
    scales: Vec<f64>,
}

impl Splits {
    pub(super) fn len(&self) -> usize {
        self.multipliers.len()
    }

    /// The place of a kink.
    pub(super) fn find(&self, kink: usize) -> Option<usize> {
        let place = self.places.get(kink).copied().filter(|&place| place != NONE)?;
        Some(place as usize)
    }

    /// Where the rows of a kink begin, which is made room for if it has none.
    pub(super) fn place(
        &mut self,
        kink: usize,
        kinks: usize,
        rows: usize,
        above: (f64, f64),
    ) -> usize {
        self.places.resize(kinks, NONE);
        let own = self.find(kink).unwrap_or_else(|| {
            let own = self.kinks.len();
            self.places[kink] = own as u32;
            self.kinks.push(kink as u32);
            let length = (own + 1) * rows;
            self.signs.resize(length, 0.0);
            self.above.resize(length, above);
            self.multipliers.resize(length, 0.0);
            self.scales.resize(length, 0.0);
            own
        });
        own * rows
    }

    pub(super) fn at(&self, start: usize, rows: usize, before: usize) -> Split<'_> {
        Split {
            first: before + start,
            signs: &self.signs[start..][..rows],
            above: &self.above[start..][..rows],
            multipliers: &self.multipliers[start..][..rows],
        }
    }

    /// Sets how far one step moves the multiplier of each kink and row.
    pub(super) fn scale(&mut self, rows: usize, size: impl Fn(usize, usize) -> f64) {
        for (at, scale) in self.scales.iter_mut().enumerate() {
            *scale = size(self.kinks[at / rows] as usize, at % rows);
        }
    }

    /// Goes along `direction`, and not below 0.
    pub(super) fn moved(&mut self, direction: &[f64], rate: f64) {
        let steps = self.scales.iter().zip(direction).zip(&self.signs);
        for (multiplier, ((scale, direction), sign)) in self.multipliers.iter_mut().zip(steps) {
            let moved = *multiplier + rate * scale * direction;
            if *sign != 0.0 && moved.is_finite() {
                *multiplier = moved.max(0.0);
            }
        }
    }
}
