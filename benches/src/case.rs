//! Networks with seeded weights and batches of seeded rows, on the device under test.
use anyhow::{Context, Result};
use burn::prelude::*;
use duress_core::{Classifier, Domain, Goal, Region, Seed, Threat, Use, predictions};
use duress_models::train::{Snapshot, snapshot};
use duress_models::{Architecture, Network};
use rand::RngExt;

/// Rows of a batch, unless a bench says otherwise.
pub const BATCH: usize = 128;

const SEED: Seed = Seed(2024);

/// A network and the inputs it is timed on.
pub struct Case {
    /// The name in benchmark ids.
    pub name: &'static str,
    /// The network in evaluation mode.
    pub model: Snapshot<Network>,
    /// The input space.
    pub domain: Domain,
    /// Steps of the attack that a benchmark repeats; fewer for the larger network.
    pub steps: usize,
    device: Device,
}

impl Case {
    /// Rows `[rows, F]`, uniform in the box.
    #[must_use]
    pub fn rows(&self, rows: usize) -> Tensor<2> {
        let ids: Vec<u64> = (0..rows as u64).collect();
        let at = (0, 0, Use::Start);
        SEED.rows(&ids, at, self.domain.features(), &self.device, |rng, row| {
            row.fill_with(|| rng.random());
        })
    }

    /// The labels that the network predicts for `rows`, to be left: no sample meets its goal yet.
    ///
    /// # Errors
    /// If the device fails.
    pub fn goal(&self, rows: Tensor<2>) -> Result<Goal> {
        let labels = predictions(self.model.forward(rows))?;
        Ok(Goal::Untargeted(labels.into_iter().map(|(label, _)| label).collect()))
    }

    /// The feasible set around `rows`.
    ///
    /// # Errors
    /// If the rows do not fit the domain.
    pub fn region(&self, rows: Tensor<2>, threat: &Threat) -> Result<Region> {
        Ok(Region::new(rows, threat, &self.domain)?)
    }
}

/// The device called by the environment variable `DURESS_BENCH_DEVICE`; Flex without it.
///
/// # Errors
/// If this build does not have it.
pub fn device() -> Result<Device> {
    let name = std::env::var("DURESS_BENCH_DEVICE").unwrap_or_else(|_| "flex".into());
    duress_core::device::open(&name).context("DURESS_BENCH_DEVICE")
}

/// The two networks of the benches: an image of 28 × 28 and one of 3 × 32 × 32, ten classes.
///
/// # Errors
/// If the device fails.
pub fn cases(device: &Device) -> Result<Vec<Case>> {
    let case = |name, architecture: Architecture, [channels, height, width]: [usize; 3], steps| {
        let domain = Domain::image(channels, height, width)?;
        let net = architecture.init(&domain, 10, SEED, device)?;
        let model = snapshot(&net, &domain)?;
        anyhow::Ok(Case { name, model, domain, steps, device: device.clone() })
    };
    Ok(vec![
        case("small_cnn", Architecture::SmallCnn {}, [1, 28, 28], 10)?,
        case("resnet8", Architecture::ResNet { depth: 8 }, [3, 32, 32], 2)?,
    ])
}
