//! Subset scanning: some of an adversarial input's activations are all unusually large.
//!
//! Cintas, Speakman, Akinwande, Ogallo, Weldemariam, Sridharan, `McFowland`. *Detecting Adversarial
//! Attacks via Subset Scanning of Autoencoder Activations and Reconstruction Error.* IJCAI 2020;
//! Speakman, Sridharan, Remy, Weldemariam, `McFowland`. *Subset Scanning Over Neural Network
//! Activations.* 2018, §3. <https://arxiv.org/abs/1810.08676>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Passes, Use};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::detector::with_slope_of;
use super::entry::parse;
use super::layers::{View, Which};
use super::{DetectionMethod, Detector, DetectorEntry, Evidence, Result};
use crate::table::defaults;

/// The largest Berk-Jones statistic over all subsets of a layer's nodes and all significance
/// levels `α` up to a limit: `max_S max_α |S| · KL(N_α(S)/|S|, α)`, where `N_α(S)` nodes of `S`
/// have an empirical p-value of at most `α`.
///
/// The p-value of a node is `(1 + #{clean rows with at least its activation}) / (1 + M)`. For a
/// given `α` the best subset is that of all nodes with `p ≤ α` (the statistic has the linear-time
/// subset-scanning property), of which the statistic is `N_α ln(1/α)`: sorted, the `k`-th p-value
/// gives `k ln(1/p₍ₖ₎)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubsetScanning {
    /// Name of the hidden layer that is scanned; the first one if empty. Deep layers are less use:
    /// what is anomalous in shallow layers suppresses activations in deeper ones, as the authors
    /// observe, so that adversarial inputs can look less unusual there than clean ones.
    pub layer: String,
    /// Largest significance level, above 0 and at most 1.
    pub largest_level: f64,
    /// Most clean rows that p-values are counted over.
    pub background: usize,
}

impl Default for SubsetScanning {
    /// The papers' limit of 0.5.
    fn default() -> Self {
        Self { layer: String::new(), largest_level: 0.5, background: 1000 }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "subset-scanning",
    summary: "largest Berk-Jones statistic over subsets of a layer's activations",
    reference: "arXiv:1810.08676, doi:10.24963/ijcai.2020/122",
    slope: "sum of the standardised activations of the best subset",
    supervised: false,
    defaults: defaults::<SubsetScanning>,
    parse: parse::<SubsetScanning>,
};

impl SubsetScanning {
    fn view(&self, model: &dyn Classifier, passes: &Passes) -> Result<View> {
        let which = match self.layer.as_str() {
            "" => Which::First,
            layer => Which::Named(layer),
        };
        View::new(ENTRY.name, model, passes, which, false)
    }
}

impl DetectionMethod for SubsetScanning {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        let fine = self.largest_level > 0.0 && self.largest_level <= 1.0;
        ENTRY.expect(fine, "largest_level", "above 0 and at most 1", self.largest_level)?;
        ENTRY.at_least("background", 1, "at least 1", self.background)
    }

    fn fits(&self, model: &dyn Classifier, passes: &Passes) -> Result<()> {
        self.view(model, passes).map(|_| ())
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.check(ENTRY.name, 2)?;
        let (model, passes) = (&evidence.model, evidence.passes);
        let view = self.view(&**model, passes)?;
        let mut order: Vec<usize> = (0..evidence.labels.len()).collect();
        order.shuffle(&mut evidence.seed.stream(0, 0, 0, Use::Split));
        order.truncate(self.background);
        let background = view.of_all(&**model, passes, &evidence.clean_at(&order))?.remove(0);
        let mean = background.clone().mean_dim(0);
        let deviation = (background.clone() - mean.clone()).square().mean_dim(0).sqrt();
        // A node that never changes has no unit of its own.
        let deviation = deviation.clone().mask_fill(deviation.lower_elem(1e-6), 1.0);
        Ok(Box::new(Scan {
            model: Arc::clone(model),
            view,
            background,
            mean,
            deviation,
            largest_level: self.largest_level,
        }))
    }
}

struct Scan {
    model: Arc<dyn Classifier>,
    view: View,
    /// `[M, W]`.
    background: Tensor<2>,
    mean: Tensor<2>,
    deviation: Tensor<2>,
    largest_level: f64,
}

