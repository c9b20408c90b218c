//! A network that is trained behind a transformation.
use std::sync::Arc;

use duress_core::{Seed, Use};
use duress_models::train::{Feedback, Memory, Preparation, Traced};
use duress_models::{Batch, LossOutput, Network, Objective, Result, Step};
use rand::Rng;

use super::Passage;

/// An objective of a network that stands behind a transformation: what is trained is what is
/// deployed.
///
/// The network sees transformed rows wherever the objective asks it, and what the objective makes
/// of rows (adversarial ones, say) it makes before the transformation, with gradients that pass it
/// by its declared backward. Buckman, Roy, Raffel, Goodfellow. *Thermometer Encoding.* ICLR 2018,
/// §4 (LS-PGA is PGD through such a pass). A random transformation draws anew in each step.
pub struct TrainedBehind<'a> {
    inner: &'a dyn Objective<Network>,
    passage: Arc<Passage>,
    name: String,
}

impl<'a> TrainedBehind<'a> {
    /// `inner` of networks behind `passage`.
    #[must_use]
    pub fn new(inner: &'a dyn Objective<Network>, passage: Passage) -> Self {
        let name = format!("{} behind {}", inner.name(), passage.name());
        Self { inner, passage: Arc::new(passage), name }
    }

    /// `network`, made for what comes through, with the transformation before it: what the
    /// training begins with. Companions that are copies of it stand behind it too.
    #[must_use]
    pub fn front(&self, network: &Network) -> Network {
        network.behind(Arc::clone(&self.passage) as _)
    }

    /// The network with the draws of a step.
    fn drawn(&self, network: &Network, step: &Step<'_>) -> Network {
        if !self.passage.is_random() {
            return network.clone();
        }
        let mut stream = step.seed.stream(u64::from(step.epoch), 1, step.step as u32, Use::Noise);
        network.behind(Arc::new(self.passage.with_seed(Seed(stream.next_u64()))))
    }
}

impl Objective<Network> for TrainedBehind<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn parameters(&self) -> serde_json::Value {
        self.inner.parameters()
    }

    fn loss(&self, network: &Network, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        self.inner.loss(&self.drawn(network, step), batch, step)
    }

    fn loss_by(
        &self,
        network: &Network,
        batch: &Batch,
        step: &Step<'_>,
        memory: &mut Memory<Network>,
    ) -> Result<Traced> {
        self.inner.loss_by(&self.drawn(network, step), batch, step, memory)
    }

    fn prepare(&self, preparation: &Preparation<'_, Network>) -> Result<Memory<Network>> {
        self.inner.prepare(preparation)
    }

    fn remember(
        &self,
        memory: &mut Memory<Network>,
        batch: &Batch,
        step: &Step<'_>,
        feedback: Feedback,
    ) -> Result<()> {
        self.inner.remember(memory, batch, step, feedback)
    }

    fn replays(&self) -> u32 {
        self.inner.replays()
    }

    fn backward_passes(&self) -> u32 {
        self.inner.backward_passes()
    }

    fn after_step(&self, network: Network, step: &Step<'_>) -> Result<Network> {
        self.inner.after_step(network, step)
    }
}

#[cfg(test)]
mod tests {
    use burn::prelude::*;
    use duress_core::{Domain, Passes};
    use duress_models::train::Run;
    use duress_models::{Architecture, Recipe, Standard, TrainingData, train};

    use super::*;
    use crate::training::PgdTraining;
    use crate::transformation::{GaussianNoise, Thermometer, Transformation};

    const ROWS: usize = 24;

