//! Losses of the recipes against arithmetic in f64, on a linear network of three classes.
mod evaluation_mode;
mod linear;
mod lipschitz_margin;
mod pairs;
mod smoothed;
mod weights;
