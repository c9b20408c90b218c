//! Commands to formulas: comparisons of linear terms, joined by `and` and `or`.
use std::collections::HashSet;

use super::VnnlibError;
use super::syntax::{Expression, Form, Reader};

/// An input `X_i` or an output `Y_j`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Variable {
    Input(usize),
    Output(usize),
}

/// `Σ coefficient · variable ≤ bound`, or `<` if strict. Variables ascend, no coefficient is zero.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    pub(super) line: usize,
    pub(super) terms: Vec<(Variable, f64)>,
    pub(super) bound: f64,
    pub(super) strict: bool,
}

/// What is asserted. An empty `All` always holds, an empty `Any` never.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Formula {
    Holds(Comparison),
    All(Vec<Formula>),
    Any(Vec<Formula>),
}

/// A file, read.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) assertions: Vec<Formula>,
}

/// `Σ coefficient · variable + constant`.
struct Term {
    terms: Vec<(Variable, f64)>,
    constant: f64,
}

impl Script {
    pub(super) fn parse(text: &str) -> Result<Self, VnnlibError> {
        let mut reader = Reader::new(text);
        let (mut script, mut declared) = (Self::default(), HashSet::new());
        let mut last = (1, String::new());
        while let Some(command) = reader.next_command()? {
            let line = command.line;
            let unsupported = || VnnlibError::Unsupported {
                line,
                what: command.describe(),
                expected: "`(declare-const X_0 Real)` or `(assert …)`",
            };
            let Form::List(items) = &command.form else { return Err(unsupported()) };
            let Some(head) = items.first().and_then(Expression::word) else {
                return Err(unsupported());
            };
            match (head, &items[1..]) {
                ("declare-const", [name, sort]) => {
                    last = (line, script.declare(name, sort, &mut declared)?);
                }
                ("declare-fun", [name, Expression { form: Form::List(none), .. }, sort])
                    if none.is_empty() =>
                {
                    last = (line, script.declare(name, sort, &mut declared)?);
                }
                ("assert", [formula]) => script.assertions.push(self::formula(formula, &declared)?),
                // These say nothing about the property.
                (
                    "set-logic" | "set-info" | "set-option" | "check-sat" | "get-model" | "exit",
                    _,
                ) => {}
                _ => return Err(unsupported()),
            }
        }
        let all = (0..script.inputs).map(Variable::Input);
        let mut all = all.chain((0..script.outputs).map(Variable::Output));
        if script.inputs == 0 || script.outputs == 0 || !all.all(|name| declared.contains(&name)) {
            let fault = "is the last of a list with gaps: declare X_0, X_1, … and Y_0, Y_1, …";
            return Err(VnnlibError::Variable { line: last.0, name: last.1, fault });
        }
        Ok(script)
    }

    fn declare(
        &mut self,
        name: &Expression<'_>,
        sort: &Expression<'_>,
        declared: &mut HashSet<Variable>,
    ) -> Result<String, VnnlibError> {
        let line = name.line;
        let unsupported = |what, expected| Err(VnnlibError::Unsupported { line, what, expected });
        let Some(variable) = name.word().and_then(variable) else {
            return unsupported(name.describe(), "a name such as `X_0` or `Y_0`");
        };
        if sort.word() != Some("Real") {
            return unsupported(sort.describe(), "the sort `Real`");
        }
        let name = name.word().unwrap_or_default().to_owned();
        if !declared.insert(variable) {
            return Err(VnnlibError::Variable { line, name, fault: "is declared twice" });
        }
        match variable {
            Variable::Input(_) => self.inputs += 1,
            Variable::Output(_) => self.outputs += 1,
        }
        Ok(name)
    }
}

/// `X_0`, `Y_12`: no sign, no leading zero.
fn variable(word: &str) -> Option<Variable> {
    let (kind, digits) = word.split_once('_')?;
    let index: u32 = digits.parse().ok()?;
    if index.to_string() != digits {
        return None;
    }
    match kind {
        "X" => Some(Variable::Input(index as usize)),
        "Y" => Some(Variable::Output(index as usize)),
        _ => None,
    }
}

