//! Networks that make rows: what they learn, and that they do it the same way each time.
#![allow(clippy::unwrap_used)]
mod watched;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::prelude::*;
use duress_core::{Domain, Error as Core, Passes, Progress, Seed, Silent, host};
use duress_defenses::generative::{
    AutoencoderPlan, DiffusionPlan, Fitted, Game, GanPlan, Plan, generate, pseudo_labels,
};
use duress_defenses::{TrainingRows, generative};
use duress_models::train::Run;
use duress_models::{Error, TrainingData, Weights};
use watched::{digits, trained};

fn passes() -> &'static Passes {
    static PASSES: OnceLock<Passes> = OnceLock::new();
    PASSES.get_or_init(|| Passes::with_workers(&Device::flex(), 2).unwrap())
}

/// Rows with made-up labels.
struct Rows {
    values: Vec<f32>,
    labels: Vec<usize>,
    ids: Vec<u64>,
    domain: Domain,
}

impl Rows {
    fn new(values: Vec<f32>, domain: Domain) -> Self {
        let count = values.len() / domain.features();
        Self { values, labels: vec![0; count], ids: (0..count as u64).collect(), domain }
    }

    fn data(&self) -> TrainingData<'_> {
        TrainingData {
            rows: &self.values,
            labels: &self.labels,
            ids: &self.ids,
            domain: &self.domain,
            classes: 1,
        }
    }

    fn fit<P: Plan>(&self, plan: &P) -> Fitted<P> {
        Fitted::train(plan, &self.data(), Seed(1), Run::new(passes())).unwrap()
    }
}

fn clean_digits(count: usize) -> Rows {
    let values = host::floats(digits(0..count).0).unwrap();
    Rows::new(values, Domain::image(1, 8, 8).unwrap())
}

const MODES: [[f32; 2]; 4] = [[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]];

/// Narrow clouds around four points of the unit square.
fn mixture(count: usize) -> Rows {
    let ids: Vec<u64> = (0..count as u64).collect();
    let place = (0, 0, duress_core::Use::Noise);
    let drawn = Seed(9).rows(&ids, place, 2, &Device::flex(), |generator, row| {
        use rand::RngExt;
        // A sum of uniform draws is bell-shaped and stays in its bounds.
        row.fill_with(|| (0..6).map(|_| generator.random::<f32>() - 0.5).sum::<f32>() * 0.04);
    });
    let mut values = host::floats(drawn).unwrap();
    for (index, row) in values.chunks_exact_mut(2).enumerate() {
        row[0] += MODES[index % 4][0];
        row[1] += MODES[index % 4][1];
    }
    Rows::new(values, Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap())
}

/// How many of the points are nearest to each mode and within 0.15 of it.
fn counts(values: &[f32]) -> [usize; 4] {
    let mut counts = [0; 4];
    for row in values.chunks_exact(2) {
        let near = |mode: &[f32; 2]| (row[0] - mode[0]).hypot(row[1] - mode[1]) < 0.15;
        if let Some(mode) = MODES.iter().position(near) {
            counts[mode] += 1;
        }
    }
    counts
}

fn covers_the_modes(plan: &GanPlan) {
    let fitted = mixture(1024).fit(plan);
    let ids: Vec<u64> = (0..1000).collect();
    let values = fitted.network().sample(&ids, Seed(4), passes()).unwrap();
    let counts = counts(&values);
    assert!(counts.iter().all(|&count| count > 100), "{counts:?}");
    assert!(counts.iter().sum::<usize>() > 700, "{counts:?}");
}

#[test]
fn a_gan_of_a_mixture_covers_its_modes() {
    covers_the_modes(&GanPlan {
        latent: 4,
        width: 32,
        epochs: 100,
        batch_size: 64,
        learning_rate: 1e-3,
        ..GanPlan::default()
    });
}

