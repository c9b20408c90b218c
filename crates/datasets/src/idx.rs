//! IDX, the format of MNIST and its kin.
//!
//! `Y. LeCun`, C. Cortes, C. Burges. *The MNIST database of handwritten digits.* Section "File
//! formats". Big-endian: two zero bytes, a type byte, the number of dimensions, each size as
//! `u32`, the values.
use duress_core::Domain;

use crate::{Dataset, Error, Input, Result};

/// An IDX file of unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// Size of each dimension, slowest first.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub bytes: Vec<u8>,
}

/// How the pixels of one image follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orientation {
    /// Row by row: MNIST, Fashion-MNIST, KMNIST.
    #[default]
    Rows,
    /// Column by column: the EMNIST files.
    Columns,
}

/// Reads an IDX file of unsigned bytes with 1 to 255 dimensions.
///
/// # Errors
/// [`Error::Format`] for another magic number, another value type (only `u8` is supported) or a
/// size past `u64`; [`Error::Truncated`], [`Error::Trailing`], [`Error::Empty`].
pub fn array(input: &mut Input<'_>) -> Result<Array> {
    let mut magic = [0; 4];
    input.exact(&mut magic, "magic number")?;
    let [0, 0, kind, dimensions] = magic else {
        return Err(magic_error(input, "two zero bytes first", magic));
    };
    if kind != UNSIGNED_BYTE {
        let got = KINDS.iter().find(|(code, _)| *code == kind);
        let got = got.map_or_else(|| format!("type {kind:#04x}"), |(_, name)| (*name).into());
        return Err(Error::format(input.name(), "magic number", "values of type u8", got));
    }
    if dimensions == 0 {
        return Err(magic_error(input, "at least one dimension", magic));
    }
    let mut shape = Vec::with_capacity(dimensions.into());
    let mut count = 1_u64;
    for axis in 0..dimensions {
        let mut size = [0; 4];
        input.exact(&mut size, "header")?;
        let size = u32::from_be_bytes(size);
        count = count.checked_mul(size.into()).ok_or_else(|| {
            let at = format!("dimension {axis}");
            Error::format(input.name(), at, "fewer than 2^64 values", format!("{shape:?} x {size}"))
        })?;
        shape.push(size as usize);
    }
    if count == 0 {
        return Err(Error::Empty { file: input.name().into() });
    }
    let bytes = input.take_exactly(count, "values")?;
    input.finish("the values that the header announces")?;
    Ok(Array { shape, bytes })
}

/// Reads images (magic number 2051) and their labels (2049): grey images in `[0, 1]`, byte / 255.
///
/// # Errors
/// As [`array()`]; [`Error::Format`] if the files are not images and labels or differ in number;
/// [`Error::Label`] for a label past the last class.
pub fn dataset(
    name: &str,
    mut images: Input<'_>,
    mut labels: Input<'_>,
    orientation: Orientation,
    classes: Vec<String>,
) -> Result<Dataset> {
    let label_array = array(&mut labels)?;
    let [count] = label_array.shape[..] else {
        return Err(dimensions_error(
            &labels,
            "1 dimension (labels, magic number 2049)",
            &label_array,
        ));
    };
    for (record, &label) in label_array.bytes.iter().enumerate() {
        if usize::from(label) >= classes.len() {
            return Err(Error::Label {
                file: labels.name().into(),
                record,
                label: label.to_string(),
                classes: classes.len(),
            });
        }
    }
    let image_array = array(&mut images)?;
    let [found, height, width] = image_array.shape[..] else {
        return Err(dimensions_error(
            &images,
            "3 dimensions (images, magic number 2051)",
            &image_array,
        ));
    };
    if found != count {
        let expected = format!("{count} images, one a label of {}", labels.name());
        return Err(Error::format(images.name(), "header", expected, format!("{found} images")));
    }
    let values = match orientation {
        Orientation::Rows => unit(&image_array.bytes),
        Orientation::Columns => {
            let mut values = Vec::with_capacity(image_array.bytes.len());
            for image in image_array.bytes.chunks_exact(height * width) {
                // Here the file holds `width` columns of `height` pixels.
                let pixels = (0..height).flat_map(|y| (0..width).map(move |x| x * height + y));
                values.extend(pixels.map(|at| f32::from(image[at]) / 255.0));
            }
            values
        }
    };
    let labels = label_array.bytes.into_iter().map(usize::from).collect();
    Dataset::new(name, Domain::image(1, height, width)?, values, labels, classes)
}

