//! Clean picture, adversarial picture and their difference, side by side.
use super::{
    Error, Result,
    axis::MARGIN,
    drawing::{Align, Drawing, Point, TextStyle, shorten, text_width},
    error::check,
    paint::{Raster, check_size, encode},
    palette::{INK, MUTED},
};

/// What a model answered.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Name of the class.
    pub label: String,
    /// Its probability in `[0, 1]`.
    pub confidence: f64,
}

/// One row of a [`Gallery`].
#[derive(Clone, Debug)]
pub struct Example {
    /// Clean pixels, `channels · height · width`, planes first.
    pub clean: Vec<f32>,
    /// Adversarial pixels, in the same order.
    pub adversarial: Vec<f32>,
    /// Name of the true class.
    pub truth: String,
    /// The answer to the clean picture.
    pub before: Prediction,
    /// The answer to the adversarial picture.
    pub after: Prediction,
    /// Size of the difference, with its norm, such as `L∞ 0.0314`.
    pub distance: String,
}

/// Rows of examples as one picture.
///
/// The difference is magnified by one factor for all rows, which its column states; no
/// difference is mid grey. Each pixel of an input is a square of equal pixels: nothing is
/// smoothed.
#[derive(Clone, Debug)]
pub struct Gallery {
    /// Title above the rows.
    pub title: String,
    /// `[channels, height, width]`; one channel is grey, three are RGB.
    pub shape: [usize; 3],
    /// Values of black and white.
    pub range: (f32, f32),
    /// The rows.
    pub examples: Vec<Example>,
}

impl Gallery {
    /// The gallery as a PNG at two pixels for each CSS pixel.
    ///
    /// # Errors
    /// [`Error::Empty`] without examples or pixels; [`Error::Length`] for pixels that do not
    /// match the shape; [`Error::Value`] for a pixel that is not finite, a range that is empty or
    /// a number of channels other than 1 and 3; [`Error::TooLarge`] for too many pixels.
    pub fn png(&self) -> Result<Vec<u8>> {
        self.check()?;
        let (zoom, factor) = (self.zoom(), self.factor());
        let (drawing, places) = self.layout(zoom, factor);
        let mut raster = drawing.raster()?;
        for (example, corners) in self.examples.iter().zip(places) {
            for (corner, pixels) in corners.into_iter().zip(self.pictures(example, factor)) {
                self.blit(&mut raster, corner, &pixels, zoom);
            }
        }
        encode(raster.width, raster.height, &raster.rgb)
    }

    /// Everything but the pictures, and the upper left corners of the three pictures of each row.
    fn layout(&self, zoom: usize, factor: u64) -> (Drawing, Vec<[Point; 3]>) {
        let [_, height, width] = self.shape.map(|size| (size * zoom) as f64);
        let difference = format!("difference × {factor} (none: mid grey)");
        let heads = ["clean", "adversarial", &difference];
        let column = self.column_width(width, &difference);
        let paper = 2.0 * MARGIN + 3.0 * column + 2.0 * GAP;
        let mut drawing = Drawing::new(paper, 0.0, self.title.clone());
        let (room, bold) = (paper - 2.0 * MARGIN, TextStyle::new(16.0, INK).bold());
        let mut top = drawing.paragraph((MARGIN, MARGIN), room, &self.title, bold) + 8.0;
        let lefts = [0.0, 1.0, 2.0].map(|index| MARGIN + index * (column + GAP));
        for (left, head) in lefts.into_iter().zip(heads) {
            drawing.text((left, top + 8.0), Align::Left, head, HEAD);
        }
        top += 22.0;
        let mut places = Vec::with_capacity(self.examples.len());
        for example in &self.examples {
            places.push(lefts.map(|left| (left, top)));
            top += height + 12.0;
            for (left, lines) in lefts.into_iter().zip(captions(example)) {
                for (line, text) in lines.iter().enumerate() {
                    let text = shorten(text, column, CAPTION);
                    drawing.text((left, top + 16.0 * line as f64), Align::Left, &text, CAPTION);
                }
            }
            top += 38.0;
        }
        drawing.size.1 = top + MARGIN - 12.0;
        (drawing, places)
    }

