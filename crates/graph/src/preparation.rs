//! What a network's user does to a raw sample before the network sees it, and to its result.
//!
//! Attacks, radii and certificates are in raw units: pictures planes first, values in the box of
//! the domain. What leads from there to the network's own input becomes part of the graph.
use duress_core::{Domain, Layout};
use serde::{Deserialize, Serialize};

use crate::graph::Builder;
use crate::interpolation;
use crate::{Array, Binary, Error, Graph, Op, Operand, Result};

/// Where the channels of a picture stand in the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// `[C, H, W]`.
    Nchw,
    /// `[H, W, C]`.
    Nhwc,
}

/// From raw samples to the network's input: resized, then `(scale · x − mean) / std`, then
/// reordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preparation {
    /// Order of the axes of pictures. If `None`: the one that the shapes of data and input allow.
    pub layout: Option<Order>,
    /// What raw values are multiplied by: 255 for a network that takes bytes.
    pub scale: f64,
    /// Subtracted from scaled values: one value, one a channel, or one a feature.
    pub mean: Vec<f64>,
    /// Divides them after that; as many as `mean`.
    pub std: Vec<f64>,
}

impl Default for Preparation {
    fn default() -> Self {
        Self { layout: None, scale: 1.0, mean: Vec::new(), std: Vec::new() }
    }
}

