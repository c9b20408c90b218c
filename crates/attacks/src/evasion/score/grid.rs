//! Rows as pictures: where a window of neighbouring features lies.
use duress_core::{Domain, Layout};
use rand::{Rng, RngExt};

/// A row as channels of `height · width` places each.
///
/// A sound is one line high. A table is one line of one channel: neighbouring columns then form the
/// segments that take the place of squares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// A rectangle of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Grid {
    pub(crate) fn of(domain: &Domain) -> Self {
        match domain.layout() {
            Layout::Image { channels, height, width } => Self { channels, height, width },
            Layout::Waveform { channels, samples } => Self { channels, height: 1, width: samples },
            Layout::Table { features } => Self { channels: 1, height: 1, width: features },
        }
    }

    /// Places of one channel.
    pub(crate) fn places(self) -> usize {
        self.height * self.width
    }

    /// A window of these sides at a uniform position, the last line and column included.
    pub(crate) fn draw(self, [height, width]: [usize; 2], rng: &mut impl Rng) -> Window {
        let top = rng.random_range(0..=self.height - height);
        let left = rng.random_range(0..=self.width - width);
        Window { top, left, height, width }
    }

    /// The features of one channel that lie in the window, line by line.
    pub(crate) fn lines(
        self,
        channel: usize,
        window: Window,
    ) -> impl Iterator<Item = std::ops::Range<usize>> + Clone {
        let Window { top, left, height, width } = window;
        (top..top + height).map(move |y| {
            let start = (channel * self.height + y) * self.width + left;
            start..start + width
        })
    }

    /// The features of one channel that lie in the window, one by one.
    pub(crate) fn features(
        self,
        channel: usize,
        window: Window,
    ) -> impl Iterator<Item = usize> + Clone {
        self.lines(channel, window).flatten()
    }
}

impl Window {
    pub(crate) fn contains(self, y: usize, x: usize) -> bool {
        (self.top..self.top + self.height).contains(&y)
            && (self.left..self.left + self.width).contains(&x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::Seed;

    #[test]
    fn a_window_of_a_channel_is_its_lines() {
        let grid = Grid { channels: 2, height: 3, width: 4 };
        let window = Window { top: 1, left: 2, height: 2, width: 2 };
        assert_eq!(grid.features(1, window).collect::<Vec<_>>(), [18, 19, 22, 23]);
        assert!(window.contains(2, 3) && !window.contains(0, 3) && !window.contains(1, 1));
    }

    #[test]
    fn every_position_is_drawn_the_last_ones_too() {
        let grid = Grid { channels: 1, height: 3, width: 5 };
        let mut rng = Seed(1).stream(0, 0, 0, duress_core::Use::Step);
        let mut counts = [[0; 4]; 2];
        for _ in 0..8000 {
            let window = grid.draw([2, 2], &mut rng);
            counts[window.top][window.left] += 1;
        }
        // 1000 each; five standard deviations are 148.
        assert!(counts.iter().flatten().all(|&count: &i32| (count - 1000).abs() < 148));
    }

    #[test]
    fn a_table_is_one_line() {
        let table = Domain::table(vec![0.0; 7], vec![1.0; 7]).unwrap();
        assert_eq!(Grid::of(&table), Grid { channels: 1, height: 1, width: 7 });
    }
}
