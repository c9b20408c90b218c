//! Row by row on the host: for what has no gradient and no use for a device.
use burn::prelude::*;
use duress_core::{Domain, host};
use rand::Rng;
use rayon::prelude::*;

use super::Draws;

/// `work` on each row `[F]`, over all cores, with the row's own generator.
pub(super) fn by_row(
    rows: Tensor<2>,
    draws: &Draws,
    work: impl Fn(&mut [f32], &mut dyn Rng) + Sync,
) -> Tensor<2> {
    let rows = rows.inner();
    let (dims, device) = (rows.dims(), rows.device());
    let mut values = host::floats(rows).expect("the device hands back its rows");
    let pieces = values.par_chunks_mut(dims[1].max(1)).enumerate();
    pieces.for_each(|(index, row)| work(row, &mut draws.generator(index)));
    Tensor::from_data(TensorData::new(values, dims), &device)
}

/// A number a row and column, `[N, columns]`, from the row's own generator.
pub(crate) fn drawn(
    rows: &Tensor<2>,
    columns: usize,
    draws: &Draws,
    fill: impl Fn(&mut dyn Rng, &mut [f32]) + Sync,
) -> Tensor<2> {
    let (count, device) = (rows.dims()[0], rows.device().inner());
    duress_core::fill_rows(count, columns, &device, |index, row| {
        fill(&mut draws.generator(index), row);
    })
}

/// The box of a domain: values as a share of the way from the lower to the upper bound.
#[derive(Clone, Debug)]
pub(super) struct UnitBox {
    lower: Vec<f32>,
    upper: Vec<f32>,
}

impl UnitBox {
    pub(super) fn of(domain: &Domain) -> Self {
        let features = 0..domain.features();
        Self {
            lower: features.clone().map(|index| domain.lower().at(index)).collect(),
            upper: features.map(|index| domain.upper().at(index)).collect(),
        }
    }

    /// `work` on the shares of a row, whose results are clipped to `[0, 1]` and taken back.
    pub(super) fn within(&self, row: &mut [f32], work: impl FnOnce(&mut [f32])) {
        for (value, (low, high)) in row.iter_mut().zip(self.lower.iter().zip(&self.upper)) {
            *value = ((*value - low) / (high - low).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        }
        work(row);
        for (value, (low, high)) in row.iter_mut().zip(self.lower.iter().zip(&self.upper)) {
            *value = (low + (high - low) * value.clamp(0.0, 1.0)).clamp(*low, *high);
        }
    }
}

/// The place that stands at `place + shift` on an axis whose ends are mirrors (`b a | a b | b a`).
pub(super) fn mirrored(place: usize, shift: isize, size: usize) -> usize {
    let period = 2 * size as isize;
    let at = (place as isize + shift).rem_euclid(period);
    if at < size as isize { at as usize } else { (period - 1 - at) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_mirrored_at_both_ends_with_its_ends_repeated() {
        let at = |shift| mirrored(0, shift, 3);
        let got: Vec<usize> = (-4..8).map(at).collect();
        assert_eq!(got, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
        assert_eq!(mirrored(0, -1, 1), 0);
    }

    #[test]
    fn shares_of_the_box_go_there_and_back() {
        let domain = Domain::table(vec![-1.0, 5.0, 2.0], vec![1.0, 9.0, 2.0]).unwrap();
        let mut row = vec![0.0, 6.0, 2.0];
        UnitBox::of(&domain).within(&mut row, |row| {
            assert_eq!(row.to_vec(), [0.5, 0.25, 0.0]);
            row.copy_from_slice(&[1.5, 0.75, 0.5]);
        });
        assert_eq!(row, [1.0, 8.0, 2.0]);
    }
}
