//! The harness: every test gets its own home, registry and processes.

pub mod builtin;
