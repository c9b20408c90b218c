//! The model under test, and the one place that differentiates it by its input.
use std::marker::PhantomData;

use burn::module::Module;
use burn::prelude::*;

use crate::{Activation, Aim, Domain, Error, Loss, Result, host};

/// A classifier `f : [N, F] → [N, K]`, raw rows in, logits out.
///
/// The function is deterministic and treats rows independently: it is in evaluation mode. See
/// [`Frozen`] to make one of a burn module.
pub trait Classifier: Send + Sync {
    /// The input space.
    fn domain(&self) -> &Domain;

    /// Number of classes `K`.
    fn classes(&self) -> usize;

    /// Logits (before softmax) of rows in raw units.
    fn forward(&self, rows: Tensor<2>) -> Tensor<2>;

    /// What the layers make of rows `[N, F]`, first to last, on the tape if the rows are; the last
    /// are the logits. A classifier that hides its layers shows its logits alone.
    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        vec![Activation::logits(self.forward(rows))]
    }
}

impl<C: Classifier + ?Sized> Classifier for &C {
    fn domain(&self) -> &Domain {
        (**self).domain()
    }

    fn classes(&self) -> usize {
        (**self).classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        (**self).forward(rows)
    }

    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        (**self).activations(rows)
    }
}

impl<C: Classifier + ?Sized> Classifier for Box<C> {
    fn domain(&self) -> &Domain {
        (**self).domain()
    }

    fn classes(&self) -> usize {
        (**self).classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        (**self).forward(rows)
    }

    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        (**self).activations(rows)
    }
}

impl<C: Classifier + ?Sized> Classifier for std::sync::Arc<C> {
    fn domain(&self) -> &Domain {
        (**self).domain()
    }

    fn classes(&self) -> usize {
        (**self).classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        (**self).forward(rows)
    }

    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        (**self).activations(rows)
    }
}

/// The tensor a module's forward pass takes.
pub trait Input {
    /// Rows `[N, F]` in the shape of the domain's layout.
    fn from_rows(rows: Tensor<2>, domain: &Domain) -> Self;
}

impl Input for Tensor<2> {
    fn from_rows(rows: Tensor<2>, _: &Domain) -> Self {
        rows
    }
}

impl Input for Tensor<3> {
    /// `[N, channels, samples]`; an image becomes `[N, channels, height · width]`.
    fn from_rows(rows: Tensor<2>, domain: &Domain) -> Self {
        let count = rows.dims()[0];
        let channels = match domain.layout() {
            crate::Layout::Image { channels, .. } | crate::Layout::Waveform { channels, .. } => {
                channels
            }
            crate::Layout::Table { .. } => 1,
        };
        rows.reshape([count, channels, domain.features() / channels])
    }
}

impl Input for Tensor<4> {
    /// `[N, channels, height, width]`; a waveform becomes `[N, channels, 1, samples]`.
    fn from_rows(rows: Tensor<2>, domain: &Domain) -> Self {
        let count = rows.dims()[0];
        let [channels, height, width] = match domain.layout() {
            crate::Layout::Image { channels, height, width } => [channels, height, width],
            crate::Layout::Waveform { channels, samples } => [channels, 1, samples],
            crate::Layout::Table { features } => [1, 1, features],
        };
        rows.reshape([count, channels, height, width])
    }
}

/// A burn module pinned in evaluation mode: no dropout, fixed batch-norm statistics, no gradient
/// kept for weights. Later training of the module does not reach it.
///
/// `I` is the tensor that the forward pass takes: `Tensor<2>` rows, `Tensor<3>` waveforms or
/// `Tensor<4>` images.
#[derive(Clone, Debug)]
pub struct Frozen<M, I, F> {
    module: M,
    forward: F,
    domain: Domain,
    classes: usize,
    input: PhantomData<fn(I)>,
}

