//! Puts a built-in format to real files: `cargo run -p portkeeper-tests --bin corpus -- TYPE [--all] PATH...`
//!
//! TYPE is `env`, `json`, `toml` or `yaml`; a PATH is a file, or a directory whose files of the usual names are taken. The files stay as they are.
//! The answer is a line of counts, and below it what was wrong; with `--all` also what was refused. The exit code is 1 when anything was wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool of the repository, not a part of the product")]

use std::path::Path;
use std::process::ExitCode;

use portkeeper_tests::corpus::{self, Syntax};

fn main() -> ExitCode {
    let (flags, words): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let Some((syntax, paths)) = words
        .split_first()
        .and_then(|(name, paths)| Some((Syntax::of_type(name)?, paths)))
        .filter(|(_, paths)| !paths.is_empty())
    else {
        eprintln!("usage: corpus env|json|toml|yaml [--all] PATH...");
        return ExitCode::from(2);
    };
    let mut texts = Vec::new();
    for path in paths {
        match corpus::files(syntax, Path::new(path)) {
            Ok(found) => texts.extend(found),
            Err(error) => {
                eprintln!("corpus: {path}: {error}");
                return ExitCode::from(3);
            }
        }
    }
    let report = corpus::run(syntax, texts);
    println!("{}: {report}", syntax.format());
    let shown = report
        .findings
        .iter()
        .filter(|finding| finding.result != "refused" || flags.iter().any(|flag| flag == "--all"));
    shown.for_each(|finding| println!("{finding}"));
    ExitCode::from(u8::from(report.wrong + report.broken > 0))
}
