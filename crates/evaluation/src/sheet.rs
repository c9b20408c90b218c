//! Pictures side by side on one sheet.
use std::path::Path;

use duress_core::{Domain, Layout};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::run::write_whole;
use crate::{Error, Result};

/// Pixels between pictures and around them.
const GAP: usize = 2;

/// Pictures a line.
const ACROSS: usize = 10;

/// A picture is enlarged to at least so many pixels a side, each pixel a square: nothing is
/// smoothed.
const SIDE: usize = 56;

/// Writes pictures of `domain` (`rows`, row-major) as a PNG, ten a line, from black at the lower
/// bound of a value to white at the upper one. The file appears whole or not at all.
///
/// # Errors
/// As [`check_sheet`]; [`Error::Experiment`] without a picture; [`Error::Io`].
pub fn write_sheet(path: impl AsRef<Path>, rows: &[f32], domain: &Domain) -> Result<()> {
    let path = path.as_ref();
    let [channels, height, width] = check_sheet(path, domain)?;
    let count = rows.len() / domain.features();
    let fault = |reason: String| Error::Experiment { path: path.into(), reason };
    if count == 0 || rows.len() != count * domain.features() {
        return Err(fault("a sheet needs at least one picture, each of the domain's size".into()));
    }
    let zoom = SIDE.div_ceil(height.max(width)).max(1);
    let (tall, wide) = (height * zoom + GAP, width * zoom + GAP);
    let size = [ACROSS.min(count) * wide + GAP, count.div_ceil(ACROSS) * tall + GAP];
    let mut sheet = vec![255_u8; size[0] * size[1] * 3];
    for (number, picture) in rows.chunks_exact(domain.features()).enumerate() {
        let (top, left) = (GAP + number / ACROSS * tall, GAP + number % ACROSS * wide);
        for place in 0..height * zoom * width * zoom {
            let (y, x) = (place / (width * zoom), place % (width * zoom));
            let pixel = ((top + y) * size[0] + left + x) * 3;
            for colour in 0..3 {
                let feature = ((colour % channels) * height + y / zoom) * width + x / zoom;
                let (low, high) = (domain.lower().at(feature), domain.upper().at(feature));
                let share = (picture[feature] - low) / (high - low).max(f32::MIN_POSITIVE);
                sheet[pixel + colour] = (share.clamp(0.0, 1.0) * 255.0).round() as u8;
            }
        }
    }
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    let written = encoder.write_image(
        &sheet,
        u32::try_from(size[0]).unwrap_or(u32::MAX),
        u32::try_from(size[1]).unwrap_or(u32::MAX),
        ExtendedColorType::Rgb8,
    );
    written.map_err(|error| fault(error.to_string()))?;
    write_whole(path, &bytes)
}

/// `[channels, height, width]` of what can be shown on a sheet.
///
/// # Errors
/// [`Error::Experiment`] for rows that are no grey or RGB pictures.
pub fn check_sheet(path: &Path, domain: &Domain) -> Result<[usize; 3]> {
    match domain.layout() {
        Layout::Image { channels: channels @ (1 | 3), height, width } => {
            Ok([channels, height, width])
        }
        other => Err(Error::Experiment {
            path: path.into(),
            reason: format!("a sheet shows grey or RGB pictures, and the samples are {other:?}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_shows_each_pixel_as_a_square_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a sheet.png");
        let domain = Domain::image(1, 2, 2).unwrap();
        let rows: Vec<f32> = [[0.0, 1.0, 0.5, 0.2], [1.0, 0.0, 0.0, 0.0]].concat();
        write_sheet(&path, &rows, &domain).unwrap();
        let sheet = image::open(&path).unwrap().to_rgb8();
        // Zoom 28: two pictures of 56 and three gaps of 2 across, one and two gaps down.
        assert_eq!(sheet.dimensions(), (118, 60));
        let at = |x, y| sheet.get_pixel(x, y).0[0];
        assert_eq!([at(2, 2), at(29, 29), at(30, 2), at(2, 30), at(57, 57)], [0, 0, 255, 128, 51]);
        assert_eq!([at(60, 2), at(88, 2), at(0, 0), at(58, 3)], [255, 0, 255, 255]);
    }

    #[test]
    fn colours_are_planes_and_what_is_no_picture_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        let colour = Domain::image(3, 1, 1).unwrap();
        write_sheet(&path, &[1.0, 0.0, 0.4], &colour).unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8().get_pixel(9, 9).0, [255, 0, 102]);
        for domain in [Domain::waveform(1, 4).unwrap(), Domain::image(2, 1, 1).unwrap()] {
            let error = write_sheet(&path, &vec![0.0; domain.features()], &domain).unwrap_err();
            assert!(error.to_string().contains("grey or RGB pictures"), "{error}");
        }
        assert!(write_sheet(&path, &[], &colour).is_err());
    }
}
