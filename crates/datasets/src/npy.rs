//! NPY, the file format of one `NumPy` array.
//!
//! `NumPy` Enhancement Proposal 1, *A Simple File Format for `NumPy` Arrays*; versions 1.0 to
//! 3.0. The header is a Python dictionary literal; only the form that `NumPy` itself writes for
//! plain numbers is read, so a hostile header cannot make a general expression parser recurse.
mod header;
mod write;

use std::fmt;

use crate::{Error, Input, Result};
use header::{number_type, parse};
pub use write::encode;

/// Type of the numbers in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    Float,
}

/// An array of numbers as it lies in the file.
#[derive(Clone, PartialEq)]
pub struct Array {
    file: String,
    kind: Kind,
    size: usize,
    big_endian: bool,
    fortran: bool,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Reads an array of type b1, u1, u2, u4, u8, i1, i2, i4, i8, f2, f4 or f8, in either byte and
/// memory order.
///
/// # Errors
/// [`Error::Format`] for another version, type or header; [`Error::Truncated`],
/// [`Error::Trailing`].
pub fn read(mut input: Input<'_>) -> Result<Array> {
    let input = &mut input;
    let mut magic = [0; 8];
    input.exact(&mut magic, "magic")?;
    let length = match magic {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, 0] => {
            let mut length = [0; 2];
            input.exact(&mut length, "header length")?;
            u32::from(u16::from_le_bytes(length))
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, 0] => {
            let mut length = [0; 4];
            input.exact(&mut length, "header length")?;
            u32::from_le_bytes(length)
        }
        _ => {
            let got = format!("{magic:02x?}");
            return Err(Error::format(input.name(), "magic", "NUMPY version 1, 2 or 3", got));
        }
    };
    if length > MAX_HEADER {
        let expected = format!("at most {MAX_HEADER} bytes");
        return Err(Error::format(input.name(), "header length", expected, length.to_string()));
    }
    let header = input.take_exactly(length.into(), "header")?;
    let header = parse(&header).ok_or_else(|| {
        let got = String::from_utf8_lossy(&header).trim_end().to_owned();
        let expected = "{'descr': '<type>', 'fortran_order': True or False, 'shape': (sizes)}";
        Error::format(input.name(), "header", expected, got)
    })?;
    let (kind, size, big_endian) = number_type(&header.descr).ok_or_else(|| {
        let expected = "type b1, u1, u2, u4, u8, i1, i2, i4, i8, f2, f4 or f8";
        let hint = if header.descr.ends_with('O') { OBJECTS } else { "" };
        Error::format(input.name(), "header", expected, format!("{}{hint}", header.descr))
    })?;
    let total = header.shape.iter().try_fold(size as u64, |total, &axis| total.checked_mul(axis));
    let shape: Option<Vec<usize>> =
        header.shape.iter().map(|&axis| usize::try_from(axis).ok()).collect();
    let (Some(total), Some(shape)) = (total, shape) else {
        let got = format!("{:?}", header.shape);
        return Err(Error::format(input.name(), "header", "fewer than 2^64 bytes", got));
    };
    let bytes = input.take_exactly(total, "values")?;
    input.finish("the values that the header announces")?;
    let (file, fortran) = (input.name().to_owned(), header.fortran);
    Ok(Array { file, kind, size, big_endian, fortran, shape, bytes })
}

impl Array {
    /// What errors call this array.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Size of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether the numbers are integers.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.kind != Kind::Float
    }

    /// Whether the numbers are unsigned bytes.
    #[must_use]
    pub fn is_byte(&self) -> bool {
        self.kind == Kind::Unsigned && self.size == 1
    }

    /// The same array without what lies behind the first `rows` of its first axis, where that is
    /// contiguous; another is returned whole.
    pub(crate) fn first(mut self, rows: usize) -> Self {
        if let Some(&count) = self.shape.first()
            && !self.fortran
            && rows < count
        {
            self.bytes.truncate(self.bytes.len() / count * rows);
            self.shape[0] = rows;
        }
        self
    }

    /// The numbers in row-major order, whatever the order of the file, rounded to `f32`.
    #[must_use]
    pub fn floats(&self) -> Vec<f32> {
        match (self.kind, self.size) {
            (Kind::Unsigned, 1) => self.collect(|[byte]: [u8; 1]| f32::from(byte)),
            (Kind::Float, 2) => self.collect(|bytes| half(u16::from_le_bytes(bytes))),
            (Kind::Float, 4) => self.collect(f32::from_le_bytes),
            (Kind::Float, _) => self.collect(|bytes| f64::from_le_bytes(bytes) as f32),
            _ => self.integers().into_iter().flatten().map(|number| number as f32).collect(),
        }
    }

    /// The numbers in row-major order if they are integers; those past the largest `i64` become it.
    #[must_use]
    pub fn integers(&self) -> Option<Vec<i64>> {
        Some(match (self.kind, self.size) {
            (Kind::Unsigned, 1) => self.collect(|[byte]: [u8; 1]| byte.into()),
            (Kind::Unsigned, 2) => self.collect(|bytes| u16::from_le_bytes(bytes).into()),
            (Kind::Unsigned, 4) => self.collect(|bytes| u32::from_le_bytes(bytes).into()),
            (Kind::Unsigned, _) => {
                self.collect(|bytes| i64::try_from(u64::from_le_bytes(bytes)).unwrap_or(i64::MAX))
            }
            (Kind::Signed, 1) => self.collect(|bytes| i8::from_le_bytes(bytes).into()),
            (Kind::Signed, 2) => self.collect(|bytes| i16::from_le_bytes(bytes).into()),
            (Kind::Signed, 4) => self.collect(|bytes| i32::from_le_bytes(bytes).into()),
            (Kind::Signed, _) => self.collect(i64::from_le_bytes),
            (Kind::Float, _) => return None,
        })
    }

    /// Decodes elements of `S = self.size` bytes in row-major order.
    fn collect<const S: usize, T>(&self, decode: impl Fn([u8; S]) -> T) -> Vec<T> {
        let element = |at: usize| {
            let mut bytes = [0; S];
            bytes.copy_from_slice(&self.bytes[at * S..][..S]);
            if self.big_endian {
                bytes.reverse();
            }
            decode(bytes)
        };
        let count = self.bytes.len() / S;
        if !self.fortran {
            return (0..count).map(element).collect();
        }
        // Odometer over the row-major index; the first axis is the fastest in the file.
        let mut strides = vec![1; self.shape.len()];
        for axis in 1..self.shape.len() {
            strides[axis] = strides[axis - 1] * self.shape[axis - 1];
        }
        let (mut index, mut at) = (vec![0; self.shape.len()], 0);
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(element(at));
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= strides[axis] * self.shape[axis];
                index[axis] = 0;
            }
        }
        values
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}{} {:?}", self.file, self.kind, self.size * 8, self.shape)
    }
}

/// The value of an IEEE 754 half: 1 sign, 5 exponent and 10 fraction bits. Every one is an `f32`.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

const OBJECTS: &str = " (Python objects: convert them with `.astype(\"float32\")` before saving)";

/// `NumPy` writes headers of a few hundred bytes and reads at most 10,000 characters.
const MAX_HEADER: u32 = 1 << 16;

#[cfg(test)]
mod tests;
