//! Functions of values.
use super::{Place, Writer, message};
use crate::{Array, Op, Result, Unary};

impl Writer<'_> {
    pub(super) fn unary(&mut self, place: &mut Place<'_>, function: Unary) -> Result<()> {
        let x = self.operand(place, 0)?;
        let attributes = match function {
            Unary::Elu { alpha } => vec![message::float("alpha", alpha)],
            Unary::Selu { alpha, gamma } => {
                vec![message::float("alpha", alpha), message::float("gamma", gamma)]
            }
            Unary::HardSigmoid { alpha, beta } => {
                vec![message::float("alpha", alpha), message::float("beta", beta)]
            }
            Unary::Gelu => return self.gelu(place, &x),
            Unary::GeluTanh => return self.gelu_tanh(place, &x),
            Unary::Silu => {
                let gate = self.part(place, "Sigmoid", &[&x], Vec::new());
                self.last(place, "Mul", &[&x, &gate], Vec::new());
                return Ok(());
            }
            Unary::Mish => {
                let curve = self.part(place, "Softplus", &[&x], Vec::new());
                let gate = self.part(place, "Tanh", &[&curve], Vec::new());
                self.last(place, "Mul", &[&x, &gate], Vec::new());
                return Ok(());
            }
            _ => Vec::new(),
        };
        self.last(place, function.name(), &[&x], attributes);
        Ok(())
    }

    /// `x / 2 · (1 + erf(x / √2))`.
    fn gelu(&mut self, place: &mut Place<'_>, x: &str) -> Result<()> {
        let scaled = self.with(place, "Mul", x, std::f64::consts::FRAC_1_SQRT_2)?;
        let error = self.part(place, "Erf", &[&scaled], Vec::new());
        self.gated(place, x, &error)
    }

    /// `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`.
    fn gelu_tanh(&mut self, place: &mut Place<'_>, x: &str) -> Result<()> {
        let square = self.part(place, "Mul", &[x, x], Vec::new());
        let cube = self.part(place, "Mul", &[&square, x], Vec::new());
        let cube = self.with(place, "Mul", &cube, 0.044_715)?;
        let sum = self.part(place, "Add", &[x, &cube], Vec::new());
        let sum = self.with(place, "Mul", &sum, (2.0 / std::f64::consts::PI).sqrt())?;
        let curve = self.part(place, "Tanh", &[&sum], Vec::new());
        self.gated(place, x, &curve)
    }

    /// `x / 2 · (1 + gate)`.
    fn gated(&mut self, place: &mut Place<'_>, x: &str, gate: &str) -> Result<()> {
        let gate = self.with(place, "Add", gate, 1.0)?;
        let half = self.with(place, "Mul", x, 0.5)?;
        self.last(place, "Mul", &[&half, &gate], Vec::new());
        Ok(())
    }

    /// A step with a number.
    fn with(&mut self, place: &mut Place<'_>, operator: &str, x: &str, by: f64) -> Result<String> {
        let by = self.number(place, by)?;
        Ok(self.part(place, operator, &[x, &by], Vec::new()))
    }

    pub(super) fn elementwise(&mut self, place: &mut Place<'_>) -> Result<()> {
        let rank = place.node.shape.len();
        match place.node.op {
            Op::Binary(function) => {
                let operands = [self.aligned(place, 0, rank)?, self.aligned(place, 1, rank)?];
                self.last(place, function.name(), &[&operands[0], &operands[1]], Vec::new());
            }
            Op::ParametricRelu => {
                let x = self.operand(place, 0)?;
                let slope = self.graph.constant(place.node.operands[1]).cloned();
                match slope {
                    Some(slope) if slope.len() == 1 => {
                        let alpha = message::float("alpha", slope.values()[0]);
                        self.last(place, "LeakyRelu", &[&x], vec![alpha]);
                    }
                    Some(slope) => {
                        // With all axes, so that no runtime takes the last one for the channels.
                        let mut shape = vec![1; rank.saturating_sub(slope.shape().len())];
                        shape.extend(slope.shape());
                        let slope = self.floats(place, &slope.reshape(&shape)?)?;
                        self.last(place, "PRelu", &[&x, &slope], Vec::new());
                    }
                    None => {
                        let slope = self.aligned(place, 1, rank)?;
                        self.last(place, "PRelu", &[&x, &slope], Vec::new());
                    }
                }
            }
            Op::Clip { low, high } => {
                let x = self.operand(place, 0)?;
                self.clip(place, &x, [low, high])?;
            }
            Op::FakeQuantize { low, high } => self.quantized(place, [low, high])?,
            _ => {}
        }
        Ok(())
    }

    fn clip(&mut self, place: &mut Place<'_>, x: &str, [low, high]: [f64; 2]) -> Result<()> {
        // An empty name stands for no limit.
        let low = if low == f64::NEG_INFINITY { String::new() } else { self.number(place, low)? };
        let inputs: Vec<String> = if high == f64::INFINITY {
            vec![x.into(), low]
        } else {
            vec![x.into(), low, self.number(place, high)?]
        };
        let mut inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        if inputs.last().is_some_and(|last| last.is_empty()) {
            inputs.pop();
        }
        self.last(place, "Clip", &inputs, Vec::new());
        Ok(())
    }

    /// Steps and back: in ONNX's two operators if there are 256 of one length, else in parts.
    fn quantized(&mut self, place: &mut Place<'_>, [low, high]: [f64; 2]) -> Result<()> {
        let (x, scale) = (self.operand(place, 0)?, self.operand(place, 1)?);
        let single = |index: usize| {
            let array = self.graph.constant(place.node.operands[index])?;
            (array.len() == 1).then(|| array.values()[0])
        };
        if let (Some(length), Some(zero)) = (single(1), single(2)) {
            // Shifted, so that the least step is 0.
            let zero = zero - low;
            let bytes = high - low == 255.0 && (0.0..=255.0).contains(&zero) && zero.fract() == 0.0;
            if bytes && length > 0.0 {
                let scale = self.floats(place, &Array::scalar(length))?;
                let name = format!("constant{}", self.initializers.len());
                self.initializers.push(message::byte(&name, zero as u8));
                let steps = self.part(place, "QuantizeLinear", &[&x, &scale, &name], Vec::new());
                self.last(place, "DequantizeLinear", &[&steps, &scale, &name], Vec::new());
                return Ok(());
            }
        }
        let zero = self.operand(place, 2)?;
        let scaled = self.part(place, "Div", &[&x, &scale], Vec::new());
        let rounded = self.part(place, "Round", &[&scaled], Vec::new());
        let shifted = self.part(place, "Add", &[&rounded, &zero], Vec::new());
        let (low, high) = (self.number(place, low)?, self.number(place, high)?);
        let clipped = self.part(place, "Clip", &[&shifted, &low, &high], Vec::new());
        let steps = self.part(place, "Sub", &[&clipped, &zero], Vec::new());
        self.last(place, "Mul", &[&steps, &scale], Vec::new());
        Ok(())
    }
}
