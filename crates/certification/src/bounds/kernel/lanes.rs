//! Vectors of the processor, read from and written to slices.
use macerator::{Scalar, Simd, VFma, Vector};

/// As many numbers as the processor takes at once.
pub(super) type Lanes<S> = Vector<S, f64>;

/// How many these are.
#[inline(always)]
pub(super) fn lanes<S: Simd>() -> usize {
    <f64 as Scalar>::lanes::<S>()
}

/// The first numbers of a slice.
#[inline(always)]
pub(super) fn load<S: Simd>(from: &[f64]) -> Lanes<S> {
    bytemuck::pod_read_unaligned(bytemuck::cast_slice(&from[..lanes::<S>()]))
}

/// Replaces the first numbers of a slice.
#[inline(always)]
pub(super) fn store<S: Simd>(to: &mut [f64], values: Lanes<S>) {
    // An array of known length is one instruction, a copy of a slice a call.
    match lanes::<S>() {
        8 => put::<S, 8>(to, values),
        4 => put::<S, 4>(to, values),
        2 => put::<S, 2>(to, values),
        own => to[..own].copy_from_slice(bytemuck::cast_slice(bytemuck::bytes_of(&values))),
    }
}

#[inline(always)]
fn put<S: Simd, const N: usize>(to: &mut [f64], values: Lanes<S>) {
    let (to, _) = to.split_first_chunk_mut::<N>().unwrap_or_else(|| unreachable!("{N} numbers"));
    *to = bytemuck::cast(values);
}

/// The same number in each lane.
#[inline(always)]
pub(super) fn splat<S: Simd>(value: f64) -> Lanes<S> {
    value.splat::<S>()
}

/// `a · b + c`, rounded once where the processor does that.
#[inline(always)]
pub(super) fn multiply_add<S: Simd>(a: Lanes<S>, b: Lanes<S>, c: Lanes<S>) -> Lanes<S> {
    if <f64 as VFma>::is_accelerated::<S>() { a.fma(b, c) } else { a * b + c }
}

/// [`multiply_add`] of one lane.
#[inline(always)]
pub(super) fn multiply_add_one<S: Simd>(a: f64, b: f64, c: f64) -> f64 {
    if <f64 as VFma>::is_accelerated::<S>() { a.mul_add(b, c) } else { a * b + c }
}
