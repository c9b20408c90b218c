//! Arrays of numbers on the wire: the NPY format, read with distrust.
//!
//! `NumPy` Enhancement Proposal 1, *A Simple File Format for `NumPy` Arrays*; versions 1.0 to 3.0
//! are read, 1.0 is written.
use std::io::{self, Read};

use npyz::{NpyFile, NpyHeader, Order, TypeChar, WriterBuilder};

use crate::error::{RemoteError, Result, excerpt};

/// What goes out: `N` samples in the network's own shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batch<'a> {
    /// `[N, ...]`.
    pub shape: &'a [usize],
    /// The values in row-major order.
    pub values: &'a [f32],
}

/// What comes back: numbers of any type, as f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// The values in row-major order.
    pub values: Vec<f64>,
}

/// The batch as an NPY file of version 1.0, type `<f4`, row-major.
pub(crate) fn encode(batch: &Batch<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4 * batch.values.len() + 128);
    let shape: Vec<u64> = batch.shape.iter().map(|&side| side as u64).collect();
    let kind = npyz::DType::Plain("<f4".parse().map_err(io::Error::other)?);
    let mut writer =
        npyz::WriteOptions::new().dtype(kind).shape(&shape).writer(&mut bytes).begin_nd()?;
    writer.extend(batch.values)?;
    writer.finish()?;
    Ok(bytes)
}

/// Why no array could be read from a stream.
#[derive(Debug)]
pub(crate) enum ReadFault {
    /// The stream ended before the first byte.
    Empty,
    /// The stream ended early: bytes that came, and those announced.
    Truncated(u64, u64),
    /// It is not an array, or a longer one than allowed.
    Wrong(RemoteError),
    /// The stream failed.
    Io(io::Error),
}

/// Reads one array and not a byte more: at most `limit` bytes, kept as they come.
///
/// `endpoint` names the source in errors.
pub(crate) fn read(input: &mut dyn Read, limit: u64, endpoint: &str) -> Result<Array, ReadFault> {
    let mut head = Vec::new();
    take(input, 8, &mut head).map_err(|fault| match fault {
        ReadFault::Truncated(0, _) => ReadFault::Empty,
        // Too short for an array, and it does not look like the beginning of one.
        ReadFault::Truncated(..) if !MAGIC.starts_with(&head[..head.len().min(6)]) => {
            ReadFault::Wrong(not_npy(endpoint, &head))
        }
        other => other,
    })?;
    if head[..6] != *MAGIC {
        return Err(ReadFault::Wrong(not_npy(endpoint, &head)));
    }
    let width = if head[6] == 1 { 2 } else { 4 };
    take(input, width, &mut head)?;
    let length = head[8..].iter().rev().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
    if length > MOST_HEADER {
        let got = format!("{length} bytes");
        let expected = format!("at most {MOST_HEADER} bytes");
        return Err(ReadFault::Wrong(wrong(endpoint, "header of the array", expected, got)));
    }
    take(input, length, &mut head)?;
    let text = &head[8 + width as usize..];
    let bad = |got: String| {
        let expected = "a plain array of type u1 to u8, i1 to i8, f4 or f8";
        ReadFault::Wrong(wrong(endpoint, "header of the array", expected.into(), got))
    };
    if !is_plain(text) {
        return Err(bad(excerpt(text, 120)));
    }
    let header = NpyHeader::from_reader(&mut &head[..]).map_err(|error| bad(error.to_string()))?;
    let npyz::DType::Plain(kind) = header.dtype() else { return Err(bad(excerpt(text, 120))) };
    let bytes = kind.num_bytes().and_then(|size| header.len().checked_mul(size as u64));
    let bytes = bytes.ok_or_else(|| bad(excerpt(text, 120)))?;
    if bytes > limit {
        return Err(ReadFault::Wrong(RemoteError::TooLong { endpoint: endpoint.into(), limit }));
    }
    let mut data = Vec::new();
    take(input, bytes, &mut data)?;
    decode(header, &data).map_err(bad)
}

