//! Folders of pictures: `class name/picture.png`.
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use duress_core::Domain;
use image::{DynamicImage, ImageReader, Limits, imageops::FilterType};

use crate::{DEFAULT_LIMIT, Dataset, Error, Result};

/// Colour planes of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// One plane. Colour pictures become their luma (Rec. 709 weights).
    Grey,
    /// Red, green and blue plane. Grey pictures repeat theirs.
    #[default]
    Rgb,
}

/// How pictures become rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Colour planes.
    pub colour: Colour,
    /// `(width, height)` that each picture is resized to (triangle filter, the aspect ratio is
    /// not kept). If `None`, all pictures must have the same size.
    pub resize: Option<(u32, u32)>,
    /// Bytes that decoding one picture may take: a guard against decompression bombs.
    pub picture_limit: u64,
    /// Bytes that all rows may take.
    pub limit: u64,
}

impl Default for Options {
    fn default() -> Self {
        let (colour, resize) = (Colour::default(), None);
        Self { colour, resize, picture_limit: 256 << 20, limit: DEFAULT_LIMIT }
    }
}

/// Reads a folder with one folder a class. Classes are the folders in byte order of their
/// names, and the pictures of a class follow each other in byte order. Names that begin with a
/// dot do not count. PNG, JPEG, BMP and PNM are told apart by content; 8- and 16-bit samples
/// land in `[0, 1]`.
///
/// # Errors
/// [`Error::Format`] for a file where a class folder should be, a folder inside a class, a file
/// that is no picture, a transparent picture, and pictures of different size without `resize`;
/// [`Error::TooLarge`] past a limit; [`Error::Empty`] without pictures; [`Error::Io`].
pub fn dataset(name: &str, folder: &Path, options: &Options) -> Result<Dataset> {
    let (mut values, mut labels, mut classes) = (Vec::new(), Vec::new(), Vec::new());
    let mut size = options.resize;
    for class in sorted(folder)? {
        if !class.is_dir() {
            return Err(wrong(&class, "one folder a class", "a file"));
        }
        let name = class.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| wrong(&class, "a class name in UTF-8", "other bytes"))?;
        for picture in sorted(&class)? {
            if picture.is_dir() {
                return Err(wrong(&picture, "a picture", "a folder"));
            }
            let decoded = decode(&picture, options)?;
            let found = (decoded.width(), decoded.height());
            let (width, height) = *size.get_or_insert(found);
            if found != (width, height) {
                let expected = format!("{width} x {height} pixels as before (or `resize`)");
                return Err(wrong(&picture, &expected, &format!("{} x {}", found.0, found.1)));
            }
            push_planes(&mut values, &decoded, options.colour);
            if (values.len() as u64).saturating_mul(4) > options.limit {
                let file = folder.display().to_string();
                return Err(Error::TooLarge { file, limit: options.limit });
            }
            labels.push(classes.len());
        }
        classes.push(name.to_owned());
    }
    let (Some((width, height)), false) = (size, labels.is_empty()) else {
        return Err(Error::Empty { file: folder.display().to_string() });
    };
    let channels = match options.colour {
        Colour::Grey => 1,
        Colour::Rgb => 3,
    };
    let domain = Domain::image(channels, height as usize, width as usize)?;
    Dataset::new(name, domain, values, labels, classes)
}

pub(crate) fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |source| Error::Io { file: folder.display().to_string(), source };
    let mut paths = Vec::new();
    for entry in folder.read_dir().map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

pub(crate) fn decode(path: &Path, options: &Options) -> Result<DynamicImage> {
    let io = |source| Error::Io { file: path.display().to_string(), source };
    let file = BufReader::new(File::open(path).map_err(io)?);
    let mut reader = ImageReader::new(file).with_guessed_format().map_err(io)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(options.picture_limit);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| match error {
        image::ImageError::Limits(_) => {
            Error::TooLarge { file: path.display().to_string(), limit: options.picture_limit }
        }
        error => wrong(path, "a whole PNG, JPEG, BMP or PNM picture", &error.to_string()),
    })?;
    let opaque = || picture.to_rgba16().pixels().all(|pixel| pixel.0[3] == u16::MAX);
    if picture.color().has_alpha() && !opaque() {
        return Err(wrong(path, "an opaque picture", "transparent pixels"));
    }
    Ok(match options.resize {
        Some((width, height)) if (picture.width(), picture.height()) != (width, height) => {
            picture.resize_exact(width, height, FilterType::Triangle)
        }
        _ => picture,
    })
}

/// Appends `[C, H, W]` on the unit interval.
fn push_planes(values: &mut Vec<f32>, picture: &DynamicImage, colour: Colour) {
    let samples = picture.color();
    let wide = samples.bytes_per_pixel() > samples.channel_count();
    let bytes = |bytes: Vec<u8>| bytes.into_iter().map(|byte| f32::from(byte) / 255.0).collect();
    let words = |words: Vec<u16>| words.into_iter().map(|word| f32::from(word) / 65535.0).collect();
    let (channels, pixels): (_, Vec<f32>) = match (colour, wide) {
        (Colour::Grey, false) => (1, bytes(picture.to_luma8().into_raw())),
        (Colour::Grey, true) => (1, words(picture.to_luma16().into_raw())),
        (Colour::Rgb, false) => (3, bytes(picture.to_rgb8().into_raw())),
        (Colour::Rgb, true) => (3, words(picture.to_rgb16().into_raw())),
    };
    for channel in 0..channels {
        values.extend(pixels.iter().skip(channel).step_by(channels));
    }
}

