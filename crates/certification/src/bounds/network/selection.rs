//! Largest values of windows.
use duress_graph::{Node, Window};

use super::Step;
use super::map::Groups;
use super::translate::{Translated, Translation, refuse};
use super::windows::Windows;

impl Translation<'_> {
    pub(super) fn max_pool(&mut self, window: &Window, node: &Node) -> Translated {
        let x = self.graph.shape(node.operands[0]);
        let windows = Windows::new(window, &x[1..], &node.shape[1..]);
        let positions: usize = node.shape[1..].iter().product();
        let pixels: usize = x[1..].iter().product();
        if (0..positions).any(|position| windows.at(position).is_empty()) {
            return refuse("a window of nothing but padding");
        }
        let groups = Groups::new((0..x[0]).flat_map(|channel| {
            let place = move |&(place, _): &(u32, u32)| (channel * pixels) as u32 + place;
            let windows = &windows;
            (0..positions).map(move |position| windows.at(position).iter().map(place).collect())
        }));
        let source = self.step(node.operands[0])?;
        let size = groups.len();
        Ok(self.push(Step::Maximum { source, groups }, size))
    }
}