/// The values of a whole array in row-major order.
fn decode(header: NpyHeader, data: &[u8]) -> Result<Array, String> {
    let shape = header.shape().iter().map(|&side| usize::try_from(side));
    let shape = shape.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let npyz::DType::Plain(kind) = header.dtype() else { return Err("a record".into()) };
    let (order, strides) = (header.order(), header.strides().to_vec());
    let file = NpyFile::with_header(header, data);
    let values = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 4) => numbers::<f32>(file),
        (TypeChar::Float, 8) => numbers::<f64>(file),
        (TypeChar::Int, 1) => numbers::<i8>(file),
        (TypeChar::Int, 2) => numbers::<i16>(file),
        (TypeChar::Int, 4) => numbers::<i32>(file),
        (TypeChar::Int, 8) => large(file, |value: i64| value as f64),
        (TypeChar::Uint, 1) => numbers::<u8>(file),
        (TypeChar::Uint, 2) => numbers::<u16>(file),
        (TypeChar::Uint, 4) => numbers::<u32>(file),
        (TypeChar::Uint, 8) => large(file, |value: u64| value as f64),
        _ => return Err(format!("type {kind}")),
    };
    let values = values.map_err(|error| error.to_string())?;
    let values = match order {
        Order::C => values,
        Order::Fortran => row_major(&values, &shape, &strides),
    };
    Ok(Array { shape, values })
}

fn numbers<T: npyz::Deserialize + Into<f64>>(file: NpyFile<&[u8]>) -> io::Result<Vec<f64>> {
    large(file, T::into)
}

fn large<T: npyz::Deserialize>(
    file: NpyFile<&[u8]>,
    convert: impl Fn(T) -> f64,
) -> io::Result<Vec<f64>> {
    Ok(file.into_vec::<T>()?.into_iter().map(convert).collect())
}

/// Values of an array whose first axis is the fastest.
fn row_major(values: &[f64], shape: &[usize], strides: &[u64]) -> Vec<f64> {
    let place = |mut index: usize| {
        let mut at = 0;
        for (side, stride) in shape.iter().zip(strides).rev() {
            at += (index % side) * *stride as usize;
            index /= side;
        }
        at
    };
    (0..values.len()).map(|index| values[place(index)]).collect()
}

/// Whether a header is a dictionary with one list of sizes whose product can be computed: what a
/// general parser of Python literals can be given without harm.
fn is_plain(text: &[u8]) -> bool {
    let count = |wanted: u8| text.split(|&byte| byte == wanted).count() - 1;
    if count(b'{') != 1 || count(b'(') != 1 || count(b'[') != 0 {
        return false;
    }
    let Some(sizes) = text.split(|&byte| byte == b'(').nth(1) else { return false };
    let sizes = sizes.split(|&byte| byte == b')').next().unwrap_or_default();
    let numbers = sizes.split(|byte| !byte.is_ascii_digit()).filter(|part| !part.is_empty());
    let numbers: Option<Vec<u64>> =
        numbers.map(|digits| str::from_utf8(digits).ok()?.parse().ok()).collect();
    // Ones in place of zeros: the strides of an empty array must not overflow either.
    numbers.is_some_and(|numbers| {
        numbers.len() <= MOST_AXES
            && numbers.iter().try_fold(8_u64, |all, &side| all.checked_mul(side.max(1))).is_some()
    })
}

/// Appends exactly `count` bytes; memory follows what comes.
fn take(input: &mut dyn Read, count: u64, into: &mut Vec<u8>) -> Result<(), ReadFault> {
    let got = input.take(count).read_to_end(into).map_err(ReadFault::Io)? as u64;
    if got < count { Err(ReadFault::Truncated(got, count)) } else { Ok(()) }
}

fn not_npy(endpoint: &str, head: &[u8]) -> RemoteError {
    let expected = "an array in the NPY format, and nothing else".to_owned();
    wrong(endpoint, "answer", expected, format!("`{}`", excerpt(head, 16)))
}

