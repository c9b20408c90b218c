//! Tensors of a file as arrays.
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::proto::{TensorProto, element};
use crate::{Array, Error, Result, product};

/// A constant of a file and the type it had there.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) array: Array,
    pub(super) element: i32,
}

/// The values of a tensor. Data in other files are looked for in `folder`, and nowhere else.
///
/// # Errors
/// [`Error::Format`] for a type that is no number and for data that do not fill the shape.
pub(super) fn read(tensor: &TensorProto, folder: Option<&Path>) -> Result<Typed> {
    let name = tensor.name.as_deref().unwrap_or("");
    let at = format!("tensor `{name}`");
    let sides = tensor.dims.iter().map(|&side| usize::try_from(side).ok());
    let shape: Option<Vec<usize>> = sides.collect();
    let count = shape.as_deref().and_then(product);
    let (Some(shape), Some(count)) = (shape, count) else {
        return Err(Error::format(at, "a shape", format!("{:?}", tensor.dims)));
    };
    let element = tensor.data_type.unwrap_or(0);
    let width =
        width(element).ok_or_else(|| Error::format(&at, "numbers", element::name(element)))?;
    let external;
    let raw = if tensor.data_location == Some(1) {
        let bytes = count.saturating_mul(width);
        external = outside(tensor, folder, bytes, &at)?;
        Some(external.as_slice())
    } else {
        tensor.raw_data.as_deref()
    };
    let values: Vec<f64> = match raw {
        Some(raw) if raw.len() / width == count && raw.len() % width == 0 => {
            raw.chunks_exact(width).map(|bytes| decode(element, bytes)).collect()
        }
        Some(raw) => {
            let expected = format!("{count} values of {width} bytes for the shape {shape:?}");
            return Err(Error::format(at, expected, format!("{} bytes", raw.len())));
        }
        None => listed(tensor, element),
    };
    if values.len() != count {
        let expected = format!("{count} values for the shape {shape:?}");
        return Err(Error::format(at, expected, format!("{} values", values.len())));
    }
    Ok(Typed { array: Array::new(shape, values)?, element })
}

/// Bytes of a value in `raw_data`.
fn width(kind: i32) -> Option<usize> {
    use element::{
        BFLOAT16, BOOL, DOUBLE, FLOAT, FLOAT16, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32,
        UINT64,
    };
    match kind {
        UINT8 | INT8 | BOOL => Some(1),
        UINT16 | INT16 | FLOAT16 | BFLOAT16 => Some(2),
        FLOAT | INT32 | UINT32 => Some(4),
        DOUBLE | INT64 | UINT64 => Some(8),
        _ => None,
    }
}

