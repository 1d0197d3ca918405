//! Timestamps as the registry holds them, thousands at a time.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, de};

/// Reads a timestamp. The one form that is written, `2026-11-20T14:25:32.728998816Z`, is read by its places, which takes a tenth of the time
/// of reading every form that RFC 3339 allows.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = Text::deserialize(deserializer)?.0;
    by_places(text.as_bytes()).map_or_else(|| text.parse().map_err(de::Error::custom), Ok)
}

/// Borrowed where the text has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn by_places(text: &[u8]) -> Option<Timestamp> {
    let (whole, fraction) = text.strip_suffix(b"Z")?.split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(place, sign)| whole[place] != sign) {
        return None;
    }
    let number = |from: usize, to: usize| digits(&whole[from..to]).and_then(|number| i8::try_from(number).ok());
    let nanoseconds = match fraction.split_first() {
        None => 0,
        Some((b'.', digits @ [_, ..])) if digits.len() <= 9 => {
            self::digits(digits)? * 10_i32.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        Some(_) => return None,
    };
    let year = i16::try_from(digits(&whole[..4])?).ok()?;
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    let time = DateTime::new(year, month, day, number(11, 13)?, number(14, 16)?, number(17, 19)?, nanoseconds).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

/// The number that these digits are; none if one of them is none. There are nine at most.
fn digits(text: &[u8]) -> Option<i32> {
    text.iter().try_fold(0, |number, &byte| byte.is_ascii_digit().then(|| number * 10 + i32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Deserialize)]
    struct Read(#[serde(deserialize_with = "deserialize")] Timestamp);

    proptest! {
        #[test]
        fn every_timestamp_is_read_as_jiff_reads_it(second in -99_999_999_999_i64..253_402_200_000, nanosecond in 0..1_000_000_000_i32) {
            let timestamp = Timestamp::new(second, nanosecond).unwrap();
            let json = serde_json::to_string(&timestamp).unwrap();
            prop_assert_eq!(serde_json::from_str::<Read>(&json).unwrap().0, timestamp);
        }

        #[test]
        fn what_is_changed_by_a_byte_is_read_as_jiff_reads_it(at in 0_usize..30, byte in "[-0-9T:.Z+ ]") {
            let mut text = "2024-02-29T23:59:59.123456789Z".to_owned();
            text.replace_range(at..=at, &byte);
            let read = serde_json::from_str::<Read>(&format!("\"{text}\"")).ok().map(|read| read.0);
            prop_assert_eq!(read, text.parse().ok());
        }
    }

    #[test]
    fn other_forms_are_read_too() {
        for text in
            ["2026-11-20T14:25:32Z", "2026-11-20T14:25:32.5Z", "2026-11-20T15:25:32+01:00", "2026-11-20T14:25:60Z"]
        {
            let read = serde_json::from_str::<Read>(&format!("\"{text}\"")).ok().map(|read| read.0);
            assert_eq!(read, text.parse().ok(), "{text}");
        }
        assert_eq!(by_places(b"2026-11-20T14:25:32.5Z"), "2026-11-20T14:25:32.5Z".parse().ok());
    }
}
