//! The built-in `env` format.
