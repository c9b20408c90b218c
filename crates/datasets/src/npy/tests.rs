use super::*;

fn file(header: &str, bytes: &[u8]) -> Vec<u8> {
    let head = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes()].concat();
    [&head[..], header.as_bytes(), bytes].concat()
}

fn header(descr: &str, fortran: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}   \n")
}

fn open(bytes: &[u8]) -> Result<Array> {
    read(Input::new("a.npy", bytes)?)
}

#[expect(clippy::cast_lossless, reason = "one expression for all types")]
#[test]
fn each_type_keeps_its_numbers_in_both_byte_orders() {
    macro_rules! check {
        ($($name:literal $type:ty),*) => {$(
            let numbers = [<$type>::MIN, 0 as $type, 3 as $type, <$type>::MAX];
            let little: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            let big: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
            for (order, bytes) in [("<", little), (">", big)] {
                let head = header(&format!("{order}{}", $name), "False", "(4,)");
                let array = open(&file(&head, &bytes)).unwrap();
                assert_eq!(array.floats(), numbers.map(|n| n as f32));
                let whole = numbers.map(|n| n as i64).to_vec();
                assert_eq!(array.integers(), array.is_integer().then_some(whole));
            }
        )*};
    }
    check!("u1" u8, "u2" u16, "u4" u32, "i1" i8, "i2" i16, "i4" i32, "i8" i64, "f4" f32, "f8" f64);
}

/// Element (i, j, k) of a 2 × 3 × 2 array in Fortran order lies at i + 2 j + 6 k.
#[test]
fn fortran_order_becomes_row_major() {
    let bytes: Vec<u8> = (0..12).collect();
    let array = open(&file(&header("|u1", "True", "(2, 3, 2)"), &bytes)).unwrap();
    let expected = [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11].map(|value: u8| f32::from(value));
    assert_eq!(array.floats(), expected);
}

/// An independent writer of the format agrees with this reader.
#[test]
fn the_writer_of_another_library_is_read() {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&[2, 2]);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    writer.extend([1.5_f64, -2.0, 0.25, 8.0]).unwrap();
    writer.finish().unwrap();
    let array = open(&bytes).unwrap();
    assert_eq!((array.shape(), array.floats()), (&[2, 2][..], vec![1.5, -2.0, 0.25, 8.0]));
}

/// 1, -2, 65504 (the largest), 2^-24 (the smallest), 1/3 rounded to 11 bits, infinity.
#[test]
fn halves_booleans_and_long_unsigned_numbers_are_read() {
    let bits: [u16; 6] = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555, 0x7c00];
    let bytes: Vec<u8> = bits.into_iter().flat_map(u16::to_le_bytes).collect();
    let array = open(&file(&header("<f2", "False", "(6,)"), &bytes)).unwrap();
    let expected = [1.0, -2.0, 65504.0, 2.0_f32.powi(-24), 1365.0 / 4096.0, f32::INFINITY];
    assert_eq!(array.floats(), expected);
    assert_eq!(array.integers(), None);
    let array = open(&file(&header("|b1", "False", "(2,)"), &[0, 1])).unwrap();
    assert_eq!(array.integers(), Some(vec![0, 1]));
    let bytes: Vec<u8> = [3_u64, u64::MAX].into_iter().flat_map(u64::to_le_bytes).collect();
    let array = open(&file(&header("<u8", "False", "(2,)"), &bytes)).unwrap();
    assert_eq!(array.integers(), Some(vec![3, i64::MAX]));
    assert_eq!(array.first(1).floats(), [3.0]);
}

#[test]
fn other_types_and_broken_headers_are_named() {
    let error = open(&file(&header("<c16", "False", "(1,)"), &[0; 16])).unwrap_err();
    let expected = "a.npy: header: expected type b1, u1, u2, u4, u8, i1, i2, i4, i8, f2, f4 or f8, \
                    got <c16";
    assert_eq!(error.to_string(), expected);
    for wrong in [
        "",
        "{",
        "{}",
        "{'descr': '|u1'}",
        "{'descr'",
        "((((((((((",
        "{'shape': (1,)(",
        "é",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} 1",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '|u1', 'fortran_order': 0, 'shape': (1,), }",
        "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,), }",
    ] {
        let error = open(&file(wrong, &[0])).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{wrong}: {error}");
    }
    assert!(matches!(open(b"\x93NUMPY\x04\x00"), Err(Error::Format { .. })));
}

#[test]
fn a_shape_that_the_bytes_do_not_keep_is_named() {
    let open = |shape, bytes| open(&file(&header("<f4", "True", shape), bytes));
    assert!(open("()", &[0; 4]).is_ok());
    assert!(open("(0, 9)", &[]).unwrap().floats().is_empty());
    assert!(matches!(open("(2,)", &[0; 7]), Err(Error::Truncated { got: 7, .. })));
    assert!(matches!(open("(2,)", &[0; 9]), Err(Error::Trailing { .. })));
    assert!(matches!(open("(1099511627776,)", &[0; 9]), Err(Error::Truncated { .. })));
    assert!(matches!(open("(4294967296, 4294967296)", &[]), Err(Error::Format { .. })));
    assert!(open("(0, 4294967296, 4294967296)", &[]).is_ok());
    let long = b"\x93NUMPY\x02\x00\xff\xff\xff\xff";
    assert!(matches!(super::read(Input::new("l", &long[..]).unwrap()), Err(Error::Format { .. })));
}
