//! Variables in text: `${VAR}`, `${VAR:-default}` and the like.
//!
//! The forms and their meaning are those of POSIX shells (XCU, 2.6.2 Parameter Expansion) and of Compose files, `$$` as in Compose.
//! A value is put in as it is: a `${` inside it means nothing.

use thiserror::Error;

use crate::document::closest;

/// How deep defaults may stand in defaults.
const DEEPEST: usize = 32;

/// Where the values of variables come from: the keys of the config first, then the environment.
#[derive(Clone, Copy)]
pub struct Variables<'a> {
    keys: &'a [(String, String)],
    environment: &'a dyn Fn(&str) -> Option<String>,
}

/// Why a text cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpandProblem {
    /// A variable that is nowhere and has no default.
    #[error(
        "the variable {name} is not set: there is no such key, and none in the environment{}; a default is written as ${{{name}:-value}}",
        suggest(.closest.as_deref())
    )]
    Unset {
        /// The variable.
        name: String,
        /// The key that was probably meant.
        closest: Option<String>,
    },
    /// `${VAR:?message}` of a variable that is not set, or empty.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The author's message, or ours when there is none.
        message: String,
    },
    /// `${` that is never closed.
    #[error("`{0}` has no closing brace; a dollar sign that shall stay one is written as $$")]
    Unclosed(String),
    /// Something else than a name after `${`, or something unknown after the name.
    #[error(
        "`{0}` is not a variable: there are ${{VAR}}, ${{VAR:-default}}, ${{VAR-default}}, ${{VAR:?message}} and ${{VAR?message}}; a dollar \
         sign that shall stay one is written as $$"
    )]
    NotAVariable(String),
    /// Defaults in defaults, beyond what a real schema has.
    #[error("defaults are nested more than {DEEPEST} deep")]
    TooDeep,
    /// The values make the text too long.
    #[error("the text becomes longer than {0} bytes when its variables are filled in")]
    TooLong(usize),
}

fn suggest(closest: Option<&str>) -> String {
    closest.map(|closest| format!(" (did you mean {closest}?)")).unwrap_or_default()
}

impl<'a> Variables<'a> {
    /// The keys with their ports, and a function that asks the environment.
    #[must_use]
    pub fn new(keys: &'a [(String, String)], environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { keys, environment }
    }

    fn get(&self, name: &str) -> Option<String> {
        let key = self.keys.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        key.or_else(|| (self.environment)(name))
    }

    fn unset(&self, name: &str) -> ExpandProblem {
        let closest = closest(name, self.keys.iter().map(|(key, _)| key.as_str())).map(str::to_owned);
        ExpandProblem::Unset { name: name.to_owned(), closest }
    }
}

/// The text with its variables filled in; `longest` bytes at most. A `$` that is followed by neither `{` nor `$` stays as it is.
///
/// # Errors
/// [`ExpandProblem`] says which variable, and what is wrong with it.
pub fn expand(text: &str, variables: &Variables, longest: usize) -> Result<String, ExpandProblem> {
    let mut expansion = Expansion { rest: text, variables, longest, out: String::new() };
    expansion.fill(0, true)?;
    Ok(expansion.out)
}

struct Expansion<'a> {
    rest: &'a str,
    variables: &'a Variables<'a>,
    longest: usize,
    out: String,
}

