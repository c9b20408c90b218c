//! The operations of a graph. Shapes and axes are those of one sample: there is no batch axis.

/// What a node computes of its operands.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The sample.
    Input,
    /// A function of each value. Operand: x.
    Unary(Unary),
    /// A function of each pair of values, broadcast. Operands: x, y.
    Binary(Binary),
    /// `max(x, 0) + slope · min(x, 0)`. Operands: x, a constant slope that broadcasts to it.
    ParametricRelu,
    /// `min(max(x, low), high)`. Operand: x.
    Clip {
        /// Lower limit; may be −∞.
        low: f64,
        /// Upper limit; may be ∞.
        high: f64,
    },
    /// Quantised and back: `(clip(round(x / scale) + zero, low, high) − zero) · scale`, ties to
    /// even. Operands: x, constants `scale` and `zero` that broadcast to it. Its derivative is
    /// taken as that of the clipping: rounding counts as the identity.
    FakeQuantize {
        /// Least integer.
        low: f64,
        /// Largest integer.
        high: f64,
    },
    /// `x · weight + bias` along the last axis. Operands: x `[.., F]`, constant weight `[F, K]`,
    /// constant bias `[K]` if there are three.
    Linear,
    /// Matrix product over the last two axes, broadcast over the others. Operands: two, at most
    /// one of them constant.
    MatMul,
    /// Cross-correlation of `[C, ..]`. Operands: x, constant weight `[O, C / groups, ..]`,
    /// constant bias `[O]` if there are three.
    Convolution(Convolution),
    /// The transpose of a cross-correlation. Operands: x `[C, ..]`, constant weight
    /// `[C, O / groups, ..]`, constant bias `[O]` if there are three.
    TransposedConvolution(TransposedConvolution),
    /// Largest value of each window of `[C, ..]`; what is padded never wins. Operand: x.
    MaxPool(Window),
    /// Mean of each window of `[C, ..]`, padding included: it counts as zeros. Operand: x.
    AveragePool(Window),
    /// Values along `axes` reduced to one, the axes kept with length 1. Operand: x.
    Reduce {
        /// How.
        by: Reduction,
        /// Along which axes, ascending.
        axes: Vec<usize>,
    },
    /// `exp(x) / Σ exp(x)` along an axis. Operand: x.
    Softmax {
        /// The axis.
        axis: usize,
    },
    /// `x − ln Σ exp(x)` along an axis. Operand: x.
    LogSoftmax {
        /// The axis.
        axis: usize,
    },
    /// The same values in the node's shape. Operand: x.
    Reshape,
    /// Axis `i` of the result is axis `axes[i]` of x. Operand: x.
    Transpose {
        /// A permutation.
        axes: Vec<usize>,
    },
    /// Values `start..end` of an axis. Operand: x.
    Slice {
        /// The axis.
        axis: usize,
        /// First index.
        start: usize,
        /// One past the last index.
        end: usize,
    },
    /// The values at `indices` of an axis. Operand: x.
    Gather {
        /// The axis.
        axis: usize,
        /// Indices, all below its length.
        indices: Vec<usize>,
    },
    /// Operands one after the other along an axis. Operands: one or more.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Constant values around x. Operand: x.
    Pad {
        /// Values before and after, one pair an axis.
        sides: Vec<(usize, usize)>,
        /// The value.
        value: f64,
    },
    /// x repeated along axes of length 1, and along new first axes, to the node's shape. Operand: x.
    Expand,
}

