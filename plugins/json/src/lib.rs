//! The built-in `json` format.
