//! From a file to text in a known format.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use crate::document::FieldPath;
use crate::fs::{not_a_file, read_up_to};

use super::error::{Fault, Position, Problem};

/// The largest config, in bytes. A thousand ports with all their fields are a tenth of it.
pub(super) const LARGEST: u64 = 1 << 20;

/// The text of a config. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) format: Format,
    pub(super) text: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Yaml,
}

/// The bytes of a file that is not larger than a config may be.
pub(super) fn read(file: File) -> Result<Vec<u8>, Problem> {
    let bytes = read_up_to(file, LARGEST + 1).map_err(problem)?;
    if bytes.len() as u64 > LARGEST { Err(Problem::TooLarge) } else { Ok(bytes) }
}

/// Why a file could not be opened.
pub(super) fn problem(error: std::io::Error) -> Problem {
    match not_a_file(&error) {
        Some(what) => Problem::NotAFile(what),
        None if error.kind() == ErrorKind::NotFound => Problem::Missing,
        None => Problem::Unreadable(error),
    }
}

/// The text, without the byte order mark that some editors on Windows put before it.
pub(super) fn decode(path: &Path, bytes: Vec<u8>) -> Result<Source, Fault> {
    let fault = |problem| Fault::new(FieldPath::root(), problem);
    // A text in UTF-16 starts with a byte order mark, or with an ASCII character whose other byte is 0.
    if matches!(bytes.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..]) {
        return Err(fault(Problem::Utf16));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        Fault { position: Some(Position::after(&good)), ..fault(Problem::NotUtf8) }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        return Err(fault(Problem::Empty));
    }
    Ok(Source { format: format(path, text), text: text.into() })
}

fn format(path: &Path, text: &str) -> Format {
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    match extension.as_deref().and_then(|extension| extension.to_str()) {
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        _ if text.trim_start().starts_with('{') => Format::Json,
        _ => Format::Yaml,
    }
}
