//! The box of the values: units, bounds, and what to say of values that do not fit.
use duress_core::{Bound, Layout};

use super::{Options, Units, raw::Numbers};
use crate::{Error, Result, scale::column_range};

/// Brings finite values into their units and returns both sides of their box.
pub(super) fn fit(
    file: &str,
    layout: Layout,
    numbers: Numbers,
    values: &mut [f32],
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<(Bound, Bound)> {
    let is_image = matches!(layout, Layout::Image { .. });
    let by_type = match (options.bounds, numbers) {
        (Some(_), _) => Units::Raw,
        (None, _) if !is_image => Units::Raw,
        (None, Numbers::Bytes | Numbers::Integers) => Units::Bytes,
        (None, Numbers::Floats) => Units::Unit,
    };
    let units = options.units.unwrap_or(by_type);
    let bytes = units == Units::Bytes;
    let [low, high] = match (options.bounds, units) {
        (Some(bounds), _) => bounds,
        (None, Units::Bytes | Units::Unit) => [0.0, 1.0],
        (None, Units::Raw) if is_image => {
            let expected = "given with `bounds`, the box of the pixels";
            return Err(Error::parameter("units", expected, "`raw` without `bounds`"));
        }
        (None, Units::Raw) => return own_box(file, layout, values, notes),
    };
    if options.bounds.is_none() && bytes {
        // Compared before they are divided, so that the message speaks of the file's numbers.
        inside(file, values, [0.0, 255.0], numbers)?;
        if is_image && options.units.is_none() && values.iter().all(|&value| value <= 1.0) {
            notes.push(
                "all pixels are the integers 0 and 1, and integers are divided by 255: give \
                 `units = \"unit\"` if they are on [0, 1] already"
                    .into(),
            );
        }
    }
    if bytes {
        for value in &mut *values {
            *value /= 255.0;
        }
    }
    inside(file, values, [low, high], numbers)?;
    Ok((Bound::Uniform(low), Bound::Uniform(high)))
}

/// The box of data without a customary one.
fn own_box(
    file: &str,
    layout: Layout,
    values: &[f32],
    notes: &mut Vec<String>,
) -> Result<(Bound, Bound)> {
    if matches!(layout, Layout::Waveform { .. }) {
        let loudest = values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        if loudest <= 1.0 {
            return Ok((Bound::Uniform(-1.0), Bound::Uniform(1.0)));
        }
        notes.push(format!(
            "the box of the waveforms is that of their loudest sample, [-{loudest}, {loudest}]: \
             give `bounds` to choose another"
        ));
        return Ok((Bound::Uniform(-loudest), Bound::Uniform(loudest)));
    }
    notes.push(
        "the box of each column is the range of its values in the file: give `bounds`, or a \
         schema with `range`, for another"
            .into(),
    );
    let (lower, upper) = column_range(file, values, layout.features())?;
    Ok((Bound::PerFeature(lower), Bound::PerFeature(upper)))
}

/// Checks that all values are in the box, and says what they look like if not.
fn inside(file: &str, values: &[f32], [low, high]: [f32; 2], numbers: Numbers) -> Result<()> {
    if values.iter().all(|value| (low..=high).contains(value)) {
        return Ok(());
    }
    let fold = |start, pick: fn(f32, f32) -> f32| values.iter().copied().fold(start, pick);
    let (least, most) = (fold(f32::INFINITY, f32::min), fold(f32::NEG_INFINITY, f32::max));
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let square: f64 = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum();
    let deviation = (square / count).sqrt();
    let advice = if numbers != Numbers::Floats {
        format!("give `bounds`, such as [{least}, {most}], and they are taken as they are")
    } else if least < low {
        "they look normalised: give raw pixels and tell the model its mean and standard deviation, \
         or give the `bounds` of the normalised values (a radius is then in their units)"
            .into()
    } else if most <= 255.0 && high <= 1.0 {
        "they look like bytes: give `units = \"bytes\"` to divide them by 255".into()
    } else {
        "give the `bounds` of the values".into()
    };
    Err(Error::OutsideBox { file: file.into(), low, high, least, most, mean, deviation, advice })
}
