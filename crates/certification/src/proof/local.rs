//! Certified radii of how steep a network is near a sample.
use duress_core::Norm;
use duress_graph::Graph;
use serde::{Deserialize, Serialize};

use super::{Prover, Subject, expect_norm, parameter};
use crate::bounds::{InputSet, Method, Network, Options, Result};
use crate::lipschitz::steepest;
use crate::table::{Certification, Entry};

/// The radius `min_j (z_y − z_j) / L_j` with `L_j` a proven bound of how steep `z_y − z_j` is on a
/// ball, as far as the ball reaches.
///
/// One radius after the other of those that are asked about is the ball's; the first at which the
/// margin is used up ends the search. Fast-Lip of Weng et al., ICML 2018.
/// <https://arxiv.org/abs/1804.09699>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalLipschitz {
    /// Norm of the balls: L1, L2 or Linf.
    pub norm: Norm,
    /// How the values before activations are bounded.
    pub method: Method,
    /// What these bounds may cost.
    pub options: Options,
}

impl Default for LocalLipschitz {
    fn default() -> Self {
        Self { norm: Norm::L2, method: Method::CrownIbp, options: Options::default() }
    }
}

impl LocalLipschitz {
    /// The dual length of slopes, from above; of features that may not change they do not count.
    fn length(&self, slopes: &[f64], set: &InputSet) -> f64 {
        let sides = set.intervals();
        let free = slopes.iter().zip(sides.lower.iter().zip(&sides.upper));
        let free: Vec<f64> =
            free.filter(|(_, (low, high))| low < high).map(|(slope, _)| *slope).collect();
        let most = free.iter().copied().fold(0.0, f64::max);
        if !free.iter().all(|slope| slope.is_finite()) {
            return f64::INFINITY;
        }
        let slack = 1.0 + 2.0 * f64::EPSILON * (free.len() as f64 + 16.0);
        match self.norm {
            Norm::L1 => most,
            Norm::Linf => free.iter().sum::<f64>() * slack,
            Norm::L0 | Norm::L2 => {
                let shares = free.iter().map(|slope| (slope / most.max(f64::MIN_POSITIVE)).powi(2));
                shares.sum::<f64>().sqrt() * most * slack
            }
        }
    }
}

impl Prover for LocalLipschitz {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norm(&self) -> Norm {
        self.norm
    }

    fn check(&self) -> duress_core::Result<()> {
        expect_norm(ENTRY.name, self.norm, &[Norm::L1, Norm::L2, Norm::Linf])?;
        self.options.check().map_err(|error| parameter(ENTRY.name, &error))
    }

    fn fits(&self, graph: &Graph, network: &Network) -> Result<()> {
        let origin = vec![0.0; graph.input_shape().iter().product()];
        let point = InputSet::ball(&origin, self.norm, 0.0, None)?;
        let known = network.node_bounds(&point, Method::Ibp, &self.options)?;
        let classes = graph.output_shape().iter().product();
        steepest(graph, &known, &vec![1.0; classes]).map(|_| ())
    }

    fn radius(
        &self,
        subject: &Subject<'_>,
        center: &[f64],
        class: usize,
        radii: &[f64],
    ) -> Result<Option<f64>> {
        let memory = self.options.memory / subject.together.max(1);
        let options = Options { memory, ..self.options.clone() };
        let point = InputSet::ball(center, self.norm, 0.0, None)?;
        let margins = subject.network.margins(&point, class, Method::Ibp, &options)?.lower;
        let others: Vec<usize> = (0..margins.len()).filter(|&other| other != class).collect();
        let mut proved = 0.0_f64;
        if others.is_empty() || !others.iter().all(|&other| margins[other] > 0.0) {
            return Ok(Some(0.0));
        }
        for &radius in radii {
            let set = InputSet::ball(center, self.norm, radius, subject.domain)?;
            let known = subject.network.node_bounds(&set, self.method, &options)?;
            let mut reach = radius;
            for &other in &others {
                let mut weights = vec![0.0; margins.len()];
                (weights[class], weights[other]) = (1.0, -1.0);
                let slopes = steepest(subject.graph, &known, &weights)?;
                let away = (margins[other] / self.length(&slopes, &set)).next_down();
                // Not a number proves nothing.
                reach = if away > 0.0 { reach.min(away) } else { 0.0 };
            }
            proved = proved.max(reach);
            if reach < radius {
                break;
            }
        }
        Ok(Some(proved))
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "local-lipschitz",
    summary: "proof by bounds of the gradient on the ball",
    reference: "arXiv:1804.09699",
    norm: Norm::L2,
    defaults: || toml::Table::try_from(LocalLipschitz::default()).unwrap_or_default(),
    parse: |table| Ok(Certification::Proved(Box::new(table.try_into::<LocalLipschitz>()?))),
};
