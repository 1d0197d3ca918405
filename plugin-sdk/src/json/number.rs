//! Numbers as they are written.

use std::fmt;

/// A number as it is written, of any length. Two are equal when they have the same value: 1500 and 1.50e3.
#[derive(Debug, Clone)]
pub struct Number(String);

impl Number {
    /// The number that a text is, if it is one as JSON writes them (RFC 8259, section 6).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (text, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let whole = whole.strip_prefix('-').unwrap_or(whole);
        let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
        let right = is_digits(whole) && (whole == "0" || !whole.starts_with('0'));
        let others = [fraction, exponent].into_iter().flatten().all(is_digits);
        (right && others).then(|| Self(text.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of a whole number that is written without fraction and exponent.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The same for one that is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// The nearest value that a computer's floating point has.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// Sign, digits without zeros that say nothing, and where the point is among them: behind so many digits.
    fn value(&self) -> (bool, String, i64) {
        let (mantissa, exponent) = self.0.split_once(['e', 'E']).unwrap_or((&self.0, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
        let bare = digits.trim_start_matches('0');
        let point = i64::try_from(bare.len()).unwrap_or(i64::MAX) - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        let bare = bare.trim_end_matches('0');
        if bare.is_empty() {
            return (false, String::new(), 0);
        }
        // An exponent that is beyond all measure is as good as the largest.
        let limit = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
        (whole.starts_with('-'), bare.to_owned(), point.saturating_add(exponent.parse().unwrap_or(limit)))
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.value() == other.value()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
