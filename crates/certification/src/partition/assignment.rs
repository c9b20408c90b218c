//! Which part of the training set a sample belongs to: a function of the sample alone.
use duress_core::{Error, Result};
use sha2::{Digest, Sha256};

/// A sample of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its row in the training set that was assigned.
    pub index: usize,
    /// A name that depends on its values alone, for draws that belong to the sample.
    pub id: u64,
}

/// Cuts a training set `[N, F]` into `parts` by the SHA-256 of each row's values modulo `parts`.
///
/// The label takes no part in the hash: a changed label stays in one part. The members of a part
/// come in the order of their hashes, then labels: what else is in the set, and the order of its
/// rows, change nothing. Negative zero counts as zero.
///
/// # Errors
/// [`Error::Parameter`] for no part; [`Error::Shape`] unless `rows` holds `features ≥ 1` values for
/// each label; [`Error::Input`] names a value that is no number.
pub fn assign(
    rows: &[f32],
    features: usize,
    labels: &[usize],
    parts: usize,
) -> Result<Vec<Vec<Member>>> {
    if parts == 0 {
        return Err(Error::Parameter {
            algorithm: "partition",
            field: "parts",
            expected: "at least 1",
            got: "0".into(),
        });
    }
    if features == 0 || labels.len().checked_mul(features) != Some(rows.len()) {
        return Err(Error::Shape {
            what: "training rows",
            expected: format!("{} rows of {features} values, at least one a row", labels.len()),
            got: format!("{} values", rows.len()),
        });
    }
    let mut keyed: Vec<Vec<([u8; 32], usize, usize)>> = vec![Vec::new(); parts];
    for (index, (row, &label)) in rows.chunks_exact(features).zip(labels).enumerate() {
        let mut hasher = Sha256::new();
        for (feature, &value) in row.iter().enumerate() {
            if value.is_nan() {
                let (lower, upper) = (f32::NEG_INFINITY, f32::INFINITY);
                return Err(Error::Input { row: index, feature, value, lower, upper });
            }
            // Adding zero makes of −0 a 0.
            hasher.update((value + 0.0).to_bits().to_le_bytes());
        }
        let digest: [u8; 32] = hasher.finalize().into();
        keyed[(leading(&digest) % parts as u64) as usize].push((digest, label, index));
    }
    Ok(keyed
        .into_iter()
        .map(|mut part| {
            part.sort_unstable();
            part.iter()
                .map(|(digest, _, index)| Member { index: *index, id: leading(digest) })
                .collect()
        })
        .collect())
}

fn leading(digest: &[u8; 32]) -> u64 {
    digest[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(value, label)` of the members, part by part.
    fn contents(rows: &[f32], labels: &[usize], parts: usize) -> Vec<Vec<(f32, usize)>> {
        let assigned = assign(rows, 1, labels, parts).unwrap();
        let named = |member: &Member| (rows[member.index], labels[member.index]);
        assigned.iter().map(|part| part.iter().map(named).collect()).collect()
    }

    fn set() -> (Vec<f32>, Vec<usize>) {
        (
            (0..300).map(|index| index as f32 / 7.0).collect(),
            (0..300).map(|index| index % 3).collect(),
        )
    }

    #[test]
    fn every_sample_is_in_one_part_and_the_order_of_the_set_changes_nothing() {
        let (mut rows, mut labels) = set();
        let before = contents(&rows, &labels, 10);
        assert_eq!(before.iter().map(Vec::len).sum::<usize>(), 300);
        // 30 expected, standard deviation 5.
        assert!(before.iter().all(|part| (10..=50).contains(&part.len())));
        rows.reverse();
        labels.reverse();
        assert_eq!(contents(&rows, &labels, 10), before);
    }

    /// The premise of the certificate: how many parts each kind of change touches.
    #[test]
    fn one_added_removed_or_relabelled_sample_touches_one_part_and_a_replaced_one_at_most_two() {
        let (rows, labels) = set();
        let before = contents(&rows, &labels, 10);
        let touched = |rows: &[f32], labels: &[usize]| {
            let after = contents(rows, labels, 10);
            after.iter().zip(&before).filter(|(after, before)| after != before).count()
        };
        let mut two = 0;
        for index in 0..300 {
            let (mut fewer, mut left) = (rows.clone(), labels.clone());
            fewer.remove(index);
            left.remove(index);
            assert_eq!(touched(&fewer, &left), 1);
            fewer.insert(0, 1000.0 + index as f32);
            left.insert(0, 0);
            let replaced = touched(&fewer, &left);
            assert!((1..=2).contains(&replaced));
            two += usize::from(replaced == 2);
            let mut relabelled = labels.clone();
            relabelled[index] = 9;
            assert_eq!(touched(&rows, &relabelled), 1);
        }
        assert!(two > 200);
    }

    /// SHA-256 of the bytes of `1.0_f32`, 00 00 80 3f, decides: a fixed point of the
    /// format, since a changed hash would change every certificate.
    #[test]
    fn the_hash_is_the_published_one_and_zero_has_no_sign() {
        let id = |value: f32| assign(&[value], 1, &[0], 1).unwrap()[0][0].id;
        let digest: [u8; 32] = Sha256::digest([0, 0, 0x80, 0x3f]).into();
        assert_eq!(id(1.0).to_be_bytes(), digest[..8]);
        assert_eq!(id(-0.0), id(0.0));
    }

    #[test]
    fn what_cannot_be_assigned_is_refused() {
        assert!(assign(&[1.0], 1, &[0], 0).unwrap_err().to_string().contains("parts"));
        assert!(assign(&[1.0, 2.0, 3.0], 2, &[0], 2).is_err());
        let told = assign(&[1.0, f32::NAN], 1, &[0, 0], 2).unwrap_err().to_string();
        assert!(told.contains("row 1, feature 0"), "{told}");
    }
}