    fn check(&self) -> Result<()> {
        let [channels, height, width] = self.shape;
        let valid = channels == 1 || channels == 3;
        check(valid, FIGURE, "the number of channels", "1 or 3", channels as f64)?;
        if height == 0 || width == 0 {
            return Err(Error::Empty { figure: FIGURE, what: "pixel" });
        }
        if self.examples.is_empty() {
            return Err(Error::Empty { figure: FIGURE, what: "example" });
        }
        let (black, white) = self.range;
        let valid = black.is_finite() && white.is_finite() && black < white;
        check(valid, FIGURE, "white", "finite and above black", f64::from(white))?;
        let side = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        check_size(side(width), side(height))?;
        for pixels in self.examples.iter().flat_map(|one| [&one.clean, &one.adversarial]) {
            let (expected, got) = (channels * height * width, pixels.len());
            if expected != got {
                return Err(Error::Length { figure: FIGURE, what: "pixel values", expected, got });
            }
            if let Some(&bad) = pixels.iter().find(|value| !value.is_finite()) {
                check(false, FIGURE, "a pixel", "finite", f64::from(bad))?;
            }
        }
        Ok(())
    }

    /// Whole factor that makes the longer side at least [`SMALLEST`] CSS pixels.
    fn zoom(&self) -> usize {
        let [_, height, width] = self.shape;
        SMALLEST.div_ceil(height.max(width)).max(1)
    }

    /// The largest of 1, 2, 5, 10, … that keeps every magnified difference between black and
    /// white around mid grey, or 1 if even that is too much.
    fn factor(&self) -> u64 {
        let largest = self
            .examples
            .iter()
            .flat_map(|one| one.clean.iter().zip(&one.adversarial))
            .map(|(&clean, &adversarial)| (f64::from(adversarial) - f64::from(clean)).abs())
            .fold(0.0, f64::max);
        if largest <= 0.0 {
            return 1;
        }
        let room = 0.5 * self.width_of_range() / largest;
        let powers = (0..9).map(|power| 10_u64.pow(power));
        let factors = powers.flat_map(|power| [power, 2 * power, 5 * power]);
        factors.take_while(|&factor| factor as f64 <= room * (1.0 + 1e-6)).last().unwrap_or(1)
    }

    fn width_of_range(&self) -> f64 {
        f64::from(self.range.1) - f64::from(self.range.0)
    }

    /// The picture, the widest head or the widest caption, whichever is widest, up to a limit
    /// for captions.
    fn column_width(&self, picture: f64, head: &str) -> f64 {
        let texts = self.examples.iter().flat_map(|one| captions(one).into_iter().flatten());
        let widest = texts.map(|text| text_width(&text, CAPTION)).fold(0.0, f64::max);
        picture.max(widest.min(CAPTION_WIDTH)).max(text_width(head, HEAD))
    }

    /// Clean, adversarial and magnified difference as bytes, one channel after the other.
    fn pictures(&self, example: &Example, factor: u64) -> [Vec<u8>; 3] {
        let (black, width) = (f64::from(self.range.0), self.width_of_range());
        // Round half up after clamping: 0.5 becomes 128.
        let byte = |share: f64| (share.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        let plain = |pixels: &[f32]| {
            pixels.iter().map(|&value| byte((f64::from(value) - black) / width)).collect()
        };
        let pairs = example.clean.iter().zip(&example.adversarial);
        let changes = pairs.map(|(&clean, &other)| f64::from(other) - f64::from(clean));
        let difference = changes.map(|change| byte(0.5 + change * factor as f64 / width)).collect();
        [plain(&example.clean), plain(&example.adversarial), difference]
    }

    /// Copies a picture, each pixel as a square of `2 · zoom` pixels.
    fn blit(&self, raster: &mut Raster, (left, top): Point, pixels: &[u8], zoom: usize) {
        let [channels, height, width] = self.shape;
        let side = 2 * zoom;
        let (left, top) = ((2.0 * left).round() as usize, (2.0 * top).round() as usize);
        for y in 0..height * side {
            for x in 0..width * side {
                let start = ((top + y) * raster.width as usize + left + x) * 3;
                for colour in 0..3 {
                    let plane = colour.min(channels - 1);
                    let index = (plane * height + y / side) * width + x / side;
                    raster.rgb[start + colour] = pixels[index];
                }
            }
        }
    }
}

/// Two lines under each of the three pictures.
fn captions(example: &Example) -> [[String; 2]; 3] {
    let answer = |prediction: &Prediction| {
        format!("{} ({:.1} %)", prediction.label, 100.0 * prediction.confidence)
    };
    [
        [format!("true: {}", example.truth), format!("predicted: {}", answer(&example.before))],
        [format!("predicted: {}", answer(&example.after)), String::new()],
        [example.distance.clone(), String::new()],
    ]
}

const FIGURE: &str = "gallery";
/// CSS pixels of the longer side of a picture, at least.
const SMALLEST: usize = 144;
const GAP: f64 = 18.0;
const CAPTION_WIDTH: f64 = 230.0;
const HEAD: TextStyle = TextStyle::new(13.0, MUTED);
const CAPTION: TextStyle = TextStyle::new(12.0, INK);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawing::tests::assert_legible;