impl<M, I, F> Frozen<M, I, F>
where
    M: Module + Sync,
    I: Input,
    F: Fn(&M, I) -> Tensor<2> + Send + Sync,
{
    /// A snapshot of `module`, whose forward pass is `forward`.
    ///
    /// One forward pass of a row at the lower corner of the domain finds the number of classes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the forward pass does not give one row of logits for a row.
    ///
    /// # Panics
    /// Where burn does: if the module does not accept the domain's shape.
    pub fn new(module: &M, domain: Domain, forward: F) -> Result<Self> {
        let module = module.valid();
        let device = module.devices().into_iter().next().unwrap_or_default().inner();
        let probe = forward(&module, I::from_rows(domain.bounds(&device).0, &domain));
        let [rows, classes] = probe.dims();
        if rows != 1 || classes == 0 {
            return Err(Error::Shape {
                what: "logits of one row",
                expected: "[1, classes]".into(),
                got: format!("[{rows}, {classes}]"),
            });
        }
        Ok(Self { module, forward, domain, classes, input: PhantomData })
    }

    /// The module, in evaluation mode.
    pub fn module(&self) -> &M {
        &self.module
    }

    /// A copy on `device`. Its running statistics are its own: this one stays where it is.
    #[must_use]
    pub fn to_device(&self, device: &Device) -> Self
    where
        F: Clone,
    {
        Self {
            module: self.module.valid().to_device(&device.clone().inner()),
            forward: self.forward.clone(),
            domain: self.domain.clone(),
            classes: self.classes,
            input: PhantomData,
        }
    }
}

impl<M, I, F> Classifier for Frozen<M, I, F>
where
    M: Module + Sync,
    I: Input,
    F: Fn(&M, I) -> Tensor<2> + Send + Sync,
{
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        (self.forward)(&self.module, I::from_rows(rows, &self.domain))
    }
}

/// What one gradient pass computes, off the tape.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Logits `[N, K]`.
    pub logits: Tensor<2>,
    /// The loss of each sample `[N]`.
    pub loss: Tensor<1>,
    /// `∂ lossᵢ / ∂ xᵢ`, `[N, F]`.
    pub gradient: Tensor<2>,
}

/// The loss at `rows` `[N, F]` and its gradient by the rows.
///
/// The model's weights are off the tape, so no weight gradient is computed. Besides training this
/// is the only place that calls `backward`.
///
/// # Errors
/// [`Error::NoGradient`] if the logits do not depend on the rows.
pub fn input_gradient(
    model: &dyn Classifier,
    rows: Tensor<2>,
    aim: &Aim,
    loss: &dyn Loss,
) -> Result<Evaluation> {
    let leaf = rows.inner().autodiff().require_grad();
    let logits = model.forward(leaf.clone());
    if !(logits.is_autodiff() && logits.is_tracked()) {
        return Err(Error::NoGradient);
    }
    let seen = if loss.sees_refusal() { logits.clone() } else { aim.join_refusal(logits.clone()) };
    let values = loss.per_sample(seen, aim);
    let mut gradients = values.clone().sum().backward();
    let gradient = leaf.grad_remove(&mut gradients).ok_or(Error::NoGradient)?;
    Ok(Evaluation { logits: logits.inner(), loss: values.inner(), gradient })
}

/// The gradient of `⟨through(point), cotangent⟩` by the point: how a gradient at transformed rows
/// pulls back to what they were made from (pixels before a resize, a flow, a colour shift).
///
/// `point` `[N, P]`, `through: [N, P] → [M, F]`, `cotangent` `[M, F]`; the result is `[N, P]`.
///
/// # Errors
/// [`Error::NoGradient`] if the result of `through` does not depend on the point.
pub fn pull_back(
    point: Tensor<2>,
    through: impl Fn(Tensor<2>) -> Tensor<2>,
    cotangent: Tensor<2>,
) -> Result<Tensor<2>> {
    let leaf = point.inner().autodiff().require_grad();
    let image = through(leaf.clone());
    if !(image.is_autodiff() && image.is_tracked()) {
        return Err(Error::NoGradient);
    }
    let mut gradients = (image * cotangent.inner().autodiff()).sum().backward();
    leaf.grad_remove(&mut gradients).ok_or(Error::NoGradient)
}

/// The class of the largest logit of each row, `[N, K]`, ties to the lowest class, and its
/// softmax probability.
///
/// # Errors
/// [`Error::Device`] if the device fails.
pub fn predictions(logits: Tensor<2>) -> Result<Vec<(usize, f32)>> {
    let classes = logits.dims()[1].max(1);
    let values = host::floats(logits)?;
    Ok(values.chunks_exact(classes).map(prediction).collect())
}

/// The class of the largest of one row's logits, the lowest of those that tie.
#[must_use]
pub fn arg_max(logits: &[f32]) -> usize {
    let mut best = 0;
    for (class, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = class;
        }
    }
    best
}