impl Op {
    /// Name of the kind, for messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input => "Input",
            Op::Unary(unary) => unary.name(),
            Op::Binary(binary) => binary.name(),
            Op::ParametricRelu => "PRelu",
            Op::Clip { .. } => "Clip",
            Op::FakeQuantize { .. } => "FakeQuantize",
            Op::Linear => "Linear",
            Op::MatMul => "MatMul",
            Op::Convolution(_) => "Conv",
            Op::TransposedConvolution(_) => "ConvTranspose",
            Op::MaxPool(_) => "MaxPool",
            Op::AveragePool(_) => "AveragePool",
            Op::Reduce { by, .. } => by.name(),
            Op::Softmax { .. } => "Softmax",
            Op::LogSoftmax { .. } => "LogSoftmax",
            Op::Reshape => "Reshape",
            Op::Transpose { .. } => "Transpose",
            Op::Slice { .. } => "Slice",
            Op::Gather { .. } => "Gather",
            Op::Concat { .. } => "Concat",
            Op::Pad { .. } => "Pad",
            Op::Expand => "Expand",
        }
    }
}

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// `max(x, 0)`.
    Relu,
    /// `x` above 0, else `alpha · (exp(x) − 1)`.
    Elu {
        /// Scale of the negative part.
        alpha: f64,
    },
    /// `gamma · x` above 0, else `gamma · alpha · (exp(x) − 1)`.
    Selu {
        /// Scale of the negative part.
        alpha: f64,
        /// Scale of both.
        gamma: f64,
    },
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `x · Φ(x)`, by the error function.
    Gelu,
    /// `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`.
    GeluTanh,
    /// `x · sigmoid(x)`.
    Silu,
    /// Error function.
    Erf,
    /// `min(max(alpha · x + beta, 0), 1)`.
    HardSigmoid {
        /// Slope.
        alpha: f64,
        /// Offset.
        beta: f64,
    },
    /// `x · min(max(x / 6 + 1/2, 0), 1)`.
    HardSwish,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x · tanh(softplus(x))`.
    Mish,
    /// `exp(x)`.
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root.
    Sqrt,
    /// Absolute value.
    Abs,
    /// `−x`.
    Neg,
    /// `1 / x`.
    Reciprocal,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Largest integer not above x: no gradient.
    Floor,
    /// Least integer not below x: no gradient.
    Ceil,
    /// Nearest integer, ties to even: no gradient.
    Round,
    /// −1, 0 or 1: no gradient.
    Sign,
}

impl Op {
    /// Whether it is a function that networks put behind their layers: a rectifier, a sigmoid and
    /// the like.
    #[must_use]
    pub fn is_activation(&self) -> bool {
        match self {
            Op::ParametricRelu | Op::Clip { .. } => true,
            Op::Unary(function) => matches!(
                function,
                Unary::Relu
                    | Unary::Elu { .. }
                    | Unary::Selu { .. }
                    | Unary::Sigmoid
                    | Unary::Tanh
                    | Unary::Gelu
                    | Unary::GeluTanh
                    | Unary::Silu
                    | Unary::HardSigmoid { .. }
                    | Unary::HardSwish
                    | Unary::Softplus
                    | Unary::Softsign
                    | Unary::Mish
            ),
            _ => false,
        }
    }
}

impl Unary {
    /// Name in ONNX.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unary::Relu => "Relu",
            Unary::Elu { .. } => "Elu",
            Unary::Selu { .. } => "Selu",
            Unary::Sigmoid => "Sigmoid",
            Unary::Tanh => "Tanh",
            Unary::Gelu | Unary::GeluTanh => "Gelu",
            Unary::Silu => "Silu",
            Unary::Erf => "Erf",
            Unary::HardSigmoid { .. } => "HardSigmoid",
            Unary::HardSwish => "HardSwish",
            Unary::Softplus => "Softplus",
            Unary::Softsign => "Softsign",
            Unary::Mish => "Mish",
            Unary::Exp => "Exp",
            Unary::Log => "Log",
            Unary::Sqrt => "Sqrt",
            Unary::Abs => "Abs",
            Unary::Neg => "Neg",
            Unary::Reciprocal => "Reciprocal",
            Unary::Sin => "Sin",
            Unary::Cos => "Cos",
            Unary::Floor => "Floor",
            Unary::Ceil => "Ceil",
            Unary::Round => "Round",
            Unary::Sign => "Sign",
        }
    }

    /// Whether its derivative is 0 wherever there is one: an attack learns nothing from it.
    #[must_use]
    pub fn is_step(self) -> bool {
        matches!(self, Unary::Floor | Unary::Ceil | Unary::Round | Unary::Sign)
    }
}

/// A function of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `x + y`.
    Add,
    /// `x − y`.
    Sub,
    /// `x · y`.
    Mul,
    /// `x / y`.
    Div,
    /// `x` to the power `y`.
    Pow,
    /// The larger.
    Max,
    /// The smaller.
    Min,
}

impl Binary {
    /// Name in ONNX.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Binary::Add => "Add",
            Binary::Sub => "Sub",
            Binary::Mul => "Mul",
            Binary::Div => "Div",
            Binary::Pow => "Pow",
            Binary::Max => "Max",
            Binary::Min => "Min",
        }
    }
}

/// How values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

impl Reduction {
    /// Name in ONNX.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "ReduceSum",
            Reduction::Mean => "ReduceMean",
            Reduction::Max => "ReduceMax",
            Reduction::Min => "ReduceMin",
        }
    }
}

/// Windows that slide over the spatial axes: all axes but the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Length a spatial axis.
    pub kernel: Vec<usize>,
    /// Distance of neighbours.
    pub stride: Vec<usize>,
    /// Distance of the places of one window.
    pub dilation: Vec<usize>,
    /// Places added before and after.
    pub padding: Vec<(usize, usize)>,
}

impl Window {
    /// Number of windows along a spatial axis of `length` places; `None` if not one fits.
    #[must_use]
    pub fn count(&self, axis: usize, length: usize) -> Option<usize> {
        let reach = self.dilation[axis].checked_mul(self.kernel[axis].checked_sub(1)?)?;
        let (before, after) = self.padding[axis];
        let padded = length.checked_add(before)?.checked_add(after)?;
        Some(padded.checked_sub(reach.checked_add(1)?)? / self.stride[axis] + 1)
    }
}

/// A cross-correlation: the length of its windows is that of the weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// How windows slide.
    pub window: Window,
    /// Groups of channels that do not mix.
    pub groups: usize,
}

/// The transpose of a cross-correlation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransposedConvolution {
    /// Windows of the cross-correlation that it transposes; `padding` is cut from the result.
    pub window: Window,
    /// Places added at the end of each spatial axis of the result.
    pub output_padding: Vec<usize>,
    /// Groups of channels that do not mix.
    pub groups: usize,
}

impl TransposedConvolution {
    /// Length of a spatial axis of the result; `None` if the padding cuts more than there is.
    #[must_use]
    pub fn length(&self, axis: usize, length: usize) -> Option<usize> {
        let window = &self.window;
        let reach = window.dilation[axis].checked_mul(window.kernel[axis].checked_sub(1)?)?;
        let spread = length.checked_sub(1)?.checked_mul(window.stride[axis])?;
        let whole = spread.checked_add(reach)?.checked_add(1)?;
        let whole = whole.checked_add(self.output_padding[axis])?;
        let (before, after) = window.padding[axis];
        whole.checked_sub(before.checked_add(after)?).filter(|&length| length > 0)
    }
}
