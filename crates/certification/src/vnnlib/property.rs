//! What a property file means: which outputs must not occur on which inputs.
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::VnnlibError;
use super::formula::{Comparison, Script, Variable};
use super::normal_form::cases;

/// Largest file that is read.
const MOST_BYTES: u64 = 1 << 30;

/// Most bounds of all regions together, 16 bytes each.
const MOST_BOUNDS: usize = 1 << 24;

/// A statement about a network: it is *violated* if some input of some region has an output that the
/// region calls unsafe. A verifier shows that there is none, or finds one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// Number of inputs `X_i`.
    pub inputs: usize,
    /// Number of outputs `Y_j`.
    pub outputs: usize,
    /// The regions, no two with the same box. None if the assertions contradict each other: then
    /// nothing violates the property.
    pub regions: Vec<Region>,
}

/// A box of inputs and the outputs that must not occur there: those that fulfil any of the
/// conjunctions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Smallest value of each input, itself included.
    pub lower: Vec<f64>,
    /// Largest value of each input, itself included. A strict bound of the file stands here as the
    /// neighbouring f64.
    pub upper: Vec<f64>,
    /// Unsafe outputs, a disjunction.
    pub unsafe_outputs: Vec<Conjunction>,
}

/// Constraints that hold together; at least one.
pub type Conjunction = Vec<LinearConstraint>;

/// `Σ coefficient · Y_j ≤ bound`, or `<` if it is strict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearConstraint {
    /// `(j, coefficient)`, ascending, no coefficient zero.
    pub coefficients: Vec<(usize, f64)>,
    /// The right side.
    pub bound: f64,
    /// Whether equality does not do.
    pub strict: bool,
}

impl LinearConstraint {
    /// Whether outputs fulfil the constraint, in f64; never if one is missing or no number.
    #[must_use]
    pub fn holds(&self, outputs: &[f64]) -> bool {
        let of = |&(index, coefficient): &(usize, f64)| {
            coefficient * outputs.get(index).copied().unwrap_or(f64::NAN)
        };
        let sum: f64 = self.coefficients.iter().map(of).sum();
        if self.strict { sum < self.bound } else { sum <= self.bound }
    }
}

impl Region {
    /// Whether the box holds the inputs.
    #[must_use]
    pub fn holds(&self, inputs: &[f64]) -> bool {
        let bounds = self.lower.iter().zip(&self.upper);
        let inside = |((low, high), value): ((&f64, &f64), &f64)| low <= value && value <= high;
        inputs.len() == self.lower.len() && bounds.zip(inputs).all(inside)
    }

    /// Whether outputs are unsafe here.
    #[must_use]
    pub fn is_unsafe(&self, outputs: &[f64]) -> bool {
        let fulfilled = |all: &Conjunction| all.iter().all(|constraint| constraint.holds(outputs));
        self.unsafe_outputs.iter().any(fulfilled)
    }
}

impl Property {
    /// Reads the text of a `.vnnlib` file.
    ///
    /// # Errors
    /// Every [`VnnlibError`] but those of files.
    pub fn parse(text: &str) -> Result<Self, VnnlibError> {
        let script = Script::parse(text)?;
        let cases = cases(&script.assertions)?;
        let mut common = Case::free(script.inputs);
        common.add(&cases.common)?;
        let mut regions: Vec<Region> = Vec::new();
        let mut places: HashMap<Vec<u64>, usize> = HashMap::new();
        for chosen in &cases.cases {
            let mut case = common.clone();
            case.add(chosen)?;
            case.check()?;
            if case.is_empty() {
                continue;
            }
            let bits = case.lower.iter().chain(&case.upper).map(|bound| (bound + 0.0).to_bits());
            let place = *places.entry(bits.collect()).or_insert(regions.len());
            if let Some(region) = regions.get_mut(place) {
                region.unsafe_outputs.push(case.outputs);
                continue;
            }
            if regions.len().saturating_add(1).saturating_mul(script.inputs) > MOST_BOUNDS {
                let (what, limit) = ("input bounds in all its regions together", MOST_BOUNDS);
                return Err(VnnlibError::TooLarge { what, limit });
            }
            let (lower, upper) = (case.lower, case.upper);
            regions.push(Region { lower, upper, unsafe_outputs: vec![case.outputs] });
        }
        Ok(Self { inputs: script.inputs, outputs: script.outputs, regions })
    }

