//! Experiments, threat-model protocol, rows and reports of duress.