#[test]
fn a_wasserstein_gan_of_a_mixture_covers_its_modes() {
    let game =
        Game::WassersteinFiniteDifferencePenalty { critic_steps: 5, penalty: 1.0, distance: 0.01 };
    covers_the_modes(&GanPlan {
        game,
        latent: 4,
        width: 32,
        epochs: 500,
        batch_size: 64,
        learning_rate: 1e-3,
        betas: [0.5, 0.9],
    });
}

fn small_gan(epochs: u32) -> GanPlan {
    GanPlan { latent: 4, width: 4, epochs, batch_size: 32, ..GanPlan::default() }
}

#[test]
fn a_generated_row_depends_on_its_number_alone_and_lies_in_the_box() {
    let domain = Domain::new(
        duress_core::Layout::Image { channels: 1, height: 6, width: 5 },
        duress_core::Bound::Uniform(-3.0),
        duress_core::Bound::Uniform(5.0),
    )
    .unwrap();
    let values: Vec<f32> = (0..30 * 40).map(|cell| (cell % 9) as f32 - 3.0).collect();
    let fitted = Rows::new(values, domain.clone()).fit(&small_gan(2));
    let ids: Vec<u64> = (0..50).collect();
    let all = fitted.network().sample(&ids, Seed(2), passes()).unwrap();
    let few = fitted.network().sample(&[17, 3], Seed(2), passes()).unwrap();
    assert_eq!(few[..30], all[17 * 30..18 * 30]);
    assert_eq!(few[30..], all[3 * 30..4 * 30]);
    assert!(domain.check(&all).is_ok());
    assert_ne!(fitted.network().sample(&[3], Seed(3), passes()).unwrap(), few[30..]);
}

/// Cancels after so many steps.
struct After(AtomicU64);