/// One little-endian value. Integers beyond 2^53 are rounded: they only stand for "to the end".
fn decode(kind: i32, bytes: &[u8]) -> f64 {
    let mut word = [0_u8; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(word);
    match kind {
        element::FLOAT => f64::from(f32::from_bits(bits as u32)),
        element::DOUBLE => f64::from_bits(bits),
        element::FLOAT16 => half(bits as u16),
        element::BFLOAT16 => f64::from(f32::from_bits((bits as u32) << 16)),
        element::INT8 => f64::from(bits as u8 as i8),
        element::INT16 => f64::from(bits as u16 as i16),
        element::INT32 => f64::from(bits as u32 as i32),
        element::INT64 => bits as i64 as f64,
        _ => bits as f64,
    }
}

/// A 16-bit float of IEEE 754.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * (-24_f64).exp2(),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * f64::from(exponent - 25).exp2(),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The values in the field of their type.
fn listed(tensor: &TensorProto, kind: i32) -> Vec<f64> {
    match kind {
        element::FLOAT => tensor.float_data.iter().map(|&value| f64::from(value)).collect(),
        element::DOUBLE => tensor.double_data.clone(),
        element::INT64 => tensor.int64_data.iter().map(|&value| value as f64).collect(),
        element::UINT32 | element::UINT64 => {
            tensor.uint64_data.iter().map(|&value| value as f64).collect()
        }
        element::FLOAT16 | element::BFLOAT16 => {
            let bytes = |value: &i32| decode(kind, &(*value as u16).to_le_bytes());
            tensor.int32_data.iter().map(bytes).collect()
        }
        _ => tensor.int32_data.iter().map(|&value| f64::from(value)).collect(),
    }
}

/// The bytes of a tensor that are kept in a file beside the model.
fn outside(tensor: &TensorProto, folder: Option<&Path>, bytes: usize, at: &str) -> Result<Vec<u8>> {
    let entry = |key: &str| {
        let found = tensor.external_data.iter().find(|entry| entry.key.as_deref() == Some(key));
        found.and_then(|entry| entry.value.as_deref())
    };
    let location = entry("location").unwrap_or("");
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if location.is_empty() || !Path::new(location).components().all(plain) {
        let expected = "external data in a file beside the model";
        return Err(Error::format(at, expected, format!("`{location}`")));
    }
    let Some(folder) = folder else {
        let got = format!("external data in `{location}`");
        return Err(Error::format(at, "a model read from a file", got));
    };
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| {
            Error::format(at, format!("a number as `{key}` of the external data"), text.to_owned())
        }),
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    if length.is_some_and(|length| length != bytes as u64) {
        let expected = format!("{bytes} bytes of external data for the shape {:?}", tensor.dims);
        return Err(Error::format(at, expected, format!("{} bytes", length.unwrap_or(0))));
    }
    let path = folder.join(location);
    // A link may lead out of the folder just as `..` does.
    let real = path.canonicalize().map_err(Error::io(&path))?;
    let home = folder.canonicalize().map_err(Error::io(folder))?;
    if !real.starts_with(&home) {
        let expected = "external data in the folder of the model";
        return Err(Error::format(at, expected, format!("a link to elsewhere, `{location}`")));
    }
    let mut file = File::open(&path).map_err(Error::io(&path))?;
    file.seek(SeekFrom::Start(offset)).map_err(Error::io(&path))?;
    let mut data = Vec::new();
    file.take(bytes as u64).read_to_end(&mut data).map_err(Error::io(&path))?;
    if data.len() != bytes {
        let expected = format!("{bytes} bytes in `{location}` from byte {offset}");
        return Err(Error::format(at, expected, format!("{} bytes", data.len())));
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_type_are_read_from_bytes_and_from_lists() {
        let raw = |kind, bytes: Vec<u8>| TensorProto {
            dims: vec![2],
            data_type: Some(kind),
            raw_data: Some(bytes),
            ..TensorProto::default()
        };
        let values = |tensor: &TensorProto| read(tensor, None).unwrap().array.values().to_vec();
        assert_eq!(values(&raw(element::INT8, vec![0xff, 1])), [-1.0, 1.0]);
        assert_eq!(values(&raw(element::FLOAT16, vec![0, 0x3c, 1, 0])), [1.0, (-24_f64).exp2()]);
        assert_eq!(values(&raw(element::BFLOAT16, vec![0x80, 0x3f, 0, 0xc0])), [1.0, -2.0]);
        let largest = i64::MAX.to_le_bytes().repeat(2);
        assert_eq!(values(&raw(element::INT64, largest))[0], 9_223_372_036_854_775_807.0);
        let listed = TensorProto {
            dims: vec![2],
            data_type: Some(element::FLOAT),
            float_data: vec![0.5, -0.5],
            ..TensorProto::default()
        };
        assert_eq!(values(&listed), [0.5, -0.5]);
    }

    #[test]
    fn a_shape_that_the_data_do_not_fill_is_an_error_and_takes_no_memory() {
        let huge = TensorProto {
            dims: vec![1 << 40, 1 << 20],
            data_type: Some(element::FLOAT),
            raw_data: Some(vec![0; 4]),
            ..TensorProto::default()
        };
        assert!(read(&huge, None).is_err());
        let negative = TensorProto { dims: vec![-1], ..huge.clone() };
        assert!(read(&negative, None).unwrap_err().to_string().contains("a shape"));
        let text = TensorProto { data_type: Some(8), ..huge };
        assert!(read(&text, None).unwrap_err().to_string().contains("got string"));
    }

    #[test]
    fn external_data_stay_in_the_folder_of_the_model() {
        let entry = |key: &str, value: &str| super::super::proto::Entry {
            key: Some(key.into()),
            value: Some(value.into()),
        };
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a model");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("weights.bin"), [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]).unwrap();
        std::fs::write(folder.path().join("secret"), [0; 8]).unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), inner.join("link")).unwrap();
        let at = |location: &str| TensorProto {
            dims: vec![1],
            data_type: Some(element::FLOAT),
            external_data: vec![entry("location", location), entry("offset", "4")],
            data_location: Some(1),
            ..TensorProto::default()
        };
        let got = read(&at("weights.bin"), Some(&inner)).unwrap();
        assert_eq!(got.array.values(), [2.0]);
        for location in ["../secret", "/etc/passwd", "", "link", "missing"] {
            assert!(read(&at(location), Some(&inner)).is_err(), "{location}");
        }
        assert!(read(&at("weights.bin"), None).is_err());
    }
}
