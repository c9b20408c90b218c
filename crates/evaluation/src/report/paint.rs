//! Paints a drawing: the same shapes over plotters' SVG and bitmap backends.
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    Error, Result,
    drawing::{Align, Drawing, EM, Point, Shape, Stroke, Text, font},
    palette::{Colour, PAPER},
};

impl Drawing {
    /// A complete SVG document, also valid inside HTML. No font, script or file outside it.
    ///
    /// # Errors
    /// [`Error::Backend`] if the backend fails.
    pub fn svg(&self) -> Result<String> {
        // The backend has whole coordinates only: a finer grid behind the view box.
        let size = ((self.size.0 * FINE).ceil() as u32, (self.size.1 * FINE).ceil() as u32);
        let mut buffer = String::new();
        {
            let root = SVGBackend::with_string(&mut buffer, size).into_drawing_area();
            self.paint(&root, FINE, 0.0).map_err(backend)?;
            root.present().map_err(backend)?;
        }
        let body = buffer.split_once(">\n").map_or("", |(_, body)| body);
        let (width, height) = self.size;
        let description = maud::html! { (self.description) }.into_string();
        Ok(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width:.0}\" \
             height=\"{height:.0}\" viewBox=\"0 0 {} {}\">\n<title>{description}</title>\n{body}",
            size.0, size.1
        ))
    }

    /// A PNG at two pixels for each CSS pixel, with smooth edges.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a drawing that would need too much memory, [`Error::Backend`] and
    /// [`Error::Encode`] if the backend or the encoder fails.
    pub fn png(&self) -> Result<Vec<u8>> {
        let Raster { width, height, rgb } = self.raster()?;
        encode(width, height, &rgb)
    }

    /// The pixels of [`Drawing::png`].
    pub(super) fn raster(&self) -> Result<Raster> {
        let width = (self.size.0 * DENSITY).ceil() as u32;
        let height = (self.size.1 * DENSITY).ceil() as u32;
        check_size(width, height)?;
        // A picture too large to be smoothed is still drawn.
        let fits = |times: &u32| check_size(width * times, height * times).is_ok();
        let oversampling = Some(OVERSAMPLING).filter(fits).unwrap_or(1);
        let (wide, high) = (width * oversampling, height * oversampling);
        let mut fine = vec![0; wide as usize * high as usize * 3];
        {
            let backend_area = BitMapBackend::with_buffer(&mut fine, (wide, high));
            let root = backend_area.into_drawing_area();
            self.paint(&root, DENSITY * f64::from(oversampling), RASTER_BASELINE)
                .map_err(backend)?;
            root.present().map_err(backend)?;
        }
        Ok(Raster {
            width,
            height,
            rgb: average(&fine, width as usize, height as usize, oversampling),
        })
    }

    fn paint<B: DrawingBackend>(
        &self,
        root: &DrawingArea<B, Shift>,
        scale: f64,
        baseline: f64,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let at =
            |point: &Point| ((point.0 * scale).round() as i32, (point.1 * scale).round() as i32);
        let line = |stroke: &Stroke| {
            let width = (stroke.width * scale).round().max(1.0) as u32;
            ShapeStyle { color: rgba(stroke.colour), filled: false, stroke_width: width }
        };
        root.fill(&rgba(PAPER))?;
        for shape in &self.shapes {
            match shape {
                Shape::Path { points, stroke } => {
                    for piece in dashes(points, stroke.dash) {
                        let points: Vec<_> = piece.iter().map(at).collect();
                        root.draw(&PathElement::new(points, line(stroke)))?;
                    }
                }
                Shape::Area { points, fill } => {
                    let points: Vec<_> = points.iter().map(at).collect();
                    root.draw(&Polygon::new(points, rgba(*fill).filled()))?;
                }
                Shape::Rectangle { from, to, fill } => {
                    root.draw(&Rectangle::new([at(from), at(to)], rgba(*fill).filled()))?;
                }
                Shape::Circle { centre, radius, fill, stroke } => {
                    let radius = (radius * scale).round() as i32;
                    if let Some(fill) = fill {
                        root.draw(&Circle::new(at(centre), radius, rgba(*fill).filled()))?;
                    }
                    root.draw(&Circle::new(at(centre), radius, line(stroke)))?;
                }
                Shape::Text(Text { at: place, align, content, style }) => {
                    let place = (place.0, place.1 + baseline * style.size);
                    let horizontal = match align {
                        Align::Left => HPos::Left,
                        Align::Centre => HPos::Center,
                        Align::Right => HPos::Right,
                    };
                    let font = font(style.size * EM * scale, style.bold)
                        .color(&rgba(style.colour))
                        .pos(Pos::new(horizontal, VPos::Center));
                    root.draw(&plotters::element::Text::new(content.as_str(), at(&place), font))?;
                }
            }
        }
        Ok(())
    }
}

/// Pixels, three bytes each, row by row.
pub(super) struct Raster {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rgb: Vec<u8>,
}

/// Refuses a picture before its memory is asked for.
pub(super) fn check_size(width: u32, height: u32) -> Result<()> {
    let (width, height) = (u64::from(width), u64::from(height));
    if width * height > PIXEL_LIMIT {
        return Err(Error::TooLarge { width, height, limit: PIXEL_LIMIT });
    }
    Ok(())
}

