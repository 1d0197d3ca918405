//! Real files, edited by a format as its users would, and read before and after by readers that share no code with it.
//!
//! Each file gets the same kinds of edits: numbers, texts and truth values are changed, keys added at several depths. After each, only the
//! meant path may read differently, a second run must write nothing, and the lines that differ are counted.

mod edits;
mod report;
mod tree;
mod trial;

use std::path::{Path, PathBuf};

pub use report::{Finding, Report};
pub use tree::Syntax;

use crate::corpus::trial::Trial;

/// The largest file that is put to the test, in bytes: what portkeeper reads.
const LARGEST: u64 = 10 << 20;

/// Puts a format to texts with their names.
///
/// # Panics
/// When the type has no built-in plugin.
#[must_use]
pub fn run(syntax: Syntax, texts: impl IntoIterator<Item = (String, Vec<u8>)>) -> Report {
    let trial = Trial::new(syntax);
    let mut report = Report::default();
    for (name, bytes) in texts {
        match String::from_utf8(bytes) {
            Ok(text) => trial.file(&name, &text, &mut report),
            Err(_) => report.not_text += 1,
        }
    }
    report
}

/// What a text says to a reader that shares no code with the formats, the same in every syntax; none when it refuses it.
#[must_use]
pub fn meaning(syntax: Syntax, text: &str) -> Option<String> {
    syntax.read(text).map(|tree| format!("{:?}", tree.sorted()))
}

/// The texts of all files below a directory whose names are the syntax's own; a file is taken whatever its name.
///
/// # Errors
/// What cannot be listed or read.
pub fn files(syntax: Syntax, path: &Path) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut open = vec![(path.to_owned(), true)];
    while let Some((path, named)) = open.pop() {
        let metadata = std::fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            let children: std::io::Result<Vec<PathBuf>> =
                std::fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect();
            open.extend(children?.into_iter().map(|path| (path, false)));
        } else if metadata.is_file() && metadata.len() <= LARGEST && (named || syntax.is_usual(&path)) {
            found.push((path.display().to_string(), std::fs::read(&path)?));
        }
    }
    found.sort();
    Ok(found)
}
