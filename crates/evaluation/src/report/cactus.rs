//! Instances solved against seconds: how far a verifier gets in how much time.
use super::{
    Error, Result,
    axis::{Axis, MARGIN, frame},
    drawing::{Align, Drawing, Point, Shape, TextStyle, shorten},
    error::check,
    line_chart::{SAMPLE, stroke},
    palette::INK,
};

/// One named curve.
#[derive(Clone, Debug)]
pub struct Solved {
    /// Name in the legend.
    pub name: String,
    /// The seconds that each instance solved took, in any order.
    pub seconds: Vec<f64>,
}

/// For each number of seconds, how many instances took no longer.
#[derive(Clone, Debug)]
pub struct Cactus {
    /// Title above the chart.
    pub title: String,
    /// How many instances there are.
    pub instances: usize,
    /// The curves.
    pub series: Vec<Solved>,
}

impl Cactus {
    /// Lays the chart out.
    ///
    /// # Errors
    /// [`Error::Empty`] without series or for one without an instance; [`Error::Value`] for seconds
    /// that are negative or not finite, or more solved than there are.
    pub fn draw(&self) -> Result<Drawing> {
        let longest = self.check()?;
        let description = format!("{}: instances solved against seconds.", self.title);
        let mut drawing = Drawing::new(WIDTH, 0.0, description);
        let title = TextStyle::new(16.0, INK).bold();
        let bottom = drawing.paragraph((MARGIN, MARGIN), WIDTH - 2.0 * MARGIN, &self.title, title);
        let (top, floor) = (bottom + 40.0, bottom + 40.0 + HEIGHT);
        let x = Axis::new((0.0, longest.max(0.01)), (50.0, WIDTH - 30.0), 6);
        let y = Axis::new((0.0, self.instances.max(5) as f64), (floor, top), 5);
        let solved = format!("Instances solved, of {}", self.instances);
        frame(&mut drawing, &x, &y, ("Seconds", &solved));
        let mut middle = floor + 66.0;
        for (index, series) in self.series.iter().enumerate() {
            let points = steps(&series.seconds, longest, (&x, &y));
            drawing.shapes.push(Shape::Path { points, stroke: stroke(index) });
            let style = TextStyle::new(13.0, INK);
            let text = format!("{} ({})", series.name, series.seconds.len());
            let name = shorten(&text, WIDTH - 2.0 * MARGIN - SAMPLE - 8.0, style);
            drawing.line((MARGIN, middle), (MARGIN + SAMPLE, middle), stroke(index));
            drawing.text((MARGIN + SAMPLE + 8.0, middle), Align::Left, &name, style);
            middle += 21.0;
        }
        drawing.size.1 = middle + MARGIN;
        Ok(drawing)
    }

    /// The longest time.
    fn check(&self) -> Result<f64> {
        let empty = |what| Err(Error::Empty { figure: FIGURE, what });
        if self.series.is_empty() {
            return empty("series");
        }
        let mut longest = 0.0_f64;
        for series in &self.series {
            if series.seconds.is_empty() {
                return empty("instance in a series");
            }
            let count = series.seconds.len();
            let fits = count <= self.instances;
            check(fits, FIGURE, "instances solved", "at most all of them", count as f64)?;
            for &seconds in &series.seconds {
                let valid = seconds.is_finite() && seconds >= 0.0;
                check(valid, FIGURE, "a time", "finite and at least 0 s", seconds)?;
                longest = longest.max(seconds);
            }
        }
        Ok(longest)
    }
}

/// The line that rises by one at each time and goes on to the longest.
fn steps(seconds: &[f64], longest: f64, (x, y): (&Axis, &Axis)) -> Vec<Point> {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut line = vec![(x.at(0.0), y.at(0.0))];
    for (solved, &time) in sorted.iter().enumerate() {
        line.push((x.at(time), y.at(solved as f64)));
        line.push((x.at(time), y.at(solved as f64 + 1.0)));
    }
    line.push((x.at(longest), y.at(sorted.len() as f64)));
    line
}

const FIGURE: &str = "cactus plot";
const WIDTH: f64 = 660.0;
const HEIGHT: f64 = 280.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawing::tests::assert_legible;

    fn cactus(series: &[&[f64]]) -> Cactus {
        let solved = |(index, seconds): (usize, &&[f64])| Solved {
            name: format!("series {index}"),
            seconds: seconds.to_vec(),
        };
        let series = series.iter().enumerate().map(solved).collect();
        Cactus { title: "Solved of instances.csv".into(), instances: 8, series }
    }

    #[test]
    fn a_line_rises_by_one_at_each_time() {
        let (x, y) = (Axis::new((0.0, 4.0), (0.0, 4.0), 2), Axis::new((0.0, 2.0), (2.0, 0.0), 2));
        let line = steps(&[3.0, 1.0], 4.0, (&x, &y));
        let expected = [(0.0, 2.0), (1.0, 2.0), (1.0, 1.0), (3.0, 1.0), (3.0, 0.0), (4.0, 0.0)];
        assert_eq!(line, expected);
    }

    #[test]
    fn charts_are_legible_whatever_the_times() {
        for series in [&[&[0.5, 0.01, 117.0][..], &[0.5][..]][..], &[&[0.0][..]][..]] {
            let drawing = cactus(series).draw().unwrap();
            assert_legible(&drawing);
            assert!(drawing.svg().is_ok() && drawing.png().is_ok());
        }
        let mut long = cactus(&[&[1.0]]);
        long.series[0].name = "a name that goes on and on and on and on ".repeat(6);
        long.title = long.series[0].name.clone();
        assert_legible(&long.draw().unwrap());
    }

    #[test]
    fn nothing_to_draw_and_times_that_are_none_are_errors() {
        assert!(matches!(cactus(&[]).draw(), Err(Error::Empty { what: "series", .. })));
        assert!(matches!(cactus(&[&[]]).draw(), Err(Error::Empty { .. })));
        assert!(matches!(cactus(&[&[f64::NAN]]).draw(), Err(Error::Value { .. })));
        assert!(matches!(cactus(&[&[1.0; 9]]).draw(), Err(Error::Value { .. })));
    }
}
