//! Intervals and planes of all steps, in order: the part that the methods share.
use rayon::prelude::*;

use super::affine;
use super::alpha_crown::{COPIES, optimise};
use super::backward::{Analysis, Rows, value_bounds};
use super::input::InputSet;
use super::interval::Intervals;
use super::network::{Network, Step};
use super::relaxation::{self, is_loose, relax, weights};
use super::{Error, Options, Result};

/// Intervals of each step from those before it alone; planes too if `planes`, without which nothing
/// can go back further than to a step that is not linear.
pub(super) fn by_intervals<'a>(
    network: &'a Network,
    set: &'a InputSet,
    planes: bool,
) -> Result<Analysis<'a>> {
    network.check_features(set.features())?;
    let mut analysis = start(network, set);
    for index in 1..network.steps.len() {
        if planes || network.is_affine(index) {
            analysis.advance(index);
            continue;
        }
        analysis.known.push(relaxation::intervals(network, index, &analysis.known));
        analysis.planes.push(Vec::new());
        analysis.weights.push(Vec::new());
        analysis.underflow.push(0.0);
    }
    Ok(analysis)
}

/// Intervals of each step, where what enters a step that is not linear is bounded by going back to
/// the input too. Values whose relaxation is exact by their intervals keep these.
pub(super) fn by_planes<'a>(
    network: &'a Network,
    set: &'a InputSet,
    options: &Options,
    way: Way<'_>,
) -> Result<Analysis<'a>> {
    network.check_features(set.features())?;
    let mut analysis = start(network, set);
    // Steps whose intervals are exact: a box, and one linear map of values that do not depend on
    // each other.
    let (mut apart, mut exact) = (vec![set.is_box()], vec![true]);
    let mut refined: Vec<Vec<bool>> = network.sizes.iter().map(|_| Vec::new()).collect();
    for index in 1..network.steps.len() {
        analysis.advance(index);
        way.intersect(&mut analysis, index);
        let one = match &network.steps[index] {
            Step::Affine { parts, .. } if parts.len() == 1 => parts.first(),
            _ => None,
        };
        exact.push(one.is_some_and(|(source, _)| apart[*source]));
        apart.push(one.is_some_and(|(source, map)| apart[*source] && map.keeps_apart()));
        if network.is_affine(index) {
            continue;
        }
        let mut changed = false;
        for (source, wanted) in loose(&analysis, index) {
            if exact[source] {
                continue;
            }
            let done = &mut refined[source];
            done.resize(network.sizes[source], false);
            let open: Vec<usize> = wanted.into_iter().filter(|&at| !done[at]).collect();
            for &at in &open {
                done[at] = true;
            }
            changed |= !open.is_empty();
            refine(&mut analysis, source, &open, options, way)?;
        }
        if changed {
            analysis.known.truncate(index);
            analysis.planes.truncate(index);
            analysis.weights.truncate(index);
            analysis.underflow.truncate(index);
            analysis.advance(index);
            way.intersect(&mut analysis, index);
        }
    }
    Ok(analysis)
}

/// How values before a relaxation are bounded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    /// With the slopes of the planes.
    Planes,
    /// With optimised slopes, and never looser than what is known already.
    Optimised(&'a Analysis<'a>),
    /// With the slopes of the planes, and never looser than these intervals of all steps, of a set
    /// that holds this one.
    Within(&'a [Intervals]),
}

impl Way<'_> {
    fn intersect(self, analysis: &mut Analysis<'_>, index: usize) {
        let before = match self {
            Way::Planes => return,
            Way::Optimised(before) => &before.known[index],
            Way::Within(known) => &known[index],
        };
        for at in 0..before.len() {
            let (low, high) = before.at(at);
            analysis.known[index].tighten(at, low, high);
        }
    }
}

