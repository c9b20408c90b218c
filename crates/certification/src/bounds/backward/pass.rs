//! Rows on their way back through the steps.
use super::{Analysis, Block, Keep, Rows, Until};
use crate::bounds::alpha_crown::{Bend, Slopes};
use crate::bounds::interval::Intervals;
use crate::bounds::kernel::{Meeting, cross, meet};
use crate::bounds::network::Step;
use crate::bounds::relaxation::Planes;
use crate::bounds::rounding::{down, gamma};

/// The rows on their way.
pub(super) struct Pass<'a> {
    analysis: &'a Analysis<'a>,
    count: usize,
    pub(super) constants: Vec<f64>,
    pub(super) errors: Vec<f64>,
    /// For each step that a row multiplies.
    buffers: Vec<Option<Block>>,
    /// Memory of a block that is no longer needed.
    spare: Vec<f64>,
    /// Whether blocks hold all values, reached or not.
    dense: bool,
}

impl<'a> Pass<'a> {
    /// Rows at their target, or with no coefficients yet.
    pub(super) fn new(analysis: &'a Analysis<'a>, rows: Rows) -> Self {
        let Rows { target, count, coefficients, constants } = rows;
        let mut buffers = vec![None; target + 1];
        if !coefficients.is_empty() {
            buffers[target] = Some(Block::all(analysis.network.sizes[target], coefficients));
        }
        let (errors, spare) = (vec![0.0; count], Vec::new());
        Self { analysis, count, constants, errors, buffers, spare, dense: false }
    }

    /// The coefficients at step `index`, room among them for some places.
    pub(super) fn open(&mut self, index: usize, places: Vec<u32>) -> &mut Block {
        let (count, spare) = (self.count, &mut self.spare);
        match &mut self.buffers[index] {
            Some(block) => {
                block.widen(&places, count);
                block
            }
            none => {
                let mut coefficients = std::mem::take(spare);
                coefficients.clear();
                coefficients.resize(places.len() * count, 0.0);
                none.insert(Block { places, coefficients })
            }
        }
    }

    /// From step `last` to the end: lower bounds of the rows.
    pub(super) fn back(
        mut self,
        last: usize,
        until: Until,
        slopes: Option<&Slopes>,
        mut keep: Option<Keep<'_>>,
    ) -> Vec<f64> {
        let Analysis { network, set, .. } = self.analysis;
        let gamma = gamma(network.terms());
        // A multiplier of a kink counts for rows that cannot reach the kink too.
        self.dense = slopes.is_some();
        for index in (1..=last).rev() {
            let Some(mut own) = self.buffers[index].take() else { continue };
            if network.is_affine(index) {
                self.through_affine(index, own);
            } else if until == Until::Curve {
                self.at_intervals(own, &self.analysis.known[index], gamma);
            } else {
                let (size, count) = (network.sizes[index], self.count);
                let mut keep = |own: &Block| {
                    if let Some(keep) = &mut keep {
                        keep(index, own.dense(size, count));
                    }
                };
                if let (Step::Curve { source, .. }, None) = (&network.steps[index], slopes) {
                    keep(&own);
                    self.through_lines(index, *source, own);
                } else {
                    self.through_planes(index, &mut own, slopes);
                    keep(&own);
                }
            }
        }
        let sums = self.constants.iter().zip(&self.errors);
        let Some(mut input) = self.buffers[0].take() else {
            return sums.map(|(&sum, &error)| down(sum, error + gamma * sum.abs())).collect();
        };
        if let Some(keep) = keep {
            keep(0, input.dense(network.features(), self.count));
        }
        let errors: Vec<f64> = sums.map(|(sum, error)| error + gamma * sum.abs()).collect();
        set.minima(&mut input, &self.constants, &errors)
    }

