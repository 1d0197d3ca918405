//! Finds the plugin of an output's type, and runs it in a sandbox.
