//! The least values of many linear functions on an input set.
use super::InputSet;
use super::least::TINY_SIZE;
use crate::bounds::backward::Block;
use crate::bounds::kernel::{Meeting, meet};
use crate::bounds::rounding::{down, gamma};

impl InputSet {
    /// As [`InputSet::minimum`] for each row of a block of the features' coefficients.
    pub(in crate::bounds) fn minima(
        &self,
        block: &mut Block,
        constants: &[f64],
        errors: &[f64],
    ) -> Vec<f64> {
        let count = constants.len();
        if self.ball.is_some() {
            let dense = block.dense(self.features(), count);
            let mut row = vec![0.0; self.features()];
            let bound = |(at, (&constant, &error)): (usize, (&f64, &f64))| {
                let own = dense.iter().skip(at).step_by(count);
                row.iter_mut().zip(own).for_each(|(to, from)| *to = *from);
                self.minimum(&row, constant, error)
            };
            return constants.iter().zip(errors).enumerate().map(bound).collect();
        }
        let meeting = |&at: &u32| {
            let at = at as usize;
            let weight = self.sides.magnitude(at);
            Meeting { slopes: (0.0, 0.0), constants: self.sides.at(at), weight }
        };
        let meetings: Vec<Meeting> = block.places.iter().map(meeting).collect();
        let (mut corners, mut sizes) = (vec![0.0; count], vec![TINY_SIZE; count]);
        meet(&mut block.coefficients, &meetings, &mut corners, &mut sizes);
        let gamma = gamma(3 * self.features() + 3);
        let bound = |at: usize| {
            let constant = constants[at];
            down(constant + corners[at], errors[at] + gamma * (sizes[at] + constant.abs()))
        };
        (0..count).map(bound).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::Norm;

    #[test]
    fn rows_together_have_the_least_values_that_they_have_alone() {
        let center = [0.5, -0.25, 2.0];
        for norm in [Norm::Linf, Norm::L2, Norm::L1] {
            let set = InputSet::ball(&center, norm, 0.5, None).unwrap();
            // Features 0 and 2 of ten rows.
            let line = |scale: f64| (0..10).map(move |row| scale * (f64::from(row) - 4.0));
            let coefficients = line(1.0).chain(line(-0.5)).collect();
            let mut block = Block { places: vec![0, 2], coefficients };
            let (constants, errors) = (vec![1.0; 10], vec![1e-9; 10]);
            for (row, least) in set.minima(&mut block, &constants, &errors).into_iter().enumerate()
            {
                let a = row as f64 - 4.0;
                let alone = set.minimum(&[a, 0.0, -0.5 * a], 1.0, 1e-9);
                assert!((least - alone).abs() < 1e-13, "{norm} {row}: {least} {alone}");
            }
        }
    }
}
