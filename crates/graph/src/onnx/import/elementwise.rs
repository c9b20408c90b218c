//! Functions of values and of pairs of values.
use super::Handler;
use super::call::Call;
use crate::lift::{Imported, Importer, Value, one, refuse};
use crate::{Array, Binary, Op, Unary};

pub(super) const OPERATORS: &[(&str, Handler)] = &[
    ("Abs", |i, c| i.unary(c, Unary::Abs)),
    ("Add", |i, c| i.pair(c, Binary::Add)),
    ("Ceil", |i, c| i.unary(c, Unary::Ceil)),
    ("Clip", clip),
    ("Cos", |i, c| i.unary(c, Unary::Cos)),
    ("Div", |i, c| i.pair(c, Binary::Div)),
    ("Elu", |i, c| i.unary(c, Unary::Elu { alpha: c.float("alpha", 1.0) })),
    ("Erf", |i, c| i.unary(c, Unary::Erf)),
    ("Exp", |i, c| i.unary(c, Unary::Exp)),
    ("Floor", |i, c| i.unary(c, Unary::Floor)),
    ("Gelu", gelu),
    ("HardSigmoid", hard_sigmoid),
    ("HardSwish", |i, c| i.unary(c, Unary::HardSwish)),
    ("LeakyRelu", leaky_relu),
    ("Log", |i, c| i.unary(c, Unary::Log)),
    ("Max", |i, c| i.chain(c, Binary::Max)),
    ("Mean", mean),
    ("Min", |i, c| i.chain(c, Binary::Min)),
    ("Mish", |i, c| i.unary(c, Unary::Mish)),
    ("Mul", |i, c| i.pair(c, Binary::Mul)),
    ("Neg", |i, c| i.unary(c, Unary::Neg)),
    ("PRelu", parametric_relu),
    ("Pow", |i, c| i.pair(c, Binary::Pow)),
    ("Reciprocal", |i, c| i.unary(c, Unary::Reciprocal)),
    ("Relu", |i, c| i.unary(c, Unary::Relu)),
    ("Round", |i, c| i.unary(c, Unary::Round)),
    ("Selu", selu),
    ("Sigmoid", |i, c| i.unary(c, Unary::Sigmoid)),
    ("Sign", |i, c| i.unary(c, Unary::Sign)),
    ("Sin", |i, c| i.unary(c, Unary::Sin)),
    ("Softplus", |i, c| i.unary(c, Unary::Softplus)),
    ("Softsign", |i, c| i.unary(c, Unary::Softsign)),
    ("Sqrt", |i, c| i.unary(c, Unary::Sqrt)),
    ("Sub", |i, c| i.pair(c, Binary::Sub)),
    ("Sum", |i, c| i.chain(c, Binary::Add)),
    ("Tanh", |i, c| i.unary(c, Unary::Tanh)),
];

fn gelu(importer: &mut Importer, call: &Call<'_>) -> Imported {
    match call.text("approximate", "none")? {
        "none" => importer.unary(call, Unary::Gelu),
        "tanh" => importer.unary(call, Unary::GeluTanh),
        other => refuse(format!("attribute `approximate` must be none or tanh, got {other}")),
    }
}

fn hard_sigmoid(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let (alpha, beta) = (call.float("alpha", 0.2), call.float("beta", 0.5));
    importer.unary(call, Unary::HardSigmoid { alpha, beta })
}

fn selu(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let alpha = call.float("alpha", 1.673_263_2);
    let gamma = call.float("gamma", 1.050_701);
    importer.unary(call, Unary::Selu { alpha, gamma })
}

fn clip(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let (low, high) = if call.opset < 11 {
        (call.optional_float("min"), call.optional_float("max"))
    } else {
        let limit = |index| -> Imported<Option<f64>> {
            Ok(call.optional_constant(index)?.and_then(|array| array.values().first().copied()))
        };
        (limit(1)?, limit(2)?)
    };
    // The type's ends stand for no limit.
    let open = f64::from(f32::MAX);
    let low = low.filter(|low| *low > -open).unwrap_or(f64::NEG_INFINITY);
    let high = high.filter(|high| *high < open).unwrap_or(f64::INFINITY);
    one(importer.apply(call, Op::Clip { low, high }, call.operand(0)?, Vec::new())?)
}

fn leaky_relu(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let slope = Array::scalar(call.float("alpha", 0.01));
    one(importer.apply(call, Op::ParametricRelu, call.operand(0)?, vec![slope])?)
}

fn parametric_relu(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let rank = importer.full_shape(x)?.len();
    let (operand, batched) = Importer::sample(x)?;
    let own = importer.builder.shape(operand).len();
    let mut slope = call.constant(1)?.clone();
    // A slope a channel may come without the spatial axes.
    if slope.shape().len() == 1 && rank > 2 && batched && slope.len() > 1 {
        let mut shape = vec![slope.len()];
        shape.resize(own, 1);
        slope = slope.reshape(&shape)?;
    }
    let slope = importer.of_each(&slope, own)?;
    one(importer.apply(call, Op::ParametricRelu, x, vec![slope])?)
}

fn mean(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let sum = importer.chain(call, Binary::Add)?;
    let count = Value::float(Array::scalar(call.operands.len() as f64));
    one(importer.binary(call, Binary::Div, &sum[0], &count)?)
}

impl Importer {
    fn unary(&mut self, call: &Call<'_>, function: Unary) -> Imported {
        one(self.apply(call, Op::Unary(function), call.operand(0)?, Vec::new())?)
    }

    fn pair(&mut self, call: &Call<'_>, function: Binary) -> Imported {
        if call.opset < 7 && call.int("broadcast", 0) != 0 {
            return refuse("broadcasting of opset 6 and before is not understood");
        }
        one(self.binary(call, function, call.operand(0)?, call.operand(1)?)?)
    }

    /// A function of pairs over any number of operands, from the first on.
    fn chain(&mut self, call: &Call<'_>, function: Binary) -> Imported {
        let mut result = call.operand(0)?.clone();
        for index in 1..call.operands.len() {
            result = self.binary(call, function, &result, call.operand(index)?)?;
        }
        one(result)
    }
}
