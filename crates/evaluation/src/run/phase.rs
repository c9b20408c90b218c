//! Many short pieces of work, shown as one phase.
use duress_core::Progress;

/// Hears the pieces of a phase: hands on what they finish, and keeps their names to itself.
pub(super) struct Phase<'a> {
    progress: &'a dyn Progress,
}

impl<'a> Phase<'a> {
    /// Begins the phase `what` of `total` units.
    pub(super) fn begin(progress: &'a dyn Progress, what: &str, total: u64) -> Self {
        progress.begin(what, total);
        Self { progress }
    }
}

impl Progress for Phase<'_> {
    fn advance(&self, units: u64) {
        self.progress.advance(units);
    }

    fn note(&self, message: &str) {
        self.progress.note(message);
    }

    fn cancelled(&self) -> bool {
        self.progress.cancelled()
    }
}

impl Drop for Phase<'_> {
    fn drop(&mut self) {
        self.progress.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Heard {
        fn push(&self, text: String) {
            self.0.lock().unwrap().push(text);
        }
    }

    impl Progress for Heard {
        fn begin(&self, what: &str, total: u64) {
            self.push(format!("{what} of {total}"));
        }

        fn advance(&self, units: u64) {
            self.push(format!("+{units}"));
        }

        fn end(&self) {
            self.push("end".into());
        }
    }

    #[test]
    fn two_pieces_are_one_phase() {
        let heard = Heard::default();
        {
            let phase = Phase::begin(&heard, "pgd at linf 0.1", 5);
            for units in [2, 3] {
                phase.begin("pgd", units);
                phase.advance(units);
                phase.end();
            }
        }
        assert_eq!(*heard.0.lock().unwrap(), ["pgd at linf 0.1 of 5", "+2", "+3", "end"]);
    }
}
