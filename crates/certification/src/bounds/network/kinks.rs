//! A network with largest values and limits written as kinks, so that they can be cut.
//!
//! `max(a, b) = b + relu(a − b)` and `clip(x) = low + relu(x − low) − relu(x − high)`, in real
//! arithmetic the same functions. Their relaxations are looser than those of the whole step, which
//! cutting makes up for.
use super::layout::NOWHERE;
use super::map::{Groups, Map, Weight};
use super::{Function, Network, Step};

impl Network {
    /// The same function with kinks in the place of largest values and limits.
    pub(crate) fn by_kinks(&self) -> Self {
        let mut written = Written { steps: Vec::new(), sizes: Vec::new() };
        let mut places: Vec<usize> = Vec::with_capacity(self.steps.len());
        for (step, &size) in self.steps.iter().zip(&self.sizes) {
            let place = match step.clone() {
                Step::Input => written.push(Step::Input, size),
                Step::Affine { mut parts, bias } => {
                    for (source, _) in &mut parts {
                        *source = places[*source];
                    }
                    written.push(Step::Affine { parts, bias }, size)
                }
                Step::Curve { source, function: Function::Clip { low, high } }
                    if low < f64::INFINITY && high > f64::NEG_INFINITY =>
                {
                    written.clip(places[source], size, (low, high))
                }
                Step::Curve { source, function } => {
                    written.push(Step::Curve { source: places[source], function }, size)
                }
                Step::Maximum { source, groups } => written.maximum(places[source], &groups),
                Step::Product { left, right } => {
                    let (left, right) = (places[left], places[right]);
                    written.push(Step::Product { left, right }, size)
                }
            };
            places.push(place);
        }
        let Written { steps, sizes } = written;
        let nodes = self.nodes.iter().map(|&step| places[step]).collect();
        Self { steps, sizes, nodes, output: places[self.output] }
    }
}

struct Written {
    steps: Vec<Step>,
    sizes: Vec<usize>,
}

impl Written {
    fn push(&mut self, step: Step, size: usize) -> usize {
        self.steps.push(step);
        self.sizes.push(size);
        self.steps.len() - 1
    }

    fn rectified(&mut self, source: usize) -> usize {
        let function = Function::Kink { negative: Weight::Uniform(0.0), positive: 1.0 };
        self.push(Step::Curve { source, function }, self.sizes[source])
    }

    /// The sum of values picked from steps, each times a weight, and a constant.
    fn sum(&mut self, parts: Vec<(usize, Vec<u32>, f64)>, constant: f64, size: usize) -> usize {
        let part = |(source, sources, weight)| {
            (source, Map::Select { sources, weight: Weight::Uniform(weight) })
        };
        let bias = if constant == 0.0 { Vec::new() } else { vec![constant; size] };
        let parts = parts.into_iter().map(part).collect();
        self.push(Step::Affine { parts, bias }, size)
    }

    /// `min(max(x, low), high)`; a limit may be infinite.
    fn clip(&mut self, x: usize, size: usize, (low, high): (f64, f64)) -> usize {
        let all: Vec<u32> = (0..size as u32).collect();
        // `x` where there is no lower limit, else `low + relu(x − low)`.
        let mut parts = Vec::new();
        let mut constant = 0.0;
        if low.is_finite() {
            let above = self.sum(vec![(x, all.clone(), 1.0)], -low, size);
            parts.push((self.rectified(above), all.clone(), 1.0));
            constant = low;
        } else {
            parts.push((x, all.clone(), 1.0));
        }
        if high.is_finite() {
            let above = self.sum(vec![(x, all.clone(), 1.0)], -high, size);
            parts.push((self.rectified(above), all, -1.0));
        }
        self.sum(parts, constant, size)
    }

