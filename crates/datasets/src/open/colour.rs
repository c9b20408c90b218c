//! Grey to RGB and back.
use crate::{DEFAULT_LIMIT, Error, Result};

/// Pictures with `wanted` planes, 1 or 3, and their shape `[channels, height, width]`.
///
/// Grey is the luma of ITU-R BT.601, as in `PIL` and `OpenCV`, but not rounded to bytes.
pub(super) fn convert(
    file: &str,
    values: Vec<f32>,
    [channels, height, width]: [usize; 3],
    wanted: usize,
    (low, high): (f32, f32),
) -> Result<(Vec<f32>, [usize; 3])> {
    let plane = height * width;
    let converted = match (channels, wanted) {
        (from, to) if from == to => values,
        (1, 3) => {
            if (values.len() as u64).saturating_mul(12) > DEFAULT_LIMIT {
                return Err(Error::TooLarge { file: file.into(), limit: DEFAULT_LIMIT });
            }
            values.chunks_exact(plane).flat_map(|grey| [grey, grey, grey].concat()).collect()
        }
        (3, 1) => {
            let mut planes = Vec::with_capacity(values.len() / 3);
            for picture in values.chunks_exact(3 * plane) {
                let (red, rest) = picture.split_at(plane);
                let (green, blue) = rest.split_at(plane);
                planes.extend(red.iter().zip(green).zip(blue).map(|((&red, &green), &blue)| {
                    let [red, green, blue] = [red, green, blue].map(f64::from);
                    // Rounding must not leave the box.
                    ((0.299 * red + 0.587 * green + 0.114 * blue) as f32).clamp(low, high)
                }));
            }
            planes
        }
        (from, _) => {
            let got = format!("pictures of {from} channels");
            return Err(Error::parameter("channels", "left to pictures of 1 or 3 channels", got));
        }
    };
    Ok((converted, [wanted, height, width]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_has_the_weights_of_bt_601_and_white_stays_in_the_box() {
        let values = vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0];
        let (grey, shape) = convert("f", values, [3, 2, 2], 1, (0.0, 1.0)).unwrap();
        assert_eq!(grey, [0.299, 0.587, 0.114, 1.0]);
        assert_eq!(shape, [1, 2, 2]);
        let (again, shape) = convert("f", grey, [1, 2, 2], 3, (0.0, 1.0)).unwrap();
        assert_eq!(again[4..8], [0.299, 0.587, 0.114, 1.0]);
        assert_eq!((again.len(), shape), (12, [3, 2, 2]));
        let error = convert("f", vec![0.0; 4], [4, 1, 1], 3, (0.0, 1.0)).unwrap_err().to_string();
        assert!(error.ends_with("got pictures of 4 channels"), "{error}");
    }
}
