//! The duress command line.
fn main() {}
