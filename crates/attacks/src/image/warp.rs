//! Bilinear resampling of a picture at displaced places, and its derivative by the displacement.
use super::picture::Picture;

/// What a picture shows beyond its border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// The lower side of the box: zero, for images in `[0, 1]`.
    Black,
    /// The nearest pixel.
    Edge,
    /// The picture again, mirrored at its outermost pixels.
    Mirror,
}

impl Outside {
    /// The pixel that shows at place `index` of a side of `size` pixels; `None` for black.
    pub(crate) fn index(self, index: i64, size: usize) -> Option<usize> {
        let last = size as i64 - 1;
        match self {
            Outside::Black => (0..=last).contains(&index).then_some(index as usize),
            Outside::Edge => Some(index.clamp(0, last) as usize),
            Outside::Mirror if last == 0 => Some(0),
            Outside::Mirror => {
                let place = index.rem_euclid(2 * last);
                Some(place.min(2 * last - place) as usize)
            }
        }
    }
}

/// The two pixels of a side around a coordinate, and how far it lies towards the second.
#[derive(Clone, Copy)]
struct Span {
    first: Option<usize>,
    second: Option<usize>,
    along: f64,
}

impl Span {
    fn around(coordinate: f64, size: usize, outside: Outside) -> Self {
        let coordinate = match outside {
            Outside::Edge => coordinate.clamp(0.0, (size - 1) as f64),
            Outside::Black | Outside::Mirror => coordinate,
        };
        let floor = coordinate.floor();
        let index = floor as i64;
        Self {
            first: outside.index(index, size),
            second: outside.index(index + 1, size),
            along: coordinate - floor,
        }
    }
}

/// The four values around a place of a plane: upper left, upper right, lower left, lower right.
fn corners(plane: &[f32], width: usize, y: Span, x: Span) -> [f64; 4] {
    let at = |y: Option<usize>, x: Option<usize>| match (y, x) {
        (Some(y), Some(x)) => f64::from(plane[y * width + x]),
        _ => 0.0,
    };
    [at(y.first, x.first), at(y.first, x.second), at(y.second, x.first), at(y.second, x.second)]
}

/// A place between pixels: row and column, `(0, 0)` at the centre of the first pixel.
pub(crate) type Place = (f64, f64);

impl Picture {
    /// The picture whose pixel `(y, x)` shows what this one has at `source(y, x)`, interpolated
    /// bilinearly.
    pub(crate) fn warp(&self, outside: Outside, source: impl Fn(usize, usize) -> Place) -> Self {
        let [_, height, width] = self.shape;
        let mut warped = vec![0.0; self.values.len()];
        for y in 0..height {
            for x in 0..width {
                let (row, column) = source(y, x);
                let down = Span::around(row, height, outside);
                let right = Span::around(column, width, outside);
                let (dy, dx) = (down.along, right.along);
                for (channel, plane) in self.planes().enumerate() {
                    let [a, b, c, d] = corners(plane, width, down, right);
                    let value =
                        (1.0 - dy) * ((1.0 - dx) * a + dx * b) + dy * ((1.0 - dx) * c + dx * d);
                    warped[channel * height * width + y * width + x] = value as f32;
                }
            }
        }
        Self { shape: self.shape, values: warped }
    }

