//! What must be true.