impl Detector for Scan {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        let values = self.view.of(&*self.model, rows).remove(0);
        let levels = p_values(values.clone().inner(), &self.background);
        let (exact, level) = berk_jones(levels.clone(), self.largest_level);
        if !values.is_autodiff() {
            return exact;
        }
        let outside = levels.clone().greater(level.expand(levels.dims()));
        let large = (values - self.mean.clone()) / self.deviation.clone();
        with_slope_of(exact, large.mask_fill(outside, 0.0).sum_dim(1).squeeze_dim(1))
    }
}

/// Comparisons held at once.
const AT_ONCE: usize = 1 << 20;

/// The empirical p-value of each activation, `[N, W] → [N, W]`, over a background `[M, W]`.
fn p_values(values: Tensor<2>, background: &Tensor<2>) -> Tensor<2> {
    let ([rows, width], [all, _]) = (values.dims(), background.dims());
    let step = (AT_ONCE / (rows * width).max(1)).clamp(1, all);
    let own: Tensor<3> = values.clone().unsqueeze_dim(1);
    let mut counts = values.zeros_like();
    for start in (0..all).step_by(step) {
        let part = step.min(all - start);
        let shape = [rows, part, width];
        let clean: Tensor<3> = background.clone().narrow(0, start, part).unsqueeze_dim(0);
        let reached = clean.expand(shape).greater_equal(own.clone().expand(shape));
        counts = counts + reached.float().sum_dim(1).squeeze_dim::<2>(1);
    }
    // What is no number reaches nothing and is reached by nothing: it stays no number.
    let p = (counts + 1.0) / (all + 1) as f64;
    p.mask_where(values.clone().is_nan(), values)
}

/// `max_k k ln(1 / p₍ₖ₎)` over the p-values of at most `largest`, 0 if there are none, `[N, W] →
/// [N]`; and the level where it is reached, `[N, 1]`.
fn berk_jones(levels: Tensor<2>, largest: f64) -> (Tensor<1>, Tensor<2>) {
    let [rows, width] = levels.dims();
    let sorted = levels.sort(1);
    let rank = Tensor::<1, Int>::arange(1..width as i64 + 1, &sorted.device()).float();
    let rank = rank.unsqueeze::<2>().expand([rows, width]);
    let beyond = sorted.clone().greater_elem(largest);
    let statistics = (sorted.clone().log().neg() * rank).mask_fill(beyond, 0.0);
    let (best, place) = statistics.max_dim_with_indices(1);
    (best.squeeze_dim(1), sorted.gather(1, place).clamp_max(largest))
}

#[cfg(test)]
mod tests {
    use super::super::scores;
    use super::*;
    use duress_core::{Activation, Domain, Seed, Silent, host};

    fn scan(levels: &[f32], largest: f64) -> f32 {
        let device = Device::flex();
        let shape = [1, levels.len()];
        let levels = Tensor::from_data(TensorData::new(levels.to_vec(), shape), &device);
        host::floats(berk_jones(levels, largest).0).unwrap()[0]
    }

    /// Sorted 0.1, 0.2, 0.9: ln 10 = 2.30 against 2 ln 5 = 3.22; 0.9 is beyond the limit.
    #[test]
    fn the_statistic_by_hand() {
        assert!((scan(&[0.2, 0.9, 0.1], 0.5) - 2.0 * 5.0_f32.ln()).abs() < 1e-6);
        assert!((scan(&[0.2, 0.9, 0.1], 0.15) - 10.0_f32.ln()).abs() < 1e-6);
        assert!(scan(&[0.6, 0.9], 0.5).abs() < 1e-12);
    }

    /// `|S| KL(N_α(S)/|S|, α)` of Berk and Jones where more nodes than α are significant.
    fn brute_force(levels: &[f64], largest: f64) -> f64 {
        let mut best = 0.0_f64;
        for subset in 1..1_u32 << levels.len() {
            let members: Vec<f64> = (0..levels.len())
                .filter(|node| subset >> node & 1 == 1)
                .map(|node| levels[node])
                .collect();
            let size = members.len() as f64;
            for &alpha in levels.iter().filter(|&&level| level <= largest) {
                let share = members.iter().filter(|&&level| level <= alpha).count() as f64 / size;
                if share <= alpha {
                    continue;
                }
                let rest = if share < 1.0 {
                    (1.0 - share) * ((1.0 - share) / (1.0 - alpha)).ln()
                } else {
                    0.0
                };
                best = best.max(size * (share * (share / alpha).ln() + rest));
            }
        }
        best
    }

