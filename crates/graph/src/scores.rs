//! What a network ends in, as logits.
use crate::graph::Builder;
use crate::{Array, Graph, Op, Operand, Result, Unary};

/// How the last operation of a network was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its results are taken for logits.
    Logits,
    /// It ended in a softmax, which was taken off: what was before it are the logits.
    Softmax,
    /// Its one result was taken for the log-odds of the second of two classes.
    LogOdds,
    /// It ended in a logistic function of one value, which was taken off: before it are the
    /// log-odds of the second of two classes.
    Sigmoid,
}

impl Graph {
    /// The network without a softmax or logistic function at its end, with a logit a class.
    ///
    /// Attacks on saturated probabilities see no gradient, so what comes before them is attacked:
    /// the predictions are the same.
    ///
    /// # Errors
    /// Those of shapes; none for a graph that was checked.
    pub fn with_logits(self) -> Result<(Self, Ending)> {
        let mut last = self.output();
        while matches!(self.nodes()[last].op, Op::Reshape)
            && let Operand::Node(before) = self.nodes()[last].operands[0]
        {
            last = before;
        }
        let node = &self.nodes()[last];
        let length = crate::product(self.output_shape()).unwrap_or(0);
        let whole = |axis: usize| node.shape[axis] == length;
        let stripped = match node.op {
            Op::Softmax { axis } | Op::LogSoftmax { axis } if length > 1 && whole(axis) => {
                Some((node.operands[0], Ending::Softmax))
            }
            Op::Unary(Unary::Sigmoid) if length == 1 => Some((node.operands[0], Ending::Sigmoid)),
            _ => None,
        };
        let (output, ending) = stripped.unwrap_or((
            Operand::Node(self.output()),
            if length == 1 { Ending::LogOdds } else { Ending::Logits },
        ));
        let mut builder = Builder::from(self);
        let mut output = builder.shaped("logits", Op::Reshape, output, vec![length])?;
        if length == 1 {
            let zero = builder.constant(Array::vector(vec![0.0]));
            output = builder.push("logits", Op::Concat { axis: 0 }, vec![zero, output])?;
        }
        Ok((builder.finish(output)?, ending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_in(ops: &[Op], length: usize) -> Graph {
        let mut builder = Builder::new("x", vec![length]);
        let mut x = builder.input();
        for op in ops {
            x = builder.push("op", op.clone(), vec![x]).unwrap();
        }
        builder.finish(x).unwrap()
    }

    #[test]
    fn a_softmax_is_taken_off_and_one_value_becomes_two_classes() {
        let softmax = [Op::Unary(Unary::Tanh), Op::Softmax { axis: 0 }];
        let (graph, ending) = ends_in(&softmax, 2).with_logits().unwrap();
        assert_eq!(ending, Ending::Softmax);
        let expected = [0.5_f64.tanh(), (-0.5_f64).tanh()];
        assert_eq!(graph.evaluate(&[0.5, -0.5]).unwrap().values(), expected);

        let (graph, ending) = ends_in(&[Op::Unary(Unary::Sigmoid)], 1).with_logits().unwrap();
        assert_eq!((ending, graph.output_shape()), (Ending::Sigmoid, &[2][..]));
        assert_eq!(graph.evaluate(&[3.0]).unwrap().values(), [0.0, 3.0]);

        let (graph, ending) = ends_in(&[Op::Unary(Unary::Tanh)], 3).with_logits().unwrap();
        assert_eq!((ending, graph.nodes().len()), (Ending::Logits, 2));
    }
}
