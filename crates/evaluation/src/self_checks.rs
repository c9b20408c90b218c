//! What in the rows themselves speaks against trusting them.
use duress_core::Norm;

use crate::row::{Measured, Row};

/// One finding, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The model it is about.
    pub model: String,
    /// What was seen and what to do.
    pub text: String,
}

/// Compares the rows of a run with each other.
///
/// Carlini et al. *On Evaluating Adversarial Robustness.* 2019, §5 lists what a sound evaluation
/// must show: gradients beat noise, larger radii never help the defender, white box beats
/// transfer. <https://arxiv.org/abs/1902.06705>
#[must_use]
pub fn self_checks(rows: &[Row]) -> Vec<Check> {
    let mut checks = Vec::new();
    for row in rows {
        let mut say = |text: String| checks.push(Check { model: row.model.clone(), text });
        match &row.measured {
            Measured::Attack {
                attack, norm, epsilon, robust_correct, surrogate: Some(by), ..
            } => {
                if let Some((best, left)) = strongest(rows, &row.model, *norm, *epsilon)
                    && *robust_correct < left
                {
                    say(format!(
                        "{attack} on the gradients of `{by}` leaves {robust_correct} samples at \
                         {norm} {epsilon}, {best} on its own leaves {left}: its gradients are \
                         masked"
                    ));
                }
            }
            Measured::Attack { attack, algorithm, norm, epsilon, robust_correct, .. } => {
                if algorithm.ends_with("noise")
                    && let Some((best, left)) = strongest(rows, &row.model, *norm, *epsilon)
                    && *robust_correct < left
                {
                    say(format!(
                        "{attack} leaves {robust_correct} samples at {norm} {epsilon}, the \
                         gradient attack {best} leaves {left}: gradients are masked; try other \
                         losses, more restarts and black-box attacks"
                    ));
                }
                if let Some(smaller) = weaker_at_larger(rows, row, *robust_correct) {
                    say(format!(
                        "{attack} breaks fewer samples at {norm} {epsilon} than at {smaller}: it \
                         has not converged; give it more steps or restarts"
                    ));
                }
            }
            Measured::Transfer { target, attack, norm, epsilon, both_correct, fooled } => {
                if let Some((broken, clean)) = white_box(rows, target, attack, *norm, *epsilon)
                    && *both_correct > 0
                    && clean > 0
                    && *fooled as f64 / *both_correct as f64 > broken as f64 / clean as f64
                {
                    say(format!(
                        "its {attack} examples fool {fooled} of {both_correct} on `{target}`, more \
                         than attacking `{target}` itself does ({broken} of {clean}): the gradients \
                         of `{target}` are masked"
                    ));
                }
            }
            Measured::Clean { stopped: Some(reason), .. } => {
                say(format!("training stopped early: {reason}"));
            }
            _ => {}
        }
    }
    checks
}

/// The attack on the model's own gradients that leaves fewest samples.
fn strongest(rows: &[Row], model: &str, norm: Norm, epsilon: f64) -> Option<(String, u64)> {
    rows.iter()
        .filter(|row| row.model == model && row.backwards > 0)
        .filter_map(|row| match &row.measured {
            Measured::Attack {
                attack,
                norm: n,
                epsilon: e,
                robust_correct,
                surrogate: None,
                ..
            } if *n == norm && same(*e, epsilon) => Some((attack.clone(), *robust_correct)),
            _ => None,
        })
        .min_by_key(|(_, left)| *left)
}

/// A smaller radius at which the same attack left fewer samples.
fn weaker_at_larger(rows: &[Row], row: &Row, left: u64) -> Option<f64> {
    let Measured::Attack { attack, norm, epsilon, .. } = &row.measured else { return None };
    rows.iter()
        .filter(|other| other.model == row.model)
        .filter_map(|other| match &other.measured {
            Measured::Attack { attack: a, norm: n, epsilon: e, robust_correct, .. }
                if a == attack && n == norm && e < epsilon && *robust_correct < left =>
            {
                Some(*e)
            }
            _ => None,
        })
        .next_back()
}