    /// The largest value of each group, pair by pair.
    fn maximum(&mut self, source: usize, groups: &Groups) -> usize {
        let mut current = source;
        let mut left: Vec<Vec<u32>> = (0..groups.len()).map(|at| groups.at(at).to_vec()).collect();
        while left.iter().any(|group| group.len() > 1) {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            // For each value that is left: the one that stays as it is, and which pair is added.
            let (mut stays, mut pairs) = (Vec::new(), Vec::new());
            for group in &mut left {
                let mut next = Vec::with_capacity(group.len().div_ceil(2));
                for pair in group.chunks(2) {
                    next.push(stays.len() as u32);
                    if let [a, b] = *pair {
                        pairs.push(first.len() as u32);
                        first.push(a);
                        second.push(b);
                        stays.push(b);
                    } else {
                        pairs.push(NOWHERE);
                        stays.push(pair[0]);
                    }
                }
                *group = next;
            }
            let count = first.len();
            let parts = vec![(current, first, 1.0), (current, second, -1.0)];
            let difference = self.sum(parts, 0.0, count);
            let gain = self.rectified(difference);
            let size = stays.len();
            current = self.sum(vec![(current, stays, 1.0), (gain, pairs, 1.0)], 0.0, size);
        }
        let ends: Vec<u32> =
            left.iter().map(|group| group.first().copied().unwrap_or(NOWHERE)).collect();
        let size = ends.len();
        self.sum(vec![(current, ends, 1.0)], 0.0, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{InputSet, Method, Options, Specification};

    fn value(network: &Network, point: &[f64]) -> Vec<(f64, f64)> {
        let set = InputSet::sides(point.to_vec(), point.to_vec()).unwrap();
        let bounds = network.node_bounds(&set, Method::Ibp, &Options::default()).unwrap();
        let last = bounds.last().unwrap();
        (0..last.len()).map(|at| last.at(at)).collect()
    }

    fn network(step: Step, size: usize) -> Network {
        Network {
            steps: vec![Step::Input, step],
            sizes: vec![3, size],
            nodes: vec![0, 1],
            output: 1,
        }
    }

    #[test]
    fn largest_values_and_limits_are_the_same_function_of_kinks() {
        let groups = || Groups::new([vec![0, 1, 2], vec![2], vec![2, 0]]);
        let maximum = network(Step::Maximum { source: 0, groups: groups() }, 3);
        let clip = |low, high| {
            network(Step::Curve { source: 0, function: Function::Clip { low, high } }, 3)
        };
        let (inf, cases) = (f64::INFINITY, [[0.5, -1.0, 2.0], [3.0, 1.0, -4.0], [0.0, 7.0, 7.0]]);
        for before in [maximum, clip(-0.5, 1.5), clip(-inf, 1.0), clip(0.25, inf), clip(2.0, 2.0)] {
            let after = before.by_kinks();
            let kinks = |step: &Step| match step {
                Step::Input | Step::Affine { .. } => true,
                Step::Curve { function, .. } => matches!(function, Function::Kink { .. }),
                _ => false,
            };
            assert!(after.steps.iter().all(kinks));
            for point in &cases {
                for (old, new) in value(&before, point).into_iter().zip(value(&after, point)) {
                    assert!(
                        new.0 <= old.1 && old.0 <= new.1 && new.1 - new.0 < 1e-9,
                        "{old:?} {new:?}"
                    );
                }
            }
        }
    }

    /// `max(x, y) − x` is at least 0 on `[−1, 1]²`, which no plane of the pair shows.
    #[test]
    fn bounds_of_the_rewritten_network_hold() {
        let groups = Groups::new([vec![0, 1, 2]]);
        let network = network(Step::Maximum { source: 0, groups }, 1).by_kinks();
        let set = InputSet::sides(vec![-1.0, 0.0, 0.5], vec![1.0, 1.0, 2.0]).unwrap();
        let specification = Specification::new(1, vec![1.0], vec![0.0]).unwrap();
        for method in Method::ALL {
            let options = Options::default();
            let bound = network.lower_bounds(&set, &specification, method, &options).unwrap()[0];
            assert!(bound <= 0.5 && bound > -2.0, "{method:?}: {bound}");
        }
    }
}
