//! Where an attack begins that needs a row which meets the goal already.
use duress_core::Halt;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::probe::Probe;

/// How a row that meets the goal is looked for. It is drawn from the sample's own stream and never
/// taken from the rest of the batch, on which no result may depend.
///
/// Targeted goals are looked for in the same way, which finds classes that noise is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Uniform rows of the box; where all fail, salt and pepper.
    #[default]
    Noise,
    /// Features put to an end of their interval, a growing share of them; where all fail, uniform
    /// rows. Near starts in L0.
    SaltAndPepper,
    /// A uniform row, then the first point on the way to it, in fiftieths, that meets the goal.
    Blend,
}

/// Steps on the way to a uniform row.
const BLENDS: u32 = 50;

/// Streams of the starts, beyond the steps of any attack.
const UNIFORM: u32 = 1 << 31;
const SALT: u32 = UNIFORM | 1 << 30;

/// A row that meets the goal, after at most `draws` uniform ones and `draws` of salt and pepper:
/// one query each, and at most 49 for the blend. `None` if there is none among them.
pub(super) async fn find(
    probe: &mut Probe<'_>,
    start: Start,
    draws: u32,
) -> Result<Option<Vec<f32>>, Halt> {
    if probe.room.movable.is_empty() {
        return Ok(None);
    }
    let found = match start {
        Start::Noise | Start::Blend => match uniform(probe, draws).await? {
            None => salt_and_pepper(probe, draws).await?,
            found => found,
        },
        Start::SaltAndPepper => match salt_and_pepper(probe, draws).await? {
            None => uniform(probe, draws).await?,
            found => found,
        },
    };
    match found {
        Some(row) if start == Start::Blend => Ok(Some(blend(probe, row).await?)),
        found => Ok(found),
    }
}

async fn uniform(probe: &mut Probe<'_>, draws: u32) -> Result<Option<Vec<f32>>, Halt> {
    for draw in 0..draws {
        let mut rng = probe.generator(UNIFORM | draw);
        let room = &probe.room;
        let mut row = room.clean.clone();
        for &feature in &room.movable {
            let (low, high) = (f64::from(room.lower[feature]), f64::from(room.upper[feature]));
            row[feature] = room.clip(feature, low + (high - low) * rng.random::<f64>());
        }
        if probe.meets(&row).await? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

async fn salt_and_pepper(probe: &mut Probe<'_>, draws: u32) -> Result<Option<Vec<f32>>, Halt> {
    for draw in 1..=draws {
        let mut rng = probe.generator(SALT | draw);
        let share = f64::from(draw) / f64::from(draws);
        let room = &probe.room;
        let mut row = room.clean.clone();
        for &feature in &room.movable {
            let ends = (room.lower[feature], room.upper[feature]);
            let (chosen, end) = (rng.random::<f64>() < share, rng.random::<bool>());
            if chosen {
                row[feature] = if end { ends.0 } else { ends.1 };
            }
        }
        if probe.meets(&row).await? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

async fn blend(probe: &mut Probe<'_>, row: Vec<f32>) -> Result<Vec<f32>, Halt> {
    for step in 1..BLENDS {
        let nearer = probe.room.between(&row, f64::from(step) / f64::from(BLENDS));
        if probe.meets(&nearer).await? {
            return Ok(nearer);
        }
    }
    Ok(row)
}
