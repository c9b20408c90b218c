//! What every certifier of the table that samples keeps to.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
use burn::prelude::*;
use duress_certification::{CERTIFIERS, Certificate, Certification, Certifier, Entry};
use duress_core::{Classifier, Domain, Error, Passes, Progress, Result, Seed, Silent};

/// Three classes of an image of 2 × 2 pixels: the brighter the picture, the higher the class.
struct Brightness {
    domain: Domain,
    factor: f32,
}

impl Brightness {
    fn new(factor: f32) -> Self {
        Self { domain: Domain::image(1, 2, 2).unwrap(), factor }
    }
}

impl Classifier for Brightness {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        3
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let sum = rows.sum_dim(1) * self.factor;
        let zero = sum.clone() * 0.0;
        Tensor::cat(vec![zero, sum.clone() - 1.0, sum * 2.0 - 4.0], 1)
    }
}

/// The certifier with few draws.
fn small(entry: &Entry, batch: i64) -> Box<dyn Certifier> {
    let mut table = (entry.defaults)();
    for (key, value) in [
        ("selection_draws", 20),
        ("estimation_draws", 400),
        ("first_look", 100),
        ("batch", batch),
        ("keep", 1),
        ("top", 2),
    ] {
        // `keep` counts pixels, or is a probability, which stays.
        if table.get(key).is_some_and(toml::Value::is_integer) {
            table.insert(key.into(), value.into());
        }
    }
    if table.contains_key("fill") {
        table.insert("fill".into(), 1.0.into());
    }
    match (entry.parse)(table).unwrap() {
        Certification::Sampled(certifier) => certifier,
        Certification::Proved(prover) => panic!("{} proves", prover.name()),
    }
}

/// The model that a certifier is asked about. Noise on two levels takes `BRIGHT` as white: there two
/// white pixels are to be enough, or the noise alone would be a majority.
fn model(entry: &Entry) -> Brightness {
    Brightness::new(if entry.name == "smoothing-discrete" { 2.0 } else { 1.0 })
}

/// The certifiers that sample.
fn entries() -> impl Iterator<Item = &'static Entry> {
    let samples = |entry: &&Entry| {
        let certification = (entry.parse)((entry.defaults)()).unwrap();
        matches!(certification, Certification::Sampled(_))
    };
    CERTIFIERS.iter().filter(samples)
}

fn certify(
    certifier: &dyn Certifier,
    model: &dyn Classifier,
    row: &[f32],
    progress: &dyn Progress,
) -> Result<Certificate> {
    let device = Device::flex();
    let passes = Passes::new(&device)?;
    let row = Tensor::<2>::from_data(TensorData::new(row.to_vec(), [1, row.len()]), &device);
    certifier.certify(model, &passes, row, (Seed(1), 3), progress)
}

const BRIGHT: [f32; 4] = [0.9, 1.0, 0.95, 1.0];

#[test]
fn a_clear_sample_is_certified_whatever_the_batch() {
    for entry in entries() {
        let model = model(entry);
        let certificates = [1, 7, 1000]
            .map(|batch| certify(small(entry, batch).as_ref(), &model, &BRIGHT, &Silent).unwrap());
        assert!(certificates.windows(2).all(|pair| pair[0] == pair[1]), "{}", entry.name);
        let certificate = &certificates[0];
        assert_eq!(certificate.prediction, Some(2), "{}", entry.name);
        assert!(certificate.radius > 0.0, "{}", entry.name);
        assert!(certificate.failure_probability > 0.0 && certificate.forwards >= 120);
    }
}

/// `sum > 3` decides between the classes 1 and 2, and between second and third place the middle of
/// class 1 does, `sum = 2`. Ablated to one pixel, three black pixels of four are a majority, and two
/// win a tie. On two levels, one white pixel of four is seen as two or more with probability 0.41.
#[test]
fn no_radius_reaches_past_the_boundary() {
    for entry in entries() {
        let model = model(entry);
        let sum: f32 = BRIGHT.iter().sum();
        let certificate = certify(small(entry, 64).as_ref(), &model, &BRIGHT, &Silent).unwrap();
        let excess = f64::from(sum - 3.0);
        let excess = if entry.name == "smoothing-top-k" { f64::from(sum - 2.0) } else { excess };
        let distance = match entry.norm {
            duress_core::Norm::L0 if entry.name == "smoothing-discrete" => 3.0,
            duress_core::Norm::L0 => 2.0,
            duress_core::Norm::L1 => excess,
            duress_core::Norm::L2 => 0.5 * excess,
            duress_core::Norm::Linf => 0.25 * excess,
        };
        assert!(certificate.radius < distance, "{}: {certificate:?}", entry.name);
    }
}

#[test]
fn a_model_without_numbers_a_wrong_row_and_a_wish_to_stop_are_errors() {
    struct Stop;
    impl Progress for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    for entry in entries() {
        let certifier = small(entry, 64);
        let nan = certify(certifier.as_ref(), &Brightness::new(f32::NAN), &BRIGHT, &Silent);
        assert!(matches!(nan, Err(Error::LogitsNotFinite { sample: 3 })), "{}", entry.name);
        let model = Brightness::new(1.0);
        let short = certify(certifier.as_ref(), &model, &BRIGHT[..3], &Silent);
        assert!(matches!(short, Err(Error::Shape { .. })), "{}", entry.name);
        let stopped = certify(certifier.as_ref(), &model, &BRIGHT, &Stop);
        assert!(matches!(stopped, Err(Error::Cancelled)), "{}", entry.name);
    }
}
