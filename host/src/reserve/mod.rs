//! Chooses ports and reserves them, all or none.