fn prediction(logits: &[f32]) -> (usize, f32) {
    let best = arg_max(logits);
    let total: f64 = logits.iter().map(|&logit| f64::from(logit - logits[best]).exp()).sum();
    (best, total.recip() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Goal;
    use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};

    #[derive(Module, Debug)]
    struct Net {
        linear: Linear,
        dropout: Dropout,
    }

    impl Net {
        fn new(device: &Device) -> Self {
            Self {
                linear: LinearConfig::new(4, 3).init(device),
                dropout: DropoutConfig::new(0.5).init(),
            }
        }

        fn forward(&self, x: Tensor<4>) -> Tensor<2> {
            self.linear.forward(self.dropout.forward(x.flatten::<2>(1, 3)))
        }
    }

    #[derive(Debug)]
    struct First;

    impl Loss for First {
        fn name(&self) -> &'static str {
            "first"
        }

        fn per_sample(&self, logits: Tensor<2>, _: &Aim) -> Tensor<1> {
            logits.narrow(1, 0, 1).squeeze_dim(1)
        }
    }

    /// The gradient of a linear logit is its weight column, whatever dropout would do in training.
    #[test]
    fn a_frozen_module_is_in_evaluation_mode_and_its_input_gradient_is_exact() {
        let device = Device::flex();
        let net = Net::new(&device.clone().autodiff());
        let domain = Domain::image(1, 2, 2).unwrap();
        let frozen = Frozen::new(&net, domain, Net::forward).unwrap();
        assert_eq!(frozen.classes(), 3);
        let rows = Tensor::<2>::full([5, 4], 0.5, &device);
        let aim = Goal::Untargeted(vec![0; 5]).aim(&device);
        let got = input_gradient(&frozen, rows.clone(), &aim, &First).unwrap();
        let weights = host::floats(net.linear.weight.val().narrow(1, 0, 1)).unwrap();
        let gradient = host::floats(got.gradient).unwrap();
        assert_eq!(gradient.chunks(4).collect::<Vec<_>>(), vec![&weights[..]; 5]);
        assert_eq!(host::floats(frozen.forward(rows)).unwrap(), host::floats(got.logits).unwrap());
    }

    #[test]
    fn a_model_that_detaches_is_an_error_and_not_a_robust_model() {
        let device = Device::flex();
        let net = Net::new(&device);
        let domain = Domain::image(1, 2, 2).unwrap();
        let frozen =
            Frozen::new(&net, domain, |net: &Net, x: Tensor<4>| net.forward(x.detach())).unwrap();
        let aim = Goal::Untargeted(vec![0]).aim(&device);
        let got = input_gradient(&frozen, Tensor::zeros([1, 4], &device), &aim, &First);
        assert!(matches!(got, Err(Error::NoGradient)));
    }

    /// x ↦ (x₀ + 2x₁, x₁²) at (3, 5), cotangent (1, 10): (1, 2 + 10·2·5).
    #[test]
    fn a_cotangent_is_pulled_back_by_the_transposed_jacobian() {
        let device = Device::flex();
        let point = Tensor::<2>::from_data([[3.0, 5.0]], &device);
        let through = |x: Tensor<2>| {
            let (a, b) = (x.clone().narrow(1, 0, 1), x.narrow(1, 1, 1));
            Tensor::cat(vec![a + b.clone() * 2.0, b.clone() * b], 1)
        };
        let cotangent = Tensor::<2>::from_data([[1.0, 10.0]], &device);
        let got = host::floats(pull_back(point.clone(), through, cotangent.clone()).unwrap());
        assert_eq!(got.unwrap(), [1.0, 102.0]);
        let detached = pull_back(point, |x| x.inner().autodiff(), cotangent);
        assert!(matches!(detached, Err(Error::NoGradient)));
    }

    #[test]
    fn predictions_take_the_lowest_of_equal_classes() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_data([[1.0, 1.0], [0.0, 3.0_f32.ln()]], &device);
        let got = predictions(logits).unwrap();
        assert_eq!((got[0].0, got[1].0), (0, 1));
        let by_hand = [0.0, 2.0_f32.ln(), 4.0_f32.ln(), 0.0];
        assert_eq!((arg_max(&by_hand), arg_max(&[1.0, 1.0])), (2, 0));
        assert!((got[0].1 - 0.5).abs() < 1e-6 && (got[1].1 - 0.75).abs() < 1e-6);
    }
}