    fn through_affine(&mut self, index: usize, mut own: Block) {
        let (analysis, count) = (self.analysis, self.count);
        let Step::Affine { parts, bias } = &analysis.network.steps[index] else { return };
        let sizes = &analysis.network.sizes;
        let bias = |at: usize| bias.get(at).copied().unwrap_or(0.0);
        self.meet(index, &mut own, |at| (bias(at), bias(at)));
        if let [(source, map)] = parts.as_slice()
            && self.buffers[*source].is_none()
            && map.is_identity(sizes[*source])
        {
            self.buffers[*source] = Some(own);
            return;
        }
        for (source, map) in parts {
            let places = if self.dense {
                (0..sizes[*source] as u32).collect()
            } else {
                map.reach(&own.places, sizes[index], sizes[*source])
            };
            let block = self.open(*source, places);
            let starts = block.starts(sizes[*source], count);
            map.scatter(&own, (&mut block.coefficients, &starts), count);
        }
        self.spare = own.coefficients;
    }

    /// Through functions of one value, by their planes.
    fn through_lines(&mut self, index: usize, source: usize, mut own: Block) {
        let (analysis, count) = (self.analysis, self.count);
        let (planes, weights) = (&analysis.planes[index], &analysis.weights[index]);
        let meeting = |&at: &u32| {
            let Planes { lower, upper } = &planes[at as usize];
            Meeting {
                slopes: (lower.first, upper.first),
                constants: (lower.constant, upper.constant),
                weight: weights[at as usize],
            }
        };
        let meetings: Vec<Meeting> = own.places.iter().map(meeting).collect();
        cross(&mut own.coefficients, &meetings, &mut self.constants, &mut self.errors);
        self.underflow(analysis.underflow[index]);
        own.retain(|line| meetings[line].slopes != (0.0, 0.0), count);
        if self.buffers[source].is_none() {
            self.buffers[source] = Some(own);
            return;
        }
        let size = analysis.network.sizes[source];
        let block = self.open(source, own.places.clone());
        let starts = block.starts(size, count);
        for (from, &place) in own.coefficients.chunks_exact(count).zip(&own.places) {
            let to = &mut block.coefficients[starts[place as usize]..][..count];
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }

    /// Through any step that is not linear.
    fn through_planes(&mut self, index: usize, own: &mut Block, slopes: Option<&Slopes>) {
        let (analysis, count) = (self.analysis, self.count);
        let network = analysis.network;
        self.meet(index, own, |_| (0.0, 0.0));
        let sources = network.sources(index);
        let mut buffers: Vec<Vec<f64>> = Vec::with_capacity(sources.len());
        for &source in &sources {
            // All values, in whatever order the places of planes are.
            self.open(source, (0..network.sizes[source] as u32).collect());
            buffers.push(self.buffers[source].take().unwrap_or_default().coefficients);
        }
        let gamma = gamma(network.terms());
        for (&at, result) in own.places.iter().zip(own.coefficients.chunks_exact(count)) {
            let at = at as usize;
            let planes = &analysis.planes[index][at];
            let bend = slopes.map_or(Bend::Fixed, |slopes| slopes.at(index, at));
            // The multiplier of a kink that is fixed counts for a row that does not need its value.
            let split = matches!(bend, Bend::Split { .. });
            if !split && result.iter().all(|&coefficient| coefficient == 0.0) {
                continue;
            }
            let Planes { lower, upper } = planes;
            let place = |index: u32| index as usize * count;
            let first = &mut buffers[0];
            match bend {
                // A kink has no constant below, and its slopes are within what `account` knows.
                Bend::Kink { slopes, .. } => {
                    add_split(&mut self.constants, result, (0.0, upper.constant));
                    let to = &mut first[place(lower.index)..][..count];
                    for ((to, &a), &slope) in to.iter_mut().zip(result).zip(slopes) {
                        *to += if a > 0.0 { a * slope } else { a * upper.first };
                    }
                }
                Bend::Split { slopes, split, .. } => {
                    let to = &mut first[place(lower.index)..][..count];
                    let most = gamma * analysis.known[sources[0]].magnitude(at);
                    for row in 0..count {
                        let (a, (slope, constant)) = (result[row], split.above[row]);
                        let multiplier = split.multipliers[row];
                        if a > 0.0 {
                            to[row] += a * slopes[row];
                        } else if a != 0.0 {
                            to[row] += a * slope;
                            self.constants[row] += a * constant;
                        }
                        if multiplier != 0.0 {
                            to[row] -= split.signs[row] * multiplier;
                            self.errors[row] += multiplier * most + f64::MIN_POSITIVE;
                        }
                    }
                }
                Bend::Curve { lines, .. } => {
                    let to = &mut first[place(lower.index)..][..count];
                    let most = analysis.known[sources[0]].magnitude(at);
                    for (row, lines) in
                        lines.iter().enumerate().filter(|(row, _)| result[*row] != 0.0)
                    {
                        let (a, line) = (result[row], lines[usize::from(result[row] <= 0.0)]);
                        to[row] += a * line.slope;
                        self.constants[row] += a * line.constant;
                        let size = line.slope.abs() * most + line.constant.abs();
                        self.errors[row] += a.abs() * (gamma * size + f64::MIN_POSITIVE);
                    }
                }
                Bend::Fixed => {
                    add_split(&mut self.constants, result, (lower.constant, upper.constant));
                    if lower.index == upper.index {
                        let to = &mut first[place(lower.index)..][..count];
                        add_split(to, result, (lower.first, upper.first));
                    } else {
                        let to = &mut first[place(lower.index)..][..count];
                        add_split(to, result, (lower.first, 0.0));
                        let to = &mut first[place(upper.index)..][..count];
                        add_split(to, result, (0.0, upper.first));
                    }
                }
            }
            if let Some(second) = buffers.get_mut(1) {
                let to = &mut second[at * count..][..count];
                add_split(to, result, (lower.second, upper.second));
            }
        }
        for (source, buffer) in sources.into_iter().zip(buffers) {
            self.buffers[source] = Some(Block::all(network.sizes[source], buffer));
        }
    }

    /// Ends at a step: its intervals take the place of its values.
    fn at_intervals(&mut self, mut own: Block, known: &Intervals, gamma: f64) {
        let meeting = |&at: &u32| {
            let at = at as usize;
            let weight = gamma * known.magnitude(at) + f64::MIN_POSITIVE;
            Meeting { slopes: (0.0, 0.0), constants: known.at(at), weight }
        };
        let meetings: Vec<Meeting> = own.places.iter().map(meeting).collect();
        meet(&mut own.coefficients, &meetings, &mut self.constants, &mut self.errors);
    }

    /// Constants that a step adds, by the sign of a coefficient, and what going back through it can
    /// cost.
    fn meet(&mut self, index: usize, own: &mut Block, sides: impl Fn(usize) -> (f64, f64)) {
        let weights = &self.analysis.weights[index];
        let meeting = |&at: &u32| {
            let at = at as usize;
            Meeting { slopes: (0.0, 0.0), constants: sides(at), weight: weights[at] }
        };
        let meetings: Vec<Meeting> = own.places.iter().map(meeting).collect();
        meet(&mut own.coefficients, &meetings, &mut self.constants, &mut self.errors);
        self.underflow(self.analysis.underflow[index]);
    }

    fn underflow(&mut self, underflow: f64) {
        self.errors.iter_mut().for_each(|error| *error += underflow + f64::MIN_POSITIVE);
    }
}

/// `to += positive · max(from, 0) + negative · min(from, 0)`.
fn add_split(to: &mut [f64], from: &[f64], (positive, negative): (f64, f64)) {
    for (to, &from) in to.iter_mut().zip(from) {
        if from != 0.0 {
            *to += from * if from > 0.0 { positive } else { negative };
        }
    }
}
