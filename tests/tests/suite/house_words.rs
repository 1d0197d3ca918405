//! The words that this project does not use where people read it: in its documents, in what the program prints, and in its help.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sandbox;
use crate::words::commands;

/// Words of another register, of British spelling, and words for people that processes and sockets are not.
const NOT_OURS: [&str; 21] = [
    "folder",
    "folders",
    "can't",
    "won't",
    "don't",
    "whoever",
    "nobody",
    "somebody",
    "at once",
    "wishes",
    "colour",
    "colours",
    "coloured",
    "behaviour",
    "favour",
    "neighbour",
    "neighbours",
    "organise",
    "recognise",
    "recognised",
    "licence",
];

/// Names of others: RFC 4861's protocol, the user of the system, another tool's setting.
const EXCEPTIONS: [&str; 2] = ["Neighbour Discovery", "nobody (uid 65534)"];

/// The words in a text that are not ours.
fn found_in(text: &str) -> Vec<&'static str> {
    let text = EXCEPTIONS.iter().fold(text.to_owned(), |text, exception| text.replace(exception, "")).to_lowercase();
    let is_word = |word: &&&str| {
        text.match_indices(**word).any(|(at, _)| {
            let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            !is_letter(text[..at].chars().next_back()) && !is_letter(text[at + word.len()..].chars().next())
        })
    };
    NOT_OURS.iter().filter(is_word).copied().collect()
}

/// The text literals of a Rust file up to its tests, each with its line. Comments and characters are passed over.
fn literals(source: &str) -> Vec<(usize, String)> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let (mut found, mut line, mut rest) = (Vec::new(), 1, source);
    while let Some(first) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw_hashes(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = hashes + 2;
            let inside = rest[begin..].find(&end).unwrap_or(rest.len() - begin);
            found.push((line, rest[begin..begin + inside].to_owned()));
            (begin + inside + end.len()).min(rest.len())
        } else if first == '"' {
            let inside = length_of_text(&rest[1..]);
            found.push((line, rest[1..=inside].to_owned()));
            (inside + 2).min(rest.len())
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find("'").map_or(1, |end| end + 2)
        } else {
            first.len_utf8()
        };
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    found
}

/// How many signs stand around a raw literal that begins here.
fn raw_hashes(text: &str) -> Option<usize> {
    let text = text.strip_prefix('r')?;
    let hashes = text.len() - text.trim_start_matches('#').len();
    text[hashes..].starts_with('"').then_some(hashes)
}

/// How long a text is, up to its closing quote.
fn length_of_text(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.unwrap_or(text.len())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

/// The files below a directory with this extension, without what is built or fetched.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with('.') && !["target", "node_modules", "book"].contains(&&*name)
    };
    let mut found = Vec::new();
    for path in paths.filter(is_ours) {
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|of_file| of_file == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn documents_and_messages_are_in_our_words() {
    let root = repository();
    let mut wrong = Vec::new();
    let mut check = |path: &Path, line: usize, text: &str| {
        for word in found_in(text) {
            wrong.push(format!("{}:{line}: {word}", path.strip_prefix(&root).unwrap_or(path).display()));
        }
    };
    let documents =
        ["docs", "plugin-sdk", "host", "examples"].map(|directory| files(&root.join(directory), "md")).concat();
    let of_root = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name));
    for path in documents.iter().chain(&of_root) {
        let text = fs::read_to_string(path).unwrap();
        text.lines().zip(1..).for_each(|(text, line)| check(path, line, text));
    }
    let sources = files(&root.join("host/src"), "rs");
    assert!(sources.len() > 100 && documents.len() > 10);
    // Tests that are a file of their own have texts that are wrong on purpose.
    for path in sources.iter().filter(|path| !path.to_string_lossy().ends_with("tests.rs")) {
        let text = fs::read_to_string(path).unwrap();
        literals(&text).iter().for_each(|(line, text)| check(path, *line, text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn help_is_in_our_words() {
    let sandbox = sandbox();
    for command in commands(&sandbox) {
        let help = sandbox.portkeeper(format!("{command} --help")).ok().stdout;
        assert_eq!(found_in(&help.split_whitespace().collect::<Vec<_>>().join(" ")), [""; 0], "{command}");
    }
}

#[test]
fn the_check_finds_words_and_literals() {
    assert_eq!(found_in("Nobody's folder, all at once: FOLDERS"), ["folder", "folders", "nobody", "at once"]);
    assert_eq!(found_in("a nobody_else, Neighbour Discovery, folderol"), [""; 0]);
    let source =
        "// \"a\"\nlet a = \"b \\\" c\"; let d = '\"';\nlet e = r#\"f \" g\"#;\n#[cfg(test)]\nmod tests { \"h\" }";
    assert_eq!(literals(source), [(2, "b \\\" c".to_owned()), (3, "f \" g".to_owned())]);
}
