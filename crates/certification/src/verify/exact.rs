//! Mixed-integer and linear programs.
//!
//! A solver computes with rounding to nearest and tolerances. So what it finds is used in two ways.
//! A linear program of a part on which the network is linear gives multipliers, and a bound computed
//! with these (see [`crate::bounds`]) is a proof or is none. The mixed-integer program of a
//! whole network ([`super::Complete::Exact`]) gives no such thing: [`super::Verdict::Holds`] then means
//! that the solver's optimum is above 0 by more than [`MARGIN`], in units of the constraint, and no
//! more than that. A counterexample is checked with the plain pass, whoever found it.
use std::time::Duration;

use microlp::{ComparisonOp, Error, OptimizationDirection, Problem, SolveOutcome, Variable};

use super::{Task, Verdict};
use crate::bounds::beta_crown::{Leaf, LinearFunction, Part, Start, Whole};
use crate::bounds::{self, InputSet, Specification, Sum};
use crate::vnnlib::Region;

/// What an optimum of the solver has to be above 0 to be believed: each constraint is met to 1e-7, and
/// some hundred of them stand between input and output.
const MARGIN: f64 = 1e-4;

/// Largest product of variables and constraints of a linear program.
const MOST_ENTRIES: usize = 1 << 20;

/// What a program says of the least value that the largest row can take.
enum Optimum {
    /// It is this, at these values of the variables.
    At(f64, Vec<f64>),
    /// No values are allowed.
    Nowhere,
    /// Time ran out, at these values if there are any.
    Late(Option<Vec<f64>>),
    /// The solver gave up.
    Failed,
}

