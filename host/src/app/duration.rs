//! Durations, as people write them on the command line.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// A duration such as `90s`, `2h 30m`, `7d` or `10`, which are seconds. A day has 24 hours. Never negative.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write 30s, 10m, 2h, 7d or 1h 30m");
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    // Months and years have no length of their own.
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| format!("`{text}` is negative"))
}

/// A duration in which a port can be used. A grace can be zero: the port may be listened on by then.
pub(crate) fn time_to_live(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("duration must be greater than zero, for example 10m".to_owned()),
        some => Ok(some),
    }
}

/// A time that was measured, for people: no finer than it was looked.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_kept_for_some_time() {
        assert_eq!(time_to_live("1ms"), Ok(Duration::from_millis(1)));
        for wrong in ["0", "0s", "0h 0m", "-1s", "soon"] {
            assert!(time_to_live(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_have_units_or_are_seconds() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(duration("0.2s"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("7d"), duration("1w"));
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        for wrong in ["", "-1s", "soon", "1 fortnight", "1mo", "99999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
