//! Pictures on the host: resampling, displacement and procedural noise.
pub(crate) mod noise;
pub(crate) mod picture;
pub(crate) mod warp;
