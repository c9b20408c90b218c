//! Attacks whose limit is not a ball but what can be done to a picture: turning, bending and
//! pasting. They move anywhere in the box.
mod elastic;
mod flow;
mod lbfgs;
mod patch;
mod placement;
mod spatial;
mod sticker;

pub(crate) use elastic::ENTRY as ELASTIC;
pub use elastic::Elastic;
pub(crate) use flow::ENTRY as FLOW;
pub use flow::Flow;
pub use patch::AdversarialPatch;
pub(crate) use patch::ENTRY as ADVERSARIAL_PATCH;
pub use placement::PatchShape;
pub(crate) use spatial::ENTRY as SPATIAL;
pub use spatial::{Spatial, SpatialSearch};
pub(crate) use sticker::ENTRY as STICKER;
pub use sticker::Sticker;
