//! Pooling.
use super::call::Call;
use super::convolution::window;
use super::value::{Imported, Value, refuse};
use super::{Handler, Importer, one};
use crate::{Array, Binary, Op, Reduction, Window};

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
    let plane = importer.plane(x)?;
    let (window, own) = windows(importer, call, x)?;
    let counted = call.int("count_include_pad", 0) != 0;
    // What the rounding up of the number of windows added never counts.
    let limits: Vec<(usize, usize)> = (0..plane.len())
        .map(|axis| {
            let (before, after) = own[axis];
            if counted { (0, before + plane[axis] + after) } else { (before, before + plane[axis]) }
        })
        .collect();
    let counts: Vec<Vec<f64>> =
        (0..plane.len()).map(|axis| count(&window, axis, &plane, limits[axis])).collect();
    let size: usize = window.kernel.iter().product();
    let shape: Vec<usize> = std::iter::once(1).chain(counts.iter().map(Vec::len)).collect();
    let correction = Array::from_fn(&shape, |place| {
        let (mut rest, mut inside) = (place, 1.0);
        for counts in counts.iter().rev() {
            inside *= counts[rest % counts.len()];
            rest /= counts.len();
        }
        size as f64 / inside
    })?;
    let mean = importer.apply(call, Op::AveragePool(window), x, Vec::new())?;
    if correction.values().iter().all(|&factor| factor == 1.0) {
        return one(mean);
    }
    one(importer.binary(call, Binary::Mul, &mean, &Value::float(correction))?)
}

/// Places of each window of an axis that lie in the limits.
fn count(window: &Window, axis: usize, plane: &[usize], (from, to): (usize, usize)) -> Vec<f64> {
    let windows = window.count(axis, plane[axis]).unwrap_or(0);
    (0..windows)
        .map(|at| {
            let of = |tap: usize| at * window.stride[axis] + tap * window.dilation[axis];
            let inside = |tap: &usize| (from..to).contains(&of(*tap));
            (0..window.kernel[axis]).filter(inside).count().max(1) as f64
        })
        .collect()
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
        for (axis, &length) in plane.iter().enumerate() {
            let Some(down) = window.count(axis, length) else { continue };
            let reach = (kernel[axis] - 1) * window.dilation[axis] + 1;
            let (before, after) = own[axis];
            let rest = (length + before + after - reach) % window.stride[axis];
            // A window that would begin in the padding behind the image is left away.
            if rest > 0 && down * window.stride[axis] < length + before {
                window.padding[axis].1 += window.stride[axis] - rest;
            }
        }
    }
    Ok((window, own))
}