/// Bounds the values `places` of step `index` by going back to the input.
pub(super) fn refine(
    analysis: &mut Analysis<'_>,
    index: usize,
    places: &[usize],
    options: &Options,
    way: Way<'_>,
) -> Result<()> {
    if index == 0 || places.is_empty() {
        return Ok(());
    }
    let shared = &*analysis;
    let size = analysis.network.sizes[index];
    // A lower bound of the value, and one of its negative.
    let optimised = matches!(way, Way::Optimised(_));
    let copies = if optimised { COPIES } else { 1 };
    let granted = Options { memory: options.memory / copies, ..options.clone() };
    let most = granted.chunk(analysis.network, index)?.div_ceil(2);
    let own = Options { iterations: options.intermediate_iterations, ..options.clone() };
    // What reads the same goes back together.
    let mut places = places.to_vec();
    if let Step::Affine { parts, .. } = &analysis.network.steps[index]
        && let [(_, map)] = parts.as_slice()
    {
        places.sort_by_key(|&at| (map.neighbourhood(at), at));
    }
    let chunks: Vec<&[usize]> = places.chunks(most).collect();
    let bounds: Vec<Vec<f64>> = chunks
        .par_iter()
        .map(|places| {
            if !optimised {
                return value_bounds(shared, index, places);
            }
            let count = 2 * places.len();
            let mut coefficients = vec![0.0; size * count];
            for (row, &place) in places.iter().enumerate() {
                coefficients[place * count + 2 * row] = 1.0;
                coefficients[place * count + 2 * row + 1] = -1.0;
            }
            let constants = vec![0.0; count];
            optimise(shared, &Rows { target: index, count, coefficients, constants }, &own)
        })
        .collect();
    let bounds: Vec<f64> = bounds.into_iter().flatten().collect();
    for (pair, place) in bounds.chunks_exact(2).zip(places) {
        analysis.known[index].tighten(place, pair[0], -pair[1]);
    }
    Ok(())
}

/// For each step that step `index` reads, the values that enter a loose relaxation.
fn loose(analysis: &Analysis<'_>, index: usize) -> Vec<(usize, Vec<usize>)> {
    let planes = analysis.planes[index].iter().enumerate();
    let open = planes.filter(|(_, planes)| is_loose(planes)).map(|(at, _)| at);
    let mut wanted = match &analysis.network.steps[index] {
        Step::Maximum { source, groups } => {
            let all = open.flat_map(|at| groups.at(at).iter().map(|&value| value as usize));
            vec![(*source, all.collect())]
        }
        Step::Product { left, right } => {
            let open: Vec<usize> = open.collect();
            vec![(*left, open.clone()), (*right, open)]
        }
        Step::Curve { source, .. } => vec![(*source, open.collect())],
        Step::Input | Step::Affine { .. } => Vec::new(),
    };
    for (source, places) in &mut wanted {
        let x = &analysis.known[*source];
        places.retain(|&at| x.lower[at] < x.upper[at]);
        places.sort_unstable();
        places.dedup();
    }
    wanted
}

pub(super) fn start<'a>(network: &'a Network, set: &'a InputSet) -> Analysis<'a> {
    Analysis {
        network,
        set,
        known: vec![set.intervals().clone()],
        planes: vec![Vec::new()],
        weights: vec![Vec::new()],
        underflow: vec![0.0],
    }
}

impl Analysis<'_> {
    /// Intervals of the next step.
    pub(super) fn advance(&mut self, index: usize) {
        if self.network.is_affine(index) {
            let forward = affine::forward(self.network, index, &self.known);
            self.known.push(forward.intervals);
            self.planes.push(Vec::new());
            self.weights.push(forward.weights);
            self.underflow.push(forward.underflow);
        } else {
            let relaxed = relax(self.network, index, &self.known);
            let sources = self.network.sources(index);
            let reach: f64 = sources.iter().map(|&source| magnitudes(&self.known[source])).sum();
            let weights = weights(self.network, index, &relaxed.planes, &self.known);
            self.known.push(relaxed.intervals);
            self.planes.push(relaxed.planes);
            self.weights.push(weights);
            self.underflow.push(f64::MIN_POSITIVE * reach);
        }
    }
}

/// The sum of the largest magnitudes of values, each one larger.
fn magnitudes(known: &Intervals) -> f64 {
    (0..known.len()).map(|at| known.magnitude(at) + 1.0).sum()
}

impl Options {
    /// How many rows that start at step `target` are computed together.
    pub(super) fn chunk(&self, network: &Network, target: usize) -> Result<usize> {
        let needed: usize = network.sizes[..=target].iter().sum();
        let (granted, threads) = (self.memory, rayon::current_num_threads().max(1));
        if needed > granted {
            return Err(Error::Memory { needed, granted });
        }
        Ok((granted / threads / needed.max(1)).clamp(1, self.rows.max(1)))
    }
}
