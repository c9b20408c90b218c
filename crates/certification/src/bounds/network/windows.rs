//! Which places of a plane each window reads.
use duress_graph::Window;

/// For each window in order, the places it reads: the position in the plane, and in the window.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    starts: Vec<usize>,
    places: Vec<(u32, u32)>,
}

impl Windows {
    /// The windows over `plane` that give a result of shape `result`.
    pub(super) fn new(window: &Window, plane: &[usize], result: &[usize]) -> Self {
        let pairs = pairs(window, plane, result);
        Self::from_pairs(pairs, result.iter().product())
    }

    /// For each place of `result`, which values of `plane` a transposed convolution adds up there.
    pub(super) fn transposed(window: &Window, plane: &[usize], result: &[usize]) -> Self {
        // Where the cross-correlation that is transposed reads `p` for `q`, the transpose adds.
        let turned = pairs(window, result, plane);
        let turned = turned.into_iter().map(|(q, p, tap)| (p, q, tap)).collect();
        Self::from_pairs(turned, result.iter().product())
    }

    /// Places of window `index`.
    pub(super) fn at(&self, index: usize) -> &[(u32, u32)] {
        &self.places[self.starts[index]..self.starts[index + 1]]
    }

    fn from_pairs(mut pairs: Vec<(u32, u32, u32)>, count: usize) -> Self {
        // By their places in the window: so the weights of a window follow each other.
        pairs.sort_unstable_by_key(|&(window, place, tap)| (window, tap, place));
        let starts = (0..=count).map(|at| pairs.partition_point(|pair| (pair.0 as usize) < at));
        let starts = starts.collect();
        Self { starts, places: pairs.into_iter().map(|(_, place, tap)| (place, tap)).collect() }
    }
}

/// `(window, place in the plane, place in the window)` for all that do not read the padding.
fn pairs(window: &Window, plane: &[usize], result: &[usize]) -> Vec<(u32, u32, u32)> {
    let mut pairs = vec![(0_u32, 0_u32, 0_u32)];
    for axis in 0..plane.len() {
        let mut next = Vec::with_capacity(pairs.len() * result[axis] * window.kernel[axis]);
        for &(at, place, tap) in &pairs {
            for own in 0..result[axis] {
                for offset in 0..window.kernel[axis] {
                    let read = own * window.stride[axis] + offset * window.dilation[axis];
                    let read = read.checked_sub(window.padding[axis].0);
                    if let Some(read) = read.filter(|&read| read < plane[axis]) {
                        let joined = |outer: u32, length: usize, inner: usize| {
                            outer * length as u32 + inner as u32
                        };
                        next.push((
                            joined(at, result[axis], own),
                            joined(place, plane[axis], read),
                            joined(tap, window.kernel[axis], offset),
                        ));
                    }
                }
            }
        }
        pairs = next;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_leave_the_padding_out() {
        let window = Window {
            kernel: vec![2, 2],
            stride: vec![2, 1],
            dilation: vec![1, 1],
            padding: vec![(1, 0), (0, 0)],
        };
        let windows = Windows::new(&window, &[3, 2], &[2, 1]);
        assert_eq!(windows.at(0), [(0, 2), (1, 3)]);
        assert_eq!(windows.at(1), [(2, 0), (3, 1), (4, 2), (5, 3)]);
        let back = Windows::transposed(&window, &[2, 1], &[3, 2]);
        assert_eq!(back.at(0), [(0, 2)]);
        assert_eq!(back.at(5), [(1, 3)]);
    }
}
