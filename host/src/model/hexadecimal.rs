//! The form of identities.

/// The number that is written as sixteen lower-case hexadecimal digits, and in no other way.
pub(super) fn from_hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok().filter(|number| format!("{number:016x}") == text)
}
