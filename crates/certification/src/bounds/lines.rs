//! Lower bounds as linear functions of the input, and intervals that parts of a box inherit.
use super::analysis::{self, Way};
use super::backward::{Until, trace_back};
use super::crown::chunks;
use super::{Error, InputSet, Intervals, Method, Network, Options, Result, Specification};

/// A lower bound of a row, and the linear function that it is the least value of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LowerLine {
    pub(crate) bound: f64,
    /// One a feature. That of the pass back: `bound` may be better, from intervals.
    pub(crate) coefficients: Vec<f64>,
    /// Where the function is least.
    pub(crate) point: Vec<f64>,
}

impl Network {
    /// As [`Network::lower_bounds`], with coefficients and the intervals of all steps. `known` are
    /// intervals of a set that holds this one.
    pub(crate) fn lower_lines(
        &self,
        set: &InputSet,
        specification: &Specification,
        (method, known): (Method, Option<&[Intervals]>),
        options: &Options,
    ) -> Result<(Vec<LowerLine>, Vec<Intervals>)> {
        options.check()?;
        if specification.outputs() != self.outputs() {
            let (expected, got) = (self.outputs(), specification.outputs());
            return Err(Error::Length { what: "specification", expected, got });
        }
        let analysis = match method {
            Method::Crown | Method::AlphaCrown => {
                let way = known.map_or(Way::Planes, Way::Within);
                analysis::by_planes(self, set, options, way)?
            }
            _ => self.analyse(set, method, options)?,
        };
        let mut lines = Vec::with_capacity(specification.len());
        for rows in chunks(&analysis, specification, options, 1)? {
            let count = rows.count;
            let mut coefficients = vec![0.0; self.features() * count];
            let mut keep = |index: usize, own: Vec<f64>| {
                if index == 0 {
                    coefficients = own;
                }
            };
            let bounds = trace_back(&analysis, rows, Until::Input, None, &mut keep);
            for (row, bound) in bounds.into_iter().enumerate() {
                let own: Vec<f64> = coefficients.iter().skip(row).step_by(count).copied().collect();
                let point = set.minimiser(&own);
                lines.push(LowerLine { bound, coefficients: own, point });
            }
        }
        // What the method finds beyond the way back.
        if !matches!(method, Method::Crown | Method::CrownIbp) {
            let better = self.lower_bounds(set, specification, method, options)?;
            for (line, bound) in lines.iter_mut().zip(better) {
                line.bound = line.bound.max(bound);
            }
        }
        Ok((lines, analysis.known))
    }
}
