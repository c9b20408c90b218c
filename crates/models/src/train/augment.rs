//! Random crops and flips, drawn from each sample's own stream.
use duress_core::{Domain, Seed, Use};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::Result;

/// Augmentation of images.
///
/// A draw depends on the seed, the sample's id and the epoch only: not on the batch, the order or
/// the number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Pixels of padding on each side before a crop of the original size at a uniform place (0).
    /// The padding is 0 in raw units, or the bound of the domain nearest to it.
    pub crop_padding: usize,
    /// Mirror left and right with probability ½ (no).
    pub flip: bool,
}

impl Augmentation {
    /// Whether anything is done.
    #[must_use]
    pub fn is_active(&self) -> bool {
        *self != Self::default()
    }

    /// Checks that an active augmentation has an image.
    ///
    /// # Errors
    /// [`duress_core::Error::NotAnImage`].
    pub fn check(&self, domain: &Domain) -> Result<()> {
        if self.is_active() {
            domain.image_shape()?;
        }
        Ok(())
    }

    /// Appends the augmented `row` of sample `id` to `out`.
    pub(crate) fn append(
        &self,
        row: &[f32],
        domain: &Domain,
        (seed, id, epoch): (Seed, u64, u32),
        out: &mut Vec<f32>,
    ) {
        let (true, Ok(shape)) = (self.is_active(), domain.image_shape()) else {
            out.extend_from_slice(row);
            return;
        };
        let mut rng = seed.stream(id, epoch, 0, Use::Augment);
        let most = 2 * self.crop_padding;
        let place = [rng.random_range(0..=most), rng.random_range(0..=most)];
        let mirror = self.flip && rng.random_bool(0.5);
        let [down, right] = place.map(|offset| offset as isize - self.crop_padding as isize);
        moved(row, shape, (down, right, mirror), domain, out);
    }
}

/// Appends `row` looked at from `(down, right)`, mirrored after the shift.
fn moved(
    row: &[f32],
    [channels, height, width]: [usize; 3],
    (down, right, mirror): (isize, isize, bool),
    domain: &Domain,
    out: &mut Vec<f32>,
) {
    for channel in 0..channels {
        for y in 0..height {
            for x in 0..width {
                let column = if mirror { width - 1 - x } else { x };
                let from = y.checked_add_signed(down).zip(column.checked_add_signed(right));
                out.push(match from {
                    Some((y, x)) if y < height && x < width => {
                        row[(channel * height + y) * width + x]
                    }
                    _ => {
                        let feature = (channel * height + y) * width + x;
                        0.0_f32.clamp(domain.lower().at(feature), domain.upper().at(feature))
                    }
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Bound, Layout};
    use proptest::prelude::*;

    const ROW: [f32; 6] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];

    fn shifted(down: isize, right: isize, mirror: bool) -> Vec<f32> {
        let domain = Domain::image(1, 2, 3).unwrap();
        let mut out = Vec::new();
        moved(&ROW, [1, 2, 3], (down, right, mirror), &domain, &mut out);
        out
    }

    #[test]
    fn a_shift_pads_with_zeros_and_a_flip_mirrors() {
        assert_eq!(shifted(0, 0, false), ROW);
        assert_eq!(shifted(1, 0, false), [0.4, 0.5, 0.6, 0.0, 0.0, 0.0]);
        assert_eq!(shifted(0, -1, false), [0.0, 0.1, 0.2, 0.0, 0.4, 0.5]);
        assert_eq!(shifted(0, 0, true), [0.3, 0.2, 0.1, 0.6, 0.5, 0.4]);
        assert_eq!(shifted(-1, 1, true), [0.0, 0.0, 0.0, 0.0, 0.3, 0.2]);
    }

    #[test]
    fn the_padding_stays_in_the_domain() {
        let layout = Layout::Image { channels: 1, height: 1, width: 2 };
        let domain =
            Domain::new(layout, Bound::Uniform(2.0), Bound::PerFeature(vec![3.0, 5.0])).unwrap();
        let mut out = Vec::new();
        moved(&[2.5, 4.0], [1, 1, 2], (0, 1, false), &domain, &mut out);
        assert_eq!(out, [4.0, 2.0]);
    }

    /// With one pixel of padding a 2×3 image has 9 places and 2 mirrors: all 18 must come up.
    #[test]
    fn every_place_and_both_mirrors_are_drawn() {
        let domain = Domain::image(1, 2, 3).unwrap();
        let augmentation = Augmentation { crop_padding: 1, flip: true };
        let mut seen = std::collections::HashSet::new();
        for id in 0..500 {
            let mut out = Vec::new();
            augmentation.append(&ROW, &domain, (Seed(3), id, 0), &mut out);
            seen.insert(out.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
        }
        assert_eq!(seen.len(), 18);
    }

    proptest! {
        #[test]
        fn a_draw_depends_on_id_and_epoch_only(id in any::<u64>(), epoch in 0_u32..50) {
            let domain = Domain::image(1, 2, 3).unwrap();
            let augmentation = Augmentation { crop_padding: 2, flip: true };
            let draw = |before: usize| {
                let mut out = vec![9.0; before];
                augmentation.append(&ROW, &domain, (Seed(1), id, epoch), &mut out);
                out.split_off(before)
            };
            prop_assert_eq!(draw(0), draw(5));
        }
    }

    #[test]
    fn a_table_cannot_be_cropped() {
        let table = Domain::table(vec![0.0], vec![1.0]).unwrap();
        assert!(Augmentation { crop_padding: 1, flip: false }.check(&table).is_err());
        assert!(Augmentation::default().check(&table).is_ok());
    }
}
