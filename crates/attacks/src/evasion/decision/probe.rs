//! A sample under attack: the room around its clean row, and the questions it asks.
use duress_core::search::Labels;
use duress_core::{Asker, Halt, Norm};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// Most rows of one question, and most values: they are held in memory for all samples at once.
const ROWS: usize = 256;
const VALUES: usize = 1 << 22;

/// The clean row and the box around it.
pub(super) struct Room {
    pub(super) clean: Vec<f32>,
    pub(super) lower: Vec<f32>,
    pub(super) upper: Vec<f32>,
    /// Features that can move, ascending.
    pub(super) movable: Vec<usize>,
    /// The longest side of the box: lengths that papers give for `[0, 1]` are multiples of it.
    pub(super) side: f64,
    pub(super) norm: Norm,
}

impl Room {
    fn new(asker: &Asker<Labels>) -> Self {
        let (lower, upper) = (asker.lower().to_vec(), asker.upper().to_vec());
        let movable = (0..lower.len()).filter(|&feature| upper[feature] > lower[feature]);
        let sides = lower.iter().zip(&upper).map(|(&low, &high)| f64::from(high) - f64::from(low));
        Self {
            clean: asker.clean().to_vec(),
            movable: movable.collect(),
            side: sides.fold(0.0, f64::max),
            norm: asker.norm(),
            lower,
            upper,
        }
    }

    /// `value` as feature `feature` may take it.
    pub(super) fn clip(&self, feature: usize, value: f64) -> f32 {
        (value as f32).clamp(self.lower[feature], self.upper[feature])
    }

    /// `origin + length · direction`, in the box.
    pub(super) fn along(&self, origin: &[f32], direction: &[f64], length: f64) -> Vec<f32> {
        let pairs = origin.iter().zip(direction).enumerate();
        pairs.map(|(at, (&from, &to))| self.clip(at, f64::from(from) + length * to)).collect()
    }

    /// The point at `share` of the way from the clean row to `row`: at 1, `row` itself.
    pub(super) fn between(&self, row: &[f32], share: f64) -> Vec<f32> {
        if share >= 1.0 {
            return row.to_vec();
        }
        self.along(&self.clean, &self.offset(row), share)
    }

    /// `row` with each feature moved to within `reach` of its clean value.
    pub(super) fn within(&self, row: &[f32], reach: f64) -> Vec<f32> {
        let offset = self.offset(row);
        let near: Vec<f64> = offset.iter().map(|offset| offset.clamp(-reach, reach)).collect();
        self.along(&self.clean, &near, 1.0)
    }

    /// `row − x₀`.
    pub(super) fn offset(&self, row: &[f32]) -> Vec<f64> {
        row.iter()
            .zip(&self.clean)
            .map(|(&row, &clean)| f64::from(row) - f64::from(clean))
            .collect()
    }

    /// Independent draws of `draw` at the features that can move, zero elsewhere.
    pub(super) fn fill(&self, mut draw: impl FnMut() -> f64) -> Vec<f64> {
        let mut values = vec![0.0; self.clean.len()];
        self.movable.iter().for_each(|&feature| values[feature] = draw());
        values
    }

    /// A standard Gaussian over the features that can move.
    pub(super) fn gaussian(&self, rng: &mut impl Rng) -> Vec<f64> {
        self.fill(|| rng.sample(StandardNormal))
    }
}

/// A sample's questions, within an allowance of the attack's own.
pub(super) struct Probe<'a> {
    asker: &'a mut Asker<Labels>,
    pub(super) room: Room,
    left: u64,
}

impl<'a> Probe<'a> {
    pub(super) fn new(asker: &'a mut Asker<Labels>) -> Self {
        let room = Room::new(asker);
        Self { asker, room, left: u64::MAX }
    }

    /// The same with at most `queries` queries; a question beyond them ends the search.
    pub(super) fn with_queries(self, queries: u64) -> Self {
        Self { left: queries, ..self }
    }

    /// A generator of the sample's own for `step`.
    pub(super) fn generator(&self, step: u32) -> impl Rng + Send + use<> {
        self.asker.generator(step)
    }

    /// Distance from the clean row in the threat model's norm.
    pub(super) fn distance(&self, row: &[f32]) -> f64 {
        self.asker.distance(row)
    }

    /// Whether `row` meets the goal: one query.
    pub(super) async fn meets(&mut self, row: &[f32]) -> Result<bool, Halt> {
        self.spend(1)?;
        self.asker.meets(row).await
    }

    /// Whether each of `rows` meets the goal: one query each.
    pub(super) async fn decisions(&mut self, rows: Vec<f32>) -> Result<Vec<bool>, Halt> {
        self.spend(rows.len() / self.room.clean.len().max(1))?;
        let labels = self.asker.labels(rows).await?;
        Ok(labels.into_iter().map(|class| self.asker.is_met(class)).collect())
    }

    /// Draws `count` rows, each with the noise it was made of, and hands `tally` the noise and
    /// whether the row meets the goal: `count` queries.
    pub(super) async fn survey<R: Rng + Send>(
        &mut self,
        count: usize,
        rng: &mut R,
        draw: impl Fn(&Room, &mut R) -> (Vec<f64>, Vec<f32>) + Send,
        mut tally: impl FnMut(&[f64], bool) + Send,
    ) -> Result<(), Halt> {
        let most = (VALUES / self.room.clean.len().max(1)).clamp(1, ROWS);
        let mut asked = 0;
        while asked < count {
            let now = (count - asked).min(most);
            let (mut noises, mut rows) = (Vec::with_capacity(now), Vec::new());
            for _ in 0..now {
                let (noise, row) = draw(&self.room, rng);
                noises.push(noise);
                rows.extend(row);
            }
            let met = self.decisions(rows).await?;
            noises.iter().zip(met).for_each(|(noise, met)| tally(noise, met));
            asked += now;
        }
        Ok(())
    }

    /// Halves `[low, high]` until it is no longer than `tolerance`; `row_at(high)` is known to meet
    /// the goal and `row_at(low)` not to. Returns the end that meets it.
    ///
    /// One query a halving: `⌈log₂((high − low)/tolerance)⌉`. A middle that is the same row as an
    /// end, as f32 has no other between them, is not asked about.
    pub(super) async fn bisect(
        &mut self,
        (mut low, mut high): (f64, f64),
        tolerance: f64,
        row_at: impl Fn(&Room, f64) -> Vec<f32> + Send,
    ) -> Result<f64, Halt> {
        let (mut failing, mut meeting) = (row_at(&self.room, low), row_at(&self.room, high));
        while high - low > tolerance {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            let row = row_at(&self.room, middle);
            let met = row == meeting || (row != failing && self.meets(&row).await?);
            if met {
                (high, meeting) = (middle, row);
            } else {
                (low, failing) = (middle, row);
            }
        }
        Ok(high)
    }

    fn spend(&mut self, queries: impl TryInto<u64>) -> Result<(), Halt> {
        let left = queries.try_into().ok().and_then(|queries| self.left.checked_sub(queries));
        self.left = left.ok_or(Halt::Budget)?;
        Ok(())
    }
}

/// The vector scaled to length 1 in `norm`; `None` for the zero vector.
pub(super) fn unit(mut vector: Vec<f64>, norm: Norm) -> Option<Vec<f64>> {
    let length = norm.of_slice(&vector);
    if length > 0.0 && length.is_finite() {
        for value in &mut vector {
            *value /= length;
        }
        return Some(vector);
    }
    None
}

/// `−1`, `0` or `1`.
pub(super) fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}
