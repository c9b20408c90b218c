//! Limited-memory BFGS: the search direction from the last few steps.
//!
//! Liu, Nocedal. *On the limited memory BFGS method for large scale optimization.* Mathematical
//! Programming 45, 1989, algorithm 2.1. <https://doi.org/10.1007/BF01589116>
use std::collections::VecDeque;

use crate::evasion::vectors::dot;

/// A step, the change of the slope along it, and `1/⟨step, change⟩`.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    inverse: f64,
}

/// The last steps of a minimisation.
pub(super) struct Memory {
    pairs: VecDeque<Pair>,
    most: usize,
}

/// A pair is kept if `⟨step, change⟩` exceeds this share of its largest possible value: a line
/// search by backtracking does not ensure positive curvature.
const CURVATURE: f64 = 1e-10;

impl Memory {
    /// A memory of at most `most` steps.
    pub(super) fn new(most: usize) -> Self {
        Self { pairs: VecDeque::new(), most }
    }

    /// Whether no step is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Forgets all steps.
    pub(super) fn clear(&mut self) {
        self.pairs.clear();
    }

    /// Remembers a step and the change of the slope along it.
    pub(super) fn push(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let curvature = dot(&step, &change);
        if curvature <= CURVATURE * (dot(&step, &step) * dot(&change, &change)).sqrt() {
            return;
        }
        if self.pairs.len() == self.most {
            self.pairs.pop_front();
        }
        self.pairs.push_back(Pair { step, change, inverse: 1.0 / curvature });
    }

    /// `−H·slope` by the two loops, with `H₀ = ⟨s, y⟩/⟨y, y⟩` of the last pair.
    pub(super) fn direction(&self, slope: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = slope.iter().map(|value| -value).collect();
        let mut factors = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let factor = pair.inverse * dot(&pair.step, &direction);
            add(&mut direction, -factor, &pair.change);
            factors.push(factor);
        }
        if let Some(last) = self.pairs.back() {
            let scale = 1.0 / (last.inverse * dot(&last.change, &last.change));
            for value in &mut direction {
                *value *= scale;
            }
        }
        for (pair, factor) in self.pairs.iter().zip(factors.into_iter().rev()) {
            let back = pair.inverse * dot(&pair.change, &direction);
            add(&mut direction, factor - back, &pair.step);
        }
        direction
    }
}

/// `a + factor · b`, in place.
pub(super) fn add(a: &mut [f64], factor: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `½ Σ cᵢ xᵢ²` with exact line searches: as many steps as dimensions.
    #[test]
    fn a_quadratic_is_solved_in_as_many_steps_as_it_has_dimensions() {
        let curvatures = [1.0, 4.0, 25.0];
        let slope = |x: &[f64]| -> Vec<f64> {
            x.iter().zip(curvatures).map(|(x, curvature)| curvature * x).collect()
        };
        let (mut memory, mut x) = (Memory::new(10), vec![3.0, -1.0, 2.0]);
        for _ in 0..3 {
            let at = slope(&x);
            let direction = memory.direction(&at);
            let length = -dot(&at, &direction) / dot(&direction, &slope(&direction));
            let mut next = x.clone();
            add(&mut next, length, &direction);
            let step: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
            let change = slope(&next).iter().zip(&at).map(|(a, b)| a - b).collect();
            memory.push(step, change);
            x = next;
        }
        assert!(dot(&x, &x).sqrt() < 1e-9, "{x:?}");
    }

    #[test]
    fn without_steps_it_is_the_steepest_descent_and_negative_curvature_is_not_kept() {
        let mut memory = Memory::new(1);
        assert_eq!(memory.direction(&[1.0, -2.0]), [-1.0, 2.0]);
        memory.push(vec![1.0, 0.0], vec![-1.0, 0.0]);
        assert!(memory.is_empty());
        memory.push(vec![1.0, 0.0], vec![2.0, 0.0]);
        memory.push(vec![0.0, 1.0], vec![0.0, 4.0]);
        assert_eq!(memory.pairs.len(), 1);
        assert_eq!(memory.direction(&[0.0, 8.0]), [0.0, -2.0]);
        memory.clear();
        assert!(memory.is_empty());
    }
}
