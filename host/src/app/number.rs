//! Whole numbers on the command line.

use std::fmt::Display;
use std::str::FromStr;

/// A whole number from 1 on, up to the largest that the type has.
pub(crate) fn count<T: FromStr + Display + Limits>(text: &str) -> Result<T, String> {
    match text.parse() {
        Ok(number) if number >= T::ONE => Ok(number),
        _ => Err(format!("`{text}` is not a whole number from 1 to {}", T::MAX)),
    }
}

/// The limits of a type of numbers.
pub(crate) trait Limits: PartialOrd + Sized {
    const ONE: Self;
    const MAX: Self;
}

impl Limits for u16 {
    const ONE: Self = 1;
    const MAX: Self = Self::MAX;
}

impl Limits for u32 {
    const ONE: Self = 1;
    const MAX: Self = Self::MAX;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_whole_number_from_1_on() {
        assert_eq!(count::<u16>("65535"), Ok(65_535));
        assert_eq!(count::<u32>("65536"), Ok(65_536));
        for wrong in ["0", "-1", "65536", "many", "1.5", ""] {
            let refusal = count::<u16>(wrong).unwrap_err();
            assert_eq!(refusal, format!("`{wrong}` is not a whole number from 1 to 65535"));
        }
    }
}
