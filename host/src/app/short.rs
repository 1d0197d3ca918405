//! Reservations in the few words of a table's cell.

use crate::model::{Lease, Reservation};

/// A reservation's lease in a few words for a table.
pub(crate) fn lease_text(reservation: &Reservation) -> String {
    match &reservation.lease {
        Lease::Held => "held".to_owned(),
        Lease::Process(process) => format!("process {}", process.pid),
        Lease::Grace { length } => format!("grace {} s", length.as_secs_f64()),
        Lease::Timed { length } => format!("until {:.0}", reservation.time_after(*length)),
        Lease::Named(name) if name.provisional => "being written".to_owned(),
        Lease::Named(_) => "named".to_owned(),
    }
}

/// An age in its two largest units.
pub(crate) fn age(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = UNITS.iter().position(|(length, _)| seconds >= *length).unwrap_or(UNITS.len() - 1);
    let mut rest = seconds;
    let mut words = Vec::new();
    for (length, unit) in UNITS.iter().skip(first).take(2) {
        words.push(format!("{}{unit}", rest / length));
        rest %= length;
    }
    words.retain(|word| !word.starts_with('0') || seconds == 0);
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units_at_most() {
        assert_eq!(age(0), "0s");
        assert_eq!(age(59), "59s");
        assert_eq!(age(60), "1m");
        assert_eq!(age(3_725), "1h 2m");
        assert_eq!(age(90_000), "1d 1h");
    }
}
