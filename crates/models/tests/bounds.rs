//! Bounds on the tape against arithmetic on paper, against points of the boxes, and against finite
//! differences.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
mod common;

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use duress_core::{Domain, Seed, Use, host::floats};
use duress_models::bounds::{InputBox, Propagation};
use duress_models::{Architecture, Layer, Layered, Network, Normalization, Trainable, Weights};
use rand::RngExt;

/// Two linear layers and a rectifier.
#[derive(Module, Debug)]
struct Tiny {
    first: Linear,
    last: Linear,
}

impl Trainable for Tiny {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.last.forward(burn::tensor::activation::relu(self.first.forward(rows)))
    }
}

impl Layered for Tiny {
    fn layers(&self) -> duress_models::Result<Vec<Layer<'_>>> {
        Ok(vec![Layer::Linear(&self.first), Layer::Relu, Layer::Linear(&self.last)])
    }
}

fn linear<const I: usize, const O: usize>(
    weight: [[f32; O]; I],
    bias: [f32; O],
    device: &Device,
) -> Linear {
    let mut layer = LinearConfig::new(I, O).init(device);
    layer.weight = Param::from_data(weight, device);
    layer.bias = Some(Param::from_data(bias, device));
    layer
}

const FIRST: [[f32; 2]; 2] = [[1.0, -1.0], [2.0, 1.0]];
const LAST: [[f32; 2]; 2] = [[1.0, -1.0], [0.5, 2.0]];

fn tiny(first: [[f32; 2]; 2], last: [[f32; 2]; 2], device: &Device) -> Tiny {
    Tiny { first: linear(first, [-0.5, 0.25], device), last: linear(last, [0.125, 0.0], device) }
}

fn table() -> Domain {
    Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap()
}

fn labels(labels: &[i64]) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(labels.to_vec(), [labels.len()]), &Device::flex())
}

/// Around (½, ¼) by ¼: x₀ in [¼, ¾], x₁ in [0, ½].
/// First layer: [1, 2]·x − ½ in [−¼, 1¼]; [−1, 1]·x + ¼ in [−½, ½]. Rectified: [0, 1¼] and [0, ½].
/// z₀ − z₁ = 2 a − 1.5 b + ⅛: at least −¾ + ⅛ = −⅝. z₁ − z₀ = −2 a + 1.5 b − ⅛: at least −2⅝.
#[test]
fn intervals_and_merged_margins_are_those_worked_by_hand() {
    let net = tiny(FIRST, LAST, &Device::flex());
    let rows = Tensor::<2>::from_data([[0.5, 0.25], [0.5, 0.25]], &Device::flex());
    let input = InputBox::around(rows.clone(), 0.25, &table());
    let propagation = Propagation::new(&net, rows.clone()).unwrap();
    assert_eq!(floats(propagation.logits()).unwrap(), floats(net.forward(rows)).unwrap());
    let intervals = propagation.intervals(&input, 1.0);
    let before = propagation.before_relus(&intervals);
    assert_eq!(floats(before[0].lower()).unwrap()[..2], [-0.25, -0.5]);
    assert_eq!(floats(before[0].upper()).unwrap()[..2], [1.25, 0.5]);
    let margins = floats(propagation.margins(&intervals, labels(&[0, 1]))).unwrap();
    assert_eq!(margins, [0.0, -0.625, -2.625, 0.0]);
    // Without shared terms the difference of the logits' own intervals would be
    // 0.125 − (2 · ½) = −0.875.
    let (low, high) = (0.125, 1.0);
    assert!(low - high < margins[1]);
    assert_eq!(floats(propagation.absolute_weights()).unwrap(), [9.5]);
}

/// Both neurons are cut: `a` of [−¼, 1¼] has the lower line `a` and the upper `5/6 (a + ¼)`; `b` of
/// [−½, ½] ties, its lower line is 0 and its upper `½ (b + ½)`.
/// z₀ − z₁ = 2 a − 1.5 b + ⅛ ≥ 2 (x₀ + 2 x₁ − ½) − ¾ (−x₀ + x₁ + ¾) + ⅛
///         = 2.75 x₀ + 3.25 x₁ − 1.4375, at least 0.6875 − 1.4375 = −¾.
/// z₁ − z₀ = −2 a + 1.5 b − ⅛ ≥ −5/3 (x₀ + 2 x₁ − ¼) − ⅛, at least −5/3 · 1.5 − ⅛ = −2.625.
#[test]
fn linear_bounds_are_those_worked_by_hand() {
    let net = tiny(FIRST, LAST, &Device::flex());
    let rows = Tensor::<2>::from_data([[0.5, 0.25], [0.5, 0.25]], &Device::flex());
    let propagation = Propagation::new(&net, rows.clone()).unwrap();
    let intervals = propagation.intervals(&InputBox::around(rows, 0.25, &table()), 1.0);
    let got = floats(propagation.crown_margins(&intervals, labels(&[0, 1]))).unwrap();
    for (got, expected) in got.iter().zip([0.0, -0.75, -2.625, 0.0]) {
        assert!((got - expected).abs() < 1e-6, "{got} is not {expected}");
    }
}

