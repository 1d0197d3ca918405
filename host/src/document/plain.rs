//! What parsers say, for people who do not program in Rust: the place as line and column, what was found there and what was expected.

use serde_json::error::Category;

/// What is wrong with a JSON text, and where.
#[must_use]
pub fn json_error(error: &serde_json::Error) -> String {
    at(error.line(), error.column(), json_problem(error))
}

/// What is wrong with a JSON text, without its place.
#[must_use]
pub fn json_problem(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let words = error.to_string();
    let words = words.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&words);
    if error.classify() == Category::Data { data_problem(words) } else { json_syntax(words) }
}

/// What is wrong with a YAML text, and where.
#[cfg(feature = "plugins")]
#[must_use]
pub fn yaml_error(error: &serde_yaml::Error, text: &str) -> String {
    let (line, column) = error.location().map_or((0, 0), |place| (place.line(), place.column()));
    at(line, column, yaml_problem(error, text))
}

/// What is wrong with a YAML text, without its place.
#[cfg(feature = "plugins")]
#[must_use]
pub fn yaml_problem(error: &serde_yaml::Error, text: &str) -> String {
    let words = error.to_string();
    let place = error.location().map(|place| format!(" at line {} column {}", place.line(), place.column()));
    let (problem, context) = match place.as_deref().and_then(|place| words.split_once(place)) {
        Some((problem, context)) => (problem, context.strip_prefix(", ").unwrap_or(context)),
        None => (words.as_str(), ""),
    };
    let found = error.location().and_then(|place| text.get(place.index()..)).unwrap_or("").chars().next();
    yaml_syntax(problem, context, found).unwrap_or_else(|| data_problem(problem))
}

/// What serde says of a text that is well formed and does not say what it should.
#[must_use]
pub fn data_problem(words: &str) -> String {
    // A value in a map or a list comes with its place in YAML: `plugins: missing field ...`.
    if let Some((field, words)) = words.split_once(": ").filter(|(field, _)| is_field(field)) {
        return format!("`{field}`: {}", data_problem(words));
    }
    if let Some(field) = words.strip_prefix("missing field ") {
        return format!("the field {field} is missing");
    }
    if let Some(field) = words.strip_prefix("duplicate field ") {
        return format!("the field {field} stands here a second time");
    }
    if let Some((found, allowed)) = words.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", expected "))
    {
        return format!("unknown field {found}, expected {allowed}");
    }
    if let Some((found, allowed)) =
        words.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", expected "))
    {
        return format!("{found} is not known here: use {allowed}");
    }
    if let Some((_, expected)) = words.strip_prefix("invalid length ").and_then(|rest| rest.split_once(", expected "))
        && expected.starts_with("struct ")
    {
        return "found a list, expected an object".to_owned();
    }
    let wrong =
        ["invalid type: ", "invalid value: ", "invalid length "].iter().find_map(|kind| words.strip_prefix(kind));
    match wrong.and_then(|wrong| wrong.split_once(", expected ")) {
        Some((found, expected)) => format!("found {}, expected {}", found_in_words(found), expected_in_words(expected)),
        None => words.to_owned(),
    }
}

/// Whether it is the path to a field: `plugins.x[0]`.
fn is_field(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    !text.is_empty() && text.chars().all(word)
}

fn found_in_words(found: &str) -> String {
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        "unit value" => "nothing".to_owned(),
        other => {
            let other = other.replacen("integer ", "the number ", 1).replacen("floating point ", "the number ", 1);
            other.replacen("boolean ", "", 1).replacen("string ", "the text ", 1)
        }
    }
}

fn expected_in_words(expected: &str) -> String {
    let is_whole =
        |word: &str| word.strip_prefix(['u', 'i']).is_some_and(|bits| bits == "size" || bits.parse::<u8>().is_ok());
    if expected.starts_with("struct ") {
        return "an object".to_owned();
    }
    if is_whole(expected) {
        return "a whole number".to_owned();
    }
    let expected = expected.replace("a sequence", "a list").replace("a map", "an object");
    expected
        .replace("a borrowed string", "a string")
        .replace("a string", "text in quotes")
        .replace("a boolean", "true or false")
}

/// serde_json's words for a text that is no JSON.
fn json_syntax(words: &str) -> String {
    match words {
        "EOF while parsing a list" => "the text ends before the list is closed: `]` is missing",
        "EOF while parsing an object" => "the text ends before the object is closed: `}` is missing",
        "EOF while parsing a string" => "the text ends inside a string: `\"` is missing",
        "EOF while parsing a value" => "the text ends where a value is expected",
        "expected ident" => "expected a value: `true`, `false`, `null`, a number, or text in double quotes",
        "expected value" => "expected a value: text stands in double quotes",
        "key must be a string" => "expected a key in double quotes",
        "trailing comma" => "remove the comma before the closing bracket",
        "trailing characters" => "expected the end of the text: the JSON value is complete before this",
        "invalid escape" => "unknown escape; write `\\\\` for a backslash",
        "invalid number" => "a number is incomplete or written in an unknown way",
        "number out of range" => "the number is too large",
        "recursion limit exceeded" => "nested too deeply",
        _ if words.starts_with("control character") => {
            "a line break or another control character inside a string; write `\\n` for a line break"
        }
        other => other,
    }
    .to_owned()
}