    /// The slope of `⟨cotangent, warp(Edge, source)⟩` by each pixel's place, rows and columns.
    ///
    /// Where two slopes meet, at the centre of a pixel, it is that towards the next pixel.
    pub(crate) fn slope(
        &self,
        cotangent: &[f64],
        source: impl Fn(usize, usize) -> Place,
    ) -> Vec<Place> {
        let [_, height, width] = self.shape;
        let mut slopes = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                let (row, column) = source(y, x);
                let down = Span::around(row, height, Outside::Edge);
                let right = Span::around(column, width, Outside::Edge);
                let (dy, dx) = (down.along, right.along);
                let (mut by_row, mut by_column) = (0.0, 0.0);
                for (channel, plane) in self.planes().enumerate() {
                    let [a, b, c, d] = corners(plane, width, down, right);
                    let weight = cotangent[channel * height * width + y * width + x];
                    by_row += weight * ((1.0 - dx) * (c - a) + dx * (d - b));
                    by_column += weight * ((1.0 - dy) * (b - a) + dy * (d - c));
                }
                let inside = |place: f64, size: usize| place >= 0.0 && place < (size - 1) as f64;
                slopes.push((
                    if inside(row, height) { by_row } else { 0.0 },
                    if inside(column, width) { by_column } else { 0.0 },
                ));
            }
        }
        slopes
    }

    /// The picture turned about its centre by `degrees` (counter-clockwise on a screen), then
    /// moved `down` and `right` by pixels.
    pub(crate) fn moved(&self, degrees: f64, down: f64, right: f64) -> Self {
        let [_, height, width] = self.shape;
        let (middle_y, middle_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
        let (sine, cosine) = degrees.to_radians().sin_cos();
        self.warp(Outside::Black, |y, x| {
            let (y, x) = (y as f64 - middle_y - down, x as f64 - middle_x - right);
            (middle_y + sine * x + cosine * y, middle_x + cosine * x - sine * y)
        })
    }

    /// The middle of the picture enlarged by `factor`.
    pub(crate) fn zoomed(&self, factor: f64) -> Self {
        let [_, height, width] = self.shape;
        let (middle_y, middle_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
        self.warp(Outside::Edge, |y, x| {
            let (y, x) = (y as f64 - middle_y, x as f64 - middle_x);
            (middle_y + y / factor, middle_x + x / factor)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(shape: [usize; 3]) -> Picture {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|index| (index as f32 * 0.7).sin().mul_add(0.5, 0.5));
        Picture { shape, values: values.collect() }
    }

    #[test]
    fn a_quarter_turn_moves_every_pixel_to_a_pixel() {
        for side in [4, 5] {
            let before = picture([2, side, side]);
            let after = before.moved(90.0, 0.0, 0.0);
            for (before, after) in before.planes().zip(after.planes()) {
                for y in 0..side {
                    for x in 0..side {
                        let (got, from) = (after[y * side + x], before[x * side + side - 1 - y]);
                        assert!((got - from).abs() < 1e-6, "{y} {x}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_translation_by_a_pixel_shifts_and_fills_with_zeros() {
        let before = picture([1, 3, 4]);
        let after = before.moved(0.0, 1.0, -2.0);
        for y in 0..3 {
            for x in 0..4 {
                let expected =
                    if y >= 1 && x < 2 { before.values[(y - 1) * 4 + x + 2] } else { 0.0 };
                assert_eq!(after.values[y * 4 + x].to_bits(), expected.to_bits(), "{y} {x}");
            }
        }
    }

    #[test]
    fn half_a_pixel_is_the_mean_of_two() {
        let before = Picture { shape: [1, 1, 3], values: vec![0.2, 0.6, 1.0] };
        let got = before.moved(0.0, 0.0, 0.5).values;
        for (got, expected) in got.into_iter().zip([0.1, 0.4, 0.8]) {
            assert!((got - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn borders_by_hand() {
        let places = |outside: Outside| (-4..=6).map(|at| outside.index(at, 3)).collect::<Vec<_>>();
        let mirrored = [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2].map(Some);
        assert_eq!(places(Outside::Mirror), mirrored);
        assert_eq!(places(Outside::Edge), [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2].map(Some));
        assert_eq!(places(Outside::Black)[3..8], [None, Some(0), Some(1), Some(2), None]);
        assert_eq!(Outside::Mirror.index(-7, 1), Some(0));
    }

    /// Central differences, away from the centres of pixels.
    #[test]
    fn the_slope_is_the_derivative_by_the_place() {
        let before = picture([3, 4, 5]);
        let count = before.values.len();
        let cotangent: Vec<f64> = (0..count).map(|index| (index as f64 * 1.3).cos()).collect();
        let place = |y: usize, x: usize| (y as f64 * 0.9 + 0.35, x as f64 * 0.8 - 0.33);
        let slopes = before.slope(&cotangent, place);
        let value = |moved: usize, by: (f64, f64)| -> f64 {
            let warped = before.warp(Outside::Edge, |y, x| {
                let (row, column) = place(y, x);
                if y * 5 + x == moved { (row + by.0, column + by.1) } else { (row, column) }
            });
            warped.values.iter().zip(&cotangent).map(|(&v, c)| f64::from(v) * c).sum()
        };
        let step = 1e-2;
        for (pixel, (by_row, by_column)) in slopes.into_iter().enumerate() {
            let rows = (value(pixel, (step, 0.0)) - value(pixel, (-step, 0.0))) / (2.0 * step);
            let columns = (value(pixel, (0.0, step)) - value(pixel, (0.0, -step))) / (2.0 * step);
            assert!((rows - by_row).abs() < 1e-4, "{pixel}: {rows} {by_row}");
            assert!((columns - by_column).abs() < 1e-4, "{pixel}: {columns} {by_column}");
        }
    }

    #[test]
    fn a_zoom_keeps_the_centre_and_a_factor_of_one_everything() {
        let before = picture([1, 5, 5]);
        assert_eq!(before.zoomed(1.0), before);
        assert_eq!(before.zoomed(1.7).values[12].to_bits(), before.values[12].to_bits());
    }
}
