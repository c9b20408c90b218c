//! Convolutions and their transposes, over one or two spatial axes.
use super::Handler;
use super::call::Call;
use crate::lift::{Imported, Importer, one, refuse};
use crate::{Array, Convolution, Op, TransposedConvolution, Window};

pub(super) const OPERATORS: &[(&str, Handler)] =
    &[("Conv", convolution), ("ConvTranspose", transposed)];

fn convolution(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let (plane, weight) = parts(importer, call)?;
    let window = window(call, &plane, &weight.shape()[2..])?;
    let groups = groups(call)?;
    let op = Op::Convolution(Convolution { window, groups });
    one(importer.apply(call, op, call.operand(0)?, operands(call, weight)?)?)
}

fn transposed(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let (plane, weight) = parts(importer, call)?;
    let (kernel, axes) = (weight.shape()[2..].to_vec(), plane.len());
    let stride = call.lengths("strides", 1, axes)?;
    let dilation = call.lengths("dilations", 1, axes)?;
    let output_padding = call.lengths("output_padding", 0, axes)?;
    check_kernel(call, &kernel)?;
    let mut padding = explicit(call, axes)?;
    let auto = call.text("auto_pad", "NOTSET")?;
    let wanted = match call.ints("output_shape") {
        Some(_) => Some(call.lengths("output_shape", 0, axes)?),
        None if auto.starts_with("SAME") => {
            Some(plane.iter().zip(&stride).map(|(length, stride)| length * stride).collect())
        }
        None => None,
    };
    if let Some(wanted) = wanted {
        // The padding follows from the wanted shape.
        for axis in 0..axes {
            let reach = (kernel[axis] - 1) * dilation[axis] + 1;
            let whole = (plane[axis] - 1) * stride[axis] + output_padding[axis] + reach;
            let total = whole.saturating_sub(wanted[axis]);
            let less = total / 2;
            padding[axis] =
                if auto == "SAME_UPPER" { (less, total - less) } else { (total - less, less) };
        }
    }
    let window = Window { kernel, stride, dilation, padding };
    let op = Op::TransposedConvolution(TransposedConvolution {
        window,
        output_padding,
        groups: groups(call)?,
    });
    one(importer.apply(call, op, call.operand(0)?, operands(call, weight)?)?)
}

/// Spatial shape of the input, and the weight.
fn parts<'c>(importer: &Importer, call: &'c Call<'_>) -> Imported<(Vec<usize>, &'c Array)> {
    let (operand, batched) = Importer::sample(call.operand(0)?)?;
    let (shape, weight) = (importer.builder.shape(operand), call.constant(1)?);
    let spatial = shape.len().saturating_sub(1);
    if !batched || !(1..=2).contains(&spatial) || weight.shape().len() != shape.len() + 1 {
        return refuse(format!(
            "one or two spatial axes are understood, got an input of shape {shape:?} and a weight \
             of shape {:?}",
            weight.shape()
        ));
    }
    if shape.contains(&0) || weight.shape().contains(&0) {
        return refuse("an axis of length 0");
    }
    Ok((shape[1..].to_vec(), weight))
}

fn operands(call: &Call<'_>, weight: &Array) -> Imported<Vec<Array>> {
    let mut operands = vec![weight.clone()];
    operands.extend(call.optional_constant(2)?.cloned());
    Ok(operands)
}

fn groups(call: &Call<'_>) -> Imported<usize> {
    match usize::try_from(call.int("group", 1)) {
        Ok(groups) if groups > 0 => Ok(groups),
        _ => refuse("attribute `group` must be at least 1"),
    }
}

fn check_kernel(call: &Call<'_>, kernel: &[usize]) -> Imported<()> {
    if call.lengths("kernel_shape", 0, kernel.len())? == kernel
        || call.ints("kernel_shape").is_none()
    {
        return Ok(());
    }
    refuse(format!("attribute `kernel_shape` is not that of the weight, {kernel:?}"))
}

/// How windows of `kernel` slide over `plane`.
pub(super) fn window(call: &Call<'_>, plane: &[usize], kernel: &[usize]) -> Imported<Window> {
    let axes = plane.len();
    check_kernel(call, kernel)?;
    let stride = call.lengths("strides", 1, axes)?;
    let dilation = call.lengths("dilations", 1, axes)?;
    if stride.contains(&0) || dilation.contains(&0) || kernel.contains(&0) {
        return refuse("a stride, dilation or kernel of 0");
    }
    let explicit = explicit(call, axes)?;
    let padding = match call.text("auto_pad", "NOTSET")? {
        "" | "NOTSET" => explicit,
        "VALID" => vec![(0, 0); axes],
        same @ ("SAME_UPPER" | "SAME_LOWER") => (0..axes)
            .map(|axis| {
                let reach = (kernel[axis] - 1).saturating_mul(dilation[axis]).saturating_add(1);
                let out = plane[axis].div_ceil(stride[axis]);
                let total = ((out - 1) * stride[axis]).saturating_add(reach);
                let total = total.saturating_sub(plane[axis]);
                let less = total / 2;
                if same == "SAME_UPPER" { (less, total - less) } else { (total - less, less) }
            })
            .collect(),
        other => return refuse(format!("attribute `auto_pad` is {other}")),
    };
    Ok(Window { kernel: kernel.to_vec(), stride, dilation, padding })
}

fn explicit(call: &Call<'_>, axes: usize) -> Imported<Vec<(usize, usize)>> {
    let sides = call.lengths("pads", 0, 2 * axes)?;
    Ok((0..axes).map(|axis| (sides[axis], sides[axes + axis])).collect())
}
