//! The starting point and the moves of Square, one kind for each norm.
use duress_core::Asker;
use duress_core::search::Scores;
use rand::{Rng, RngExt};

use super::bumps::{Power, bump};
use super::schedule::sides;
use crate::evasion::score::grid::{Grid, Window};
use crate::evasion::score::probes::sign;

/// Rounding in f32 must not leave the ball.
const INSIDE: f64 = 1e-6;

/// Algorithm 2: a square is set to one side of the ball, a sign for each channel.
pub(super) struct Flips {
    pub(super) grid: Grid,
}

impl Flips {
    /// Vertical stripes: each column of each channel at one side of the ball.
    pub(super) fn start(&self, asker: &Asker<Scores>, rng: &mut impl Rng) -> Vec<f32> {
        let mut row = asker.clean().to_vec();
        let Grid { channels, height, width } = self.grid;
        for channel in 0..channels {
            for left in 0..width {
                let column = Window { top: 0, left, height, width: 1 };
                self.set(asker, &mut row, channel, column, rng.random());
            }
        }
        row
    }

    /// A step of 2ε up or down, cut by ball and box: the upper or the lower side itself.
    pub(super) fn step(
        &self,
        asker: &Asker<Scores>,
        row: &[f32],
        share: f64,
        rng: &mut impl Rng,
    ) -> Vec<f32> {
        let mut row = row.to_vec();
        let window = self.grid.draw(sides(share, self.grid, false), rng);
        for channel in 0..self.grid.channels {
            self.set(asker, &mut row, channel, window, rng.random());
        }
        row
    }

    fn set(
        &self,
        asker: &Asker<Scores>,
        row: &mut [f32],
        channel: usize,
        window: Window,
        up: bool,
    ) {
        let side = if up { asker.upper() } else { asker.lower() };
        for line in self.grid.lines(channel, window) {
            row[line.clone()].copy_from_slice(&side[line]);
        }
    }
}

/// Algorithm 3: a window takes over what the perturbation spent in another.
pub(super) struct Transfers {
    grid: Grid,
    power: Power,
    sides: [usize; 2],
    /// The pattern of a window of these sides, lengthways and across.
    bumps: [Vec<f32>; 2],
}

impl Transfers {
    pub(super) fn new(grid: Grid, power: Power) -> Self {
        Self { grid, power, sides: [0; 2], bumps: Default::default() }
    }

    /// Bumps on a grid of about five by five, with a sign of its own for each channel.
    pub(super) fn start(&self, asker: &Asker<Scores>, rng: &mut impl Rng) -> Vec<f32> {
        let Grid { channels, height, width } = self.grid;
        let (high, wide) = ((height / 5).max(1), (width / 5).max(1));
        let (tall, broad) = (height / high, width / wide);
        let (above, beside) = ((height - tall * high) / 2, (width - broad * wide) / 2);
        let mut delta = vec![0.0; asker.clean().len()];
        for tile in 0..tall * broad {
            let (top, left) = (above + tile / broad * high, beside + tile % broad * wide);
            let window = Window { top, left, height: high, width: wide };
            let pattern = bump([high, wide], rng.random(), self.power);
            for channel in 0..channels {
                let sign = sign(rng);
                for (feature, value) in self.grid.features(channel, window).zip(&pattern) {
                    delta[feature] = sign * value;
                }
            }
        }
        self.place(asker, delta, true)
    }

    /// The window `W₁` gets a new bump on top of its old direction, and the length of what was in
    /// `W₁ ∪ W₂` together with the part of the ball that is not used yet; `W₂` is cleared.
    pub(super) fn step(
        &mut self,
        asker: &Asker<Scores>,
        row: &[f32],
        share: f64,
        rng: &mut impl Rng,
    ) -> Vec<f32> {
        let sides = sides(share, self.grid, true);
        if sides != self.sides {
            self.sides = sides;
            self.bumps = [false, true].map(|across| bump(sides, across, self.power));
        }
        let pairs = row.iter().zip(asker.clean());
        let mut delta: Vec<f32> = pairs.map(|(new, old)| new - old).collect();
        let unused = self.unused(&delta, asker.radius());
        let (first, second) = (self.grid.draw(sides, rng), self.grid.draw(sides, rng));
        let pattern = &self.bumps[usize::from(rng.random::<bool>())];
        for channel in 0..self.grid.channels {
            let sign = sign(rng);
            self.transfer(&mut delta, channel, [first, second], (pattern, sign), unused);
        }
        self.place(asker, delta, false)
    }

    fn transfer(
        &self,
        delta: &mut [f32],
        channel: usize,
        [first, second]: [Window; 2],
        (pattern, sign): (&[f32], f32),
        unused: f64,
    ) {
        let (grid, power) = (self.grid, self.power);
        let inside = grid.features(channel, first);
        let there = power.length(inside.clone().map(|feature| delta[feature]));
        let beyond = grid.features(channel, second).filter(|feature| {
            let place = feature % grid.places();
            !first.contains(place / grid.width, place % grid.width)
        });
        let both = power.length(inside.clone().chain(beyond).map(|feature| delta[feature]));
        let channels = grid.channels as f64;
        let budget = match power {
            // The official code of L1 gives each channel all of it: the projection cuts it down.
            Power::One => unused + both * channels,
            Power::Two => (unused / channels + both * both).sqrt(),
        };
        let mut new: Vec<f32> = pattern.iter().map(|value| sign * value).collect();
        if there > 0.0 {
            for (value, feature) in new.iter_mut().zip(inside.clone()) {
                *value += (f64::from(delta[feature]) / there) as f32;
            }
        }
        let length = power.length(new.iter().copied());
        let factor = if length > 0.0 { budget / length } else { 0.0 };
        for line in grid.lines(channel, second) {
            delta[line].fill(0.0);
        }
        for (feature, value) in inside.zip(new) {
            delta[feature] = (f64::from(value) * factor) as f32;
        }
    }

    /// What the perturbation leaves of the ball: `ε − ‖δ‖₁`, or `ε² − ‖δ‖₂²`.
    fn unused(&self, delta: &[f32], radius: f64) -> f64 {
        let length = self.power.length(delta.iter().copied());
        match self.power {
            Power::One => (radius - length).max(0.0),
            Power::Two => (radius * radius - length * length).max(0.0),
        }
    }

    /// The row at a perturbation: L2 scales it to the sphere and cuts it with the box, L1 projects
    /// it onto ball and box (the start is stretched to the ball if it lies inside).
    fn place(&self, asker: &Asker<Scores>, mut delta: Vec<f32>, start: bool) -> Vec<f32> {
        let (clean, lower, upper) = (asker.clean(), asker.lower(), asker.upper());
        for (index, value) in delta.iter_mut().enumerate() {
            if lower[index] >= upper[index] {
                *value = 0.0;
            }
        }
        let length = self.power.length(delta.iter().copied());
        let stretch = if length > 0.0 { asker.radius() * (1.0 - INSIDE) / length } else { 0.0 };
        let factor = match (self.power, start) {
            (Power::Two, _) => stretch,
            (Power::One, true) => stretch.max(1.0),
            (Power::One, false) => 1.0,
        };
        let moved = delta.iter().map(|&value| f64::from(value) * factor);
        let mut row: Vec<f32> =
            clean.iter().zip(moved).map(|(&old, delta)| (f64::from(old) + delta) as f32).collect();
        match self.power {
            Power::One => asker.project(&mut row),
            Power::Two => asker.clip(&mut row),
        }
        row
    }
}