/// A sum of all margins and of the absolute weights, whose gradient has no symmetry.
fn objective(net: &Tiny, crown: bool) -> Tensor<1> {
    let rows = Tensor::<2>::from_data([[0.5, 0.25], [0.625, 0.75]], &Device::flex());
    let rows = if net.first.weight.val().is_autodiff() { rows.autodiff() } else { rows };
    let propagation = Propagation::new(net, rows.clone()).unwrap();
    let intervals = propagation.intervals(&InputBox::around(rows, 0.25, &table()), 1.0);
    let margins = if crown {
        propagation.crown_margins(&intervals, labels(&[0, 1]))
    } else {
        propagation.margins(&intervals, labels(&[0, 1]))
    };
    let scale = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &Device::flex());
    (margins * scale).sum() + propagation.absolute_weights() * 0.125
}

#[test]
fn gradients_by_all_weights_agree_with_finite_differences() {
    // Away from the ties of the other tests.
    let first = [[1.0, -1.25], [2.0, 1.0]];
    for crown in [false, true] {
        let net = tiny(first, LAST, &Device::flex().autodiff());
        let gradients = objective(&net, crown).backward();
        for (which, param) in [&net.first.weight, &net.last.weight].into_iter().enumerate() {
            let gradient = floats(param.val().grad(&gradients).unwrap()).unwrap();
            for (at, &analytic) in gradient.iter().enumerate() {
                let step = 1.0 / 1024.0;
                let value = |sign: f32| {
                    let mut weights = [first, LAST];
                    weights[which][at / 2][at % 2] += sign * step;
                    let moved = tiny(weights[0], weights[1], &Device::flex());
                    floats(objective(&moved, crown)).unwrap()[0]
                };
                let numeric = (value(1.0) - value(-1.0)) / (2.0 * step);
                assert!((analytic - numeric).abs() < 2e-2, "{crown} {at}: {analytic} {numeric}");
            }
        }
    }
}

fn image(channels: usize, side: usize) -> Domain {
    Domain::image(channels, side, side).unwrap()
}

/// One small setting of every architecture; 17 leaves a row over in the second pooling.
fn all() -> Vec<(Architecture, Domain)> {
    vec![
        (Architecture::Mlp { hidden: vec![20, 10] }, image(1, 4)),
        (Architecture::Mlp { hidden: vec![] }, Domain::table(vec![0.0; 5], vec![1.0; 5]).unwrap()),
        (Architecture::SmallCnn {}, image(3, 9)),
        (Architecture::LeNet {}, image(1, 17)),
        (Architecture::ResNet { depth: 8 }, image(1, 7)),
        (Architecture::WideResNet { depth: 10, widen: 1 }, image(2, 8)),
    ]
}

fn draws(domain: &Domain, count: u64, seed: u64) -> Tensor<2> {
    let ids: Vec<u64> = (0..count).collect();
    Seed(seed).rows(&ids, (0, 0, Use::Start), domain.features(), &Device::flex(), |rng, row| {
        row.fill_with(|| rng.random());
    })
}

/// A network on the tape, behind a normalisation, whose running statistics are not the initial ones.
fn network(architecture: &Architecture, domain: &Domain) -> Network {
    let network = architecture.init(domain, 4, Seed(3), &Device::flex()).unwrap();
    let pairs = match domain.layout() {
        duress_core::Layout::Image { channels, .. } => channels,
        _ => domain.features(),
    };
    let normalization = Normalization::new(vec![0.4; pairs], vec![0.25; pairs]).unwrap();
    let network = network.with_normalization(normalization, domain).unwrap();
    let network = network.to_device(&Device::flex().autodiff()).train();
    for seed in 0..4 {
        let _ = network.forward(draws(domain, 16, seed).autodiff());
    }
    network
}

fn close(got: &[f32], expected: &[f32], what: &str) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        let allowed = 1e-4 * expected.abs().max(1.0);
        assert!((got - expected).abs() < allowed, "{what}: {got} is not {expected}");
    }
}

