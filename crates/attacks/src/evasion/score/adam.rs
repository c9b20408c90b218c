//! Adam, coordinate by coordinate.

const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.999;
const TINY: f64 = 1e-8;

/// The moments of each coordinate, and how often it was updated.
///
/// Kingma, Ba. *Adam: A Method for Stochastic Optimization.* ICLR 2015, algorithm 1 with its
/// defaults. <https://arxiv.org/abs/1412.6980>
#[derive(Clone, Debug)]
pub(crate) struct Adam {
    first: Vec<f64>,
    second: Vec<f64>,
    updates: Vec<i32>,
}

impl Adam {
    pub(crate) fn new(coordinates: usize) -> Self {
        Self {
            first: vec![0.0; coordinates],
            second: vec![0.0; coordinates],
            updates: vec![0; coordinates],
        }
    }

    /// The step down the slope of one coordinate, in units of the learning rate.
    pub(crate) fn step(&mut self, coordinate: usize, slope: f64) -> f64 {
        let updates = self.updates[coordinate].saturating_add(1);
        let first = FIRST_DECAY * self.first[coordinate] + (1.0 - FIRST_DECAY) * slope;
        let second = SECOND_DECAY * self.second[coordinate] + (1.0 - SECOND_DECAY) * slope * slope;
        self.updates[coordinate] = updates;
        self.first[coordinate] = first;
        self.second[coordinate] = second;
        let mean = first / (1.0 - FIRST_DECAY.powi(updates));
        let spread = (second / (1.0 - SECOND_DECAY.powi(updates))).sqrt();
        -mean / (spread + TINY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first step is the sign of the slope, whatever its size; after slopes 1 and −1 the
    /// moments are −0.01 and 0.001999, corrected −0.01/0.19 and 1.
    #[test]
    fn the_first_steps_by_hand_and_each_coordinate_by_itself() {
        let mut adam = Adam::new(2);
        assert!((adam.step(0, 1.0) + 1.0).abs() < 1e-7);
        assert!((adam.step(0, -1.0) - 0.01 / 0.19).abs() < 1e-7);
        assert!((adam.step(1, -1e-3) - 1.0).abs() < 1e-4);
        assert!(Adam::new(1).step(0, 0.0).abs() < 1e-12);
    }
}