impl<'a> Expansion<'a> {
    /// Expands to the end of the text or, inside of `${...}`, to the brace that closes it, which it leaves. What is not `wanted`, such
    /// as the default of a variable that is set, is read but neither looked up nor put out.
    fn fill(&mut self, depth: usize, wanted: bool) -> Result<(), ExpandProblem> {
        let ends: &[char] = if depth == 0 { &['$'] } else { &['$', '}'] };
        loop {
            let (plain, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
            self.rest = rest;
            self.put(plain, wanted)?;
            if let Some(rest) = rest.strip_prefix("$$") {
                self.rest = rest;
                self.put("$", wanted)?;
            } else if rest.starts_with("${") {
                self.variable(depth, wanted)?;
            } else if let Some(rest) = rest.strip_prefix('$') {
                self.rest = rest;
                self.put("$", wanted)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Expands the `${...}` that the rest begins with.
    fn variable(&mut self, depth: usize, wanted: bool) -> Result<(), ExpandProblem> {
        if depth == DEEPEST {
            return Err(ExpandProblem::TooDeep);
        }
        let start = self.rest;
        let inside = &start[2..];
        let length = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
        let (name, rest) = inside.split_at(length);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(not_a_variable(start));
        }
        let (operator, word) = split_operator(rest).ok_or_else(|| not_a_variable(start))?;
        let may_be_empty = !operator.starts_with(':');
        let value =
            if wanted { self.variables.get(name).filter(|value| may_be_empty || !value.is_empty()) } else { None };
        let needs_word = wanted && value.is_none();

        let before = self.out.len();
        self.rest = word;
        if !operator.is_empty() {
            self.fill(depth + 1, needs_word)?;
        }
        self.rest = self.rest.strip_prefix('}').ok_or_else(|| ExpandProblem::Unclosed(excerpt(start)))?;
        match value {
            Some(value) => self.put(&value, true),
            None if !wanted || operator.ends_with('-') => Ok(()),
            None if operator.is_empty() => Err(self.variables.unset(name)),
            None => Err(required(name, &self.out[before..])),
        }
    }

    fn put(&mut self, text: &str, wanted: bool) -> Result<(), ExpandProblem> {
        if !wanted {
            return Ok(());
        }
        if self.out.len() + text.len() > self.longest {
            return Err(ExpandProblem::TooLong(self.longest));
        }
        self.out.push_str(text);
        Ok(())
    }
}

/// What follows a variable's name: one of the operators, or nothing before the closing brace.
fn split_operator(rest: &str) -> Option<(&'static str, &str)> {
    let operator =
        [":-", ":?", "-", "?"].into_iter().find_map(|operator| Some((operator, rest.strip_prefix(operator)?)));
    operator.or_else(|| (rest.is_empty() || rest.starts_with('}')).then_some(("", rest)))
}

fn required(name: &str, message: &str) -> ExpandProblem {
    let message = if message.is_empty() { "it has to be set and is not" } else { message };
    ExpandProblem::Required { name: name.to_owned(), message: message.to_owned() }
}

fn not_a_variable(start: &str) -> ExpandProblem {
    match start.find('}') {
        Some(end) => ExpandProblem::NotAVariable(excerpt(&start[..=end])),
        None => ExpandProblem::Unclosed(excerpt(start)),
    }
}

/// As much as an error should quote.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(text: &str) -> Result<String, ExpandProblem> {
        let keys = [("SERVICE_PORT".to_owned(), "8888".to_owned()), ("EMPTY".to_owned(), String::new())];
        let environment = |name: &str| match name {
            "SERVICE_PORT" => Some("not this one".to_owned()),
            "USER" => Some("ann".to_owned()),
            "ODD" => Some("${USER}$$}".to_owned()),
            _ => None,
        };
        expand(text, &Variables::new(&keys, &environment), 200)
    }

    #[track_caller]
    fn gives(text: &str, expected: &str) {
        assert_eq!(with(text).as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn keys_come_first_then_the_environment_then_the_default() {
        gives("http://${SERVICE_HOST:-localhost}:${SERVICE_PORT}/", "http://localhost:8888/");
        gives("${USER}${USER}", "annann");
        gives("${EMPTY}|${EMPTY-x}|${EMPTY:-x}|${NONE-x}|${NONE:-}", "||x|x|");
        gives("${SERVICE_PORT:-1}${SERVICE_PORT-1}${SERVICE_PORT:?no}${SERVICE_PORT?no}", "8888888888888888");
        gives("${A:-${B:-x}}${A-${USER}}${A:-a${EMPTY}b}", "xannab");
    }

    #[test]
    fn a_default_that_is_not_needed_is_not_looked_up() {
        gives("${USER:-${NOWHERE}}${USER:-${NOWHERE:?x}}", "annann");
    }

    #[test]
    fn a_value_is_put_in_as_it_is() {
        gives("${ODD}", "${USER}$$}");
        gives("${NONE:-$${USER}}", "${USER}");
        // The first brace ends the variable, as in Compose: `$${USER` is the default.
        gives("$${USER}", "${USER}");
    }

    #[test]
    fn other_dollar_signs_stay() {
        gives("$", "$");
        gives("$5 $USER a$ }{ $$ $$$ é$é", "$5 $USER a$ }{ $ $$ é$é");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| with(text).unwrap_err().to_string();
        assert_eq!(
            error("${SERVCE_PORT}"),
            "the variable SERVCE_PORT is not set: there is no such key, and none in the environment (did you mean SERVICE_PORT?); a \
             default is written as ${SERVCE_PORT:-value}"
        );
        assert!(!error("${ZEBRA}").contains("did you mean"));
        assert_eq!(error("${TOKEN:?ask ${USER} for it}"), "TOKEN: ask ann for it");
        assert_eq!(error("${EMPTY:?}"), "EMPTY: it has to be set and is not");
        for text in ["${", "a ${USER", "${USER:-x", "${USER:-${B}", "${A:-${B:-}"] {
            assert!(matches!(with(text), Err(ExpandProblem::Unclosed(_))), "{text}");
        }
        for text in ["${}", "${1}", "${A B}", "${A+x}", "${A:x}", "${é}", "${-x}", "${A:-${}}"] {
            assert!(matches!(with(text), Err(ExpandProblem::NotAVariable(_))), "{text}");
        }
    }

    #[test]
    fn length_and_depth_are_bounded() {
        let nested = |depth: usize| format!("{}x{}", "${A:-".repeat(depth), "}".repeat(depth));
        assert_eq!(with(&nested(DEEPEST)).as_deref(), Ok("x"));
        assert_eq!(with(&nested(100_000)), Err(ExpandProblem::TooDeep));
        assert_eq!(with(&"${USER}".repeat(67)), Err(ExpandProblem::TooLong(200)));
    }

    proptest! {
        #[test]
        fn text_without_dollar_signs_stays(text in "[^$]{0,60}") {
            prop_assert_eq!(with(&text), Ok(text));
        }

        #[test]
        fn nothing_makes_it_panic(text in "([${}:?A-C \u{e9}-]|\\$\\{|USER){0,40}") {
            let _ = with(&text);
        }

        #[test]
        fn doubled_dollar_signs_keep_any_text(text in ".{0,40}") {
            prop_assert_eq!(with(&text.replace('$', "$$")), Ok(text));
        }
    }
}
