//! The adversarial examples of a run as one archive, for other programs.
use std::collections::HashMap;
use std::path::PathBuf;

use duress_core::Layout;
use duress_datasets::{npy, npz};

use super::attack::attack_key;
use super::lines::write_whole;
use super::{Adversarial, CLEAN, Journal};
use crate::row::{Measured, SampleRow};
use crate::{Error, Result};

/// Name of the archive.
const FILE: &str = "adversarial.npz";

/// Writes `adversarial.npz` into the folder of a run with one model and one norm: at the headline
/// radius the point that first broke each sample, and the sample itself where none did.
///
/// Arrays, in the order of the samples: `x` `[N, ..]` in raw units, planes first; `label`, `predicted`
/// (at `x`, −1 where unknown), `index` and `broken` (0 or 1) `[N]`. `None` if the run attacked
/// nothing.
///
/// # Errors
/// [`Error::Io`], [`Error::Rows`].
pub fn write_examples(journal: &Journal) -> Result<Option<PathBuf>> {
    let headline = journal.rows().iter().find_map(|row| match &row.measured {
        Measured::WorstCase { norm, epsilon, headline: true, attacks, .. } => {
            Some((row, *norm, *epsilon, attacks))
        }
        _ => None,
    });
    let Some((worst, norm, epsilon, attacks)) = headline else { return Ok(None) };
    let all = journal.samples()?;
    let of = |key: &str| -> Vec<&SampleRow> { all.iter().filter(|line| line.key == key).collect() };
    let lines = of(&worst.key);
    let (count, domain) = (lines.len(), &journal.identity().domain);
    let features = domain.features();
    let load = |key: &str| Adversarial::load(journal.folder(), key, [count, features]);
    let Some(mut x) = load(CLEAN)? else { return Ok(None) };
    let mut predicted: Vec<i64> =
        lines.iter().map(|line| line.predicted.map_or(-1, |class| class as i64)).collect();
    let mut broken = vec![0_u8; count];
    let places: HashMap<u64, usize> =
        lines.iter().enumerate().map(|(place, line)| (line.index, place)).collect();
    for label in attacks {
        let key = attack_key(&worst.model, label, norm, epsilon);
        let Some(rows) = load(&key)? else { continue };
        for (row, line) in rows.chunks_exact(features).zip(of(&key)) {
            let Some(&place) = places.get(&line.index) else { continue };
            if line.broken_by.is_some() && broken[place] == 0 {
                broken[place] = 1;
                predicted[place] = line.adversarial.map_or(-1, |class| class as i64);
                x[place * features..][..features].copy_from_slice(row);
            }
        }
    }
    let shape = match domain.layout() {
        Layout::Image { channels, height, width } => vec![count, channels, height, width],
        Layout::Waveform { channels, samples } => vec![count, channels, samples],
        Layout::Table { features } => vec![count, features],
    };
    let labels: Vec<i64> = lines.iter().map(|line| line.label as i64).collect();
    let indices: Vec<i64> = lines.iter().map(|line| line.index as i64).collect();
    let path = journal.folder().join(FILE);
    let members = || {
        npz::encode(&[
            ("x", npy::encode(&shape, &x)?),
            ("label", npy::encode(&[count], &labels)?),
            ("predicted", npy::encode(&[count], &predicted)?),
            ("index", npy::encode(&[count], &indices)?),
            ("broken", npy::encode(&[count], &broken)?),
        ])
    };
    let bytes = members().map_err(Error::io(&path))?;
    write_whole(&path, &bytes)?;
    Ok(Some(path))
}
