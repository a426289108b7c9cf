//! What the window may ask for, by area. Each command only adapts one use case of `lotse-app`.

pub(crate) mod check;
pub(crate) mod connections;
pub(crate) mod images;
pub(crate) mod report;
pub(crate) mod staging;
pub(crate) mod uploads;
