//! A row seen as a picture, in units of its box.
use duress_core::{Domain, Result};

/// Colour planes with values in `[0, 1]`: 0 is the lower side of the box of a feature, 1 the upper.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    /// `[channels, height, width]`.
    pub(crate) shape: [usize; 3],
    /// Feature `(c · height + y) · width + x`.
    pub(crate) values: Vec<f32>,
}

impl Picture {
    /// The picture of a row.
    ///
    /// # Errors
    /// [`duress_core::Error::NotAnImage`].
    pub(crate) fn of(row: &[f32], domain: &Domain) -> Result<Self> {
        let shape = domain.image_shape()?;
        let unit = |(feature, &value): (usize, &f32)| {
            let (low, high) = (domain.lower().at(feature), domain.upper().at(feature));
            if high > low { (value - low) / (high - low) } else { 0.0 }
        };
        Ok(Self { shape, values: row.iter().enumerate().map(unit).collect() })
    }

    /// The row of the picture, in the units of the box. Values beyond `[0, 1]` lie outside it.
    pub(crate) fn row(&self, domain: &Domain) -> Vec<f32> {
        let raw = |(feature, &value): (usize, &f32)| {
            let (low, high) = (domain.lower().at(feature), domain.upper().at(feature));
            low + value * (high - low)
        };
        self.values.iter().enumerate().map(raw).collect()
    }

    /// Pixels of a plane.
    pub(crate) fn pixels(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// The planes, one after the other.
    pub(crate) fn planes(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.pixels())
    }

    /// The planes, to change.
    pub(crate) fn planes_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let pixels = self.pixels();
        self.values.chunks_exact_mut(pixels)
    }

    /// The same picture with each value changed.
    pub(crate) fn map(mut self, change: impl FnMut(f32) -> f32) -> Self {
        let mut change = change;
        for value in &mut self.values {
            *value = change(*value);
        }
        self
    }

    /// Values moved into `[0, 1]`.
    pub(crate) fn clipped(self) -> Self {
        self.map(|value| value.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Bound, Error, Layout};

    #[test]
    fn a_picture_measures_in_units_of_the_box_and_goes_back() {
        let layout = Layout::Image { channels: 1, height: 1, width: 3 };
        let (lower, upper) = (vec![-1.0, 0.0, 2.0], vec![1.0, 4.0, 2.0]);
        let domain =
            Domain::new(layout, Bound::PerFeature(lower), Bound::PerFeature(upper)).unwrap();
        let picture = Picture::of(&[0.0, 1.0, 2.0], &domain).unwrap();
        assert_eq!(picture.values, [0.5, 0.25, 0.0]);
        assert_eq!(picture.row(&domain), [0.0, 1.0, 2.0]);
        let table = Domain::table(vec![0.0], vec![1.0]).unwrap();
        assert!(matches!(Picture::of(&[0.5], &table), Err(Error::NotAnImage(_))));
    }
}
