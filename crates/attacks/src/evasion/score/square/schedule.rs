//! How large the squares are.
use crate::evasion::score::grid::Grid;

/// Steps (of ten thousand) after which the share of changed places is halved once more.
const HALVINGS: [u64; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

/// Steps that the schedule is written for.
const STEPS: u64 = 10_000;

/// The share of places that step `step` (from 0) changes; `of` steps stretch the schedule.
pub(super) fn share(initial: f64, step: u64, of: Option<u64>) -> f64 {
    let step =
        of.map_or(step, |of| (u128::from(step) * u128::from(STEPS) / u128::from(of.max(1))) as u64);
    let halvings = HALVINGS.iter().filter(|&&after| step > after).count();
    initial / f64::from(1_u32 << halvings)
}

/// Height and width of a window over a share of the grid: a square, or what the grid's shorter side
/// leaves of one. `odd` windows have sides of 3 or more where they fit.
pub(super) fn sides(share: f64, grid: Grid, odd: bool) -> [usize; 2] {
    let (height, width) = (grid.height as f64, grid.width as f64);
    let area = share * height * width;
    let whole = |side: f64| {
        let side = side.round() as usize;
        if odd { side.max(3) | 1 } else { side.max(1) }
    };
    let [high, wide] = if area.sqrt() > height {
        [grid.height, whole(area / height)]
    } else if area.sqrt() > width {
        [whole(area / width), grid.width]
    } else {
        [whole(area.sqrt()); 2]
    };
    [high.min(grid.height), wide.min(grid.width)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `p` falls one step after each listed iteration.
    #[test]
    #[expect(clippy::float_cmp, reason = "divisions by powers of two are exact")]
    fn the_share_is_halved_after_the_listed_steps() {
        let mut expected = 0.8;
        for after in HALVINGS {
            assert_eq!(share(0.8, after, None), expected);
            expected /= 2.0;
            assert_eq!(share(0.8, after + 1, None), expected);
        }
        assert_eq!(share(0.8, 9999, None), 0.8 / 512.0);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "divisions by powers of two are exact")]
    fn a_rescaled_schedule_passes_through_all_of_it() {
        for step in [0, 5, 6, 26, 101, 4001, 4999] {
            assert_eq!(share(0.8, step, Some(5000)), share(0.8, 2 * step, None), "{step}");
        }
        assert_eq!(share(0.8, 4999, None), 0.8 / 128.0);
    }

    #[test]
    fn windows_are_squares_and_segments_where_there_is_one_line() {
        let image = Grid { channels: 3, height: 28, width: 28 };
        assert_eq!(sides(0.8, image, false), [25, 25]);
        assert_eq!(sides(0.8 / 512.0, image, false), [1, 1]);
        assert_eq!(sides(0.4, image, true), [19, 19]);
        assert_eq!(sides(0.4, image, false), [18, 18]);
        assert_eq!(sides(0.8 / 512.0, image, true), [3, 3]);
        let wide = Grid { channels: 1, height: 4, width: 100 };
        assert_eq!(sides(0.8, wide, false), [4, 80]);
        assert_eq!(sides(0.01, wide, false), [2, 2]);
        let line = Grid { channels: 1, height: 1, width: 20 };
        assert_eq!(sides(0.8, line, false), [1, 16]);
        assert_eq!(sides(0.1, line, false), [1, 2]);
        assert_eq!(sides(0.001, line, true), [1, 3]);
        let tall = Grid { channels: 1, height: 20, width: 2 };
        assert_eq!(sides(0.8, tall, false), [16, 2]);
        assert_eq!(sides(1.0, Grid { channels: 1, height: 2, width: 2 }, true), [2, 2]);
    }
}
