//! What the author of a portkeeper output plugin needs.