    #[test]
    fn scanning_finds_the_best_of_all_subsets() {
        for seed in 0..20 {
            let levels: Vec<f64> = (0..8)
                .map(|node| ((f64::from(seed * 8 + node) * 0.73).sin() * 0.5 + 0.5).max(0.01))
                .collect();
            let single: Vec<f32> = levels.iter().map(|&level| level as f32).collect();
            let expected = brute_force(&levels, 0.5);
            let got = f64::from(scan(&single, 0.5));
            assert!((got - expected).abs() < 1e-4, "{got} {expected}");
        }
    }

    /// Shows two layers of rows `[N, 4]`: the rows themselves, and their deviation from 1/2, which
    /// noise about a row lowers; logits are the sum.
    struct Layers(Domain);

    impl Classifier for Layers {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let sum = rows.sum_dim(1);
            Tensor::cat(vec![sum.clone(), sum.neg()], 1)
        }

        fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
            let deep = (rows.clone() - 0.5).abs();
            vec![
                Activation::flat("shallow", rows.clone()),
                Activation::flat("deep", deep),
                Activation::logits(self.forward(rows)),
            ]
        }
    }

    /// Clean rows are 0 in their second half and k/99 in the first. Raised by 0.3 in the second
    /// half, a row has two nodes of the first layer that no clean one reaches, so that its score is
    /// at least 2 ln 100 and above that of a clean row, in which only the other two nodes can have
    /// a p-value below 1. In the second layer the same nodes fall from 1/2 to 1/5: no p-value of
    /// theirs is below 1, and the score is that of the clean row.
    #[test]
    fn the_first_layer_tells_what_a_deeper_one_hides() {
        let device = Device::flex();
        let passes = Passes::with_workers(&device, 1).unwrap();
        let value = |row: usize, node: usize| match node {
            0 => row as f32 / 99.0,
            1 => ((row * 37) % 99) as f32 / 99.0,
            _ => 0.0,
        };
        let clean: Vec<f32> =
            (0..99).flat_map(|row| (0..4).map(move |node| value(row, node))).collect();
        let raised: Vec<f32> = clean
            .chunks_exact(4)
            .flat_map(|row| [row[0], row[1], row[2] + 0.3, row[3] + 0.3])
            .collect();
        let rows =
            |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [99, 4]), &device);
        let (clean, raised) = (rows(clean), rows(raised));
        let evidence = Evidence {
            model: Arc::new(Layers(Domain::table(vec![0.0; 4], vec![1.0; 4]).unwrap())),
            passes: &passes,
            clean: clean.clone(),
            labels: vec![0; 99],
            adversarial: Tensor::zeros([0, 4], &device),
            seed: Seed(0),
            progress: &Silent,
        };
        let both = |layer: &str| {
            let method = SubsetScanning { layer: layer.into(), ..SubsetScanning::default() };
            let detector = method.fit(&evidence).unwrap();
            [&clean, &raised].map(|rows| scores(&*detector, &passes, rows).unwrap())
        };
        let ([benign, adversarial], [deep, deep_adversarial]) = (both(""), both("deep"));
        for (clean, raised) in benign.iter().zip(&adversarial) {
            assert!(*raised >= 2.0 * 100.0_f32.ln() - 1e-4 && raised > clean, "{raised} {clean}");
        }
        // The AUC is 1: two nodes of a clean row can at best both have the p-value 2/100.
        let highest = benign.iter().copied().fold(0.0, f32::max);
        assert!(highest <= 2.0 * 50.0_f32.ln() + 1e-4, "{highest}");
        for (clean, raised) in deep.iter().zip(&deep_adversarial) {
            assert!((clean - raised).abs() < 1e-5, "{clean} {raised}");
        }
    }

    /// Background 0, 1, 2, 2: 2 is reached twice, 1 three times, 5 never.
    #[test]
    fn p_values_count_the_background_that_is_as_large() {
        let device = Device::flex();
        let background = Tensor::from_data([[0.0], [1.0], [2.0], [2.0]], &device);
        let values = Tensor::from_data([[2.0], [1.0], [5.0]], &device);
        let got = host::floats(p_values(values, &background)).unwrap();
        for (got, expected) in got.into_iter().zip([0.6, 0.8, 0.2]) {
            assert!((got - expected).abs() < 1e-6, "{got}");
        }
    }
}
