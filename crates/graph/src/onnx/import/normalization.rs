//! Normalisations: that of a batch by stored statistics, the others of each sample by its own.
use super::Handler;
use super::call::Call;
use crate::lift::{Imported, Importer, Value, one, refuse};
use crate::{Array, Binary, Convolution, Op, Reduction, Unary, Window};

pub(super) const OPERATORS: &[(&str, Handler)] = &[
    ("BatchNormalization", batch),
    ("GroupNormalization", group),
    ("InstanceNormalization", instance),
    ("LRN", local_response),
    ("LayerNormalization", layer),
    ("LpNormalization", lp),
];

fn batch(importer: &mut Importer, call: &Call<'_>) -> Imported {
    call.ignore("momentum");
    call.ignore("consumed_inputs");
    call.ignore("is_test");
    if call.int("training_mode", 0) != 0 || call.outputs > 1 {
        return refuse("the network is in training mode: export it in evaluation mode");
    }
    if call.int("spatial", 1) == 0 {
        return refuse("statistics a pixel");
    }
    let epsilon = call.float("epsilon", 1e-5);
    let x = call.operand(0)?;
    let (operand, batched) = Importer::sample(x)?;
    let own = importer.builder.shape(operand).to_vec();
    let parameters: Vec<&Array> =
        (1..5).map(|index| call.constant(index)).collect::<Imported<_>>()?;
    let channels = own.first().copied().unwrap_or(0);
    if !batched || parameters.iter().any(|array| array.shape() != [channels]) {
        return refuse(format!("parameters for {channels} channels are needed"));
    }
    one(importer.batch_norm(call, x, [0, 1, 2, 3].map(|which| parameters[which]), epsilon)?)
}

fn instance(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let spatial = importer.plane(x)?.len();
    let epsilon = call.float("epsilon", 1e-5);
    let (scale, shift) = (call.constant(1)?.values().to_vec(), call.constant(2)?.values().to_vec());
    let normal = importer.standardized(call, x, (1..=spatial).collect(), epsilon)?;
    let scaled = importer.channels(call, Binary::Mul, &normal, scale)?;
    one(importer.channels(call, Binary::Add, &scaled, shift)?)
}

fn group(importer: &mut Importer, call: &Call<'_>) -> Imported {
    call.ignore("stash_type");
    let x = call.operand(0)?;
    let (operand, _) = Importer::sample(x)?;
    importer.plane(x)?;
    let own = importer.builder.shape(operand).to_vec();
    let groups = usize::try_from(call.int("num_groups", 0)).unwrap_or(0);
    if groups == 0 || !own[0].is_multiple_of(groups) {
        return refuse(format!("{groups} groups of {} channels", own[0]));
    }
    let epsilon = call.float("epsilon", 1e-5);
    let (mut scale, mut shift) =
        (call.constant(1)?.values().to_vec(), call.constant(2)?.values().to_vec());
    if scale.len() == groups && shift.len() == groups {
        // Opset 18 scales groups, opset 21 channels.
        let each = own[0] / groups;
        [scale, shift] =
            [scale, shift].map(|list| list.iter().flat_map(|&one| vec![one; each]).collect());
    }
    let rest: usize = own.iter().product::<usize>() / groups;
    let grouped = importer.shaped(call, Op::Reshape, x, vec![groups, rest])?;
    let normal = importer.standardized(call, &grouped, vec![1], epsilon)?;
    let normal = importer.shaped(call, Op::Reshape, &normal, own)?;
    let scaled = importer.channels(call, Binary::Mul, &normal, scale)?;
    one(importer.channels(call, Binary::Add, &scaled, shift)?)
}

fn layer(importer: &mut Importer, call: &Call<'_>) -> Imported {
    call.ignore("stash_type");
    if call.outputs > 1 {
        return refuse("its statistics are asked for");
    }
    let x = call.operand(0)?;
    let first = importer.axis(x, call.int("axis", -1))?;
    let (operand, _) = Importer::sample(x)?;
    let axes = (first..importer.builder.shape(operand).len()).collect();
    let epsilon = call.float("epsilon", 1e-5);
    let normal = importer.standardized(call, x, axes, epsilon)?;
    let scaled = importer.binary(call, Binary::Mul, &normal, call.operand(1)?)?;
    match call.optional(2) {
        None => one(scaled),
        Some(shift) => one(importer.binary(call, Binary::Add, &scaled, shift)?),
    }
}

/// `x / (bias + alpha / size · Σ x²)^beta`, the sum over `size` neighbouring channels.
fn local_response(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let (operand, _) = Importer::sample(x)?;
    let spatial = importer.plane(x)?.len();
    let channels = importer.builder.shape(operand)[0];
    let size = usize::try_from(call.int("size", 0)).unwrap_or(0);
    if size == 0 {
        return refuse("attribute `size` must be at least 1");
    }
    let (alpha, beta) = (call.float("alpha", 1e-4), call.float("beta", 0.75));
    let bias = call.float("bias", 1.0);
    let (before, after) = ((size - 1) / 2, size / 2);
    let mut shape = vec![channels; 2];
    shape.resize(2 + spatial, 1);
    let band = Array::from_fn(&shape, |place| {
        let (to, from) = (place / channels, place % channels);
        let near = from + before >= to && from <= to + after;
        if near { alpha / size as f64 } else { 0.0 }
    })?;
    let window = Window {
        kernel: vec![1; spatial],
        stride: vec![1; spatial],
        dilation: vec![1; spatial],
        padding: vec![(0, 0); spatial],
    };
    let sums = Op::Convolution(Convolution { window, groups: 1 });
    let squares = importer.binary(call, Binary::Mul, x, x)?;
    let biases = Array::full(&[channels], bias)?;
    let sums = importer.apply(call, sums, &squares, vec![band, biases])?;
    let powers = importer.binary(call, Binary::Pow, &sums, &Value::float(Array::scalar(beta)))?;
    one(importer.binary(call, Binary::Div, x, &powers)?)
}

fn lp(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let axis = importer.axis(x, call.int("axis", -1))?;
    let sizes = match call.int("p", 2) {
        1 => importer.apply(call, Op::Unary(Unary::Abs), x, Vec::new())?,
        2 => importer.binary(call, Binary::Mul, x, x)?,
        p => return refuse(format!("attribute `p` must be 1 or 2, got {p}")),
    };
    let op = Op::Reduce { by: Reduction::Sum, axes: vec![axis] };
    let mut norm = importer.apply(call, op, &sizes, Vec::new())?;
    if call.int("p", 2) == 2 {
        norm = importer.apply(call, Op::Unary(Unary::Sqrt), &norm, Vec::new())?;
    }
    one(importer.binary(call, Binary::Div, x, &norm)?)
}
