//! The pieces of a picture that are kept, one a vote, and how many of them meet a patch.
use serde::{Deserialize, Serialize};

/// The shape of the kept piece. Pieces start at every position and wrap around the edges, so that
/// each pixel lies in equally many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Window {
    /// Whole columns, `width` neighbouring ones: one vote a column of the picture.
    Columns {
        /// Columns kept (s in the paper).
        width: usize,
    },
    /// Whole rows, `height` neighbouring ones: one vote a row of the picture.
    Rows {
        /// Rows kept.
        height: usize,
    },
    /// A square of `side` pixels: one vote a pixel of the picture.
    Block {
        /// Side of the square.
        side: usize,
    },
}

impl Window {
    /// How many pieces a picture of `height × width` pixels has.
    #[must_use]
    pub fn positions(self, height: usize, width: usize) -> usize {
        match self {
            Window::Columns { .. } => width,
            Window::Rows { .. } => height,
            Window::Block { .. } => height * width,
        }
    }

    /// Whether every dimension of the piece is at least 1 and at most the picture's.
    #[must_use]
    pub fn fits(self, height: usize, width: usize) -> bool {
        match self {
            Window::Columns { width: kept } => (1..=width).contains(&kept),
            Window::Rows { height: kept } => (1..=height).contains(&kept),
            Window::Block { side } => (1..=height.min(width)).contains(&side),
        }
    }

    /// Whether the piece at `position` holds the pixel in row `y` and column `x`.
    #[must_use]
    pub fn holds(self, position: usize, (y, x): (usize, usize), size: (usize, usize)) -> bool {
        let (height, width) = size;
        let within = |at: usize, start: usize, length: usize, kept: usize| {
            (at + length - start) % length < kept
        };
        match self {
            Window::Columns { width: kept } => within(x, position, width, kept),
            Window::Rows { height: kept } => within(y, position, height, kept),
            Window::Block { side } => {
                within(y, position / width, height, side)
                    && within(x, position % width, width, side)
            }
        }
    }

    /// Most pieces that meet a patch of `rows × columns` pixels anywhere (Δ in the paper):
    /// `m + s − 1` along each dimension in which the pieces end, but never more than there are.
    #[must_use]
    pub fn touched(self, patch: (usize, usize), (height, width): (usize, usize)) -> usize {
        let along = |patch: usize, kept: usize, length: usize| match patch {
            0 => 0,
            patch => patch.saturating_add(kept - 1).min(length),
        };
        match self {
            Window::Columns { width: kept } if patch.0 > 0 => along(patch.1, kept, width),
            Window::Rows { height: kept } if patch.1 > 0 => along(patch.0, kept, height),
            Window::Block { side } => along(patch.0, side, height) * along(patch.1, side, width),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every patch at every place of a 5 × 7 picture: the count of pieces that meet it is Δ at every
    /// place, because the pieces wrap around.
    #[test]
    fn the_pieces_that_meet_a_patch_are_counted_exactly() {
        let size = (5, 7);
        let mut windows: Vec<Window> = (1..=7).map(|width| Window::Columns { width }).collect();
        windows.extend((1..=5).map(|height| Window::Rows { height }));
        windows.extend((1..=5).map(|side| Window::Block { side }));
        for window in windows {
            assert!(window.fits(size.0, size.1));
            for patch in (0..=5).flat_map(|m| (0..=7).map(move |n| (m, n))) {
                let delta = window.touched(patch, size);
                for (top, left) in
                    (0..=5 - patch.0).flat_map(|y| (0..=7 - patch.1).map(move |x| (y, x)))
                {
                    let pixels = (0..patch.0 * patch.1)
                        .map(|index| (top + index / patch.1, left + index % patch.1));
                    let meets = |position: &usize| {
                        pixels.clone().any(|pixel| window.holds(*position, pixel, size))
                    };
                    let met = (0..window.positions(5, 7)).filter(meets).count();
                    assert_eq!(met, delta, "{window:?} {patch:?} at {top}, {left}");
                }
            }
        }
    }

    #[test]
    fn a_piece_wraps_around_the_edge() {
        let window = Window::Columns { width: 3 };
        let kept: Vec<usize> = (0..7).filter(|&x| window.holds(6, (0, x), (5, 7))).collect();
        assert_eq!(kept, [0, 1, 6]);
        assert!(!Window::Columns { width: 8 }.fits(5, 7) && !Window::Block { side: 0 }.fits(5, 7));
    }
}