/// Samples that the attack broke on the model itself, of those correct without it.
fn white_box(
    rows: &[Row],
    model: &str,
    attack: &str,
    norm: Norm,
    epsilon: f64,
) -> Option<(u64, u64)> {
    rows.iter().filter(|row| row.model == model).find_map(|row| match &row.measured {
        Measured::Attack {
            attack: a, norm: n, epsilon: e, clean_correct, robust_correct, ..
        } if a == attack && *n == norm && same(*e, epsilon) => {
            Some((clean_correct - robust_correct, *clean_correct))
        }
        _ => None,
    })
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= f64::EPSILON * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{attack, clean, transfer};

    fn texts(rows: &[Row]) -> Vec<String> {
        self_checks(rows).into_iter().map(|check| check.text).collect()
    }

    #[test]
    fn noise_that_beats_every_gradient_attack_is_a_finding() {
        let rows = |noise: u64| {
            let other = attack("n", "uniform-noise", 0.1, 0);
            let [fgm, pgd] = [attack("m", "fgm", 0.1, 60), attack("m", "pgd", 0.1, 40)];
            vec![other, fgm, pgd, attack("m", "uniform-noise", 0.1, noise)]
        };
        assert_eq!(texts(&rows(40)), [] as [String; 0]);
        let checks = self_checks(&rows(39));
        assert_eq!((checks.len(), checks[0].model.as_str()), (1, "m"));
        let text = &checks[0].text;
        assert!(text.contains("uniform-noise leaves 39") && text.contains("pgd leaves 40"));
        assert!(text.contains("masked"), "{text}");
    }

    #[test]
    fn a_larger_ball_with_more_survivors_is_a_finding() {
        let rows = |left: u64| {
            vec![
                attack("m", "pgd", 0.1, 40),
                attack("m", "pgd", 0.2, left),
                attack("m", "fgm", 0.3, 80),
                attack("n", "pgd", 0.3, 80),
            ]
        };
        assert_eq!(texts(&rows(40)), [] as [String; 0]);
        let found = texts(&rows(41));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("pgd breaks fewer samples at linf 0.2 than at 0.1"), "{found:?}");
    }

    #[test]
    fn transfer_that_beats_the_white_box_is_a_finding() {
        // White box: 45 of 90 broken. Of 60 correct on both, 30 is the same share.
        let rows = |fooled: u64| {
            vec![attack("target", "pgd", 0.1, 45), transfer("source", "target", 60, fooled)]
        };
        assert_eq!(texts(&rows(30)), [] as [String; 0]);
        let checks = self_checks(&rows(31));
        assert_eq!((checks.len(), checks[0].model.as_str()), (1, "source"));
        assert!(checks[0].text.contains("fool 31 of 60 on `target`"), "{}", checks[0].text);
        // Nothing is known of the target, or nothing was counted.
        assert_eq!(texts(&[transfer("source", "target", 60, 60)]), [] as [String; 0]);
        let rows = [attack("target", "pgd", 0.1, 90), transfer("source", "target", 0, 0)];
        assert_eq!(texts(&rows), [] as [String; 0]);
    }

    #[test]
    fn a_surrogate_that_beats_the_own_gradients_is_a_finding() {
        let rows = |left: u64| {
            let mut handed = attack("m", "mi-fgsm", 0.1, left);
            if let Measured::Attack { surrogate, .. } = &mut handed.measured {
                *surrogate = Some("other".into());
            }
            vec![attack("m", "pgd", 0.1, 40), handed]
        };
        assert_eq!(texts(&rows(40)), [] as [String; 0]);
        let found = texts(&rows(39));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("`other` leaves 39") && found[0].contains("pgd on its own leaves 40")
        );
        // By themselves they say nothing: there is no white box to compare with.
        assert_eq!(texts(&rows(39)[1..]), [] as [String; 0]);
    }

    #[test]
    fn a_training_that_stopped_early_is_a_finding() {
        let mut row = clean("m", 90);
        assert_eq!(texts(std::slice::from_ref(&row)), [] as [String; 0]);
        if let Measured::Clean { stopped, .. } = &mut row.measured {
            *stopped = Some("collapse".into());
        }
        assert_eq!(texts(&[row]), ["training stopped early: collapse"]);
    }
}