impl Task<'_> {
    /// Whether the region holds no counterexample, by one mixed-integer program a conjunction, and how
    /// many there were.
    pub(super) fn by_programs(&self, region: &Region) -> bounds::Result<(Verdict, u64)> {
        let set = InputSet::sides(region.lower.clone(), region.upper.clone())?;
        let network = self.network.by_kinks();
        let whole = Whole::new(&network, &set, &self.options.bounds)?;
        let (mut unknown, mut programs) = (false, 0);
        for conjunction in &region.unsafe_outputs {
            let specification = self.specification(conjunction)?;
            let bounded = whole.bound(&specification, &[Part::default()], 0)?;
            if super::neurons::is_settled(conjunction, bounded.first().map_or(&[], Vec::as_slice)) {
                continue;
            }
            let Some(encoding) = whole.encoding(&specification) else {
                unknown = true;
                continue;
            };
            if self.is_late() {
                return Ok((Verdict::Timeout, programs));
            }
            let mut problem = Problem::new(OptimizationDirection::Minimize);
            let largest = problem.add_var(1.0, (f64::NEG_INFINITY, f64::INFINITY));
            let variables: Vec<Variable> = encoding
                .variables
                .iter()
                .map(|limits| {
                    if limits.binary {
                        problem.add_binary_var(0.0)
                    } else {
                        problem.add_var(0.0, (limits.low, limits.high))
                    }
                })
                .collect();
            let terms = |sum: &Sum| -> Vec<(Variable, f64)> {
                let each = sum.terms.iter().filter(|(_, weight)| *weight != 0.0);
                each.map(|&(at, weight)| (variables[at], weight)).collect()
            };
            for sum in &encoding.zero {
                problem.add_constraint(terms(sum), ComparisonOp::Eq, -sum.constant);
            }
            for sum in &encoding.not_negative {
                problem.add_constraint(terms(sum), ComparisonOp::Ge, -sum.constant);
            }
            for sum in &encoding.rows {
                let mut terms = terms(sum);
                terms.push((largest, -1.0));
                problem.add_constraint(terms, ComparisonOp::Le, -sum.constant);
            }
            programs += 1;
            let features = region.lower.len();
            let inputs = &variables[..features];
            match self.optimum(problem, inputs) {
                Optimum::At(value, _) if value > MARGIN => {}
                Optimum::At(_, point) => match self.tried(region, vec![point])? {
                    Some(found) => return Ok((found, programs)),
                    None => unknown = true,
                },
                Optimum::Late(point) => {
                    let point = point.into_iter().collect();
                    let found = self.tried(region, point)?;
                    return Ok((found.unwrap_or(Verdict::Timeout), programs));
                }
                // A network has a value for every input: this is the solver's fault.
                Optimum::Nowhere | Optimum::Failed => unknown = true,
            }
        }
        Ok((if unknown { Verdict::Unknown } else { Verdict::Holds }, programs))
    }

    fn optimum(&self, mut problem: Problem, inputs: &[Variable]) -> Optimum {
        let left = self.limit.saturating_sub(self.begun.elapsed());
        problem.set_time_limit(left.max(Duration::from_millis(1)));
        let read = |solution: &microlp::Solution| {
            inputs.iter().map(|&input| solution.var_value(input)).collect::<Vec<f64>>()
        };
        match problem.solve() {
            Ok(SolveOutcome::Solution(solution)) => {
                let values = read(&solution);
                if solution.status() == microlp::SolutionStatus::Optimal {
                    Optimum::At(solution.objective(), values)
                } else {
                    Optimum::Late(Some(values))
                }
            }
            Ok(_) => Optimum::Late(None),
            Err(Error::Infeasible) => Optimum::Nowhere,
            Err(_) => Optimum::Failed,
        }
    }

    /// What is known of a part on which the network is linear and which no bound settled: a linear
    /// program looks for a point of it, another for multipliers that prove that there is none.
    pub(super) fn by_linear_programs(
        &self,
        (region, specification): (&Region, &Specification),
        whole: &Whole<'_>,
        part: &Part,
    ) -> bounds::Result<Verdict> {
        let features = region.lower.len();
        let size = features.saturating_mul(part.fixed.len() + specification.len());
        if size > MOST_ENTRIES {
            return Ok(Verdict::Unknown);
        }
        let leaf = whole.leaf(specification, part);
        if let Optimum::At(value, point) = self.least(region, &leaf)
            && value <= 0.0
        {
            return Ok(self.tried(region, vec![point])?.unwrap_or(Verdict::Unknown));
        }
        let Some((shares, multipliers)) = self.multipliers(region, &leaf) else {
            return Ok(Verdict::Unknown);
        };
        let Some(row) = weighted(specification, &shares) else { return Ok(Verdict::Unknown) };
        let mut proved = part.clone();
        let multipliers = multipliers.into_iter().map(|value| value as f32).collect();
        proved.starts = vec![Start { multipliers, ..Start::default() }];
        let bounded = whole.bound(&row, &[proved], 0)?;
        let proof = bounded.first().and_then(|rows| rows.first());
        Ok(if proof.is_some_and(|row| row.bound > 0.0) { Verdict::Holds } else { Verdict::Unknown })
    }

    /// The least value that the largest row takes on a part, and where.
    fn least(&self, region: &Region, leaf: &Leaf) -> Optimum {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let largest = problem.add_var(1.0, (f64::NEG_INFINITY, f64::INFINITY));
        let sides = region.lower.iter().zip(&region.upper);
        let inputs: Vec<Variable> =
            sides.map(|(&low, &high)| problem.add_var(0.0, (low, high))).collect();
        let terms = |function: &LinearFunction| -> Vec<(Variable, f64)> {
            let pairs = inputs.iter().copied().zip(function.coefficients.iter().copied());
            pairs.filter(|(_, weight)| *weight != 0.0).collect()
        };
        for sign in &leaf.signs {
            problem.add_constraint(terms(sign), ComparisonOp::Ge, -sign.constant);
        }
        for row in &leaf.rows {
            let mut terms = terms(row);
            terms.push((largest, -1.0));
            problem.add_constraint(terms, ComparisonOp::Le, -row.constant);
        }
        self.optimum(problem, &inputs)
    }

    /// Shares of the rows, which add up to 1, and multipliers of the signs for which
    /// `Σ share · row − Σ multiplier · sign` has the largest least value on the box: the dual program.
    fn multipliers(&self, region: &Region, leaf: &Leaf) -> Option<(Vec<f64>, Vec<f64>)> {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let shares: Vec<Variable> =
            leaf.rows.iter().map(|row| problem.add_var(row.constant, (0.0, 1.0))).collect();
        // Where the part is empty there is no largest value.
        let own: Vec<Variable> =
            leaf.signs.iter().map(|sign| problem.add_var(-sign.constant, (0.0, 1e6))).collect();
        let all: Vec<(Variable, f64)> = shares.iter().map(|&share| (share, 1.0)).collect();
        problem.add_constraint(all, ComparisonOp::Eq, 1.0);
        for input in 0..region.lower.len() {
            // The coefficient of an input as the difference of what stands at each side of the box.
            let low = problem.add_var(region.lower[input], (0.0, f64::INFINITY));
            let high = problem.add_var(-region.upper[input], (0.0, f64::INFINITY));
            let mut terms = vec![(low, -1.0), (high, 1.0)];
            let rows =
                shares.iter().zip(&leaf.rows).map(|(&it, row)| (it, row.coefficients[input]));
            let signs =
                own.iter().zip(&leaf.signs).map(|(&it, one)| (it, -one.coefficients[input]));
            terms.extend(rows.chain(signs).filter(|(_, weight)| *weight != 0.0));
            problem.add_constraint(terms, ComparisonOp::Eq, 0.0);
        }
        let wanted: Vec<Variable> = shares.iter().chain(&own).copied().collect();
        match self.optimum(problem, &wanted) {
            Optimum::At(_, mut values) => {
                let multipliers = values.split_off(shares.len());
                Some((values, multipliers))
            }
            _ => None,
        }
    }
}

