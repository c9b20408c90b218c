//! Which layers of a network a detector looks at, and all rows seen through them.
use burn::prelude::*;
use duress_core::{Activation, Classifier, Passes};

use super::{Error, Result};

/// Which layers to look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which<'a> {
    /// Every hidden layer.
    Hidden,
    /// Every hidden layer and the logits.
    All,
    /// The hidden layer of this name; the last one where the name is empty.
    Named(&'a str),
    /// The first hidden layer.
    First,
}

/// Some layers of a network.
#[derive(Clone, Debug)]
pub(super) struct View {
    layers: Vec<usize>,
    /// Width of each.
    pub(super) widths: Vec<usize>,
    /// Whether the positions of maps are averaged, channel by channel.
    pooled: bool,
}

impl View {
    /// The layers of `model` that are wanted, found by a pass of one row.
    pub(super) fn new(
        detector: &'static str,
        model: &dyn Classifier,
        passes: &Passes,
        which: Which<'_>,
        pooled: bool,
    ) -> Result<Self> {
        let (row, _) = model.domain().bounds(passes.device());
        let shown = model.activations(row);
        let hidden = shown.len().saturating_sub(1);
        if hidden == 0 {
            return Err(Error::NoLayers { detector });
        }
        let layers = match which {
            Which::Hidden => (0..hidden).collect(),
            Which::All => (0..=hidden).collect(),
            Which::First => vec![0],
            Which::Named("") => vec![hidden - 1],
            Which::Named(name) => {
                let Some(place) = shown[..hidden].iter().position(|one| one.name == name) else {
                    let known: Vec<&str> =
                        shown[..hidden].iter().map(|one| one.name.as_str()).collect();
                    let (layer, known) = (name.to_owned(), known.join(", "));
                    return Err(Error::UnknownLayer { detector, layer, known });
                };
                vec![place]
            }
        };
        let width = |layer: Activation| {
            if pooled { layer.channels } else { layer.values.dims()[1] }
        };
        let all: Vec<usize> = shown.into_iter().map(width).collect();
        let widths = layers.iter().map(|&layer| all[layer]).collect();
        Ok(Self { layers, widths, pooled })
    }

    /// What the layers make of rows, `[N, W]` each, on the tape of the rows.
    pub(super) fn of(&self, model: &dyn Classifier, rows: Tensor<2>) -> Vec<Tensor<2>> {
        self.and_logits(model, rows).0
    }

    /// The same, and the logits `[N, K]`.
    pub(super) fn and_logits(
        &self,
        model: &dyn Classifier,
        rows: Tensor<2>,
    ) -> (Vec<Tensor<2>>, Tensor<2>) {
        let shown = model.activations(rows);
        let logits = shown[shown.len() - 1].values.clone();
        let see = |layer: &usize| {
            let layer = shown[*layer].clone();
            if self.pooled { layer.pooled() } else { layer.values }
        };
        (self.layers.iter().map(see).collect(), logits)
    }

    /// What the layers make of all rows, off the tape.
    pub(super) fn of_all(
        &self,
        model: &dyn Classifier,
        passes: &Passes,
        rows: &Tensor<2>,
    ) -> Result<Vec<Tensor<2>>> {
        let joined = over(passes, rows, self.widths.iter().sum(), |rows| {
            Tensor::cat(self.of(model, rows), 1)
        })?;
        let mut start = 0;
        Ok(self
            .widths
            .iter()
            .map(|&width| {
                start += width;
                joined.clone().narrow(1, start - width, width)
            })
            .collect())
    }
}

/// A function of rows that treats rows independently, `[N, F] → [N, width]`, computed as passes
/// are.
pub(super) fn over(
    passes: &Passes,
    rows: &Tensor<2>,
    width: usize,
    work: impl Fn(Tensor<2>) -> Tensor<2> + Sync,
) -> Result<Tensor<2>> {
    if rows.dims()[0] == 0 {
        return Ok(Tensor::empty([0, width], passes.device()));
    }
    let parts = passes.over(rows, |rows, _| Ok([work(rows).inner()]))?;
    Ok(Tensor::cat(parts.into_iter().map(|[part]| part).collect(), 0))
}