impl Progress for After {
    fn advance(&self, units: u64) {
        self.0.fetch_sub(units.min(self.0.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

fn resumes_to_the_same_bits<P: Plan>(plan: &P) {
    let rows = clean_digits(96);
    let whole = Weights::of(rows.fit(plan).network()).unwrap().digest();
    let folder = tempfile::Builder::new().prefix("a folder ").tempdir().unwrap();
    let path = folder.path().join("state.checkpoint");
    let go = |progress: &dyn Progress| {
        let run = Run { checkpoint: Some(&path), progress, ..Run::new(passes()) };
        Fitted::train(plan, &rows.data(), Seed(1), run)
    };
    let stopped = go(&After(AtomicU64::new(4)));
    assert!(matches!(stopped, Err(Error::Core(Core::Cancelled))));
    let resumed = go(&Silent).unwrap();
    assert_eq!(Weights::of(resumed.network()).unwrap().digest(), whole, "{}", P::KIND);
}

#[test]
fn a_training_that_was_interrupted_ends_with_the_same_bits() {
    resumes_to_the_same_bits(&small_gan(3));
    resumes_to_the_same_bits(&DiffusionPlan {
        width: 4,
        epochs: 3,
        batch_size: 32,
        ..DiffusionPlan::default()
    });
    resumes_to_the_same_bits(&AutoencoderPlan {
        epochs: 3,
        batch_size: 32,
        ..AutoencoderPlan::default()
    });
}

#[test]
fn a_saved_network_comes_back_to_the_bit_and_other_files_are_refused() {
    let folder = tempfile::Builder::new().prefix("a folder ").tempdir().unwrap();
    let path = folder.path().join("a gan.safetensors");
    let fitted = clean_digits(64).fit(&small_gan(1));
    fitted.save(&path).unwrap();
    let loaded = Fitted::<GanPlan>::load(&path, &Device::flex()).unwrap();
    assert_eq!(loaded.card(), fitted.card());
    let sample = |fitted: &Fitted<GanPlan>| fitted.network().sample(&[0, 1], Seed(0), passes());
    assert_eq!(sample(&loaded).unwrap(), sample(&fitted).unwrap());

    let other = Fitted::<DiffusionPlan>::load(&path, &Device::flex()).unwrap_err();
    assert!(matches!(other, Error::Format { at: "card", .. }), "{other}");
    let bytes = std::fs::read(&path).unwrap();
    for end in [0, 7, 200, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let error = Fitted::<GanPlan>::load(&path, &Device::flex()).unwrap_err();
        assert!(matches!(error, Error::Format { at: "header", .. }), "{end}: {error}");
    }
    // A card that claims a wider network than its tensors are of.
    let text =
        serde_json::to_string(fitted.card()).unwrap().replace("\"width\":4,", "\"width\":4000,");
    Weights::of(fitted.network()).unwrap().save(&path, &text).unwrap();
    let error = Fitted::<GanPlan>::load(&path, &Device::flex()).unwrap_err();
    assert!(matches!(error, Error::Weights { .. }), "{error}");
}

/// Counts the notes that say a network was trained before.
#[derive(Default)]
struct Notes(AtomicU64);

impl Progress for Notes {
    fn note(&self, message: &str) {
        self.0.fetch_add(u64::from(message.contains("trained before")), Ordering::Relaxed);
    }
}

#[test]
fn a_network_in_the_folder_is_not_trained_twice_and_another_plan_is() {
    let folder = tempfile::Builder::new().prefix("a folder ").tempdir().unwrap();
    let rows = clean_digits(64);
    let notes = Notes::default();
    let data = TrainingRows::new(&rows.values, &rows.domain).unwrap();
    let data = data.on(passes()).heard_by(&notes).kept_in(folder.path());
    let fit = |plan: &GanPlan| {
        let fitted = generative::fit("defense-gan", plan, &data, Seed(5)).unwrap();
        Weights::of(fitted.network()).unwrap().digest()
    };
    let first = fit(&small_gan(1));
    assert_eq!(notes.0.load(Ordering::Relaxed), 0);
    assert_eq!(fit(&small_gan(1)), first);
    assert_eq!(notes.0.load(Ordering::Relaxed), 1);
    assert_ne!(fit(&small_gan(2)), first);
    assert_eq!(notes.0.load(Ordering::Relaxed), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);

    let bare = TrainingRows::new(&rows.values, &rows.domain).unwrap();
    let error = generative::fit("defense-gan", &small_gan(1), &bare, Seed(5)).unwrap_err();
    assert!(matches!(error, Core::Fit { algorithm: "defense-gan", .. }), "{error}");
}

#[test]
fn pseudo_labels_are_those_of_the_classifier_and_a_threshold_keeps_the_sure_ones() {
    let (fitted, model) = (clean_digits(256).fit(&small_gan(5)), trained());
    let ask = |count, least| {
        generate(fitted.network(), &*model, count, least, Seed(3), passes(), &Silent)
    };
    let all = ask(40, 0.0).unwrap();
    assert_eq!((all.labels.len(), all.drawn), (40, 40));
    let labels = pseudo_labels(&*model, &all.rows, passes()).unwrap();
    assert_eq!(labels.iter().map(|pair| pair.0).collect::<Vec<_>>(), all.labels);
    let mut sorted = all.confidences.clone();
    sorted.sort_by(f32::total_cmp);
    let least = f64::from(sorted[20]);
    let sure = ask(20, least).unwrap();
    assert!(sure.confidences.iter().all(|&confidence| f64::from(confidence) >= least));
    let expected: Vec<usize> = all
        .labels
        .iter()
        .zip(&all.confidences)
        .filter(|(_, confidence)| f64::from(**confidence) >= least)
        .map(|(label, _)| *label)
        .collect();
    assert_eq!(sure.labels[..expected.len().min(20)], expected[..expected.len().min(20)]);
    assert!(sure.drawn >= 20);
    assert!(matches!(ask(1, 1.5), Err(Core::Parameter { field: "least_confidence", .. })));
}