/// `Σ share · row` with shares of few digits, if that can be computed without rounding: where it is
/// above 0, one of the rows is.
fn weighted(specification: &Specification, shares: &[f64]) -> Option<Specification> {
    const DIGITS: f64 = 1_048_576.0;
    let outputs = specification.outputs();
    let (mut sum, mut offset) = (vec![0.0; outputs], 0.0);
    for (row, share) in shares.iter().enumerate() {
        let share =
            if shares.len() == 1 { 1.0 } else { (share.max(0.0) * DIGITS).round() / DIGITS };
        for (sum, value) in sum.iter_mut().zip(specification.row(row)) {
            *sum = exact(*sum, share, *value)?;
        }
        offset = exact(offset, share, specification.offset(row))?;
    }
    Specification::new(outputs, sum, vec![offset]).ok()
}

/// `sum + share · value`, if nothing is rounded.
fn exact(sum: f64, share: f64, value: f64) -> Option<f64> {
    let product = share * value;
    let total = sum + product;
    let back = total - sum;
    let lost = (sum - (total - back)) + (product - back);
    let held = share.mul_add(value, -product) == 0.0 && lost == 0.0;
    held.then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_without_rounding_or_not_at_all() {
        let rows = Specification::new(2, vec![1.0, -1.0, 0.0, 2.0], vec![0.5, 0.25]).unwrap();
        let sum = weighted(&rows, &[0.25, 0.75]).unwrap();
        assert_eq!((sum.row(0), sum.offset(0)), ([0.25, 1.25].as_slice(), 0.3125));
        let third = Specification::new(1, vec![1.0 / 3.0, 1.0], vec![0.0, 0.0]).unwrap();
        assert!(weighted(&third, &[0.3, 0.7]).is_none());
        let single = Specification::new(1, vec![1.0 / 3.0], vec![0.1]).unwrap();
        assert_eq!(weighted(&single, &[0.9]).unwrap(), single);
    }
}
