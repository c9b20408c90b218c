//! Functions of one value and of pairs of values.
use duress_graph::{Binary, Node, Operand, Unary};

use super::map::{Map, Weight};
use super::translate::{Translated, Translation, refuse};
use super::{Function, Step};

impl Translation<'_> {
    pub(super) fn unary(&mut self, function: Unary, x: usize) -> Translated {
        let kink =
            |negative, positive| Function::Kink { negative: Weight::Uniform(negative), positive };
        let finite = |values: &[f64]| values.iter().all(|value| value.is_finite() && *value >= 0.0);
        Ok(match function {
            Unary::Relu => self.curve(x, kink(0.0, 1.0)),
            Unary::Abs => self.curve(x, kink(-1.0, 1.0)),
            Unary::Neg => self.scaled(x, -1.0, 0.0),
            Unary::HardSigmoid { alpha, beta } => {
                let line = self.scaled(x, alpha, beta);
                self.clip(line, 0.0, 1.0)?
            }
            Unary::GeluTanh => self.gelu_tanh(x),
            Unary::Mish => {
                let softplus = self.curve(x, Function::Smooth(Unary::Softplus));
                let tanh = self.curve(softplus, Function::Smooth(Unary::Tanh));
                self.product(x, tanh)
            }
            Unary::Elu { alpha } if !finite(&[alpha]) => return refuse("an alpha below 0"),
            Unary::Selu { alpha, gamma } if !finite(&[alpha, gamma]) => {
                return refuse("an alpha or gamma below 0");
            }
            Unary::Floor | Unary::Ceil | Unary::Round | Unary::Sign => {
                self.curve(x, Function::Stairs(function))
            }
            Unary::Elu { .. }
            | Unary::Selu { .. }
            | Unary::Sigmoid
            | Unary::Tanh
            | Unary::Gelu
            | Unary::Silu
            | Unary::Erf
            | Unary::HardSwish
            | Unary::Softplus
            | Unary::Softsign
            | Unary::Exp
            | Unary::Log
            | Unary::Sqrt
            | Unary::Reciprocal
            | Unary::Sin
            | Unary::Cos => self.curve(x, Function::Smooth(function)),
        })
    }

    /// `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`: its inflections have no closed form, those
    /// of its parts do.
    fn gelu_tanh(&mut self, x: usize) -> usize {
        let size = self.sizes[x];
        let square = self.product(x, x);
        let cube = self.product(x, square);
        let scale = (2.0 / std::f64::consts::PI).sqrt();
        let select = |weight| Map::Select {
            sources: (0..size as u32).collect(),
            weight: Weight::Uniform(weight),
        };
        let parts = vec![(x, select(scale)), (cube, select(scale * 0.044_715))];
        let inner = self.affine(parts, Vec::new(), size);
        let tanh = self.curve(inner, Function::Smooth(Unary::Tanh));
        let half = self.scaled(tanh, 0.5, 0.5);
        self.product(x, half)
    }

    pub(super) fn clip(&mut self, x: usize, low: f64, high: f64) -> Translated {
        if low.is_nan() || high.is_nan() || low > high {
            return refuse(format!("limits {low} and {high} that are not in order"));
        }
        Ok(self.curve(x, Function::Clip { low, high }))
    }

    pub(super) fn binary(&mut self, function: Binary, node: &Node) -> Translated {
        let [x, y] = node.operands[..] else { return refuse("two operands expected") };
        let constant = |operand| matches!(operand, Operand::Constant(_));
        match function {
            Binary::Add => self.sum(node, 1.0),
            Binary::Sub => self.sum(node, -1.0),
            Binary::Mul if constant(x) => self.multiple(y, x, node, |weight| weight),
            Binary::Mul if constant(y) => self.multiple(x, y, node, |weight| weight),
            Binary::Mul => {
                let (x, y) = (self.broadcast(x, &node.shape)?, self.broadcast(y, &node.shape)?);
                Ok(self.product(x, y))
            }
            Binary::Div if constant(y) => self.multiple(x, y, node, |weight| 1.0 / weight),
            Binary::Div => {
                let divisor = self.broadcast(y, &node.shape)?;
                let inverse = self.curve(divisor, Function::Smooth(Unary::Reciprocal));
                if constant(x) {
                    let weights = self.constant(x, &node.shape)?;
                    return Ok(self.weighted(inverse, weights));
                }
                let x = self.broadcast(x, &node.shape)?;
                Ok(self.product(x, inverse))
            }
            Binary::Pow => self.power(node),
            Binary::Max => self.larger(node, 1.0),
            Binary::Min => {
                let negated = self.larger(node, -1.0)?;
                Ok(self.scaled(negated, -1.0, 0.0))
            }
        }
    }

    /// `x + sign · y`, one of them perhaps constant.
    fn sum(&mut self, node: &Node, sign: f64) -> Translated {
        let size = node.shape.iter().product();
        let (mut parts, mut bias) = (Vec::new(), Vec::new());
        for (&operand, sign) in node.operands.iter().zip([1.0, sign]) {
            if let Operand::Constant(_) = operand {
                bias = self.constant(operand, &node.shape)?;
                for value in &mut bias {
                    *value *= sign;
                }
            } else {
                let sources = super::layout::broadcast(self.graph.shape(operand), &node.shape)?;
                let map = Map::Select { sources, weight: Weight::Uniform(sign) };
                parts.push((self.step(operand)?, map));
            }
        }
        Ok(self.affine(parts, bias, size))
    }

    /// `x · f(constant)`, where `f` may round once.
    fn multiple(
        &mut self,
        x: Operand,
        constant: Operand,
        node: &Node,
        f: impl Fn(f64) -> f64,
    ) -> Translated {
        let mut weights = self.constant(constant, &node.shape)?;
        for weight in &mut weights {
            *weight = f(*weight);
        }
        // Below the normal numbers a rounded weight has no relative precision.
        if weights.iter().any(|&weight| weight != 0.0 && !weight.is_normal()) {
            return refuse("a factor too small or too large for f64");
        }
        let x = self.broadcast(x, &node.shape)?;
        Ok(self.weighted(x, weights))
    }

    pub(super) fn weighted(&mut self, x: usize, weights: Vec<f64>) -> usize {
        let size = self.sizes[x];
        let sources = (0..size as u32).collect();
        let map = Map::Select { sources, weight: Weight::Each(weights) };
        self.affine(vec![(x, map)], Vec::new(), size)
    }

    /// x to a constant power: by products where it is a small integer, else `exp(y · ln x)`.
    fn power(&mut self, node: &Node) -> Translated {
        let [base, exponent] = node.operands[..] else { return refuse("two operands expected") };
        if let Operand::Constant(_) = base {
            return refuse("an exponent that depends on the input");
        }
        let exponents = self.constant(exponent, &node.shape)?;
        let x = self.broadcast(base, &node.shape)?;
        let first = exponents.first().copied().unwrap_or(1.0);
        if exponents.iter().all(|&exponent| exponent == first) {
            if first == 1.0 {
                return Ok(x);
            } else if first == 2.0 {
                return Ok(self.product(x, x));
            } else if first == 3.0 {
                let square = self.product(x, x);
                return Ok(self.product(x, square));
            } else if first == 0.5 {
                return Ok(self.curve(x, Function::Smooth(Unary::Sqrt)));
            } else if first == -1.0 {
                return Ok(self.curve(x, Function::Smooth(Unary::Reciprocal)));
            }
        }
        let logarithm = self.curve(x, Function::Smooth(Unary::Log));
        let scaled = self.weighted(logarithm, exponents);
        Ok(self.curve(scaled, Function::Smooth(Unary::Exp)))
    }

    /// `max(sign · x, sign · y)`.
    fn larger(&mut self, node: &Node, sign: f64) -> Translated {
        let size: usize = node.shape.iter().product();
        let (mut parts, mut bias) = (Vec::new(), Vec::new());
        for (position, &operand) in node.operands.iter().enumerate() {
            if let Operand::Constant(_) = operand {
                bias.resize(2 * size, 0.0);
                let values = self.constant(operand, &node.shape)?;
                for (bias, value) in bias[position * size..].iter_mut().zip(values) {
                    *bias = sign * value;
                }
            } else {
                let own = super::layout::broadcast(self.graph.shape(operand), &node.shape)?;
                let mut sources = vec![u32::MAX; 2 * size];
                sources[position * size..][..size].copy_from_slice(&own);
                let map = Map::Select { sources, weight: Weight::Uniform(sign) };
                parts.push((self.step(operand)?, map));
            }
        }
        let pair = self.affine(parts, bias, 2 * size);
        let groups = (0..size as u32).map(|at| vec![at, at + size as u32]);
        let groups = super::Groups::new(groups);
        Ok(self.push(Step::Maximum { source: pair, groups }, size))
    }

    /// `(clip(round(x / scale) + zero, low, high) − zero) · scale`.
    pub(super) fn fake_quantize(&mut self, node: &Node, low: f64, high: f64) -> Translated {
        let scales = self.constant(node.operands[1], &node.shape)?;
        let zeros = self.constant(node.operands[2], &node.shape)?;
        let quotients =
            self.multiple(node.operands[0], node.operands[1], node, |scale| 1.0 / scale)?;
        let steps = self.curve(quotients, Function::Stairs(Unary::Round));
        let sources: Vec<u32> = (0..zeros.len() as u32).collect();
        let same = Map::Select { sources, weight: Weight::Uniform(1.0) };
        let size = zeros.len();
        let shifted = self.affine(vec![(steps, same.clone())], zeros.clone(), size);
        let clipped = self.clip(shifted, low, high)?;
        let back = zeros.iter().map(|zero| -zero).collect();
        let centred = self.affine(vec![(clipped, same)], back, size);
        Ok(self.weighted(centred, scales))
    }
}