/// libyaml's words for a text that is no YAML. `found` is the character that it stumbled over.
#[cfg(feature = "plugins")]
fn yaml_syntax(problem: &str, context: &str, found: Option<char>) -> Option<String> {
    let opened = context
        .rsplit_once(" at ")
        .map(|(_, place)| format!(", which begins at {}", place.replace(" column", ", column")));
    let opened = opened.unwrap_or_default();
    let words = match problem {
        _ if found == Some('\t') => "a tab stands where YAML expects spaces: indent with spaces".to_owned(),
        "found character that cannot start any token" => {
            let found = found.map_or_else(|| "this".to_owned(), |found| format!("`{found}`"));
            format!("a value cannot begin with {found}: put it in quotes")
        }
        "did not find expected ',' or ']'" => format!("expected `,` or `]` in the list{opened}"),
        "did not find expected ',' or '}'" => format!("expected `,` or `}}` in the object{opened}"),
        "did not find expected node content" if found.is_none() => {
            format!("the text ends before a bracket is closed{opened}")
        }
        "did not find expected node content" => "expected a value".to_owned(),
        "did not find expected key" => format!("expected `key: value`, indented like the lines of the object{opened}"),
        "did not find expected '-' indicator" => {
            format!("expected `- value`, indented like the items of the list{opened}")
        }
        "did not find expected <document start>" => {
            "expected the end of the text: its value is complete before this".to_owned()
        }
        "mapping values are not allowed in this context" => {
            "a second `: ` in one line; put a value that contains it in quotes, or check the indentation".to_owned()
        }
        "block sequence entries are not allowed in this context" => {
            "a list cannot begin here: its first `- ` goes on a line of its own".to_owned()
        }
        "could not find expected ':'" => format!("expected `:` behind the key{opened}"),
        "found unexpected end of stream" => format!("the text ends before the quote is closed{opened}"),
        "found unknown escape character" => {
            "unknown escape in a text in double quotes; write `\\\\` for a backslash, or use single quotes".to_owned()
        }
        "control characters are not allowed" => "a control character is in the text; remove it".to_owned(),
        "unknown anchor" => "unknown anchor: there is no `&name` for this `*name` before it".to_owned(),
        "EOF while parsing a value" => "the text is empty".to_owned(),
        _ => return None,
    };
    Some(words)
}

/// The place before the words. A parser that gave up before the first character has none.
fn at(line: usize, column: usize, words: String) -> String {
    match (line, column) {
        (0, _) | (1, 0) => words,
        // Behind a line's end.
        (_, 0) => format!("line {line}: {words}"),
        _ => format!("line {line}, column {column}: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    #[cfg(feature = "plugins")]
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only whether it can be read matters")]
        number: u32,
        #[expect(dead_code, reason = "only whether it can be read matters")]
        list: Vec<String>,
    }

    #[test]
    fn json_is_explained_in_plain_words() {
        for (text, words) in [
            ("", "the text ends where a value is expected"),
            ("[]", "found a list, expected an object"),
            ("5", "line 1, column 1: found the number `5`, expected an object"),
            ("{\"number\":\n [", "found a list, expected a whole number"),
            (
                "{\"number\": 1, \"list\": [",
                "line 1, column 23: the text ends before the list is closed: `]` is missing",
            ),
            ("{\"number\": 1\n", "line 2: the text ends before the object is closed: `}` is missing"),
            ("{\"number\": -1}", "line 1, column 13: found the number `-1`, expected a whole number"),
            ("{\"number\": 1}", "line 1, column 13: the field `list` is missing"),
            ("{\"nummer\": 1}", "line 1, column 9: unknown field `nummer`, expected `number` or `list`"),
            ("{\"list\": [true]}", "line 1, column 14: found `true`, expected text in quotes"),
            ("{\"number\": 1,}", "line 1, column 14: remove the comma before the closing bracket"),
            ("{number: 1}", "line 1, column 2: expected a key in double quotes"),
            (
                "nonsense",
                "line 1, column 2: expected a value: `true`, `false`, `null`, a number, or text in double quotes",
            ),
        ] {
            let error = serde_json::from_str::<Sample>(text).unwrap_err();
            let found = json_error(&error);
            assert!(found.ends_with(words) && !found.contains("struct"), "{text}: {found}");
        }
    }

    #[cfg(feature = "plugins")]
    #[test]
    fn yaml_is_explained_in_plain_words() {
        for (text, words) in [
            ("a:\n\t- b\n", "line 2, column 1: a tab stands where YAML expects spaces: indent with spaces"),
            ("a: @b\n", "line 1, column 4: a value cannot begin with `@`: put it in quotes"),
            ("a: [b\n", "line 2, column 1: expected `,` or `]` in the list, which begins at line 1, column 4"),
            ("a: {b: c\nd: [e\n", "expected `,` or `}` in the object, which begins at line 1, column 4"),
            ("a: \"b\n", "the text ends before the quote is closed, which begins at line 1, column 4"),
            (
                "a: b: c\n",
                "line 1, column 5: a second `: ` in one line; put a value that contains it in quotes, or check the indentation",
            ),
            ("a: *b\n", "unknown anchor: there is no `&name` for this `*name` before it"),
            ("a: 1\n  b: 2\n", "check the indentation"),
            (
                "x:\n  - a\n  b: c\n",
                "expected `- value`, indented like the items of the list, which begins at line 2, column 3",
            ),
            ("[]", "found a list, expected an object"),
        ] {
            let error = serde_yaml::from_str::<BTreeMap<String, serde_json::Value>>(text).unwrap_err();
            let found = yaml_error(&error, text);
            assert!(found.ends_with(words), "{text}: {found}");
        }
        let error = serde_yaml::from_str::<BTreeMap<String, Sample>>("x:\n  number: 1\n").unwrap_err();
        assert_eq!(yaml_error(&error, ""), "line 2, column 3: `x`: the field `list` is missing");
    }
}
