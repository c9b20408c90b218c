//! Pictures and pages of a report: charts, heat maps, example galleries, self-contained HTML.
//!
//! Nothing here measures anything. Each figure is a plain struct of finished numbers that turns
//! into a [`Drawing`]; a drawing is a list of shapes that is painted as SVG or PNG by the same
//! code, with an embedded font, so that pictures look the same on every machine.

mod axis;
mod cactus;
mod changes;
mod data_uri;
mod dot_plot;
mod drawing;
mod error;
mod gallery;
mod heatmap;
mod html;
mod labels;
mod line_chart;
mod paint;
mod palette;
#[cfg(test)]
mod samples;
mod scatter;
mod table;

pub use axis::RadiusUnit;
pub use cactus::{Cactus, Solved};
pub use changes::{FeatureChange, FeatureChanges};
pub use dot_plot::{Dot, DotPlot, Dots};
pub use drawing::Drawing;
pub use error::{Error, Result};
pub use gallery::{Example, Gallery, Prediction};
pub use heatmap::HeatMap;
pub use html::{Finding, Page, Severity};
pub use line_chart::{Interpolation, LineChart, Series};
pub use scatter::{Model, Scatter};
pub use table::{Cell, Table};