    /// Bright and dark pictures of two pixels, trained behind `transformation`.
    fn trained(
        transformation: &dyn Transformation,
        inner: &dyn Objective<Network>,
        checkpoint: Option<&std::path::Path>,
        epochs: u32,
    ) -> (Network, Passes) {
        let domain = Domain::image(1, 1, 2).unwrap();
        let values: Vec<f32> = (0..2 * ROWS)
            .map(|place| if (place / 2) % 2 == 0 { 0.1 } else { 0.9 } + place as f32 / 1e3)
            .collect();
        let labels: Vec<usize> = (0..ROWS).map(|row| row % 2).collect();
        let ids: Vec<u64> = (0..ROWS as u64).collect();
        let data =
            TrainingData { rows: &values, labels: &labels, ids: &ids, domain: &domain, classes: 2 };
        let passes = Passes::with_workers(&Device::flex(), 1).unwrap();
        let within = transformation.inner_domain(&domain).unwrap();
        let network = Architecture::Mlp { hidden: vec![8] }
            .init(&within, 2, Seed(1), passes.device())
            .unwrap();
        let passage = transformation.passage(&within, Seed(3)).unwrap();
        let objective = TrainedBehind::new(inner, passage);
        let recipe = Recipe { epochs, batch_size: 8, ..Recipe::default() };
        let run = Run { checkpoint, ..Run::new(&passes) };
        let network = objective.front(&network);
        let trained = train(&network, &objective, &data, &recipe, run).unwrap();
        (trained.last, passes)
    }

    fn logits(network: &Network, row: [f32; 2]) -> Vec<f32> {
        let rows = Tensor::<2>::from_data([row], &Device::flex());
        duress_core::host::floats(network.forward(rows)).unwrap()
    }

    #[test]
    fn a_network_of_codes_is_trained_on_plain_rows_and_takes_codes_without_its_front() {
        let thermometer = Thermometer { levels: 4 };
        for inner in [&Standard as &dyn Objective<Network>, &PgdTraining::default()] {
            let (network, _) = trained(&thermometer, inner, None, 12);
            let (dark, bright) = (logits(&network, [0.1, 0.1]), logits(&network, [0.9, 0.9]));
            assert!(dark[0] > dark[1] && bright[0] < bright[1], "{dark:?} {bright:?}");
            // 0.1 is `0 ≤ l/4` from the first digit on; the two pixels of a digit are neighbours.
            let code = Tensor::<2>::from_data([[1.0_f32; 8]], &Device::flex());
            let coded = duress_core::host::floats(network.without_front().forward(code)).unwrap();
            assert_eq!(coded, dark);
        }
    }

    #[test]
    fn noise_is_drawn_anew_in_each_epoch_and_again_the_same_in_a_second_training() {
        let noise = GaussianNoise { sigma: 0.3 };
        let once = |epochs| logits(&trained(&noise, &Standard, None, epochs).0, [0.1, 0.2]);
        assert_eq!(once(3), once(3));
        assert_ne!(
            once(3),
            logits(&trained(&GaussianNoise { sigma: 0.0 }, &Standard, None, 3).0, [0.1, 0.2])
        );
        let (network, passes) = trained(&noise, &Standard, None, 1);
        let passage = noise.passage(&Domain::image(1, 1, 2).unwrap(), Seed(3)).unwrap();
        let objective = TrainedBehind::new(&Standard, passage);
        let step = |epoch, step| Step {
            epoch,
            step,
            steps: 3,
            epochs: 2,
            seed: Seed(0),
            label_smoothing: 0.0,
            domain: preparation_domain(),
            classes: 2,
            passes: &passes,
            progress: &duress_core::Silent,
        };
        let at = |epoch, number| logits(&objective.drawn(&network, &step(epoch, number)), [0.1; 2]);
        assert_eq!(at(0, 1), at(0, 1));
        assert_ne!(at(0, 1), at(1, 1));
        assert_ne!(at(0, 1), at(0, 2));
    }

    fn preparation_domain() -> &'static Domain {
        static DOMAIN: std::sync::OnceLock<Domain> = std::sync::OnceLock::new();
        DOMAIN.get_or_init(|| Domain::image(1, 1, 2).unwrap())
    }
}
