//! What several of the whole-program tests share.