fn formula(
    expression: &Expression<'_>,
    declared: &HashSet<Variable>,
) -> Result<Formula, VnnlibError> {
    let line = expression.line;
    let unsupported = || VnnlibError::Unsupported {
        line,
        what: expression.describe(),
        expected: "`and`, `or`, or `<=`, `>=`, `<`, `>` or `=` of two terms",
    };
    let Form::List(items) = &expression.form else { return Err(unsupported()) };
    let Some((head, rest)) = items.split_first() else { return Err(unsupported()) };
    let head = head.word().ok_or_else(unsupported)?;
    if let "and" | "or" = head {
        if rest.is_empty() {
            let fault = format!("`{head}` of nothing");
            return Err(VnnlibError::Syntax { line, fault });
        }
        let parts = rest.iter().map(|part| formula(part, declared));
        let parts = parts.collect::<Result<Vec<Formula>, VnnlibError>>()?;
        return Ok(if head == "and" { Formula::All(parts) } else { Formula::Any(parts) });
    }
    let [left, right] = rest else { return Err(unsupported()) };
    let at_most = |left: &Expression<'_>, right: &Expression<'_>, strict| {
        comparison(line, [term(left, declared)?, term(right, declared)?], strict)
    };
    match head {
        "<=" => at_most(left, right, false),
        "<" => at_most(left, right, true),
        ">=" => at_most(right, left, false),
        ">" => at_most(right, left, true),
        "=" => Ok(Formula::All(vec![at_most(left, right, false)?, at_most(right, left, false)?])),
        _ => Err(unsupported()),
    }
}

/// `left ≤ right` with the variables on the left.
fn comparison(line: usize, [left, right]: [Term; 2], strict: bool) -> Result<Formula, VnnlibError> {
    let mut terms = left.terms;
    terms.extend(right.terms.iter().map(|(name, value)| (*name, -value)));
    let bound = finite(line, right.constant - left.constant)?;
    let terms = collect(line, terms)?;
    if terms.is_empty() {
        let holds = if strict { 0.0 < bound } else { 0.0 <= bound };
        return Ok(if holds { Formula::All(Vec::new()) } else { Formula::Any(Vec::new()) });
    }
    Ok(Formula::Holds(Comparison { line, terms, bound, strict }))
}

fn term(expression: &Expression<'_>, declared: &HashSet<Variable>) -> Result<Term, VnnlibError> {
    let line = expression.line;
    let unsupported =
        |expected| VnnlibError::Unsupported { line, what: expression.describe(), expected };
    let items = match &expression.form {
        Form::Word(word) => return self::word(line, word, declared),
        Form::List(items) => items,
    };
    let head = items.first().and_then(Expression::word).unwrap_or_default();
    let parts = items.iter().skip(1).map(|part| term(part, declared));
    let mut parts = parts.collect::<Result<Vec<Term>, VnnlibError>>()?;
    match (head, parts.len()) {
        ("+", 1..) => {
            let constant = finite(line, parts.iter().map(|part| part.constant).sum())?;
            let terms = parts.into_iter().flat_map(|part| part.terms).collect();
            Ok(Term { terms: collect(line, terms)?, constant })
        }
        ("-", 1) => scaled(line, &parts[0], -1.0),
        ("-", 2..) => {
            let mut sum = parts.remove(0);
            for part in parts {
                sum.constant -= part.constant;
                sum.terms.extend(part.terms.into_iter().map(|(name, value)| (name, -value)));
            }
            Ok(Term { terms: collect(line, sum.terms)?, constant: finite(line, sum.constant)? })
        }
        ("*", 2..) => {
            let mut product = parts.remove(0);
            for part in parts {
                product = match (product.terms.is_empty(), part.terms.is_empty()) {
                    (_, true) => scaled(line, &product, part.constant)?,
                    (true, false) => scaled(line, &part, product.constant)?,
                    _ => return Err(unsupported("a product with at most one variable")),
                };
            }
            Ok(product)
        }
        ("/", 2) => {
            let divisor = &parts[1];
            if !divisor.terms.is_empty() || divisor.constant == 0.0 {
                return Err(unsupported("a division by a number other than 0"));
            }
            let terms =
                parts[0].terms.iter().map(|(name, value)| (*name, value / divisor.constant));
            let constant = finite(line, parts[0].constant / divisor.constant)?;
            Ok(Term { terms: collect(line, terms.collect())?, constant })
        }
        _ => Err(unsupported("a number, a variable, or `+`, `-`, `*`, `/` of terms")),
    }
}

fn word(line: usize, word: &str, declared: &HashSet<Variable>) -> Result<Term, VnnlibError> {
    if let Some(name) = variable(word) {
        if !declared.contains(&name) {
            let (name, fault) = (word.to_owned(), "is not declared before it is used");
            return Err(VnnlibError::Variable { line, name, fault });
        }
        return Ok(Term { terms: vec![(name, 1.0)], constant: 0.0 });
    }
    // `inf`, `nan` and the like are no numbers of the format.
    let digits = word.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match word.parse() {
        Ok(constant) if digits => Ok(Term { terms: Vec::new(), constant: finite(line, constant)? }),
        _ => Err(VnnlibError::Unsupported {
            line,
            what: format!("`{}`", word.chars().take(40).collect::<String>()),
            expected: "a number or a variable",
        }),
    }
}

fn scaled(line: usize, term: &Term, factor: f64) -> Result<Term, VnnlibError> {
    let terms = term.terms.iter().map(|(name, value)| (*name, value * factor)).collect();
    Ok(Term { terms: collect(line, terms)?, constant: finite(line, term.constant * factor)? })
}

