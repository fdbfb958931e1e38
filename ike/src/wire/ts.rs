//! TSi and TSr (RFC 7296 section 3.13).
