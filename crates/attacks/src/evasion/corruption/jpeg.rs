//! JPEG compression, as far as it changes pixels: everything but the lossless coding of the file.
//!
//! ITU-T Recommendation T.81, 1992, annexes A and K; colours as in ITU-T T.871 (JFIF).
use crate::image::picture::Picture;

/// Quantisation of luminance at quality 50, T.81 table K.1.
const LUMINANCE: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, //
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62, //
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, //
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// Quantisation of chrominance at quality 50, T.81 table K.2.
const CHROMINANCE: [u16; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, //
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99, //
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, //
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/// Pixels along a block.
const SIDE: usize = 8;

/// Compresses and decompresses the picture at the level's quality. Chrominance has half the rows
/// and columns, as in most files; a picture that is not of three channels is coded as luminance,
/// plane by plane.
pub(super) fn compress(picture: &Picture, level: usize) -> Picture {
    let quality = [80, 65, 58, 50, 40][level];
    let [channels, height, width] = picture.shape;
    let (light, colour) = (table(&LUMINANCE, quality), table(&CHROMINANCE, quality));
    let byte = |value: f32| (f64::from(value.clamp(0.0, 1.0)) * 255.0).round();
    let planes: Vec<Plane> = picture
        .planes()
        .map(|plane| Plane { height, width, values: plane.iter().copied().map(byte).collect() })
        .collect();
    let decoded: Vec<Plane> = if let (3, [red, green, blue]) = (channels, planes.as_slice()) {
        let coded = luma_chroma([red, green, blue]);
        let [y, cb, cr] = coded;
        let chroma = |plane: Plane| plane.halved().coded(&colour).doubled(height, width);
        colours([&y.coded(&light), &chroma(cb), &chroma(cr)])
    } else {
        planes.iter().map(|plane| plane.coded(&light)).collect()
    };
    let values = decoded.iter().flat_map(|plane| &plane.values);
    Picture { shape: picture.shape, values: values.map(|value| (value / 255.0) as f32).collect() }
}

/// The table at a quality from 1 to 100, scaled as the reference codec (IJG) does.
fn table(base: &[u16; 64], quality: u16) -> [f64; 64] {
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    base.map(|step| f64::from(((step * percent + 50) / 100).clamp(1, 255)))
}

/// A plane of values from 0 to 255.
#[derive(Clone, Debug, PartialEq)]
struct Plane {
    height: usize,
    width: usize,
    values: Vec<f64>,
}

/// A sample is a byte.
fn rounded(value: f64) -> f64 {
    value.round().clamp(0.0, 255.0)
}

impl Plane {
    /// The value of the pixel nearest to a place that may lie past the lower right border.
    fn at(&self, y: usize, x: usize) -> f64 {
        self.values[y.min(self.height - 1) * self.width + x.min(self.width - 1)]
    }

    /// A plane of that size, pixel by pixel.
    fn from(height: usize, width: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        Self { height, width, values: pixels.map(|(y, x)| value(y, x)).collect() }
    }

    /// Each value the mean of four.
    fn halved(&self) -> Self {
        Self::from(self.height.div_ceil(2), self.width.div_ceil(2), |y, x| {
            let (y, x) = (2 * y, 2 * x);
            let sum = self.at(y, x) + self.at(y, x + 1) + self.at(y + 1, x) + self.at(y + 1, x + 1);
            rounded(sum / 4.0)
        })
    }

    /// Twice the rows and columns: three parts of the nearest value and one of the next, along
    /// either side, as the reference decoder (IJG) does.
    fn doubled(&self, height: usize, width: usize) -> Self {
        let next = |at: usize| if at % 2 == 1 { at / 2 + 1 } else { (at / 2).saturating_sub(1) };
        Self::from(height, width, |y, x| {
            let row = |y: usize| 3.0 * self.at(y, x / 2) + self.at(y, next(x));
            rounded((3.0 * row(y / 2) + row(next(y))) / 16.0)
        })
    }

    /// Block by block: cosine transform, quantisation, and back.
    fn coded(&self, table: &[f64; 64]) -> Self {
        let mut coded = self.clone();
        for top in (0..self.height).step_by(SIDE) {
            for left in (0..self.width).step_by(SIDE) {
                let block = Plane::from(SIDE, SIDE, |y, x| self.at(top + y, left + x) - 128.0);
                let mut waves = transform(&block.values, false);
                for (wave, step) in waves.iter_mut().zip(table) {
                    *wave = (*wave / step).round() * step;
                }
                let block = transform(&waves, true);
                for y in top..self.height.min(top + SIDE) {
                    for x in left..self.width.min(left + SIDE) {
                        let value = block[(y - top) * SIDE + x - left] + 128.0;
                        coded.values[y * self.width + x] = rounded(value);
                    }
                }
            }
        }
        coded
    }
}

/// The orthonormal cosine transform of a block (T.81 A.3.3), rows and columns, or its inverse.
fn transform(block: &[f64], inverse: bool) -> Vec<f64> {
    let basis = |wave: usize, place: usize| {
        let scale = if wave == 0 { (1.0 / SIDE as f64).sqrt() } else { (2.0 / SIDE as f64).sqrt() };
        let angle = (2 * place + 1) as f64 * wave as f64 * std::f64::consts::PI;
        scale * (angle / (2 * SIDE) as f64).cos()
    };
    let entry = |out: usize, from: usize| {
        if inverse { basis(from, out) } else { basis(out, from) }
    };
    let pass = |block: &[f64]| -> Vec<f64> {
        // The transform along rows, transposed: twice gives both sides in their place.
        let cell = |(out, row): (usize, usize)| {
            (0..SIDE).map(|from| entry(out, from) * block[row * SIDE + from]).sum()
        };
        (0..SIDE).flat_map(|out| (0..SIDE).map(move |row| (out, row))).map(cell).collect()
    };
    pass(&pass(block))
}

fn luma_chroma([red, green, blue]: [&Plane; 3]) -> [Plane; 3] {
    let mix = |weights: [f64; 3], offset: f64| {
        Plane::from(red.height, red.width, |y, x| {
            let [r, g, b] = [red, green, blue].map(|plane| plane.at(y, x));
            rounded(weights[0] * r + weights[1] * g + weights[2] * b + offset)
        })
    };
    [
        mix([0.299, 0.587, 0.114], 0.0),
        mix([-0.168_736, -0.331_264, 0.5], 128.0),
        mix([0.5, -0.418_688, -0.081_312], 128.0),
    ]
}

fn colours([luma, cb, cr]: [&Plane; 3]) -> Vec<Plane> {
    let mix = |by_cb: f64, by_cr: f64| {
        Plane::from(luma.height, luma.width, |y, x| {
            let (cb, cr) = (cb.at(y, x) - 128.0, cr.at(y, x) - 128.0);
            rounded(luma.at(y, x) + by_cb * cb + by_cr * cr)
        })
    };
    vec![mix(0.0, 1.402), mix(-0.344_136, -0.714_136), mix(1.772, 0.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_transform_is_orthonormal_and_its_first_wave_the_mean() {
        let block: Vec<f64> = (0..64).map(|index| (f64::from(index) * 0.7).sin()).collect();
        let waves = transform(&block, false);
        let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
        assert!((square(&waves) - square(&block)).abs() < 1e-9);
        assert!((waves[0] - block.iter().sum::<f64>() / 8.0).abs() < 1e-9);
        let back = transform(&waves, true);
        assert!(back.iter().zip(&block).all(|(a, b)| (a - b).abs() < 1e-9));
        // A wave along the row only: the second entry of the first row.
        let wave: Vec<f64> = (0..64)
            .map(|index| (std::f64::consts::PI * f64::from(2 * (index % 8) + 1) / 16.0).cos())
            .collect();
        let waves = transform(&wave, false);
        assert!(waves[1] > 5.0 && waves[8].abs() < 1e-9);
    }

    /// Quality 50 keeps the tables, 100 has steps of 1, 25 doubles.
    #[test]
    fn tables_by_hand() {
        assert_eq!(table(&LUMINANCE, 50)[..3], [16.0, 11.0, 10.0]);
        assert!(table(&LUMINANCE, 100).iter().all(|step| (step - 1.0).abs() < 1e-12));
        assert_eq!(table(&CHROMINANCE, 25)[..4], [34.0, 36.0, 48.0, 94.0]);
    }

    #[test]
    fn doubling_by_hand() {
        let plane = Plane { height: 1, width: 2, values: vec![0.0, 16.0] };
        assert_eq!(plane.doubled(1, 4).values, [0.0, 4.0, 12.0, 16.0]);
        assert_eq!(plane.doubled(2, 3).values, [0.0, 4.0, 12.0, 0.0, 4.0, 12.0]);
    }

    /// A grey of 128 is the zero of the transform; one of another value moves by at most half a
    /// step of the first wave over eight.
    #[test]
    fn flat_pictures_survive() {
        for channels in [1, 3] {
            let flat = |byte: f32| Picture {
                shape: [channels, 9, 10],
                values: vec![byte / 255.0; channels * 90],
            };
            assert_eq!(compress(&flat(128.0), 4), flat(128.0));
            let got = compress(&flat(77.0), 4);
            assert!(got.values.iter().all(|value| (value * 255.0 - 77.0).abs() <= 2.0));
        }
    }
}