pub(super) fn encode(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(rgb, width, height, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

fn rgba(colour: Colour) -> RGBAColor {
    let [red, green, blue] = colour.rgb;
    RGBAColor(red, green, blue, colour.alpha)
}

fn backend(error: impl std::fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

/// The mean of each block of `times²` pixels.
fn average(fine: &[u8], width: usize, height: usize, times: u32) -> Vec<u8> {
    let block = times as usize;
    let stride = width * block * 3;
    let mut coarse = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let first = y * block * stride + x * block * 3 + channel;
                let sum: u32 = (0..block * block)
                    .map(|index| (index / block, index % block))
                    .map(|(down, right)| u32::from(fine[first + down * stride + right * 3]))
                    .sum();
                coarse.push((sum / (times * times)) as u8);
            }
        }
    }
    coarse
}

/// Cuts a line into its dashes; no pattern gives the line itself.
fn dashes(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    let Some((&first, _)) = points.split_first() else { return Vec::new() };
    if pattern.iter().sum::<f64>() <= 0.0 {
        return vec![points.to_vec()];
    }
    let (mut pieces, mut piece) = (Vec::new(), vec![first]);
    let (mut phase, mut left) = (0, pattern[0]);
    for ends in points.windows(2) {
        let (mut from, to) = (ends[0], ends[1]);
        loop {
            let (x, y) = (to.0 - from.0, to.1 - from.1);
            let length = x.hypot(y);
            if length <= left {
                left -= length;
                piece.push(to);
                break;
            }
            from = (from.0 + x * left / length, from.1 + y * left / length);
            piece.push(from);
            if phase % 2 == 0 {
                pieces.push(piece);
            }
            piece = vec![from];
            phase = (phase + 1) % pattern.len();
            left = pattern[phase];
        }
    }
    if phase % 2 == 0 && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

/// Steps of the SVG grid for each CSS pixel.
const FINE: f64 = 8.0;
/// Pixels of a PNG for each CSS pixel.
const DENSITY: f64 = 2.0;
/// Painted pixels for each pixel of a PNG, in each direction.
const OVERSAMPLING: u32 = 2;
/// How far below the middle of its box, in ems, the bitmap backend must put text to look centred.
const RASTER_BASELINE: f64 = 0.17;
/// Pixels of the largest picture that is painted: 192 MB.
const PIXEL_LIMIT: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{drawing::TextStyle, palette::INK};

    fn square() -> Drawing {
        let mut drawing = Drawing::new(20.0, 10.0, "a <black> square");
        let fill = Colour::new(0, 0, 0);
        drawing.shapes.push(Shape::Rectangle { from: (0.0, 0.0), to: (10.0, 10.0), fill });
        drawing
    }

    #[test]
    fn a_png_has_two_pixels_for_each_css_pixel_and_the_right_colours() {
        let picture = image::load_from_memory(&square().png().unwrap()).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (40, 20));
        assert_eq!(picture.get_pixel(3, 10).0, [0, 0, 0]);
        assert_eq!(picture.get_pixel(30, 10).0, PAPER.rgb);
    }

    #[test]
    fn an_svg_is_escaped_and_fits_its_view_box() {
        let mut drawing = square();
        drawing.text((1.0, 5.0), Align::Left, "<script>&", TextStyle::new(5.0, INK));
        let svg = drawing.svg().unwrap();
        assert!(svg.contains("width=\"20\" height=\"10\" viewBox=\"0 0 160 80\""));
        assert!(svg.contains("a &lt;black&gt; square") && svg.contains("&lt;script&gt;&amp;"));
        assert!(!svg.contains("<script>") && svg.trim_end().ends_with("</svg>"));
    }

    /// Blocks of 2 × 2: all 8, and 0, 4, 8, 12, in each channel.
    #[test]
    fn smoothing_takes_the_mean_of_each_block() {
        let rows = [[8_u8, 8, 0, 4], [8, 8, 8, 12]];
        let fine: Vec<u8> = rows.iter().flatten().flat_map(|&value| [value; 3]).collect();
        assert_eq!(average(&fine, 2, 1, 2), [8, 8, 8, 6, 6, 6]);
        assert_eq!(average(&fine, 4, 2, 1), fine);
    }

    #[test]
    fn a_picture_beyond_memory_is_refused() {
        let huge = Drawing::new(1e5, 1e5, "huge");
        assert!(matches!(huge.png(), Err(Error::TooLarge { .. })));
    }

    /// A line of 10 with dashes of 3 and gaps of 2 around a corner.
    #[test]
    fn dashes_follow_the_line() {
        let line = [(0.0, 0.0), (6.0, 0.0), (6.0, 4.0)];
        let pieces = dashes(&line, &[3.0, 2.0]);
        assert_eq!(pieces[0], [(0.0, 0.0), (3.0, 0.0)]);
        assert_eq!(pieces[1], [(5.0, 0.0), (6.0, 0.0), (6.0, 2.0)]);
        assert_eq!(pieces.len(), 2);
        assert_eq!(dashes(&line, &[]), [line.to_vec()]);
    }
}
