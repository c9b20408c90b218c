//! The binary format of CIFAR-10 and CIFAR-100, and of sets packed the same way.
//!
//! A. Krizhevsky. *Learning Multiple Layers of Features from Tiny Images.* 2009.
//! A record is one or two label bytes and 3 × 32 × 32 pixel bytes: red, green, blue plane.
use duress_core::Domain;

use crate::{Dataset, Error, Input, Result};

/// The bytes before the pixels of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// One label byte: CIFAR-10.
    Single,
    /// A coarse label byte below 20 and a fine one: CIFAR-100. The fine label counts.
    CoarseAndFine,
}

/// Reads files of records, one after the other, in file order: RGB images `[3, 32, 32]` in `[0,
/// 1]`.
///
/// # Errors
/// [`Error::Truncated`] if a file ends inside a record; [`Error::Label`] for a label that is no
/// class; [`Error::Empty`] for a file without records.
pub fn dataset<'a>(
    name: &str,
    inputs: impl IntoIterator<Item = Input<'a>>,
    format: Labels,
    classes: Vec<String>,
) -> Result<Dataset> {
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for mut input in inputs {
        read(&mut input, format, classes.len(), &mut values, &mut labels)?;
    }
    Dataset::new(name, Domain::image(3, 32, 32)?, values, labels, classes)
}

fn read(
    input: &mut Input<'_>,
    format: Labels,
    classes: usize,
    values: &mut Vec<f32>,
    labels: &mut Vec<usize>,
) -> Result<()> {
    let head = match format {
        Labels::Single => 1,
        Labels::CoarseAndFine => 2,
    };
    let mut record = vec![0; head + PIXELS];
    for index in 0.. {
        match input.fill(&mut record, "record")? {
            0 if index == 0 => return Err(Error::Empty { file: input.name().into() }),
            0 => break,
            got if got < record.len() => {
                return Err(Error::Truncated {
                    file: input.name().into(),
                    at: format!("record {index}"),
                    expected: record.len() as u64,
                    got: got as u64,
                });
            }
            _ => {}
        }
        let (bytes, pixels) = record.split_at(head);
        let label = bytes[head - 1];
        let wrong = |label: u8, classes| Error::Label {
            file: input.name().into(),
            record: index,
            label: label.to_string(),
            classes,
        };
        if format == Labels::CoarseAndFine && usize::from(bytes[0]) >= COARSE_CLASSES {
            return Err(wrong(bytes[0], COARSE_CLASSES));
        }
        if usize::from(label) >= classes {
            return Err(wrong(label, classes));
        }
        values.extend(pixels.iter().map(|&byte| f32::from(byte) / 255.0));
        labels.push(label.into());
    }
    Ok(())
}

/// Bytes of one image.
pub const PIXELS: usize = 3 * 32 * 32;

const COARSE_CLASSES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn record(labels: &[u8], byte: u8) -> Vec<u8> {
        labels.iter().copied().chain(std::iter::repeat_n(byte, PIXELS)).collect()
    }

    fn open(files: &[&[u8]], format: Labels, classes: usize) -> Result<Dataset> {
        let inputs: Vec<_> =
            files.iter().map(|bytes| Input::new("batch", *bytes).unwrap()).collect();
        dataset("set", inputs, format, (0..classes).map(|class| class.to_string()).collect())
    }

    #[test]
    fn files_follow_each_other_and_bytes_map_onto_the_unit_interval() {
        let mut first = record(&[3], 0);
        first[1 + 1024] = 255; // first pixel of the green plane
        let second = [record(&[9], 255), record(&[0], 51)].concat();
        let set = open(&[&first, &second], Labels::Single, 10).unwrap();
        assert_eq!(set.labels(), [3, 9, 0]);
        assert_eq!(set.row(0)[1023..1026], [0.0, 1.0, 0.0]);
        assert_eq!(set.row(2), [0.2; PIXELS]);
    }

    #[test]
    fn the_second_byte_is_the_fine_label() {
        let set = open(&[&record(&[19, 99], 0)], Labels::CoarseAndFine, 100).unwrap();
        assert_eq!(set.labels(), [99]);
        let coarse = open(&[&record(&[20, 0], 0)], Labels::CoarseAndFine, 100);
        assert!(matches!(coarse, Err(Error::Label { classes: 20, .. })));
    }

    #[test]
    fn a_cut_record_an_empty_file_and_a_wrong_label_are_named() {
        let file = [record(&[1], 0), record(&[42], 0)].concat();
        assert!(open(&[&file], Labels::Single, 43).is_ok());
        let error = open(&[&file], Labels::Single, 42).unwrap_err();
        assert_eq!(error.to_string(), "batch: record 1: label 42 is none of the 42 classes");
        let error = open(&[&file[..PIXELS + 2]], Labels::Single, 43).unwrap_err();
        assert!(matches!(error, Error::Truncated { got: 1, expected: 3073, .. }), "{error}");
        assert!(matches!(open(&[&[]], Labels::Single, 43), Err(Error::Empty { .. })));
    }
}
