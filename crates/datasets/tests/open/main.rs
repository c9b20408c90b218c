//! The files of a user, through one door: each format there and back, each mistake named.
#![allow(clippy::unwrap_used)]
mod damage;
mod files;
mod formats;
mod options;
mod published;
mod wrong;
