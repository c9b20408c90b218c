//! The vocabulary of duress: rows and domains, norms, threat models, oracles, forward and backward passes, and the attack driver.
