//! Resizing of images: what is nearest is picked, what is between is a matrix product.
use super::Handler;
use super::call::Call;
use crate::lift::{Imported, Importer, Value, normal, one, refuse};
use crate::{Array, Op, interpolation};

pub(super) const OPERATORS: &[(&str, Handler)] = &[("Resize", resize), ("Upsample", upsample)];

/// Where an output pixel lies in the input.
#[derive(Clone, Copy)]
enum Coordinates {
    HalfPixel,
    PytorchHalfPixel,
    Asymmetric,
    AlignCorners,
}

impl Coordinates {
    fn of(name: &str) -> Imported<Self> {
        match name {
            "half_pixel" => Ok(Coordinates::HalfPixel),
            "pytorch_half_pixel" => Ok(Coordinates::PytorchHalfPixel),
            "asymmetric" => Ok(Coordinates::Asymmetric),
            "align_corners" => Ok(Coordinates::AlignCorners),
            other => refuse(format!("attribute `coordinate_transformation_mode` is {other}")),
        }
    }

    /// Of output pixel `at` of `to` pixels, made of `from`, `scale` times as many.
    fn place(self, at: usize, [from, to]: [usize; 2], scale: f64) -> f64 {
        let at = at as f64;
        match self {
            Coordinates::PytorchHalfPixel | Coordinates::AlignCorners if to == 1 => 0.0,
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (at + 0.5) / scale - 0.5,
            Coordinates::Asymmetric => at / scale,
            Coordinates::AlignCorners => at * (from as f64 - 1.0) / (to as f64 - 1.0),
        }
    }
}

fn upsample(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let scales = match call.floats("scales") {
        Some(scales) => scales.iter().map(|&scale| f64::from(scale)).collect(),
        None => call.constant(1)?.values().to_vec(),
    };
    let mode = call.text("mode", "nearest")?;
    importer.resized(call, mode, Lengths::Scales(scales), Coordinates::Asymmetric, "floor")
}

fn resize(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let mode = call.text("mode", "nearest")?;
    if call.opset < 11 {
        let scales = Lengths::Scales(call.constant(1)?.values().to_vec());
        return importer.resized(call, mode, scales, Coordinates::Asymmetric, "floor");
    }
    call.ignore("cubic_coeff_a");
    call.ignore("extrapolation_value");
    call.ignore("exclude_outside");
    if call.int("antialias", 0) != 0 {
        return refuse("attribute `antialias`");
    }
    if call.text("keep_aspect_ratio_policy", "stretch")? != "stretch" {
        return refuse("attribute `keep_aspect_ratio_policy`");
    }
    let coordinates = Coordinates::of(call.text("coordinate_transformation_mode", "half_pixel")?)?;
    let nearest = call.text("nearest_mode", "round_prefer_floor")?;
    let filled = |index| -> Imported<Option<Vec<f64>>> {
        let array = call.optional_constant(index)?;
        Ok(array.filter(|array| !array.is_empty()).map(|array| array.values().to_vec()))
    };
    let lengths = match (filled(2)?, filled(3)?) {
        (Some(scales), None) => Lengths::Scales(scales),
        (None, Some(sizes)) => Lengths::Sizes(sizes),
        _ => return refuse("either scales or sizes are needed"),
    };
    importer.resized(call, mode, lengths, coordinates, nearest)
}

/// What is asked of each axis.
enum Lengths {
    Scales(Vec<f64>),
    Sizes(Vec<f64>),
}

impl Importer {
    fn resized(
        &mut self,
        call: &Call<'_>,
        mode: &str,
        lengths: Lengths,
        coordinates: Coordinates,
        nearest: &str,
    ) -> Imported {
        let mut x = call.operand(0)?.clone();
        let full = self.full_shape(&x)?;
        let numbers: Vec<i64> = match call.ints("axes") {
            Some(axes) => axes.to_vec(),
            None => (0..full.len() as i64).collect(),
        };
        let given = match &lengths {
            Lengths::Scales(list) | Lengths::Sizes(list) => list,
        };
        if given.len() != numbers.len() {
            return refuse(format!("{} lengths for {} axes", given.len(), numbers.len()));
        }
        for (&number, &given) in numbers.iter().zip(given) {
            let from = full[normal(number, full.len())?];
            let (to, scale) = match &lengths {
                Lengths::Scales(_) => ((from as f64 * given).floor(), given),
                Lengths::Sizes(_) => (given, given / from as f64),
            };
            if !(to >= 1.0 && to <= f64::from(1 << 24)) {
                return refuse(format!("an axis of {from} resized to {to}"));
            }
            let sides = [from, to as usize];
            if from == sides[1] && (scale - 1.0).abs() < 1e-12 {
                continue;
            }
            let axis = self.axis(&x, number)?;
            let place = |at: usize| coordinates.place(at, sides, scale);
            x = match mode {
                "nearest" => {
                    let last = (from - 1) as f64;
                    let indices = (0..sides[1])
                        .map(|at| Ok(rounded(nearest, place(at))?.clamp(0.0, last) as usize))
                        .collect::<Imported<_>>()?;
                    self.apply(call, Op::Gather { axis, indices }, &x, Vec::new())?
                }
                "linear" => {
                    self.interpolated(call, &x, axis, &interpolation::weights(sides, place)?)?
                }
                other => return refuse(format!("attribute `mode` is {other}")),
            };
        }
        one(x)
    }

    /// An axis multiplied by a matrix `[from, to]`.
    fn interpolated(
        &mut self,
        call: &Call<'_>,
        x: &Value,
        axis: usize,
        matrix: &Array,
    ) -> Imported<Value> {
        let (operand, _) = Self::sample(x)?;
        let rank = self.builder.shape(operand).len();
        let last = rank - 1;
        if axis == last {
            return self.apply(call, Op::Linear, x, vec![matrix.clone()]);
        }
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(axis, last);
        let turned = self.apply(call, Op::Transpose { axes: order.clone() }, x, Vec::new())?;
        let product = self.apply(call, Op::Linear, &turned, vec![matrix.clone()])?;
        self.apply(call, Op::Transpose { axes: order }, &product, Vec::new())
    }
}

fn rounded(mode: &str, place: f64) -> Imported<f64> {
    Ok(match mode {
        "floor" => place.floor(),
        "ceil" => place.ceil(),
        "round_prefer_floor" => (place - 0.5).ceil(),
        "round_prefer_ceil" => (place + 0.5).floor(),
        other => return refuse(format!("attribute `nearest_mode` is {other}")),
    })
}
