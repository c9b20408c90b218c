//! Layers that burn records as one operation.
use burn_ir::{ModuleOperationIr as Module, TensorIr};

use super::constants::number;
use super::pooling;
use super::translation::Translator;
use crate::lift::{Imported, Value, one, refuse};
use crate::{Array, Binary, Convolution, Op, TransposedConvolution, Window};

pub(super) fn translate(t: &mut Translator<'_>, at: &str, operation: &Module) -> Imported {
    match operation {
        Module::Linear(it) => {
            let (x, weight) = (t.value(&it.x)?, t.value(&it.weight)?);
            let bias = it.bias.as_ref().map(|bias| t.value(bias)).transpose()?;
            let product = t.importer.product(at, &x, &weight)?;
            match bias {
                None => one(product),
                Some(bias) => one(t.importer.binary(at, Binary::Add, &product, &bias)?),
            }
        }
        Module::Conv1d(it) => {
            let options = &it.options;
            let window = slide(&options.stride, &options.dilation, &options.padding);
            convolution(t, at, window, options.groups, [&it.x, &it.weight], it.bias.as_ref())
        }
        Module::Conv2d(it) => {
            let options = &it.options;
            let window = slide(&options.stride, &options.dilation, &options.padding);
            convolution(t, at, window, options.groups, [&it.x, &it.weight], it.bias.as_ref())
        }
        Module::ConvTranspose1d(it) => {
            let options = &it.options;
            let padding = options.padding.map(|side| (side, side));
            let conv = TransposedConvolution {
                window: slide(&options.stride, &options.dilation, &padding),
                output_padding: options.padding_out.to_vec(),
                groups: options.groups,
            };
            transposed(t, at, conv, [&it.x, &it.weight], it.bias.as_ref())
        }
        Module::ConvTranspose2d(it) => {
            let options = &it.options;
            let padding = options.padding.map(|side| (side, side));
            let conv = TransposedConvolution {
                window: slide(&options.stride, &options.dilation, &padding),
                output_padding: options.padding_out.to_vec(),
                groups: options.groups,
            };
            transposed(t, at, conv, [&it.x, &it.weight], it.bias.as_ref())
        }
        Module::BatchNorm(it) => {
            let x = t.value(&it.x)?;
            let parameters = [&it.gamma, &it.beta, &it.mean, &it.variance];
            let parameters = parameters.map(|tensor| t.constant(tensor));
            let [scale, shift, mean, variance] = parameters;
            let parameters = [scale?, shift?, mean?, variance?];
            if parameters.iter().any(|array| array.shape() != parameters[0].shape()) {
                return refuse("its parameters differ in number");
            }
            let parameters = parameters.each_ref();
            one(t.importer.batch_norm(at, &x, parameters, number(&it.epsilon))?)
        }
        Module::LayerNorm(it) => {
            let x = t.value(&it.input)?;
            let axis = t.importer.axis(&x, -1)?;
            let normal = t.importer.standardized(at, &x, vec![axis], number(&it.epsilon))?;
            let scaled = t.importer.binary(at, Binary::Mul, &normal, &t.value(&it.gamma)?)?;
            match &it.beta {
                None => one(scaled),
                Some(beta) => one(t.importer.binary(at, Binary::Add, &scaled, &t.value(beta)?)?),
            }
        }
        Module::AvgPool1d(_)
        | Module::AvgPool2d(_)
        | Module::AdaptiveAvgPool1d(_)
        | Module::AdaptiveAvgPool2d(_)
        | Module::MaxPool1d(_)
        | Module::MaxPool1dWithIndices(_)
        | Module::MaxPool2d(_)
        | Module::MaxPool2dWithIndices(_) => pooling::translate(t, at, operation),
        Module::Conv3d(_) | Module::ConvTranspose3d(_) | Module::AdaptiveAvgPool3d(_) => {
            refuse("one or two spatial axes are understood")
        }
        _ => refuse("no operation of a graph does this"),
    }
}

/// How windows slide; their lengths are those of the weight.
fn slide<const D: usize>(
    stride: &[usize; D],
    dilation: &[usize; D],
    padding: &[(usize, usize); D],
) -> Window {
    Window {
        kernel: Vec::new(),
        stride: stride.to_vec(),
        dilation: dilation.to_vec(),
        padding: padding.to_vec(),
    }
}

fn convolution(
    t: &mut Translator<'_>,
    at: &str,
    window: Window,
    groups: usize,
    [x, weight]: [&TensorIr; 2],
    bias: Option<&TensorIr>,
) -> Imported {
    let (x, more) = (t.value(x)?, t.weights(weight, bias)?);
    t.importer.plane(&x)?;
    let kernel = more[0].shape().get(2..).unwrap_or(&[]).to_vec();
    let op = Op::Convolution(Convolution { window: Window { kernel, ..window }, groups });
    one(t.importer.apply(at, op, &x, more)?)
}

fn transposed(
    t: &mut Translator<'_>,
    at: &str,
    mut conv: TransposedConvolution,
    [x, weight]: [&TensorIr; 2],
    bias: Option<&TensorIr>,
) -> Imported {
    let (x, more) = (t.value(x)?, t.weights(weight, bias)?);
    t.importer.plane(&x)?;
    conv.window.kernel = more[0].shape().get(2..).unwrap_or(&[]).to_vec();
    one(t.importer.apply(at, Op::TransposedConvolution(conv), &x, more)?)
}

impl Translator<'_> {
    /// A tensor that must be a constant.
    fn constant(&self, tensor: &TensorIr) -> Imported<Array> {
        match self.value(tensor)? {
            Value::Constant { array, .. } => Ok(array),
            _ => refuse("weights that depend on the input"),
        }
    }

    fn weights(&self, weight: &TensorIr, bias: Option<&TensorIr>) -> Imported<Vec<Array>> {
        let mut arrays = vec![self.constant(weight)?];
        if let Some(bias) = bias {
            arrays.push(self.constant(bias)?);
        }
        Ok(arrays)
    }
}
