//! Products, convolutions and pooling.
use super::{Place, Writer, message};
use crate::onnx::proto::Attribute;
use crate::{Array, Op, Result, Window};

impl Writer<'_> {
    pub(super) fn layer(&mut self, place: &mut Place<'_>) -> Result<()> {
        match &place.node.op {
            Op::Linear => self.linear(place),
            Op::MatMul => {
                let rank = place.node.shape.len();
                let (a, b) = (self.aligned(place, 0, rank)?, self.aligned(place, 1, rank)?);
                self.last(place, "MatMul", &[&a, &b], Vec::new());
                Ok(())
            }
            Op::Convolution(conv) => {
                let mut attributes = windows(&conv.window);
                attributes.push(message::int("group", conv.groups));
                self.weighted(place, "Conv", attributes)
            }
            Op::TransposedConvolution(conv) => {
                let mut attributes = windows(&conv.window);
                attributes.push(message::int("group", conv.groups));
                let added = conv.output_padding.iter().copied();
                attributes.push(message::ints("output_padding", added));
                self.weighted(place, "ConvTranspose", attributes)
            }
            Op::MaxPool(window) => {
                let (x, window) = self.padded(place, window, f64::NEG_INFINITY)?;
                self.last(place, "MaxPool", &[&x], windows(&window));
                Ok(())
            }
            Op::AveragePool(window) => self.average(place, window),
            _ => Ok(()),
        }
    }

    fn linear(&mut self, place: &mut Place<'_>) -> Result<()> {
        let (x, weight) = (self.operand(place, 0)?, self.operand(place, 1)?);
        let bias = place.node.operands.len() > 2;
        if place.node.shape.len() == 1 {
            return self.weighted(place, "Gemm", Vec::new());
        }
        if !bias {
            self.last(place, "MatMul", &[&x, &weight], Vec::new());
            return Ok(());
        }
        let product = self.part(place, "MatMul", &[&x, &weight], Vec::new());
        let bias = self.operand(place, 2)?;
        self.last(place, "Add", &[&product, &bias], Vec::new());
        Ok(())
    }

    /// An operation of x, a weight and perhaps a bias.
    fn weighted(
        &mut self,
        place: &mut Place<'_>,
        operator: &str,
        attributes: Vec<Attribute>,
    ) -> Result<()> {
        let count = place.node.operands.len();
        let operands =
            (0..count).map(|index| self.operand(place, index)).collect::<Result<Vec<_>>>()?;
        let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
        self.last(place, operator, &operands, attributes);
        Ok(())
    }

    /// Padded places count; windows that are dilated are those of a convolution.
    fn average(&mut self, place: &mut Place<'_>, window: &Window) -> Result<()> {
        if window.dilation.iter().all(|&dilation| dilation == 1) {
            let (x, window) = self.padded(place, window, 0.0)?;
            let mut attributes = windows(&window);
            attributes.retain(|attribute| attribute.name.as_deref() != Some("dilations"));
            attributes.push(message::int("count_include_pad", 1));
            self.last(place, "AveragePool", &[&x], attributes);
            return Ok(());
        }
        let channels = place.node.shape[0];
        let size: usize = window.kernel.iter().product();
        let mut shape = vec![channels, 1];
        shape.extend(&window.kernel);
        let weight = self.floats(place, &Array::full(&shape, 1.0 / size as f64)?)?;
        let x = self.operand(place, 0)?;
        let mut attributes = windows(window);
        attributes.push(message::int("group", channels));
        self.last(place, "Conv", &[&x, &weight], attributes);
        Ok(())
    }

    /// x and windows whose padding is shorter than they are, as runtimes want it.
    fn padded(
        &mut self,
        place: &mut Place<'_>,
        window: &Window,
        value: f64,
    ) -> Result<(String, Window)> {
        let x = self.operand(place, 0)?;
        let mut pairs = window.kernel.iter().zip(&window.padding);
        if pairs.all(|(kernel, (before, after))| before.max(after) < kernel) {
            return Ok((x, window.clone()));
        }
        let axes = window.padding.len();
        let mut sides = vec![(0, 0)];
        sides.extend(&window.padding);
        let x = self.pad(place, &x, &sides, value)?;
        let window = Window { padding: vec![(0, 0); axes], ..window.clone() };
        Ok((self.part(place, "Pad", &x.each_ref().map(String::as_str), Vec::new()), window))
    }
}

fn windows(window: &Window) -> Vec<Attribute> {
    let before = window.padding.iter().map(|sides| sides.0);
    let after = window.padding.iter().map(|sides| sides.1);
    vec![
        message::ints("kernel_shape", window.kernel.iter().copied()),
        message::ints("strides", window.stride.iter().copied()),
        message::ints("dilations", window.dilation.iter().copied()),
        message::ints("pads", before.chain(after)),
    ]
}