/// Bytes on the unit interval.
pub(crate) fn unit(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

fn magic_error(input: &Input<'_>, expected: &str, magic: [u8; 4]) -> Error {
    Error::format(input.name(), "magic number", expected, format!("{magic:02x?}"))
}

fn dimensions_error(input: &Input<'_>, expected: &str, array: &Array) -> Error {
    Error::format(input.name(), "header", expected, format!("{:?}", array.shape))
}

const UNSIGNED_BYTE: u8 = 0x08;
const KINDS: [(u8, &str); 5] =
    [(0x09, "i8"), (0x0b, "i16"), (0x0c, "i32"), (0x0d, "f32"), (0x0e, "f64")];

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kind: u8, shape: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0, 0, kind, shape.len() as u8];
        file.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
        file.extend(bytes);
        file
    }

    fn classes(count: usize) -> Vec<String> {
        (0..count).map(|class| class.to_string()).collect()
    }

    fn read(images: &[u8], labels: &[u8], orientation: Orientation) -> Result<Dataset> {
        let (images, labels) = (Input::new("images", images)?, Input::new("labels", labels)?);
        dataset("set", images, labels, orientation, classes(3))
    }

    #[test]
    fn bytes_map_onto_the_unit_interval_in_file_order() {
        let images = file(8, &[2, 1, 3], &[0, 51, 255, 102, 0, 204]);
        let set = read(&images, &file(8, &[2], &[2, 0]), Orientation::Rows).unwrap();
        assert_eq!(set.domain().image_shape().unwrap(), [1, 1, 3]);
        assert_eq!(set.row(0), [0.0, 0.2, 1.0]);
        assert_eq!(set.row(1), [0.4, 0.0, 0.8]);
        assert_eq!(set.labels(), [2, 0]);
    }

    /// Columns (0, 51), (102, 153), (204, 255) of a 2 × 3 image are rows 0 102 204 and 51 153
    /// 255.
    #[test]
    fn column_major_images_are_turned() {
        let images = file(8, &[1, 2, 3], &[0, 51, 102, 153, 204, 255]);
        let set = read(&images, &file(8, &[1], &[0]), Orientation::Columns).unwrap();
        assert_eq!(set.row(0), [0.0, 0.4, 0.8, 0.2, 0.6, 1.0]);
    }

    #[test]
    fn a_type_other_than_unsigned_byte_is_named() {
        let bytes = file(0x0d, &[1], &[0; 4]);
        let error = array(&mut Input::new("f", bytes.as_slice()).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "f: magic number: expected values of type u8, got f32");
    }

    #[test]
    fn damage_is_told_apart() {
        let (images, labels) = (file(8, &[2, 1, 1], &[1, 2]), file(8, &[2], &[0, 1]));
        let read = |images: &[u8], labels: &[u8]| read(images, labels, Orientation::Rows);
        assert!(read(&images, &labels).is_ok());
        assert!(matches!(read(&images[..17], &labels), Err(Error::Truncated { got: 1, .. })));
        assert!(matches!(read(&images[..9], &labels), Err(Error::Truncated { .. })));
        let longer = [&images[..], &[0]].concat();
        assert!(matches!(read(&longer, &labels), Err(Error::Trailing { .. })));
        assert!(matches!(read(&labels, &labels), Err(Error::Format { .. })));
        assert!(matches!(read(&images, &images), Err(Error::Format { .. })));
        let fewer = file(8, &[1], &[0]);
        assert!(matches!(read(&images, &fewer), Err(Error::Format { .. })));
        let wrong = file(8, &[2], &[0, 3]);
        assert!(matches!(read(&images, &wrong), Err(Error::Label { record: 1, .. })));
        let none = file(8, &[0, 28, 28], &[]);
        assert!(matches!(read(&none, &labels), Err(Error::Empty { .. })));
        let huge = file(8, &[u32::MAX; 3], &[0; 5]);
        assert!(matches!(read(&huge, &labels), Err(Error::Format { .. })), "2^96 values");
        let large = file(8, &[1 << 30, 1 << 10, 1], &[0; 5]);
        assert!(matches!(read(&large, &labels), Err(Error::Truncated { got: 5, .. })));
    }
}
