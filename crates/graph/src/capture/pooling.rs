//! Pooling.
use burn_ir::{ModuleOperationIr as Module, TensorIr};

use super::translation::Translator;
use crate::lift::{Imported, Padding, one, refuse};
use crate::{Op, Reduction, Window};

pub(super) fn translate(t: &mut Translator<'_>, at: &str, operation: &Module) -> Imported {
    match operation {
        Module::AvgPool1d(it) => {
            let window = windows([it.kernel_size], [it.stride], [it.padding], [1]);
            average(t, at, &it.x, window, it.count_include_pad, it.ceil_mode)
        }
        Module::AvgPool2d(it) => {
            let window = windows(it.kernel_size, it.stride, it.padding, [1, 1]);
            average(t, at, &it.x, window, it.count_include_pad, it.ceil_mode)
        }
        Module::AdaptiveAvgPool1d(it) => adaptive(t, at, &it.x, &[it.output_size]),
        Module::AdaptiveAvgPool2d(it) => adaptive(t, at, &it.x, &it.output_size),
        Module::MaxPool1d(it) => {
            let window = windows([it.kernel_size], [it.stride], [it.padding], [it.dilation]);
            largest(t, at, &it.x, window, it.ceil_mode)
        }
        Module::MaxPool1dWithIndices(it) => {
            let window = windows([it.kernel_size], [it.stride], [it.padding], [it.dilation]);
            largest(t, at, &it.x, window, it.ceil_mode)
        }
        Module::MaxPool2d(it) => {
            let window = windows(it.kernel_size, it.stride, it.padding, it.dilation);
            largest(t, at, &it.x, window, it.ceil_mode)
        }
        Module::MaxPool2dWithIndices(it) => {
            let window = windows(it.kernel_size, it.stride, it.padding, it.dilation);
            largest(t, at, &it.x, window, it.ceil_mode)
        }
        _ => refuse("no pooling"),
    }
}

fn windows<const D: usize>(
    kernel: [usize; D],
    stride: [usize; D],
    padding: [usize; D],
    dilation: [usize; D],
) -> Window {
    Window {
        kernel: kernel.to_vec(),
        stride: stride.to_vec(),
        dilation: dilation.to_vec(),
        padding: padding.iter().map(|&side| (side, side)).collect(),
    }
}

fn average(
    t: &mut Translator<'_>,
    at: &str,
    x: &TensorIr,
    mut window: Window,
    counted: bool,
    up: bool,
) -> Imported {
    let x = t.value(x)?;
    let own = window.padding.clone();
    if up {
        window.round_up(&t.importer.plane(&x)?);
    }
    let padding = if counted { Padding::Counts } else { Padding::DoesNotCount };
    one(t.importer.average_pool(at, &x, window, &own, padding)?)
}

fn largest(
    t: &mut Translator<'_>,
    at: &str,
    x: &TensorIr,
    mut window: Window,
    up: bool,
) -> Imported {
    let x = t.value(x)?;
    let plane = t.importer.plane(&x)?;
    if up {
        window.round_up(&plane);
    }
    one(t.importer.apply(at, Op::MaxPool(window), &x, Vec::new())?)
}

/// Windows as long as the plane over the result; what does not divide has windows of two lengths.
fn adaptive(t: &mut Translator<'_>, at: &str, x: &TensorIr, out: &[usize]) -> Imported {
    let x = t.value(x)?;
    let plane = t.importer.plane(&x)?;
    if out.iter().all(|&length| length == 1) {
        let op = Op::Reduce { by: Reduction::Mean, axes: (1..=plane.len()).collect() };
        return one(t.importer.apply(at, op, &x, Vec::new())?);
    }
    let divides = |(length, out): (&usize, &usize)| *out > 0 && length.is_multiple_of(*out);
    if !plane.iter().zip(out).all(divides) {
        return refuse(format!("{plane:?} in {out:?} windows, which are not equally long"));
    }
    let kernel: Vec<usize> = plane.iter().zip(out).map(|(length, out)| length / out).collect();
    let window = Window {
        stride: kernel.clone(),
        dilation: vec![1; kernel.len()],
        padding: vec![(0, 0); kernel.len()],
        kernel,
    };
    one(t.importer.apply(at, Op::AveragePool(window), &x, Vec::new())?)
}
