//! Products of values of the network with each other along an axis, and the softmax.
use duress_graph::{Node, Operand, Unary};

use super::layout::NOWHERE;
use super::map::{Groups, Map, Weight};
use super::translate::{Translated, Translation, refuse};
use super::{Function, Step};

/// Most products or differences that one operation is taken apart into.
const MOST_PARTS: usize = 1 << 22;

impl Translation<'_> {
    /// `Σ_k a[.., r, k] · b[.., k, c]` of two results of the network: each product, then the sums.
    pub(super) fn product_of_nodes(
        &mut self,
        (left, of_left): (Operand, Vec<u32>),
        (right, of_right): (Operand, Vec<u32>),
        [rows, inner, columns]: [usize; 3],
    ) -> Translated {
        let size = of_left.len() * rows * columns;
        if size.saturating_mul(inner) > MOST_PARTS {
            return refuse(format!("more than {MOST_PARTS} products of two values"));
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (&x, &y) in of_left.iter().zip(&of_right) {
            let (x, y) = (x as usize * rows * inner, y as usize * inner * columns);
            for row in 0..rows {
                for column in 0..columns {
                    a.extend((0..inner).map(|k| (x + row * inner + k) as u32));
                    b.extend((0..inner).map(|k| (y + k * columns + column) as u32));
                }
            }
        }
        let (left, right) = (self.step(left)?, self.step(right)?);
        let (a, b) = (self.moved(left, a), self.moved(right, b));
        let product = self.product(a, b);
        let groups = (0..size).map(|at| (0..inner).map(|k| (at * inner + k) as u32).collect());
        let groups = Groups::new(groups);
        Ok(self.affine(vec![(product, Map::Sum { groups, weight: 1.0 })], Vec::new(), size))
    }

    /// `1 / Σⱼ exp(xⱼ − xᵢ)` along an axis, or `−ln Σⱼ exp(xⱼ − xᵢ)`.
    pub(super) fn softmax(&mut self, node: &Node, axis: usize, logarithm: bool) -> Translated {
        let shape = &node.shape;
        let (length, size) = (shape[axis], shape.iter().product::<usize>());
        if size.saturating_mul(length) > MOST_PARTS {
            return refuse(format!("more than {MOST_PARTS} differences of two values"));
        }
        // Position of each value's axis neighbours: the stride of the axis is what follows it.
        let stride: usize = shape[axis + 1..].iter().product();
        let (mut others, mut own) = (Vec::new(), Vec::new());
        for value in 0..size {
            let first = value - value / stride % length * stride;
            for other in (0..length).map(|at| first + at * stride) {
                // The difference of a value and itself is nothing but 0.
                let apart = other != value;
                others.push(if apart { other as u32 } else { NOWHERE });
                own.push(if apart { value as u32 } else { NOWHERE });
            }
        }
        let x = self.step(node.operands[0])?;
        let select = |sources, weight| Map::Select { sources, weight: Weight::Uniform(weight) };
        let parts = vec![(x, select(others, 1.0)), (x, select(own, -1.0))];
        let differences = self.affine(parts, Vec::new(), size * length);
        let powers = self.curve(differences, Function::Smooth(Unary::Exp));
        let groups =
            (0..size).map(|at| (at * length..(at + 1) * length).map(|k| k as u32).collect());
        let groups = Groups::new(groups);
        let sums = vec![(powers, Map::Sum { groups, weight: 1.0 })];
        let sums = self.push(Step::Affine { parts: sums, bias: Vec::new() }, size);
        Ok(if logarithm {
            let logarithms = self.curve(sums, Function::Smooth(Unary::Log));
            self.scaled(logarithms, -1.0, 0.0)
        } else {
            self.curve(sums, Function::Smooth(Unary::Reciprocal))
        })
    }
}
