//! Generated samples as an archive that a recipe mixes in.
use std::path::Path;

use duress_core::{Bound, Domain, Layout};
use duress_datasets::{npy, npz};
use duress_defenses::generative::PseudoLabelled;

use crate::run::write_whole;
use crate::{Error, Result};

/// Writes generated rows of `domain` and their classes to an archive that `mix = { file = .. }` of
/// a recipe reads: `x` (`[N, H, W]` for grey pictures, `[N, C, H, W]` for colour ones, `[N, F]`
/// for tables) and `y` `[N]`; and beside them the classifier's `confidence` `[N]`. The file
/// appears whole or not at all.
///
/// # Errors
/// [`Error::Experiment`] for waveforms, which the archives do not hold, for pictures whose values
/// are not in `[0, 1]`, and for no rows; [`Error::Io`].
pub fn write_generated(
    path: impl AsRef<Path>,
    generated: &PseudoLabelled,
    domain: &Domain,
) -> Result<()> {
    let path = path.as_ref();
    let fault = |reason: &str| Error::Experiment { path: path.into(), reason: reason.into() };
    let count = generated.labels.len();
    if count == 0 || generated.rows.len() != count * domain.features() {
        return Err(fault("there must be at least one generated row, each of the domain's size"));
    }
    let shape = check_archive(path, domain, count)?;
    let labels: Vec<i64> = generated.labels.iter().map(|&label| label as i64).collect();
    let members = || {
        npz::encode(&[
            ("x", npy::encode(&shape, &generated.rows)?),
            ("y", npy::encode(&[count], &labels)?),
            ("confidence", npy::encode(&[count], &generated.confidences)?),
        ])
    };
    write_whole(path, &members().map_err(Error::io(path))?)
}

/// The shape of the `x` of an archive of `count` rows of `domain`.
///
/// # Errors
/// [`Error::Experiment`] for rows that an archive does not hold: see [`write_generated`].
pub fn check_archive(path: &Path, domain: &Domain, count: usize) -> Result<Vec<usize>> {
    let fault = |reason: &str| Error::Experiment { path: path.into(), reason: reason.into() };
    let unit = (domain.lower(), domain.upper()) == (&Bound::Uniform(0.0), &Bound::Uniform(1.0));
    Ok(match domain.layout() {
        Layout::Image { .. } if !unit => {
            return Err(fault("an archive of pictures holds values in [0, 1]: generate such rows"));
        }
        Layout::Image { channels: 1, height, width } => vec![count, height, width],
        Layout::Image { channels, height, width } => vec![count, channels, height, width],
        Layout::Table { features } => vec![count, features],
        Layout::Waveform { .. } => return Err(fault("an archive does not hold waveforms")),
    })
}
