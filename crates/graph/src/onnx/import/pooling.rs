//! Pooling.
use super::Handler;
use super::call::Call;
use super::convolution::window;
use crate::lift::{Imported, Importer, Padding, Value, one, refuse};
use crate::{Op, Reduction, Window};

pub(super) const OPERATORS: &[(&str, Handler)] = &[
    ("AveragePool", average),
    ("GlobalAveragePool", |i, c| global(i, c, Reduction::Mean)),
    ("GlobalMaxPool", |i, c| global(i, c, Reduction::Max)),
    ("MaxPool", largest),
];

fn global(importer: &mut Importer, call: &Call<'_>, by: Reduction) -> Imported {
    let x = call.operand(0)?;
    let axes = (1..=importer.plane(x)?.len()).collect();
    one(importer.apply(call, Op::Reduce { by, axes }, x, Vec::new())?)
}

fn largest(importer: &mut Importer, call: &Call<'_>) -> Imported {
    if call.outputs > 1 {
        return refuse("the places of the maxima are asked for");
    }
    call.ignore("storage_order");
    let x = call.operand(0)?;
    let (window, _) = windows(importer, call, x)?;
    one(importer.apply(call, Op::MaxPool(window), x, Vec::new())?)
}

fn average(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let (window, own) = windows(importer, call, x)?;
    let padding =
        if call.int("count_include_pad", 0) != 0 { Padding::Counts } else { Padding::DoesNotCount };
    one(importer.average_pool(call, x, window, &own, padding)?)
}

/// The windows, padded so far that rounding down gives as many as `ceil_mode` asks for, and the
/// padding before that.
fn windows(
    importer: &Importer,
    call: &Call<'_>,
    x: &Value,
) -> Imported<(Window, Vec<(usize, usize)>)> {
    let plane = importer.plane(x)?;
    if plane.len() > 2 {
        return refuse(format!("one or two spatial axes are understood, got {plane:?}"));
    }
    if call.ints("kernel_shape").is_none() {
        return refuse("attribute `kernel_shape` is missing");
    }
    let kernel = call.lengths("kernel_shape", 1, plane.len())?;
    let mut window = window(call, &plane, &kernel)?;
    let own = window.padding.clone();
    if call.int("ceil_mode", 0) != 0 {
        window.round_up(&plane);
    }
    Ok((window, own))
}
