//! Matrix products, convolutions and means of windows.
use duress_graph::{Array, Convolution, Node, Operand, TransposedConvolution, Window};

use super::layout::broadcast;
use super::map::{Map, Product, Windowed};
use super::translate::{Translated, Translation, refuse};
use super::windows::Windows;

impl Translation<'_> {
    /// The values of a constant weight, all of them finite.
    fn weight(&self, operand: Operand) -> Translated<&Array> {
        match self.graph.constant(operand) {
            None => refuse("weights that depend on the input"),
            Some(array) if array.values().iter().any(|value| !value.is_finite()) => {
                refuse("a weight that is not finite")
            }
            Some(array) => Ok(array),
        }
    }

    pub(super) fn linear(&mut self, node: &Node) -> Translated {
        let weight = self.weight(node.operands[1])?;
        let (inner, columns) = (weight.shape()[0], weight.shape()[1]);
        let size: usize = node.shape.iter().product();
        let product = Product {
            pairs: vec![(0, 0)],
            rows: size / columns.max(1),
            inner,
            columns,
            weight: turned(weight.values(), inner, columns),
            x_on_the_left: true,
        };
        let bias = match node.operands.get(2) {
            Some(&bias) => self.constant(bias, &node.shape)?,
            None => Vec::new(),
        };
        let x = self.step(node.operands[0])?;
        Ok(self.affine(vec![(x, Map::Product(product))], bias, size))
    }

    pub(super) fn mat_mul(&mut self, node: &Node) -> Translated {
        let [left, right] = node.operands[..] else { return refuse("two operands expected") };
        let (a, b) = (self.graph.shape(left), self.graph.shape(right));
        let (&[.., rows, inner], &[.., columns]) = (a, b) else {
            return refuse("matrices expected");
        };
        let outer = &node.shape[..node.shape.len() - 2];
        let of_left = broadcast_matrices(a, outer)?;
        let of_right = broadcast_matrices(b, outer)?;
        let size: usize = node.shape.iter().product();
        let (x, pairs, weight, x_on_the_left): (_, Vec<(u32, u32)>, _, _) = match (left, right) {
            (Operand::Node(_), Operand::Constant(_)) => {
                let values = self.weight(right)?.values();
                let matrices = values.chunks_exact((inner * columns).max(1));
                let weight = matrices.flat_map(|matrix| turned(matrix, inner, columns)).collect();
                (left, of_left.into_iter().zip(of_right).collect(), weight, true)
            }
            (Operand::Constant(_), Operand::Node(_)) => {
                let weight = self.weight(left)?.values().to_vec();
                (right, of_right.into_iter().zip(of_left).collect(), weight, false)
            }
            _ => {
                let shape = [rows, inner, columns];
                return self.product_of_nodes((left, of_left), (right, of_right), shape);
            }
        };
        let map = Map::Product(Product { pairs, rows, inner, columns, weight, x_on_the_left });
        let x = self.step(x)?;
        Ok(self.affine(vec![(x, map)], Vec::new(), size))
    }

    pub(super) fn convolution(&mut self, conv: &Convolution, node: &Node) -> Translated {
        let x = self.graph.shape(node.operands[0]);
        let weight = self.weight(node.operands[1])?;
        let map = Windowed {
            windows: Windows::new(&conv.window, &x[1..], &node.shape[1..]),
            positions: node.shape[1..].iter().product(),
            pixels: x[1..].iter().product(),
            inputs: weight.shape()[1],
            outputs: node.shape[0] / conv.groups,
            taps: conv.window.kernel.iter().product(),
            weight: weight.values().to_vec(),
            turned: Vec::new(),
        };
        self.windowed(map, node)
    }

    pub(super) fn transposed(&mut self, conv: &TransposedConvolution, node: &Node) -> Translated {
        let x = self.graph.shape(node.operands[0]);
        let weight = self.weight(node.operands[1])?;
        let taps = conv.window.kernel.iter().product();
        let (inputs, outputs) = (x[0] / conv.groups, weight.shape()[1]);
        let mut turned = Vec::with_capacity(weight.len());
        for out in 0..node.shape[0] {
            for input in 0..inputs {
                let own = out / outputs * inputs + input;
                let start = (own * outputs + out % outputs) * taps;
                turned.extend_from_slice(&weight.values()[start..][..taps]);
            }
        }
        let map = Windowed {
            windows: Windows::transposed(&conv.window, &x[1..], &node.shape[1..]),
            positions: node.shape[1..].iter().product(),
            pixels: x[1..].iter().product(),
            inputs,
            outputs,
            taps,
            weight: turned,
            turned: Vec::new(),
        };
        self.windowed(map, node)
    }

    pub(super) fn average_pool(&mut self, window: &Window, node: &Node) -> Translated {
        let x = self.graph.shape(node.operands[0]);
        let taps: usize = window.kernel.iter().product();
        let map = Windowed {
            windows: Windows::new(window, &x[1..], &node.shape[1..]),
            positions: node.shape[1..].iter().product(),
            pixels: x[1..].iter().product(),
            inputs: 1,
            outputs: 1,
            taps,
            weight: vec![1.0 / taps as f64; x[0] * taps],
            turned: Vec::new(),
        };
        self.windowed(map, node)
    }

    fn windowed(&mut self, mut map: Windowed, node: &Node) -> Translated {
        map.turned = map.turned();
        let size = node.shape.iter().product();
        let bias = match node.operands.get(2) {
            Some(&bias) => {
                let values = self.constant(bias, &node.shape[..1])?;
                values.iter().flat_map(|&bias| vec![bias; map.positions]).collect()
            }
            None => Vec::new(),
        };
        let x = self.step(node.operands[0])?;
        Ok(self.affine(vec![(x, Map::Windowed(map))], bias, size))
    }
}

/// Which of the matrices of `shape` stands at each place of `outer`.
fn broadcast_matrices(shape: &[usize], outer: &[usize]) -> Translated<Vec<u32>> {
    Ok(broadcast(&shape[..shape.len() - 2], outer)?)
}

/// `[rows, columns]` as `[columns, rows]`.
fn turned(matrix: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let places = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
    places.map(|place| matrix[place]).collect()
}