fn wrong(path: &Path, expected: &str, got: &str) -> Error {
    Error::format(path.display().to_string(), "content", expected, got)
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba};

    use super::*;

    fn folder(classes: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for class in classes {
            std::fs::create_dir(folder.path().join(class)).unwrap();
        }
        folder
    }

    fn open(folder: &tempfile::TempDir, options: &Options) -> Result<Dataset> {
        dataset("pictures", folder.path(), options)
    }

    #[test]
    fn classes_and_pictures_are_in_order_of_their_names() {
        let root = folder(&["b", "a", ".hidden"]);
        let save = |name: &str, value: u8| {
            let pixel = |x, _| Rgb([value, if x == 0 { 0 } else { 255 }, 51]);
            RgbImage::from_fn(2, 1, pixel).save(root.path().join(name)).unwrap();
        };
        save("b/10.png", 30);
        save("b/9.bmp", 45);
        save("a/z.ppm", 60);
        std::fs::write(root.path().join("a/.DS_Store"), b"no picture").unwrap();
        let set = open(&root, &Options::default()).unwrap();
        assert_eq!(
            (set.class_names(), set.labels()),
            (&["a".into(), "b".into()][..], &[0, 1, 1][..])
        );
        assert_eq!(set.domain().image_shape().unwrap(), [3, 1, 2]);
        let first: Vec<_> = (0..3).map(|row| (set.row(row)[0] * 255.0).round()).collect();
        assert_eq!(first, [60.0, 30.0, 45.0]);
        assert_eq!(set.row(0)[2..], [0.0, 1.0, 0.2, 0.2]);
    }

    #[test]
    fn sixteen_bits_keep_their_precision_and_grey_has_one_plane() {
        let root = folder(&["a"]);
        let picture = ImageBuffer::from_pixel(1, 1, Luma([257_u16 * 51 + 3]));
        picture.save(root.path().join("a/p.png")).unwrap();
        let set = open(&root, &Options { colour: Colour::Grey, ..Options::default() }).unwrap();
        assert_eq!(set.values(), [f32::from(257_u16 * 51 + 3) / 65535.0]);
        assert_eq!(open(&root, &Options::default()).unwrap().features(), 3);
    }

    #[test]
    fn sizes_must_agree_unless_resized() {
        let root = folder(&["a"]);
        for (name, side) in [("1", 2), ("2", 4)] {
            let picture = GrayImage::from_pixel(side, 2, Luma([51]));
            picture.save(root.path().join(format!("a/{name}.png"))).unwrap();
        }
        let error = open(&root, &Options::default()).unwrap_err().to_string();
        assert!(
            error.ends_with("expected 2 x 2 pixels as before (or `resize`), got 4 x 2"),
            "{error}"
        );
        let set = open(&root, &Options { resize: Some((3, 5)), ..Options::default() }).unwrap();
        assert_eq!(set.domain().image_shape().unwrap(), [3, 5, 3]);
        assert!(set.values().iter().all(|value| (value - 0.2).abs() < 1e-6));
    }

    #[test]
    fn transparency_is_refused_and_an_opaque_alpha_channel_is_not() {
        let root = folder(&["a"]);
        let path = root.path().join("a/p.png");
        ImageBuffer::from_pixel(1, 1, Rgba([255_u8, 0, 0, 255])).save(&path).unwrap();
        assert_eq!(open(&root, &Options::default()).unwrap().values(), [1.0, 0.0, 0.0]);
        ImageBuffer::from_pixel(1, 1, Rgba([255_u8, 0, 0, 254])).save(&path).unwrap();
        assert!(open(&root, &Options::default()).unwrap_err().to_string().contains("opaque"));
    }

    #[test]
    fn a_bomb_a_cut_picture_and_stray_files_are_named() {
        let root = folder(&["a"]);
        let path = root.path().join("a/p.png");
        GrayImage::new(2000, 2000).save(&path).unwrap();
        let small = Options { picture_limit: 1 << 20, ..Options::default() };
        assert!(matches!(open(&root, &small), Err(Error::TooLarge { limit: 1_048_576, .. })));
        let few = Options { limit: 1 << 20, ..Options::default() };
        assert!(matches!(open(&root, &few), Err(Error::TooLarge { .. })));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(open(&root, &Options::default()), Err(Error::Format { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(open(&root, &Options::default()), Err(Error::Empty { .. })));
        std::fs::write(root.path().join("readme.txt"), b"").unwrap();
        assert!(matches!(open(&root, &Options::default()), Err(Error::Format { .. })));
        let absent = dataset("x", &root.path().join("absent"), &Options::default());
        assert!(matches!(absent, Err(Error::Io { .. })));
    }
}
