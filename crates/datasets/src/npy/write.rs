//! Arrays as NPY bytes.
use std::io;

use npyz::WriterBuilder;

/// The bytes of an NPY file of `values` in row-major order.
///
/// # Errors
/// What the encoder says: values that do not fill the shape.
pub fn encode<T: npyz::Serialize + npyz::AutoSerialize + Copy>(
    shape: &[usize],
    values: &[T],
) -> io::Result<Vec<u8>> {
    let shape: Vec<u64> = shape.iter().map(|&side| side as u64).collect();
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&shape);
    let mut writer = options.writer(&mut bytes).begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, npy::read};

    #[test]
    fn what_is_written_is_read() {
        let bytes = encode(&[2, 3], &[0.5_f32, 1.0, -2.0, 3.0, 4.0, 5.5]).unwrap();
        let array = read(Input::new("f", bytes.as_slice()).unwrap()).unwrap();
        assert_eq!(
            (array.shape(), array.floats()),
            (&[2, 3][..], vec![0.5, 1.0, -2.0, 3.0, 4.0, 5.5])
        );
        let bytes = encode(&[2], &[7_i64, -1]).unwrap();
        let array = read(Input::new("f", bytes.as_slice()).unwrap()).unwrap();
        assert_eq!(array.integers().unwrap(), [7, -1]);
        assert!(encode(&[3], &[0.5_f32]).is_err());
    }
}