/// Adds up the coefficients of each variable.
fn collect(
    line: usize,
    mut terms: Vec<(Variable, f64)>,
) -> Result<Vec<(Variable, f64)>, VnnlibError> {
    terms.sort_by_key(|term| term.0);
    let mut sums: Vec<(Variable, f64)> = Vec::with_capacity(terms.len());
    for (name, value) in terms {
        match sums.last_mut() {
            Some(last) if last.0 == name => last.1 = finite(line, last.1 + value)?,
            _ => sums.push((name, finite(line, value)?)),
        }
    }
    sums.retain(|sum| sum.1 != 0.0);
    Ok(sums)
}

fn finite(line: usize, value: f64) -> Result<f64, VnnlibError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(VnnlibError::Syntax { line, fault: "a number too large for f64".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(assertion: &str) -> Result<Formula, VnnlibError> {
        let text = format!(
            "(declare-const X_0 Real)(declare-const X_1 Real)\n(declare-const Y_0 Real)\n{assertion}"
        );
        Script::parse(&text).map(|mut script| script.assertions.remove(0))
    }

    fn holds(terms: &[(Variable, f64)], bound: f64, strict: bool) -> Formula {
        Formula::Holds(Comparison { line: 3, terms: terms.to_vec(), bound, strict })
    }

    #[test]
    fn linear_terms_are_collected_on_the_left() {
        use Variable::{Input, Output};
        for (text, terms, bound, strict) in [
            ("(<= X_0 -1.5e-3)", vec![(Input(0), 1.0)], -0.0015, false),
            ("(> X_0 (/ 1 4))", vec![(Input(0), -1.0)], -0.25, true),
            (
                "(>= (+ Y_0 (* 2 X_1) 1) (- 3))",
                vec![(Input(1), -2.0), (Output(0), -1.0)],
                4.0,
                false,
            ),
            (
                "(< (- (* X_0 0.5 4) X_0 X_1) (/ X_1 2))",
                vec![(Input(0), 1.0), (Input(1), -1.5)],
                0.0,
                true,
            ),
            ("(<= .5 Y_0)", vec![(Output(0), -1.0)], -0.5, false),
        ] {
            let got = parse(&format!("(assert {text})")).unwrap();
            assert_eq!(got, holds(&terms, bound, strict), "{text}");
        }
        let equal = parse("(assert (= X_0 2))").unwrap();
        let expected =
            [holds(&[(Input(0), 1.0)], 2.0, false), holds(&[(Input(0), -1.0)], -2.0, false)];
        assert_eq!(equal, Formula::All(expected.to_vec()));
        assert_eq!(parse("(assert (< 1 1))").unwrap(), Formula::Any(vec![]));
        assert_eq!(parse("(assert (<= X_0 X_0))").unwrap(), Formula::All(vec![]));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (text, expected) in [
            (
                "(assert (<= (* X_0 X_1) 1))",
                "line 3: a list `(* …)` is not supported; expected a product",
            ),
            ("(assert (<= X_2 1))", "line 3: the variable `X_2` is not declared"),
            ("(assert (<= X_0 nan))", "line 3: `nan` is not supported; expected a number"),
            ("(assert (<= X_0 inf))", "`inf`"),
            ("(assert (<= X_0 -inf))", "`-inf`"),
            ("(assert (<= X_0 1e999))", "too large"),
            ("(assert (<= X_0 (/ 1 0)))", "division by a number other than 0"),
            ("(assert (not (<= X_0 1)))", "a list `(not …)` is not supported"),
            ("(assert (<= X_0 1 2))", "of two terms"),
            ("(assert (and))", "`and` of nothing"),
            ("(assert ())", "a list is not supported"),
            ("(assert X_0)", "`X_0` is not supported"),
            ("(minimize X_0)", "a list `(minimize …)` is not supported"),
            ("(declare-const X_0 Real)", "`X_0` is declared twice"),
            ("(declare-const X_2 Int)", "the sort `Real`"),
            ("(declare-const Z_0 Real)", "a name such as"),
            ("(declare-const X_02 Real)", "a name such as"),
            ("(declare-const X_4 Real)", "`X_4` is the last of a list with gaps"),
        ] {
            let told = parse(text).unwrap_err().to_string();
            assert!(told.contains(expected), "{text}: {told}");
        }
        assert!(Script::parse("").is_err());
        let nested = format!("(assert (<= X_0 {}1{}))", "(- ".repeat(100), ")".repeat(100));
        assert!(parse(&nested).is_ok());
        let nested = format!("(assert (<= X_0 {}1{}))", "(- ".repeat(200), ")".repeat(200));
        assert!(parse(&nested).unwrap_err().to_string().contains("nested"));
    }
}
