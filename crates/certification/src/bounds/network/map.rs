//! Linear maps, one row at a time: the one interface of all that is linear in a network.
//!
//! A map never exists as a matrix. It lists the terms of a row when asked, from a kernel, a table
//! of places or a weight. Products and convolutions, where the time goes, have loops of their own
//! forward and backward; tests hold these against the rows.
use super::layout::NOWHERE;
pub(super) use super::product::Product;
pub(super) use super::windowed::Windowed;
use crate::bounds::backward::{Block, add_scaled};
use crate::bounds::kernel::Sums;

/// `y = M x`.
#[derive(Clone, Debug)]
pub(in crate::bounds) enum Map {
    /// Each result is one value of x times a weight, or none.
    Select { sources: Vec<u32>, weight: Weight },
    /// Each result is the sum of some values of x, times a weight.
    Sum { groups: Groups, weight: f64 },
    /// Products of matrices, one of each pair constant.
    Product(Product),
    /// A convolution, its transpose, or a mean of windows.
    Windowed(Windowed),
}

/// What selected values are multiplied by.
#[derive(Clone, Debug)]
pub(in crate::bounds) enum Weight {
    /// All by the same.
    Uniform(f64),
    /// One a result.
    Each(Vec<f64>),
}

impl Weight {
    pub(in crate::bounds) fn at(&self, index: usize) -> f64 {
        match self {
            Weight::Uniform(weight) => *weight,
            Weight::Each(weights) => weights[index],
        }
    }
}

/// Some values of an operand for each result.
#[derive(Clone, Debug)]
pub(in crate::bounds) struct Groups {
    starts: Vec<usize>,
    sources: Vec<u32>,
}

impl Groups {
    /// The groups listed.
    pub(super) fn new(groups: impl IntoIterator<Item = Vec<u32>>) -> Self {
        let (mut starts, mut sources) = (vec![0], Vec::new());
        for group in groups {
            sources.extend(group);
            starts.push(sources.len());
        }
        Self { starts, sources }
    }

    /// The values that belong to result `of[value]`, of `count` results.
    pub(super) fn by_result(of: &[u32], count: usize) -> Self {
        let mut groups = vec![Vec::new(); count];
        for (value, &result) in of.iter().enumerate() {
            groups[result as usize].push(value as u32);
        }
        Self::new(groups)
    }

    /// Number of groups.
    pub(in crate::bounds) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Values of group `index`.
    pub(in crate::bounds) fn at(&self, index: usize) -> &[u32] {
        &self.sources[self.starts[index]..self.starts[index + 1]]
    }
}

impl Map {
    /// Replaces `terms` by the terms of row `row`: places in x, and weights that are not zero.
    pub(in crate::bounds) fn row(&self, row: usize, terms: &mut Vec<(usize, f64)>) {
        terms.clear();
        match self {
            Map::Select { sources, weight } => {
                if sources[row] != NOWHERE {
                    terms.push((sources[row] as usize, weight.at(row)));
                }
            }
            Map::Sum { groups, weight } => {
                terms.extend(groups.at(row).iter().map(|&source| (source as usize, *weight)));
            }
            Map::Product(product) => product.row(row, terms),
            Map::Windowed(windowed) => windowed.row(row, terms),
        }
        terms.retain(|(_, weight)| *weight != 0.0);
    }

    /// Whether results differ in the values they depend on, each on one.
    pub(in crate::bounds) fn keeps_apart(&self) -> bool {
        let Map::Select { sources, .. } = self else { return false };
        let mut sources: Vec<u32> =
            sources.iter().copied().filter(|&source| source != NOWHERE).collect();
        let count = sources.len();
        sources.sort_unstable();
        sources.dedup();
        sources.len() == count
    }

    /// Whether all of `size` values stay what and where they are.
    pub(in crate::bounds) fn is_identity(&self, size: usize) -> bool {
        let Map::Select { sources, weight: Weight::Uniform(weight) } = self else { return false };
        let stay = || sources.iter().enumerate().all(|(at, &source)| at == source as usize);
        *weight == 1.0 && sources.len() == size && stay()
    }

    /// The places of x, of `size`, that results read, in ascending order: those at `results`, in
    /// ascending order, of `all`.
    pub(in crate::bounds) fn reach(&self, results: &[u32], all: usize, size: usize) -> Vec<u32> {
        if results.len() == all && !matches!(self, Map::Select { .. }) {
            return (0..size as u32).collect();
        }
        let mut reached = vec![false; size];
        match self {
            Map::Product(product) => product.reach(results, &mut reached),
            Map::Windowed(windowed) => windowed.reach(results, &mut reached),
            Map::Select { .. } | Map::Sum { .. } => {
                let mut terms = Vec::new();
                for &result in results {
                    self.row(result as usize, &mut terms);
                    for &(place, _) in &terms {
                        reached[place] = true;
                    }
                }
            }
        }
        (0..size as u32).filter(|&place| reached[place as usize]).collect()
    }

    /// Adds `Σ coefficient · row` of the map's rows to the lines of `to` that begin at `starts` for
    /// each value of x, where a line has `count` coefficients: those of as many rows of bounds.
    pub(in crate::bounds) fn scatter(
        &self,
        from: &Block,
        (to, starts): (&mut [f64], &[usize]),
        count: usize,
    ) {
        match self {
            Map::Product(product) if product.x_on_the_left => {
                product.scatter(from, (to, starts), count);
            }
            Map::Windowed(windowed) => windowed.scatter(from, (to, starts), count),
            _ => {
                let mut terms = Vec::new();
                let lines = from.coefficients.chunks_exact(count.max(1));
                for (&result, line) in from.places.iter().zip(lines) {
                    if line.iter().any(|&coefficient| coefficient != 0.0) {
                        self.row(result as usize, &mut terms);
                        for &(place, weight) in &terms {
                            add_scaled(&mut to[starts[place]..][..count], line, weight);
                        }
                    }
                }
            }
        }
    }

