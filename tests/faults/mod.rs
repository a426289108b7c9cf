//! A network that does what networks do: an HTTP proxy in front of a real server that breaks requests by a script and counts what came.

mod body;
mod proxy;
mod script;
mod wire;

pub use proxy::{Proxy, Sent};
pub use script::{Asked, End, Fault, Rule, Script};
