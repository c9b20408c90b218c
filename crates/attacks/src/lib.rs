//! Attacks on machine-learning models, one file each, exactly as their papers define them.