    /// Number of results, where the map says it and has a loop for intervals.
    pub(in crate::bounds) fn results(&self) -> Option<usize> {
        match self {
            Map::Product(product) => Some(product.pairs.len() * product.rows * product.columns),
            Map::Windowed(windowed) => Some(windowed.results()),
            Map::Select { .. } | Map::Sum { .. } => None,
        }
    }

    /// Adds what the map makes of centres, half widths and magnitudes of x; false if it has no loop
    /// for that.
    pub(in crate::bounds) fn forward(&self, values: &Sums, sums: &mut Sums) -> bool {
        match self {
            Map::Product(product) => product.forward(values, sums),
            Map::Windowed(windowed) => windowed.forward(values, sums),
            Map::Select { .. } | Map::Sum { .. } => false,
        }
    }

    /// For each result a number by which results that read the same values stand together.
    pub(in crate::bounds) fn neighbourhood(&self, result: usize) -> usize {
        match self {
            Map::Windowed(windowed) => result % windowed.positions,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::network::windows::Windows;
    use duress_graph::Window;

    /// Integers, so that sums are exact in any order; some are 0.
    fn integers(count: usize) -> Vec<f64> {
        (0..count).map(|at| ((at * 11) % 7) as f64 - 3.0).collect()
    }

    /// Maps with the number of their results and of the values they read.
    fn maps() -> Vec<(Map, usize, usize)> {
        let window = |kernel: [usize; 2], dilation: usize| Window {
            kernel: kernel.to_vec(),
            stride: vec![2, 1],
            dilation: vec![dilation, 1],
            padding: vec![(1, 0), (0, 1)],
        };
        let windowed = |windows: Windows, [positions, pixels, taps]: [usize; 3]| {
            // Two groups of five channels that read three.
            let weight = integers(10 * 3 * taps);
            let (inputs, outputs, turned) = (3, 5, Vec::new());
            let map =
                Windowed { windows, positions, pixels, inputs, outputs, taps, weight, turned };
            (Map::Windowed(map), 10 * positions, 6 * pixels)
        };
        let product = |x_on_the_left: bool| {
            let (rows, inner, columns) = (2, 6, 5);
            let pairs = vec![(0, 1), (1, 0), (1, 1)];
            let weight = integers(2 * inner * if x_on_the_left { columns } else { rows });
            let x = if x_on_the_left { rows * inner } else { inner * columns };
            let map = Product { pairs, rows, inner, columns, weight, x_on_the_left };
            (Map::Product(map), 3 * rows * columns, 2 * x)
        };
        let groups = Groups::new([vec![3, 0], vec![], vec![1, 2, 5], vec![0]]);
        vec![
            // [5, 4] padded to [6, 5]: 2 × 3 windows of 3 × 3.
            windowed(Windows::new(&window([3, 3], 1), &[5, 4], &[2, 3]), [6, 20, 9]),
            windowed(Windows::new(&window([2, 2], 2), &[5, 4], &[2, 4]), [8, 20, 4]),
            windowed(Windows::transposed(&window([2, 2], 1), &[3, 4], &[5, 4]), [20, 12, 4]),
            product(true),
            product(false),
            (Map::Sum { groups, weight: 0.5 }, 4, 6),
            (Map::Select { sources: vec![4, NOWHERE, 0, 4], weight: Weight::Uniform(-2.0) }, 4, 5),
        ]
    }

    #[test]
    fn going_back_adds_up_the_rows_and_reaches_what_they_read() {
        for (own, (map, results, size)) in maps().into_iter().enumerate() {
            for (step, count) in [(1, 3), (2, 8), (3, 10), (results, 1)] {
                let places: Vec<u32> = (0..results as u32).step_by(step).collect();
                let coefficients = integers(places.len() * count);
                let from = Block { places: places.clone(), coefficients };
                let mut expected = vec![0.0; size * count];
                let mut read = vec![false; size];
                let mut terms = Vec::new();
                for (&place, line) in places.iter().zip(from.coefficients.chunks_exact(count)) {
                    map.row(place as usize, &mut terms);
                    for &(value, weight) in &terms {
                        read[value] = true;
                        add_scaled(&mut expected[value * count..][..count], line, weight);
                    }
                }
                let reached = map.reach(&places, results, size);
                assert!(reached.is_sorted(), "{own}");
                assert!((0..size).all(|at| !read[at] || reached.contains(&(at as u32))), "{own}");
                let coefficients = vec![0.0; reached.len() * count];
                let mut to = Block { places: reached, coefficients };
                let starts = to.starts(size, count);
                map.scatter(&from, (&mut to.coefficients, &starts), count);
                assert_eq!(to.dense(size, count), expected, "{own} {step} {count}");
            }
        }
    }

    #[test]
    fn only_a_selection_that_moves_nothing_is_the_identity() {
        let select = |sources: Vec<u32>, weight| {
            Map::Select { sources, weight: Weight::Uniform(weight) }.is_identity(3)
        };
        assert!(select(vec![0, 1, 2], 1.0));
        assert!(!select(vec![0, 1, 2], 2.0) && !select(vec![0, 2, 1], 1.0));
        assert!(!select(vec![0, 1], 1.0));
    }
}