    /// Reads a `.vnnlib` file of at most 1 GiB.
    ///
    /// # Errors
    /// Every [`VnnlibError`].
    pub fn read(path: &Path) -> Result<Self, VnnlibError> {
        let fault = |source| VnnlibError::Io { path: path.into(), source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(fault)?;
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(fault)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(VnnlibError::TooLarge { what: "bytes", limit: MOST_BYTES as usize });
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(text),
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                let line = before.split(|&byte| byte == b'\n').count();
                Err(VnnlibError::Syntax { line, fault: "this is no text (UTF-8)".into() })
            }
        }
    }

    /// Whether these inputs and outputs violate the property, in f64. Whether the network has these
    /// outputs is for the caller to find out.
    #[must_use]
    pub fn is_violated(&self, inputs: &[f64], outputs: &[f64]) -> bool {
        self.regions.iter().any(|region| region.holds(inputs) && region.is_unsafe(outputs))
    }
}

/// A case while its comparisons come in.
#[derive(Clone)]
struct Case {
    lower: Vec<f64>,
    upper: Vec<f64>,
    outputs: Conjunction,
}

impl Case {
    fn free(inputs: usize) -> Self {
        let (lower, upper) = (vec![f64::NEG_INFINITY; inputs], vec![f64::INFINITY; inputs]);
        Self { lower, upper, outputs: Vec::new() }
    }

    fn add(&mut self, comparisons: &[&Comparison]) -> Result<(), VnnlibError> {
        for comparison in comparisons {
            match comparison.terms[..] {
                [(Variable::Input(input), coefficient)] => {
                    self.bound(input, coefficient, comparison);
                }
                _ => self.outputs.push(constraint(comparison)?),
            }
        }
        Ok(())
    }

    fn bound(&mut self, input: usize, coefficient: f64, comparison: &Comparison) {
        let mut bound = comparison.bound / coefficient;
        let exact = coefficient.abs().to_bits() == 1.0_f64.to_bits();
        if coefficient > 0.0 {
            // A quotient is rounded outward; a strict bound is the last number before it.
            match (exact, comparison.strict) {
                (false, _) => bound = bound.next_up(),
                (true, true) => bound = bound.next_down(),
                (true, false) => {}
            }
            self.upper[input] = self.upper[input].min(bound);
        } else {
            match (exact, comparison.strict) {
                (false, _) => bound = bound.next_down(),
                (true, true) => bound = bound.next_up(),
                (true, false) => {}
            }
            self.lower[input] = self.lower[input].max(bound);
        }
    }

    fn check(&self) -> Result<(), VnnlibError> {
        for (side, bounds) in [("lower", &self.lower), ("upper", &self.upper)] {
            if let Some(input) = bounds.iter().position(|bound| !bound.is_finite()) {
                return Err(VnnlibError::MissingBound { input, side });
            }
        }
        if self.outputs.is_empty() { Err(VnnlibError::NoOutputs) } else { Ok(()) }
    }

    fn is_empty(&self) -> bool {
        self.lower.iter().zip(&self.upper).any(|(low, high)| low > high)
    }
}

fn constraint(comparison: &Comparison) -> Result<LinearConstraint, VnnlibError> {
    let coefficients = comparison.terms.iter().map(|&(name, coefficient)| match name {
        Variable::Output(index) => Ok((index, coefficient)),
        Variable::Input(input) => Err(VnnlibError::Unsupported {
            line: comparison.line,
            what: format!("a comparison of `X_{input}` with another variable"),
            expected: "a comparison of one input with a number, or of outputs alone",
        }),
    });
    let coefficients = coefficients.collect::<Result<Vec<(usize, f64)>, VnnlibError>>()?;
    Ok(LinearConstraint { coefficients, bound: comparison.bound, strict: comparison.strict })
}
