//! The command line program, whole.
