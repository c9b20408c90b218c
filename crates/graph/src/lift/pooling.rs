//! Pooling, and the planes it works on.
use super::{Imported, Importer, Value, refuse};
use crate::{Array, Binary, Op, Window};

/// Whether padded places count in the mean of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// As zeros.
    Counts,
    /// The mean is that of the pixels alone.
    DoesNotCount,
}

impl Importer {
    /// The shape of a value `[N, C, ..]` without batch and channels.
    pub(crate) fn plane(&self, value: &Value) -> Imported<Vec<usize>> {
        let (operand, batched) = Importer::sample(value)?;
        let shape = self.builder.shape(operand);
        match shape.split_first() {
            Some((_, plane)) if batched && !plane.is_empty() && !shape.contains(&0) => {
                Ok(plane.to_vec())
            }
            _ => refuse(format!("channels and spatial axes are needed, got a shape {shape:?}")),
        }
    }
    /// The mean of each window; `own` is the padding before it was rounded up, of which what was
    /// added then never counts.
    pub(crate) fn average_pool(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        x: &Value,
        window: Window,
        own: &[(usize, usize)],
        padding: Padding,
    ) -> Imported<Value> {
        let plane = self.plane(x)?;
        let limits: Vec<(usize, usize)> = (0..plane.len())
            .map(|axis| {
                let (before, after) = own[axis];
                match padding {
                    Padding::Counts => (0, before + plane[axis] + after),
                    Padding::DoesNotCount => (before, before + plane[axis]),
                }
            })
            .collect();
        let counts: Vec<Vec<f64>> =
            (0..plane.len()).map(|axis| count(&window, axis, &plane, limits[axis])).collect();
        let size: usize = window.kernel.iter().product();
        let shape: Vec<usize> = std::iter::once(1).chain(counts.iter().map(Vec::len)).collect();
        let correction = Array::from_fn(&shape, |place| {
            let (mut rest, mut inside) = (place, 1.0);
            for counts in counts.iter().rev() {
                inside *= counts[rest % counts.len()];
                rest /= counts.len();
            }
            size as f64 / inside
        })?;
        let mean = self.apply(at, Op::AveragePool(window), x, Vec::new())?;
        if correction.values().iter().all(|&factor| factor == 1.0) {
            return Ok(mean);
        }
        self.binary(at, Binary::Mul, &mean, &Value::float(correction))
    }
}

impl Window {
    /// Pads so far that as many windows fit `plane` as if their number were rounded up; one that
    /// would begin in the padding behind the plane is left away.
    pub(crate) fn round_up(&mut self, plane: &[usize]) {
        for (axis, &length) in plane.iter().enumerate() {
            let Some(down) = self.count(axis, length) else { continue };
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            let (before, after) = self.padding[axis];
            let rest = (length + before + after - reach) % self.stride[axis];
            if rest > 0 && down * self.stride[axis] < length + before {
                self.padding[axis].1 += self.stride[axis] - rest;
            }
        }
    }
}

/// Places of each window of an axis that lie in the limits.
fn count(window: &Window, axis: usize, plane: &[usize], (from, to): (usize, usize)) -> Vec<f64> {
    let windows = window.count(axis, plane[axis]).unwrap_or(0);
    (0..windows)
        .map(|at| {
            let of = |tap: usize| at * window.stride[axis] + tap * window.dilation[axis];
            let inside = |tap: &usize| (from..to).contains(&of(*tap));
            (0..window.kernel[axis]).filter(inside).count().max(1) as f64
        })
        .collect()
}
