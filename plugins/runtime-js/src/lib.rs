//! The built-in `runtime-js` format.