fn wrong(endpoint: &str, what: &'static str, expected: String, got: String) -> RemoteError {
    RemoteError::Format { endpoint: endpoint.into(), what, expected, got }
}

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// `NumPy` writes headers of a few hundred bytes and reads at most 10,000 characters.
const MOST_HEADER: u64 = 1 << 16;

/// `NumPy`'s own limit.
const MOST_AXES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// An array file with the given header and bytes.
    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn header(kind: &str, fortran: &str, shape: &str) -> String {
        format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
    }

    fn parse(bytes: &[u8]) -> Result<Array, ReadFault> {
        read(&mut &bytes[..], 1000, "test")
    }

    #[test]
    fn what_is_written_is_read_and_the_stream_stands_behind_it() {
        let batch = Batch { shape: &[2, 1, 3], values: &[0.5, -1.0, 2.0, 3.5, 0.0, 7.25] };
        let mut bytes = encode(&batch).unwrap();
        assert_eq!(bytes[6..8], [1, 0]);
        bytes.extend(encode(&Batch { shape: &[1], values: &[9.0] }).unwrap());
        let mut stream = &bytes[..];
        let first = read(&mut stream, 1000, "test").unwrap();
        assert_eq!(first.shape, [2, 1, 3]);
        assert_eq!(first.values, [0.5, -1.0, 2.0, 3.5, 0.0, 7.25]);
        assert_eq!(read(&mut stream, 1000, "test").unwrap().values, [9.0]);
        assert!(matches!(read(&mut stream, 1000, "test"), Err(ReadFault::Empty)));
    }

    #[test]
    fn all_types_and_both_orders_are_read() {
        let data: Vec<u8> = [1_i64, -2].iter().flat_map(|it| it.to_be_bytes()).collect();
        assert_eq!(parse(&file(&header(">i8", "False", "(2,)"), &data)).unwrap().values, [1., -2.]);
        assert_eq!(
            parse(&file(&header("|u1", "False", "(2,)"), &[3, 255])).unwrap().values,
            [3.0, 255.0]
        );
        let columns: Vec<u8> =
            [1.0_f64, 4.0, 2.0, 5.0, 3.0, 6.0].iter().flat_map(|it| it.to_le_bytes()).collect();
        let array = parse(&file(&header("<f8", "True", "(2, 3)"), &columns)).unwrap();
        assert_eq!(array.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn an_array_that_ends_early_says_where() {
        let whole = file(&header("<f4", "False", "(2,)"), &[0; 8]);
        for cut in 1..whole.len() {
            assert!(matches!(parse(&whole[..cut]), Err(ReadFault::Truncated(..))), "{cut}");
        }
        assert!(matches!(parse(&whole[..whole.len() - 3]), Err(ReadFault::Truncated(5, 8))));
    }

    #[test]
    fn what_a_hostile_header_claims_is_not_believed() {
        let long = format!("({}1,)", "9999999999, ".repeat(3));
        let nested = "(".repeat(30_000);
        for text in [
            header("<f4", "False", &long),
            header("<f4", "False", "(18446744073709551616,)"),
            header("<f4", "False", "(0, 9223372036854775807, 9223372036854775807)"),
            header("<f4", "False", &nested),
            header("|O", "False", "(1,)"),
            header("<f2", "False", "(1,)"),
            header("<c8", "False", "(1,)"),
            "{}".into(),
        ] {
            let fault = parse(&file(&text, &[0; 8])).unwrap_err();
            assert!(
                matches!(fault, ReadFault::Wrong(RemoteError::Format { .. })),
                "{text:.60}: {fault:?}"
            );
        }
        let large = file(&header("<f4", "False", "(251,)"), &[]);
        assert!(matches!(
            parse(&large),
            Err(ReadFault::Wrong(RemoteError::TooLong { limit: 1000, .. }))
        ));
    }

    #[test]
    fn what_is_no_array_is_shown() {
        for text in ["loading model...\n", "ok"] {
            let Err(ReadFault::Wrong(error)) = parse(text.as_bytes()) else { unreachable!() };
            assert!(error.to_string().contains(&text[..2]), "{error}");
        }
    }
}