#[test]
fn the_layers_of_every_architecture_are_its_forward_pass_in_both_modes() {
    for (architecture, domain) in all() {
        let what = format!("{architecture:?}");
        let rows = draws(&domain, 9, 20);
        let trained = network(&architecture, &domain);
        let evaluated = trained.valid();
        let expected = floats(evaluated.forward(rows.clone())).unwrap();
        let propagation = Propagation::new(&evaluated, rows.clone()).unwrap();
        close(&floats(propagation.logits()).unwrap(), &expected, &what);
        let others = draws(&domain, 5, 21);
        let expected = floats(evaluated.forward(others.clone())).unwrap();
        close(&floats(propagation.forward(others)).unwrap(), &expected, &what);
        // In training: the same logits, and the same move of the running statistics.
        let twin = trained.valid().to_device(&Device::flex().autodiff()).train();
        let expected = floats(twin.forward(rows.clone().autodiff())).unwrap();
        let got = floats(Propagation::new(&trained, rows.autodiff()).unwrap().logits()).unwrap();
        close(&got, &expected, &what);
        let (moved, twin) = (Weights::of(&trained.valid()).unwrap(), Weights::of(&twin.valid()));
        let twin = twin.unwrap();
        for (name, _) in moved.shapes() {
            close(moved.get(name).unwrap(), twin.get(name).unwrap(), name);
        }
    }
}

#[test]
fn points_of_the_boxes_keep_to_both_bounds_and_radius_zero_is_the_point_itself() {
    for (architecture, domain) in all() {
        let what = format!("{architecture:?}");
        let network = network(&architecture, &domain).valid();
        let (count, radius) = (6, 0.0625);
        let rows = draws(&domain, count, 30);
        let propagation = Propagation::new(&network, rows.clone()).unwrap();
        let targets = labels(&[0, 1, 2, 3, 0, 1]);
        let margins = |rows: Tensor<2>| {
            let logits = propagation.forward(rows);
            let own = logits.clone().gather(1, targets.clone().unsqueeze_dim(1));
            floats(own - logits).unwrap()
        };
        let bounds = |radius| {
            let input = InputBox::around(rows.clone(), radius, &domain);
            let intervals = propagation.intervals(&input, 1.0);
            let ibp = propagation.margins(&intervals, targets.clone());
            let crown = propagation.crown_margins(&intervals, targets.clone());
            [floats(ibp).unwrap(), floats(crown).unwrap()]
        };
        for bound in bounds(0.0) {
            close(&bound, &margins(rows.clone()), &what);
        }
        let bounds = bounds(radius);
        for seed in 40..60 {
            // Corners are where bounds are met.
            let signs = (draws(&domain, count, seed) - 0.5).sign();
            let moved = (rows.clone() + signs * radius).clamp(0.0, 1.0);
            for (index, margin) in margins(moved).into_iter().enumerate() {
                for bound in &bounds {
                    let bound = bound[index];
                    assert!(
                        margin >= bound - 1e-4 * bound.abs().max(1.0),
                        "{what}: {margin} {bound}"
                    );
                }
            }
        }
    }
}

/// The bounds of a training step use the statistics of the clean batch, whatever the boxes are.
#[test]
fn in_training_bounds_take_the_statistics_of_the_clean_batch() {
    let domain = image(1, 7);
    let network = network(&Architecture::ResNet { depth: 8 }, &domain);
    let (rows, others) = (draws(&domain, 8, 1), draws(&domain, 3, 2));
    let propagation = Propagation::new(&network, rows.clone().autodiff()).unwrap();
    let before = Weights::of(&network.valid()).unwrap().digest();
    let alone = propagation.forward(others.clone());
    let together = propagation.forward(Tensor::cat(vec![others.clone(), rows], 0));
    let alone = floats(alone).unwrap();
    close(&alone, &floats(together).unwrap()[..alone.len()], "another batch");
    let input = InputBox::around(others, 0.125, &domain);
    let _ = propagation.intervals(&input, 1.0);
    assert_eq!(before, Weights::of(&network.valid()).unwrap().digest(), "statistics moved");
}

/// Half the radius before each rectifier is half the radius of what a linear layer makes of it.
#[test]
fn shrinking_makes_boxes_smaller_and_leaves_their_middle() {
    let net = tiny(FIRST, LAST, &Device::flex());
    let rows = Tensor::<2>::from_data([[0.5, 0.25]], &Device::flex());
    let propagation = Propagation::new(&net, rows.clone()).unwrap();
    let input = InputBox::around(rows, 0.25, &table());
    let radius = |shrink| {
        let intervals = propagation.intervals(&input, shrink);
        floats(propagation.before_relus(&intervals)[0].radius.clone()).unwrap()
    };
    assert_eq!((radius(1.0), radius(0.5)), (vec![0.75, 0.5], vec![0.375, 0.25]));
}
