//! Linear lower bounds of margins, taken back from the margins to the input.
//!
//! Zhang, Chen, Xiao, Gowal, Stanforth, Li, Boning, Hsieh. *Towards Stable and Efficient Training
//! of Verifiably Robust Neural Networks* (CROWN-IBP). ICLR 2020, §3.2.
//! <https://arxiv.org/abs/1906.06316>
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::interval::Passed;
use super::max_pool::Windows;
use super::operation::Operation;
use super::relu::{Lines, lines};

/// `S` linear functions a sample, `Σ coefficients · x + constants`.
pub(super) struct Functions {
    /// `[N · S, C, H, W]`.
    pub(super) coefficients: Tensor<4>,
    /// `[N, S]`.
    pub(super) constants: Tensor<2>,
}

impl Functions {
    /// Lower bounds of these functions of the results of `operations` as functions of what went in.
    pub(super) fn back(self, operations: &[Operation], trail: &[Passed]) -> Self {
        let steps = operations.iter().zip(trail).rev();
        steps.fold(self, |functions, (operation, passed)| functions.step(operation, passed))
    }

    fn step(self, operation: &Operation, passed: &Passed) -> Self {
        let Self { coefficients, constants } = self;
        let [samples, functions] = constants.dims();
        let [_, channels, height, width] = passed.before.centre.dims();
        let shape = [channels, height, width];
        let sums =
            |terms: Tensor<4>| terms.flatten::<2>(1, 3).sum_dim(1).reshape([samples, functions]);
        match operation {
            Operation::Scale { scale, shift } => Self {
                constants: constants + sums(coefficients.clone() * shift.clone()),
                coefficients: coefficients * scale.clone(),
            },
            Operation::Linear(layer) => {
                let rows = coefficients.flatten::<2>(1, 3);
                let constants = match &layer.bias {
                    Some(bias) => {
                        let offsets = rows.clone() * bias.clone().unsqueeze_dim(0);
                        constants + offsets.sum_dim(1).reshape([samples, functions])
                    }
                    None => constants,
                };
                let rows = rows.matmul(layer.weight.clone().transpose());
                Self { coefficients: maps(rows, shape), constants }
            }
            Operation::Convolution(layer) => {
                let constants = match &layer.bias {
                    Some(bias) => {
                        let outputs = bias.dims()[0];
                        let bias = bias.clone().reshape([1, outputs, 1, 1]);
                        constants + sums(coefficients.clone() * bias)
                    }
                    None => constants,
                };
                Self { coefficients: layer.transposed(coefficients, shape), constants }
            }
            Operation::Relu => {
                let Lines { below, above, constant } = lines(&passed.before);
                let flat = |values: Tensor<4>| values.flatten::<2>(1, 3).unsqueeze_dim::<3>(1);
                let size = channels * height * width;
                let rows = coefficients.reshape([samples, functions, size]);
                let positive = relu(rows.clone());
                let negative = rows - positive.clone();
                let added = (negative.clone() * flat(constant)).sum_dim(2).squeeze_dim(2);
                let rows = positive * flat(below) + negative * flat(above);
                let rows = rows.reshape([samples * functions, size]);
                Self { coefficients: maps(rows, shape), constants: constants + added }
            }
            Operation::MaxPool(side) => {
                let windows = Windows::new(&passed.before, *side);
                let [_, channels, down, across] = coefficients.dims();
                let rows = [samples, functions, channels * down * across];
                let (coefficients, added) = windows.taken_back(coefficients.reshape(rows), shape);
                Self { coefficients, constants: constants + added }
            }
            Operation::GlobalAverage => {
                let all = [samples * functions, channels, height, width];
                let coefficients = coefficients.expand(all) / (height * width) as f64;
                Self { coefficients, constants }
            }
            Operation::Reshape(_) => {
                let rows = coefficients.flatten::<2>(1, 3);
                Self { coefficients: maps(rows, shape), constants }
            }
            Operation::Residual { body, shortcut } => {
                let [inner, outer] = match &passed.branches {
                    Some([inner, outer]) => [inner.as_slice(), outer.as_slice()],
                    None => [&[][..]; 2],
                };
                let zeros = constants.zeros_like();
                let other = Self { coefficients: coefficients.clone(), constants: zeros };
                let inner = Self { coefficients, constants }.back(body, inner);
                let outer = other.back(shortcut, outer);
                Self {
                    coefficients: inner.coefficients + outer.coefficients,
                    constants: inner.constants + outer.constants,
                }
            }
        }
    }
}

fn maps(rows: Tensor<2>, [channels, height, width]: [usize; 3]) -> Tensor<4> {
    let count = rows.dims()[0];
    rows.reshape([count, channels, height, width])
}
