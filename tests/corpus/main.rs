//! Real disk images, built by Debian's own tools: what we read off them is held against what those tools say.

mod debian_12;
