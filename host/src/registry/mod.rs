//! The store of reservations.
