//! Normalisations.
use super::{Imported, Importer, Value, refuse};
use crate::{Array, Binary, Op, Reduction, Unary};

impl Importer {
    /// `(x − mean) / √(variance + epsilon) · scale + shift` by channel: `parameters` are scale,
    /// shift, mean and variance, one value a channel each.
    pub(crate) fn batch_norm(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        x: &Value,
        parameters: [&Array; 4],
        epsilon: f64,
    ) -> Imported<Value> {
        let channels = parameters[0].len();
        let value = |which: usize, channel: usize| parameters[which].values()[channel];
        let scale: Vec<f64> = (0..channels)
            .map(|channel| value(0, channel) / (value(3, channel) + epsilon).sqrt())
            .collect();
        let shift: Vec<f64> = (0..channels)
            .map(|channel| value(1, channel) - value(2, channel) * scale[channel])
            .collect();
        let scaled = self.channels(at, Binary::Mul, x, scale)?;
        self.channels(at, Binary::Add, &scaled, shift)
    }

    /// `(x − mean) / √(variance + epsilon)` over some axes.
    pub(crate) fn standardized(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        x: &Value,
        axes: Vec<usize>,
        epsilon: f64,
    ) -> Imported<Value> {
        let mean = Op::Reduce { by: Reduction::Mean, axes };
        let center = self.apply(at, mean.clone(), x, Vec::new())?;
        let centered = self.binary(at, Binary::Sub, x, &center)?;
        let squares = self.binary(at, Binary::Mul, &centered, &centered)?;
        let variance = self.apply(at, mean, &squares, Vec::new())?;
        let epsilon = Value::float(Array::scalar(epsilon));
        let variance = self.binary(at, Binary::Add, &variance, &epsilon)?;
        let deviation = self.apply(at, Op::Unary(Unary::Sqrt), &variance, Vec::new())?;
        self.binary(at, Binary::Div, &centered, &deviation)
    }

    /// A function of each value and the number of its channel, the first axis of a sample.
    pub(crate) fn channels(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        function: Binary,
        x: &Value,
        values: Vec<f64>,
    ) -> Imported<Value> {
        let (operand, _) = Self::sample(x)?;
        let own = self.builder.shape(operand);
        if own.first() != Some(&values.len()) {
            return refuse(format!("{} parameters for a shape of {own:?}", values.len()));
        }
        let mut shape = vec![1; own.len()];
        shape[0] = values.len();
        let array = Array::new(shape, values)?;
        self.binary(at, function, x, &Value::float(array))
    }
}
