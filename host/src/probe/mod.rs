//! What the kernel says about a port now.
