//! Which ports are good ones to hand out.
