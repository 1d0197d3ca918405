//! Ports and ranges between commas, as people write them: `22,80,8000-8050`.

use std::fmt;

use super::{Port, PortError, PortRange};

/// The ranges, in the order in which they are written.
pub(super) fn parse(text: &str) -> Result<Vec<PortRange>, PortError> {
    let range = |text: &str| match text.contains('-') {
        true => text.parse(),
        false => text.parse::<Port>().map(PortRange::from),
    };
    text.split(',').map(|part| range(part.trim())).collect()
}

pub(super) fn write(ranges: &[PortRange], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, range) in ranges.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        if range.len() == 1 { write!(f, "{comma}{}", range.first())? } else { write!(f, "{comma}{range}")? }
    }
    Ok(())
}
