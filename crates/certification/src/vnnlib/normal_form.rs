//! Assertions to cases: a disjunction of conjunctions of comparisons.
use super::VnnlibError;
use super::formula::{Comparison, Formula};

/// Most cases of a property.
pub(super) const MOST_CASES: usize = 1 << 16;

/// Most comparisons of all cases together: nested disjunctions multiply.
const MOST_COMPARISONS: usize = 1 << 23;

/// What the assertions that need no choice say, and the cases that the others leave.
pub(super) struct Cases<'a> {
    pub(super) common: Vec<&'a Comparison>,
    pub(super) cases: Vec<Vec<&'a Comparison>>,
}

/// All assertions at once.
pub(super) fn cases(assertions: &[Formula]) -> Result<Cases<'_>, VnnlibError> {
    let (mut common, mut cases) = (Vec::new(), vec![Vec::new()]);
    for assertion in assertions {
        if !conjunction(assertion, &mut common) {
            cases = product(&cases, &disjunction(assertion)?)?;
        }
    }
    Ok(Cases { common, cases })
}

/// Adds the comparisons of a formula without a choice; `false`, and nothing added, for another.
fn conjunction<'a>(formula: &'a Formula, common: &mut Vec<&'a Comparison>) -> bool {
    let before = common.len();
    let fits = match formula {
        Formula::Holds(comparison) => {
            common.push(comparison);
            true
        }
        Formula::All(parts) => parts.iter().all(|part| conjunction(part, common)),
        Formula::Any(_) => false,
    };
    if !fits {
        common.truncate(before);
    }
    fits
}

/// The nesting is bounded by that of the text.
fn disjunction(formula: &Formula) -> Result<Vec<Vec<&Comparison>>, VnnlibError> {
    match formula {
        Formula::Holds(comparison) => Ok(vec![vec![comparison]]),
        Formula::Any(parts) => {
            let mut cases = Vec::new();
            for part in parts {
                cases.extend(disjunction(part)?);
                limit(cases.len())?;
            }
            Ok(cases)
        }
        Formula::All(parts) => {
            let mut common = Vec::new();
            let mut cases = vec![Vec::new()];
            for part in parts {
                if !conjunction(part, &mut common) {
                    cases = product(&cases, &disjunction(part)?)?;
                }
            }
            product(&[common], &cases)
        }
    }
}

/// Every case of one with every case of the other.
fn product<'a>(
    left: &[Vec<&'a Comparison>],
    right: &[Vec<&'a Comparison>],
) -> Result<Vec<Vec<&'a Comparison>>, VnnlibError> {
    limit(left.len().saturating_mul(right.len()))?;
    let total = |cases: &[Vec<&Comparison>]| cases.iter().map(Vec::len).sum::<usize>();
    let left_total = total(left).saturating_mul(right.len());
    if left_total.saturating_add(total(right).saturating_mul(left.len())) > MOST_COMPARISONS {
        let (what, limit) = ("comparisons in all its cases together", MOST_COMPARISONS);
        return Err(VnnlibError::TooLarge { what, limit });
    }
    let pairs = left.iter().flat_map(|one| right.iter().map(move |two| [&one[..], &two[..]]));
    Ok(pairs.map(|pair| pair.concat()).collect())
}

fn limit(cases: usize) -> Result<(), VnnlibError> {
    if cases <= MOST_CASES {
        return Ok(());
    }
    Err(VnnlibError::TooLarge { what: "cases", limit: MOST_CASES })
}
