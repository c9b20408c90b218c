//! Names beside points, where nothing is in their way.
use super::{
    drawing::{Align, Drawing, Point, Shape, Stroke, Text, TextStyle, overlap, shorten},
    palette::{INK, MUTED},
};

/// A box, `[left, top, right, bottom]` in CSS pixels.
type Bounds = [f64; 4];

/// Where names may go, and what is there already.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    room: Bounds,
    marks: Vec<Bounds>,
    names: Vec<Bounds>,
    omitted: usize,
}

impl Labels {
    /// Names stay inside `room`.
    pub(super) fn new(room: Bounds) -> Self {
        Self { room, marks: Vec::new(), names: Vec::new(), omitted: 0 }
    }

    /// Names for which there was no place.
    pub(super) fn omitted(&self) -> usize {
        self.omitted
    }

    /// Keeps names off a box.
    pub(super) fn avoid(&mut self, bounds: Bounds) {
        self.marks.push(bounds);
    }

    /// Keeps names off a line.
    pub(super) fn avoid_line(&mut self, line: &[Point]) {
        self.marks.extend(along(line));
    }

    /// Puts a name beside a point, or farther off with a leader line; all marks must be known.
    pub(super) fn place(&mut self, drawing: &mut Drawing, name: &str, (x, y): Point, radius: f64) {
        let style = TextStyle::new(12.0, INK);
        let content = shorten(name, 0.5 * (self.room[2] - self.room[0]), style);
        let candidates = (0..RINGS).flat_map(|ring| {
            DIRECTIONS.iter().map(move |&(right, down, align)| {
                let reach = radius + 5.0 + 6.0 * f64::from(ring);
                // Above and below, half a line of text lies between its middle and the point.
                let lift = if f64::abs(right) < 0.5 { 6.0 } else { 0.0 };
                (ring, (x + right * reach, y + down * (reach + lift)), align)
            })
        });
        let found = candidates
            .map(|(ring, at, align)| {
                let text = Text { at, align, content: content.clone(), style };
                let line = if ring > 0 { leader((x, y), radius, text.bounds()) } else { vec![] };
                (line, text)
            })
            .find(|(line, text)| self.is_free(line, &text.bounds()));
        let Some((points, text)) = found else {
            self.omitted += 1;
            return;
        };
        self.avoid_line(&points);
        self.names.push(text.bounds());
        drawing.shapes.push(Shape::Path { points, stroke: Stroke::solid(MUTED, 1.0) });
        drawing.shapes.push(Shape::Text(text));
    }

    fn is_free(&self, line: &[Point], name: &Bounds) -> bool {
        let room = &self.room;
        let wide = room[0] <= name[0] && name[2] <= room[2];
        let high = room[1] <= name[1] && name[3] <= room[3];
        let mut taken = self.marks.iter().chain(&self.names);
        let crosses = |dot: &Bounds| self.names.iter().any(|other| overlap(dot, other));
        wide && high && !taken.any(|other| overlap(name, other)) && !along(line).iter().any(crosses)
    }
}

/// Where a name may stand as seen from its point, the best first.
const DIRECTIONS: [(f64, f64, Align); 16] = [
    (1.0, 0.0, Align::Left),
    (-1.0, 0.0, Align::Right),
    (0.0, -1.0, Align::Centre),
    (0.0, 1.0, Align::Centre),
    (0.8, -0.8, Align::Left),
    (0.8, 0.8, Align::Left),
    (-0.8, -0.8, Align::Right),
    (-0.8, 0.8, Align::Right),
    (0.4, -1.0, Align::Left),
    (0.4, 1.0, Align::Left),
    (-0.4, -1.0, Align::Right),
    (-0.4, 1.0, Align::Right),
    (1.0, -0.4, Align::Left),
    (1.0, 0.4, Align::Left),
    (-1.0, -0.4, Align::Right),
    (-1.0, 0.4, Align::Right),
];
/// Distances that are tried, six pixels apart.
const RINGS: u32 = 60;

/// Small boxes along a line, for names to keep off.
fn along(line: &[Point]) -> Vec<Bounds> {
    let between = |ends: &[Point]| {
        let (from, to) = (ends[0], ends[1]);
        let steps = ((to.0 - from.0).hypot(to.1 - from.1) / 4.0).ceil().max(1.0);
        (0..=steps as u32).map(move |step| {
            let weight = f64::from(step) / steps;
            let x = from.0 + weight * (to.0 - from.0);
            let y = from.1 + weight * (to.1 - from.1);
            [x - 2.0, y - 2.0, x + 2.0, y + 2.0]
        })
    };
    line.windows(2).flat_map(between).collect()
}

/// From the rim of a point to the nearest edge of its name.
fn leader((x, y): Point, radius: f64, name: Bounds) -> Vec<Point> {
    let (to_x, to_y) = (x.clamp(name[0], name[2]), y.clamp(name[1], name[3]));
    let (right, down) = (to_x - x, to_y - y);
    let rim = radius / right.hypot(down).max(radius);
    vec![(x + right * rim, y + down * rim), (to_x, to_y)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawing::tests::assert_legible;

    #[test]
    fn a_name_stands_to_the_right_unless_something_is_there() {
        let mut drawing = Drawing::new(400.0, 200.0, "");
        let mut labels = Labels::new([0.0, 0.0, 400.0, 200.0]);
        labels.place(&mut drawing, "one", (100.0, 100.0), 4.0);
        assert_eq!(drawing.shapes.len(), 2);
        let Some(Shape::Text(text)) = drawing.shapes.last() else { panic!("a name is missing") };
        assert_eq!((text.at, text.align), ((109.0, 100.0), Align::Left));
        labels.avoid([205.0, 0.0, 400.0, 200.0]);
        labels.place(&mut drawing, "two", (200.0, 100.0), 4.0);
        let Some(Shape::Text(text)) = drawing.shapes.last() else { panic!("a name is missing") };
        assert_eq!(text.align, Align::Right);
    }

    /// Ten lines of 14 pixels fit into 150, but not twenty.
    #[test]
    fn names_that_do_not_fit_are_counted() {
        let mut drawing = Drawing::new(100.0, 150.0, "");
        let mut labels = Labels::new([0.0, 0.0, 100.0, 150.0]);
        for _ in 0..20 {
            labels.place(&mut drawing, "a long name", (10.0, 75.0), 4.0);
        }
        assert_legible(&drawing);
        let placed = drawing.shapes.iter().filter(|s| matches!(s, Shape::Text(_))).count();
        assert!((2..20).contains(&placed));
        assert_eq!(labels.omitted(), 20 - placed);
    }
}
