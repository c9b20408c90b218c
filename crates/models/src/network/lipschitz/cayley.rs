//! The Cayley transform of free weights into orthogonal ones.
use burn::prelude::*;

/// Steps of the iteration for the inverse. Each squares the error, which begins at
/// `1 − 1/(‖M‖₁ ‖M‖∞)` or less: 24 reach the rounding of f32 up to a product of 10⁶.
const STEPS: usize = 24;

/// Orthonormal columns (rows, if these are fewer) from weights `[inputs, outputs]`.
///
/// Of a tall `[U; V]` with `A = U − Uᵀ + VᵀV` it is `[(I + A)⁻¹ (I − A); −2 V (I + A)⁻¹]`. Trockman,
/// Kolter 2021.
pub(super) fn orthogonal(weight: Tensor<2>) -> Tensor<2> {
    let [inputs, outputs] = weight.dims();
    if inputs < outputs {
        return orthogonal(weight.transpose()).transpose();
    }
    let square = weight.clone().narrow(0, 0, outputs);
    let one = identity(outputs, &weight);
    let skew = square.clone() - square.transpose();
    if inputs == outputs {
        return inverse(one.clone() + skew.clone()).matmul(one - skew);
    }
    let rest = weight.narrow(0, outputs, inputs - outputs);
    let both = skew + rest.clone().transpose().matmul(rest.clone());
    let inverse = inverse(one.clone() + both.clone());
    let top = inverse.clone().matmul(one - both);
    Tensor::cat(vec![top, rest.matmul(inverse) * -2.0], 0)
}

/// The identity matrix where `like` is.
fn identity(size: usize, like: &Tensor<2>) -> Tensor<2> {
    let value = |place: usize| if place.is_multiple_of(size + 1) { 1.0_f32 } else { 0.0 };
    let values: Vec<f32> = (0..size * size).map(value).collect();
    let values = TensorData::new(values, [size, size]);
    on_tape_of(Tensor::from_data(values, &like.device().inner()), like)
}

fn on_tape_of(constant: Tensor<2>, like: &Tensor<2>) -> Tensor<2> {
    if like.is_autodiff() { constant.autodiff() } else { constant }
}

/// The inverse of `M = I + A` where `A + Aᵀ` has no negative eigenvalue: no singular value of `M`
/// is below 1.
///
/// `X ← X (2I − M X)` (Schulz 1933) from `Mᵀ / (‖M‖₁ ‖M‖∞)`, off the tape. The last step is on it,
/// with `X` held: its derivative is `−X dM X`, that of the inverse.
fn inverse(matrix: Tensor<2>) -> Tensor<2> {
    let plain = matrix.clone().inner();
    let size = plain.clone().abs();
    let scale = size.clone().sum_dim(0).max_dim(1) * size.sum_dim(1).max_dim(0);
    let mut guess = plain.clone().transpose() / scale;
    let step = |guess: Tensor<2>, matrix: Tensor<2>| {
        guess.clone() * 2.0 - guess.clone().matmul(matrix).matmul(guess)
    };
    for _ in 0..STEPS {
        guess = step(guess, plain.clone());
    }
    step(on_tape_of(guess, &matrix), matrix)
}