    fn gallery(shape: [usize; 3], clean: Vec<f32>, adversarial: Vec<f32>) -> Gallery {
        let prediction = |label: &str| Prediction { label: label.into(), confidence: 0.9 };
        let example = Example {
            clean,
            adversarial,
            truth: "cat".into(),
            before: prediction("cat"),
            after: prediction("dog"),
            distance: "L∞ 0.04".into(),
        };
        Gallery { title: "Examples".into(), shape, range: (0.0, 1.0), examples: vec![example] }
    }

    /// A difference of 0.04 fits ten times into the half range of 0.5, but not twenty times.
    #[test]
    fn the_difference_is_magnified_by_a_round_factor_around_mid_grey() {
        let one = gallery([1, 1, 2], vec![0.5, 0.25], vec![0.54, 0.25]);
        assert_eq!(one.factor(), 10);
        let [clean, adversarial, difference] = one.pictures(&one.examples[0], 10);
        assert_eq!((clean, adversarial), (vec![128, 64], vec![138, 64]));
        assert_eq!(difference, [230, 128]);
        assert_eq!(gallery([1, 1, 1], vec![0.5], vec![0.5]).factor(), 1);
        assert_eq!(gallery([1, 1, 1], vec![0.0], vec![1.0]).factor(), 1);
    }

    #[test]
    fn captions_neither_touch_nor_leave_the_paper() {
        let mut one = gallery([1, 28, 28], vec![0.0; 784], vec![0.0; 784]);
        assert_legible(&one.layout(one.zoom(), 10).0);
        one.title = "A title that needs more than one line of this narrow picture ".repeat(3);
        one.examples[0].truth = "a class with a name of far too many letters for its column".into();
        one.examples.push(one.examples[0].clone());
        assert_legible(&one.layout(one.zoom(), 10).0);
    }

    #[test]
    fn pixels_become_sharp_squares_of_the_right_colour() {
        let clean = vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        let one = gallery([3, 1, 2], clean.clone(), clean);
        assert_eq!(one.zoom(), 72);
        let picture = image::load_from_memory(&one.png().unwrap()).unwrap().into_rgb8();
        let left = (2.0 * MARGIN) as u32;
        let row =
            (0..picture.height()).find(|&y| picture.get_pixel(left, y).0 == [255, 0, 0]).unwrap();
        assert_eq!(picture.get_pixel(left + 143, row + 143).0, [255, 0, 0]);
        assert_eq!(picture.get_pixel(left + 144, row).0, [0, 0, 255]);
        assert_eq!(picture.get_pixel(left + 287, row + 143).0, [0, 0, 255]);
        assert_ne!(picture.get_pixel(left + 288, row).0, [0, 0, 255]);
    }

    #[test]
    fn pixels_that_make_no_picture_are_errors() {
        let bad = |shape, pixels: &[f32]| gallery(shape, pixels.to_vec(), pixels.to_vec()).png();
        assert!(matches!(bad([2, 1, 1], &[0.0, 0.0]), Err(Error::Value { got: 2.0, .. })));
        assert!(matches!(bad([1, 0, 1], &[]), Err(Error::Empty { .. })));
        assert!(matches!(bad([1, 1, 2], &[0.0]), Err(Error::Length { expected: 2, .. })));
        assert!(matches!(bad([1, 1, 1], &[f32::NAN]), Err(Error::Value { .. })));
        assert!(matches!(bad([1, 1 << 20, 1 << 20], &[]), Err(Error::TooLarge { .. })));
        let mut flat = gallery([1, 1, 1], vec![0.0], vec![0.0]);
        flat.range = (1.0, 1.0);
        assert!(matches!(flat.png(), Err(Error::Value { what: "white", .. })));
    }
}
