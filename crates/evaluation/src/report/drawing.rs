//! A picture as a list of shapes, before any backend.
use std::sync::Once;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use super::palette::Colour;

/// A finished picture; paint it with [`Drawing::svg`] or [`Drawing::png`].
#[derive(Clone, Debug)]
pub struct Drawing {
    /// Size in CSS pixels.
    pub(super) size: (f64, f64),
    /// What the picture shows, for readers who do not see it.
    pub(super) description: String,
    pub(super) shapes: Vec<Shape>,
}

/// A point in CSS pixels from the upper left corner.
pub(super) type Point = (f64, f64);

/// One mark on the paper.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Path { points: Vec<Point>, stroke: Stroke },
    Area { points: Vec<Point>, fill: Colour },
    Rectangle { from: Point, to: Point, fill: Colour },
    Circle { centre: Point, radius: f64, fill: Option<Colour>, stroke: Stroke },
    Text(Text),
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stroke {
    pub(super) colour: Colour,
    pub(super) width: f64,
    /// Lengths of dashes and gaps in turn; empty for a solid line.
    pub(super) dash: &'static [f64],
}

impl Stroke {
    pub(super) const fn solid(colour: Colour, width: f64) -> Self {
        Self { colour, width, dash: &[] }
    }
}

/// Which point of a text its position names; the position is always its vertical middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// One line of text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    pub(super) at: Point,
    pub(super) align: Align,
    pub(super) content: String,
    pub(super) style: TextStyle,
}

/// Size (CSS pixels an em), colour and weight of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TextStyle {
    pub(super) size: f64,
    pub(super) colour: Colour,
    pub(super) bold: bool,
}

impl TextStyle {
    pub(super) const fn new(size: f64, colour: Colour) -> Self {
        Self { size, colour, bold: false }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }
}

impl Text {
    /// Left, top, right and bottom of the ink, generously.
    pub(super) fn bounds(&self) -> [f64; 4] {
        let (width, half) = (text_width(&self.content, self.style), 0.6 * self.style.size);
        let left = match self.align {
            Align::Left => self.at.0,
            Align::Centre => self.at.0 - 0.5 * width,
            Align::Right => self.at.0 - width,
        };
        [left, self.at.1 - half, left + width, self.at.1 + half]
    }
}

impl Drawing {
    pub(super) fn new(width: f64, height: f64, description: impl Into<String>) -> Self {
        Self { size: (width, height), description: description.into(), shapes: Vec::new() }
    }

    /// Width and height in CSS pixels.
    #[must_use]
    pub fn size(&self) -> (f64, f64) {
        self.size
    }

    /// What the picture shows, in words.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    pub(super) fn text(&mut self, at: Point, align: Align, text: &str, style: TextStyle) {
        let content = text.to_owned();
        self.shapes.push(Shape::Text(Text { at, align, content, style }));
    }

    pub(super) fn line(&mut self, from: Point, to: Point, stroke: Stroke) {
        self.shapes.push(Shape::Path { points: vec![from, to], stroke });
    }

    /// Lines of text from `top` down; returns the bottom of the last one.
    pub(super) fn paragraph(
        &mut self,
        (left, top): Point,
        width: f64,
        text: &str,
        style: TextStyle,
    ) -> f64 {
        let mut bottom = top;
        for line in wrap(text, width, style) {
            let middle = bottom + 0.65 * style.size;
            self.text((left, middle), Align::Left, &line, style);
            bottom += 1.3 * style.size;
        }
        bottom
    }
}

/// The family under which the embedded font is registered; a browser reads it as a list.
pub(super) const FONT: &str = "system-ui, Helvetica, Arial, sans-serif";

/// The embedded font at a size.
pub(super) fn font(size: f64, bold: bool) -> FontDesc<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let bytes = epaint_default_fonts::UBUNTU_LIGHT;
        assert!(
            register_font(FONT, FontStyle::Normal, bytes).is_ok(),
            "the embedded font is valid"
        );
    });
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    FontDesc::new(FontFamily::Name(FONT), size, style)
}

/// Width of a line in CSS pixels, with room for a browser's wider font.
pub(super) fn text_width(text: &str, style: TextStyle) -> f64 {
    // Measured large: the font reports whole pixels.
    const MEASURE: f64 = 200.0;
    let measured = font(MEASURE, style.bold).layout_box(text);
    let ((left, _), (right, _)) = measured.expect("the embedded font is registered");
    let weight = if style.bold { 1.08 } else { 1.0 };
    f64::from(right - left) / MEASURE * EM * style.size * BROWSER_SLACK * weight
}

/// Height of the font's line box over its em, as the font backend scales by the former.
pub(super) const EM: f64 = 1.24;
const BROWSER_SLACK: f64 = 1.06;

/// Breaks text into lines no wider than `width`; a longer word is broken where it must be.
pub(super) fn wrap(text: &str, width: f64, style: TextStyle) -> Vec<String> {
    let fits = |line: &str| text_width(line, style) <= width;
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if fits(&longer) {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for character in word.chars() {
            line.push(character);
            if !fits(&line) && line.chars().count() > 1 {
                line.pop();
                lines.push(std::mem::take(&mut line));
                line.push(character);
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The text, or its start and an ellipsis if it is wider than `width`.
pub(super) fn shorten(text: &str, width: f64, style: TextStyle) -> String {
    if text_width(text, style) <= width {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while kept.pop().is_some() {
        let shortened = format!("{}…", kept.trim_end());
        if text_width(&shortened, style) <= width {
            return shortened;
        }
    }
    "…".to_owned()
}

/// Whether two boxes `[left, top, right, bottom]` share ink.
pub(super) fn overlap(one: &[f64; 4], other: &[f64; 4]) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::palette::INK;

    const STYLE: TextStyle = TextStyle::new(13.0, INK);

    /// No text leaves the paper and no two texts touch.
    pub(in crate::report) fn assert_legible(drawing: &Drawing) {
        let mut seen: Vec<&Text> = Vec::new();
        for shape in &drawing.shapes {
            let Shape::Text(text) = shape else { continue };
            let [left, top, right, bottom] = text.bounds();
            assert!(left >= 0.0 && top >= 0.0, "{text:?} is cut off");
            assert!(right <= drawing.size.0 && bottom <= drawing.size.1, "{text:?} is cut off");
            for other in &seen {
                assert!(!overlap(&text.bounds(), &other.bounds()), "{text:?} touches {other:?}");
            }
            seen.push(text);
        }
    }

    #[test]
    fn wrapped_lines_fit_and_keep_every_letter() {
        let text = "a robust classifier incomprehensibilities_are_one_very_long_word done";
        let lines = wrap(text, 90.0, STYLE);
        assert!(lines.iter().all(|line| text_width(line, STYLE) <= 90.0));
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        assert!(wrap("", 90.0, STYLE).is_empty());
    }

    #[test]
    fn a_shortened_text_fits_and_ends_in_an_ellipsis() {
        let short = shorten("wide_resnet_28_10_trades", 80.0, STYLE);
        assert!(short.ends_with('…') && text_width(&short, STYLE) <= 80.0);
        assert_eq!(shorten("vit", 80.0, STYLE), "vit");
    }
}
