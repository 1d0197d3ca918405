//! `.env` files, edited line by line: what is not changed stays byte for byte.
//!
//! Comments, blank lines, order, `export`, the quoting style of a line, trailing comments, line ends, a byte order mark and a missing
//! final line end stay. Values are written such that sh (`set -a; . ./.env`), python-dotenv, `node --env-file` and Docker
//! Compose read the same; a value that they would read differently is refused.
//!
//! A key that stands there more than once is changed where it stands last, because that is the line that all of those readers
//! take; the others stay as they are.
//!
//! ```
//! use portkeeper_plugin_sdk::env_file::EnvFile;
//!
//! let mut file = EnvFile::parse("# mine\nexport PORT=\"1\"  # the server\n").unwrap();
//! file.set("PORT", "8888").unwrap();
//! file.set("NAME", "two words").unwrap();
//! assert_eq!(file.to_string(), "# mine\nexport PORT=\"8888\"  # the server\nNAME='two words'\n");
//! ```

mod statement;
mod value;

use std::collections::HashMap;
use std::fmt;

use self::statement::Statement;
use crate::{Failure, text};

/// A `.env` file.
#[derive(Debug, Clone)]
pub struct EnvFile {
    mark: String,
    line_end: text::LineEnd,
    statements: Vec<Statement>,
    /// The statements that assign each key, in their order.
    places: HashMap<String, Vec<usize>>,
}

impl EnvFile {
    /// Reads a file's text; empty for a file that is not there.
    ///
    /// # Errors
    /// `bad-target` with the line of a quote that is never closed: its readers disagree about where the value ends.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let (mark, body) = text::split_mark(text);
        let mut statements = Vec::new();
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        let mut at = 0;
        while at < body.len() {
            let statement = Statement::parse(&body[at..]).map_err(|failure| failure.line(text::line_of(body, at)))?;
            at += statement.text().len();
            if let Some(key) = statement.key() {
                places.entry(key.to_owned()).or_default().push(statements.len());
            }
            statements.push(statement);
        }
        Ok(Self { mark: mark.to_owned(), line_end: text::LineEnd::of(body), statements, places })
    }

    /// Gives the key this value: where it stands last, else on a new line at the end.
    ///
    /// # Errors
    /// `bad-map` for a key that no shell takes as a variable name, and for a value that cannot be written such that everyone reads
    /// the same.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        check_key(key)?;
        match self.places.get(key).and_then(|places| places.last()) {
            Some(&place) => self.statements[place].set(key, value),
            None => self.append(key, format!("{key}={}", value::encode(key, value, None, "")?)),
        }
    }

    /// The keys that more than one line assigns, each with its lines, counted from 1, in the order of the text.
    #[must_use]
    pub fn repeated(&self) -> HashMap<&str, Vec<usize>> {
        let mut found: HashMap<_, Vec<usize>> = HashMap::new();
        let mut line = 1;
        for statement in &self.statements {
            if let Some(key) =
                statement.key().filter(|key| self.places.get(*key).is_some_and(|places| places.len() > 1))
            {
                found.entry(key).or_default().push(line);
            }
            line += statement.text().matches('\n').count();
        }
        found
    }

    /// Adds a line. A file without a final line end keeps having none.
    fn append(&mut self, key: &str, mut line: String) -> Result<(), Failure> {
        let end = self.line_end.as_str();
        match self.statements.last_mut() {
            Some(last) if !last.text().ends_with('\n') => last.push(end),
            _ => line.push_str(end),
        }
        self.places.entry(key.to_owned()).or_default().push(self.statements.len());
        self.statements.push(Statement::parse(&line)?);
        Ok(())
    }
}

impl fmt::Display for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mark)?;
        self.statements.iter().try_for_each(|statement| f.write_str(statement.text()))
    }
}

/// Checks that a key can be a variable's name (POSIX.1-2024, 3.216 Name): letters, digits and `_`, no digit first.
///
/// # Errors
/// `bad-map` that names the key.
pub fn check_key(key: &str) -> Result<(), Failure> {
    let first = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if first && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Failure::bad_map(format!("`{key}` cannot be the name of a variable"))
        .help("Use letters, digits and `_`, with no digit first, for example SERVICE_PORT."))
}

#[cfg(test)]
mod tests;
