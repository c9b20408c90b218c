//! Colours that stay apart for every eye, in grey print and on a dark page.

/// A colour with an opacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Colour {
    pub(super) rgb: [u8; 3],
    pub(super) alpha: f64,
}

impl Colour {
    pub(super) const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { rgb: [red, green, blue], alpha: 1.0 }
    }

    pub(super) const fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// Relative luminance in `[0, 1]`, WCAG 2.2.
    pub(super) fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.rgb.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Black or white, whichever has the higher contrast on this colour.
    pub(super) fn readable_text(self) -> Self {
        // Contrast ratios (L + 0.05)/0.05 with black and 1.05/(L + 0.05) with white.
        let lifted = self.luminance() + 0.05;
        if lifted * lifted > 0.05 * 1.05 { BLACK } else { WHITE }
    }
}

/// Text and lines; a dark page replaces the four page colours, so nothing else may use them.
pub(super) const INK: Colour = Colour::new(0x1F, 0x23, 0x28);
/// Secondary text.
pub(super) const MUTED: Colour = Colour::new(0x59, 0x63, 0x6E);
/// Grid lines.
pub(super) const GRID: Colour = Colour::new(0xD8, 0xDE, 0xE4);
/// Background.
pub(super) const PAPER: Colour = Colour::new(0xFE, 0xFE, 0xFE);

pub(super) const BLACK: Colour = Colour::new(0, 0, 0);
pub(super) const WHITE: Colour = Colour::new(0xFF, 0xFF, 0xFF);
/// A cell without a value.
pub(super) const NO_VALUE: Colour = Colour::new(0xB0, 0xB6, 0xBD);

/// Okabe, Ito. *Color Universal Design.* 2008; without yellow and black, which vanish on white
/// and on dark paper. The order keeps neighbours apart in grey, too.
pub(super) const SERIES: [Colour; 6] = [
    Colour::new(0x00, 0x72, 0xB2),
    Colour::new(0xE6, 0x9F, 0x00),
    Colour::new(0x00, 0x9E, 0x73),
    Colour::new(0xCC, 0x79, 0xA7),
    Colour::new(0x56, 0xB4, 0xE9),
    Colour::new(0xD5, 0x5E, 0x00),
];

/// Sequential colours for a rate in `[0, 1]`: one hue, luminance falling all the way.
pub(super) fn sequential(rate: f64) -> Colour {
    const STOPS: [[f64; 3]; 4] =
        [[244.0, 248.0, 252.0], [158.0, 200.0, 229.0], [36.0, 113.0, 178.0], [6.0, 40.0, 92.0]];
    let position = rate.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let index = (position as usize).min(STOPS.len() - 2);
    let weight = position - index as f64;
    let mix = |channel: usize| {
        let (from, to) = (STOPS[index][channel], STOPS[index + 1][channel]);
        (from + (to - from) * weight).round() as u8
    };
    Colour::new(mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequential_map_darkens_and_its_text_meets_the_contrast_of_wcag_aa() {
        let steps = (0..=100).map(|step| sequential(f64::from(step) / 100.0));
        let mut last = f64::INFINITY;
        for colour in steps {
            let luminance = colour.luminance();
            assert!(luminance < last);
            last = luminance;
            let text = colour.readable_text().luminance();
            let (light, dark) = (luminance.max(text), luminance.min(text));
            assert!((light + 0.05) / (dark + 0.05) >= 4.5, "{colour:?}");
        }
    }

    #[test]
    fn no_series_uses_a_colour_that_a_dark_page_replaces() {
        for colour in SERIES.iter().chain(&[BLACK, WHITE, NO_VALUE]) {
            assert!(![INK, MUTED, GRID, PAPER].contains(colour));
        }
    }
}
