//! What a random transformation draws from.
use duress_core::{Seed, Use};
use rand::Rng;

/// One source of randomness a row, none of which depends on the other rows of a pass.
#[derive(Clone, Debug)]
pub struct Draws(Keys);

#[derive(Clone, Debug)]
enum Keys {
    Shared(u64),
    Each(Vec<u64>),
}

impl Draws {
    /// The same draw for every row: one of the draws an expectation is taken over.
    #[must_use]
    pub fn shared(draw: u64) -> Self {
        Self(Keys::Shared(draw))
    }

    /// A draw of its own for each row of `features` values, a function of the seed and of the
    /// row's bits alone: what a deployed defence shows to one who asks once.
    ///
    /// The same row gets the same draw, in whatever batch it stands; one that differs in a bit gets
    /// an independent one.
    #[must_use]
    pub fn of_rows(values: &[f32], features: usize, seed: Seed) -> Self {
        let key = |row: &[f32]| {
            row.iter().fold(scramble(seed.0 ^ 0x6475_7265_7373), |key, value| {
                scramble(key ^ u64::from(value.to_bits()))
            })
        };
        Self(Keys::Each(values.chunks(features.max(1)).map(key).collect()))
    }

    /// The generator of row `row`, from its beginning.
    #[must_use]
    pub fn generator(&self, row: usize) -> impl Rng + use<> {
        let key = match &self.0 {
            Keys::Shared(draw) => *draw,
            Keys::Each(keys) => keys[row],
        };
        Seed(key).stream(0, 0, 0, Use::Noise)
    }
}

/// A bijection of 64 bits in which each bit of the input flips half of the output.
///
/// Steele, Lea, Flood. *Fast splittable pseudorandom number generators.* OOPSLA 2014, `mix64`.
fn scramble(value: u64) -> u64 {
    let mut bits = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_s_draw_follows_from_its_bits_and_the_seed() {
        let first = |draws: &Draws, row| draws.generator(row).next_u64();
        let all = Draws::of_rows(&[0.1, 0.2, 0.3, 0.4], 2, Seed(1));
        let turned = Draws::of_rows(&[0.3, 0.4, 0.1, 0.2], 2, Seed(1));
        assert_eq!(first(&all, 0), first(&turned, 1));
        assert_ne!(first(&all, 0), first(&all, 1));
        let other = Draws::of_rows(&[0.1, 0.2], 2, Seed(2));
        assert_ne!(first(&all, 0), first(&other, 0));
        let near = Draws::of_rows(&[0.1, f32::from_bits(0.2_f32.to_bits() + 1)], 2, Seed(1));
        assert_ne!(first(&all, 0), first(&near, 0));
        // Values that change places are another row.
        assert_ne!(first(&Draws::of_rows(&[0.2, 0.1], 2, Seed(1)), 0), first(&all, 0));
    }

    #[test]
    fn a_shared_draw_is_the_same_for_all_rows() {
        let draws = Draws::shared(9);
        assert_eq!(draws.generator(0).next_u64(), draws.generator(5).next_u64());
        assert_ne!(draws.generator(0).next_u64(), Draws::shared(8).generator(0).next_u64());
    }
}