impl Preparation {
    /// `network` behind the preparation: a graph that takes raw rows of `domain`.
    ///
    /// A picture of another size than the network takes is resized bilinearly (corners not
    /// aligned, no smoothing), as part of the network.
    ///
    /// # Errors
    /// [`Error::Interface`] if the data cannot become the network's input.
    pub fn before(&self, network: Graph, domain: &Domain) -> Result<Graph> {
        let own = network.input_shape().to_vec();
        let (raw, channels) = match domain.layout() {
            Layout::Image { channels, height, width } => (vec![channels, height, width], channels),
            Layout::Waveform { channels, samples } => (vec![channels, samples], channels),
            Layout::Table { features } => (vec![features], features),
        };
        let mut builder = Builder::new("input", raw.clone());
        let mut x = builder.input();
        let order = self.order(domain, &own)?;
        if let Layout::Image { channels, height, width } = domain.layout() {
            let wanted = match (order, &own[..]) {
                (Some(Order::Nhwc), &[to_height, to_width, _])
                | (Some(Order::Nchw), &[_, to_height, to_width]) => Some([to_height, to_width]),
                _ => None,
            };
            if let Some(wanted) = wanted {
                x = resized(&mut builder, x, [height, width], wanted)?;
            } else if own.iter().product::<usize>() != channels * height * width {
                return Err(fits_not(domain, &own));
            }
        }
        let layout = &builder.shape(x).to_vec();
        let affine = |builder: &mut Builder, x, function, values: &[f64], name| {
            let array = Self::spread(values, layout, channels, name)?;
            let constant = builder.constant(array);
            builder.push("preparation", Op::Binary(function), vec![x, constant])
        };
        if self.scale != 1.0 {
            x = affine(&mut builder, x, Binary::Mul, &[self.scale], "scale")?;
        }
        self.check()?;
        if !self.mean.is_empty() {
            x = affine(&mut builder, x, Binary::Sub, &self.mean, "mean")?;
            x = affine(&mut builder, x, Binary::Div, &self.std, "std")?;
        }
        if order == Some(Order::Nhwc) {
            x = builder.push("preparation", Op::Transpose { axes: vec![1, 2, 0] }, vec![x])?;
        }
        if crate::product(builder.shape(x)) != crate::product(&own) {
            return Err(fits_not(domain, &own));
        }
        x = builder.shaped("preparation", Op::Reshape, x, own)?;
        let output = builder.append(&network, x)?;
        builder.finish(output)
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Error::Interface`] naming the field.
    pub fn check(&self) -> Result<()> {
        let fault = |what, expected: &str, got: String| {
            Err(Error::Interface { what, expected: expected.into(), got })
        };
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return fault("scale", "a number above 0", self.scale.to_string());
        }
        if self.mean.len() != self.std.len() {
            let got = format!("{} for {} means", self.std.len(), self.mean.len());
            return fault("std", "as many values as `mean`", got);
        }
        if let Some(bad) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return fault("mean", "finite numbers", bad.to_string());
        }
        match self.std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
            Some(bad) => fault("std", "numbers above 0", bad.to_string()),
            None => Ok(()),
        }
    }

    /// The order of a picture's axes in an input of shape `own`; `None` where it has not three.
    fn order(&self, domain: &Domain, own: &[usize]) -> Result<Option<Order>> {
        let (Layout::Image { channels, height, width }, &[first, middle, last]) =
            (domain.layout(), own)
        else {
            return match self.layout {
                // A flattened picture, pixels last, cannot be told apart: only planes are flat.
                Some(Order::Nhwc) => Err(Error::Interface {
                    what: "layout",
                    expected: "an input of three axes for nhwc".into(),
                    got: format!("an input of shape {own:?}"),
                }),
                _ => Ok(None),
            };
        };
        let planes = first == channels;
        let pixels = last == channels;
        let exact = [first, middle, last] == [channels, height, width];
        match self.layout {
            Some(Order::Nchw) if planes => Ok(Some(Order::Nchw)),
            None if exact || (planes && !pixels) => Ok(Some(Order::Nchw)),
            Some(Order::Nhwc) | None if pixels => Ok(Some(Order::Nhwc)),
            _ => Err(fits_not(domain, own)),
        }
    }

    /// A constant that meets values of `shape`, channels or features first.
    fn spread(
        values: &[f64],
        shape: &[usize],
        channels: usize,
        what: &'static str,
    ) -> Result<Array> {
        if values.len() == 1 {
            return Ok(Array::scalar(values[0]));
        }
        if values.len() == channels {
            let mut own = vec![1; shape.len()];
            own[0] = channels;
            return Array::new(own, values.to_vec());
        }
        Err(Error::Interface {
            what,
            expected: format!("1 value or {channels}, one a channel or column"),
            got: format!("{} values", values.len()),
        })
    }
}

fn fits_not(domain: &Domain, own: &[usize]) -> Error {
    Error::Interface {
        what: "input",
        expected: format!("a network for {:?}", domain.layout()),
        got: format!("one that takes {own:?}"),
    }
}

/// Pictures `[C, H, W]` of another height and width, bilinearly.
fn resized(builder: &mut Builder, x: Operand, from: [usize; 2], to: [usize; 2]) -> Result<Operand> {
    let mut x = x;
    for axis in [1, 0] {
        // The last axis is multiplied, so the picture is turned around it; a width that stays and
        // a height that stays are left alone.
        if from[axis] != to[axis] {
            let turn = Op::Transpose { axes: vec![0, 2, 1] };
            if axis == 0 {
                x = builder.push("resize", turn.clone(), vec![x])?;
            }
            let sides = [from[axis], to[axis]];
            // Centres of pixels lie on centres.
            let place = |at: usize| (at as f64 + 0.5) * sides[0] as f64 / sides[1] as f64 - 0.5;
            let matrix = builder.constant(interpolation::weights(sides, place)?);
            x = builder.push("resize", Op::Linear, vec![x, matrix])?;
            if axis == 0 {
                x = builder.push("resize", turn, vec![x])?;
            }
        }
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The network that returns its input.
    fn echo(shape: &[usize]) -> Graph {
        let mut builder = Builder::new("x", shape.to_vec());
        let one = builder.constant(Array::scalar(1.0));
        let input = builder.input();
        let output = builder.push("echo", Op::Binary(Binary::Mul), vec![input, one]).unwrap();
        builder.finish(output).unwrap()
    }

    #[test]
    fn pixels_are_scaled_normalised_and_put_last() {
        let preparation = Preparation {
            scale: 2.0,
            mean: vec![1.0, 0.0, 0.0],
            std: vec![0.5, 1.0, 2.0],
            ..Preparation::default()
        };
        let domain = Domain::image(3, 1, 2).unwrap();
        let graph = preparation.before(echo(&[1, 2, 3]), &domain).unwrap();
        let got = graph.evaluate(&[0.5, 1.0, 0.1, 0.2, 0.3, 0.4]).unwrap();
        let expected = [0.0, 0.2, 0.3, 2.0, 0.4, 0.4];
        for (got, expected) in got.values().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got:?}");
        }
    }

    #[test]
    fn a_picture_is_resized_to_what_the_network_takes() {
        let domain = Domain::image(1, 2, 4).unwrap();
        let graph = Preparation::default().before(echo(&[1, 4, 2]), &domain).unwrap();
        let got = graph.evaluate(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).unwrap();
        // Columns in the middle of two, rows at −1/4, 1/4, 3/4 and 5/4.
        assert_eq!(got.values(), [0.5, 2.5, 1.5, 3.5, 3.5, 5.5, 4.5, 6.5]);
    }

    #[test]
    fn data_that_cannot_become_the_input_are_refused() {
        let domain = Domain::image(1, 28, 28).unwrap();
        let at = |shape: &[usize], preparation: Preparation| {
            preparation.before(echo(shape), &domain).map(|_| ()).map_err(|error| error.to_string())
        };
        assert!(at(&[784], Preparation::default()).is_ok());
        assert!(at(&[28, 28, 1], Preparation::default()).is_ok());
        assert!(at(&[3, 28, 28], Preparation::default()).unwrap_err().contains("[3, 28, 28]"));
        assert!(at(&[100], Preparation::default()).is_err());
        let two = Preparation { mean: vec![0.0; 2], std: vec![1.0; 2], ..Preparation::default() };
        assert!(at(&[784], two).unwrap_err().contains("1 value or 1"));
        let zero = Preparation { mean: vec![0.0], std: vec![0.0], ..Preparation::default() };
        assert!(at(&[784], zero).unwrap_err().contains("above 0"));
        let wrong = Preparation { layout: Some(Order::Nhwc), ..Preparation::default() };
        assert!(at(&[784], wrong).unwrap_err().contains("three axes"));
    }
}
