//! How a place is written: `servers[0].url`, `configurations[name=Launch].port`.
//!
//! Dots separate parts. A part is a key, and selectors of items in brackets behind it, or instead of it: an index, or fields and what they
//! say. What stands in brackets and is neither belongs to the key, as in `[python]`. A backslash takes the meaning from a dot, a bracket
//! and a backslash, and inside of brackets from a comma and an equals sign.

use crate::Failure;

/// What stands between two dots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// All of it, as a key that a document may have.
    pub(super) text: String,
    /// What stands before the selectors; empty for the node itself.
    pub(super) key: String,
    /// From the outside in.
    pub(super) selectors: Vec<Selector>,
}

/// Which item of a list is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selector {
    /// Counted from 0.
    Index(String),
    /// The only one whose fields say this.
    Fields(Vec<Field>),
}

/// `metadata.name=web`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) path: Vec<String>,
    pub(super) value: String,
}

/// A character, and whether a backslash took its meaning.
type Token = (char, bool);

/// The parts of a key of the map.
pub(super) fn parts(key: &str) -> Result<Vec<Part>, Failure> {
    let tokens = tokens(key);
    let mut parts = vec![Part::default()];
    let mut at = 0;
    while let Some(&token) = tokens.get(at) {
        let last = parts.len() - 1;
        at += 1;
        match token {
            ('.', false) => parts.push(Part::default()),
            ('[', false) => match selector(&tokens[at..]) {
                Some((selector, length)) => {
                    parts[last].text.push('[');
                    parts[last].text.extend(tokens[at..at + length].iter().map(|(c, _)| c));
                    parts[last].selectors.push(selector);
                    at += length;
                }
                None => parts[last].push('['),
            },
            // Outside of brackets these two have no meaning to lose.
            (c @ (',' | '='), true) => {
                parts[last].push('\\');
                parts[last].push(c);
            }
            (c, _) => parts[last].push(c),
        }
    }
    if parts.iter().any(|part| part.text.is_empty()) {
        return Err(Failure::bad_map(format!("the map's key `{key}` has an empty part"))
            .help("A dot separates the keys of a path. Write `\\.` for a dot that is part of a key."));
    }
    Ok(parts)
}

/// Whether a part can be the index of an item: digits as people write numbers.
pub(super) fn is_index(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0')) && !text.is_empty()
}

impl Part {
    fn push(&mut self, c: char) {
        // Text behind brackets: the whole part is a key.
        if !self.selectors.is_empty() {
            self.selectors.clear();
            self.key.clone_from(&self.text);
        }
        self.text.push(c);
        self.key.push(c);
    }

    /// The steps that the part takes, the same for every way to write them.
    pub(super) fn steps(&self) -> impl Iterator<Item = String> {
        let keys = if self.key.is_empty() { Vec::new() } else { self.key.split('.').map(str::to_owned).collect() };
        keys.into_iter().chain(self.selectors.iter().map(ToString::to_string))
    }
}

/// As in a path, an index without its brackets.
impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(index) => f.write_str(index),
            Self::Fields(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|field| format!("{}={}", field.path.join("."), field.value)).collect();
                write!(f, "[{}]", fields.join(","))
            }
        }
    }
}

fn tokens(key: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(key.len());
    let mut chars = key.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped =
            if c == '\\' { chars.next_if(|next| matches!(next, '.' | '\\' | '[' | ']' | ',' | '=')) } else { None };
        tokens.push(escaped.map_or((c, false), |escaped| (escaped, true)));
    }
    tokens
}

/// The selector behind an open bracket, and how many tokens it and the closing bracket take.
fn selector(tokens: &[Token]) -> Option<(Selector, usize)> {
    let close = tokens.iter().position(|&token| token == (']', false))?;
    if !matches!(tokens.get(close + 1), None | Some(('.' | '[', false))) {
        return None;
    }
    let inside = &tokens[..close];
    let index = text(inside);
    let selector = if is_index(&index) {
        Selector::Index(index)
    } else {
        Selector::Fields(inside.split(|&token| token == (',', false)).map(field).collect::<Option<_>>()?)
    };
    Some((selector, close + 1))
}

fn field(tokens: &[Token]) -> Option<Field> {
    let equals = tokens.iter().position(|&token| token == ('=', false))?;
    let path = tokens[..equals].split(|&token| token == ('.', false)).map(text).collect::<Vec<_>>();
    let is_whole = path.iter().all(|key| !key.is_empty());
    is_whole.then(|| Field { path, value: text(&tokens[equals + 1..]) })
}

/// The characters without blanks around them.
fn text(tokens: &[Token]) -> String {
    tokens.iter().map(|(c, _)| c).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each part as its key and its selectors.
    fn read(key: &str) -> Vec<(String, Vec<String>)> {
        let show = |part: Part| (part.key, part.selectors.iter().map(ToString::to_string).collect());
        parts(key).unwrap().into_iter().map(show).collect()
    }

    fn part(key: &str, selectors: &[&str]) -> (String, Vec<String>) {
        (key.to_owned(), selectors.iter().map(|&selector| selector.to_owned()).collect())
    }

    #[test]
    fn items_are_named_by_index_and_by_fields() {
        assert_eq!(read("a[0].b"), [part("a", &["0"]), part("b", &[])]);
        assert_eq!(read("a[1][20]"), [part("a", &["1", "20"])]);
        assert_eq!(read("a.[0].b"), [part("a", &[]), part("", &["0"]), part("b", &[])]);
        assert_eq!(read("a[x.y=http://h:1/?q=1, n = b c]"), [part("a", &["[x.y=http://h:1/?q=1,n=b c]"])]);
        assert_eq!(read("a[n=x\\]\\,\\.].p"), [part("a", &["[n=x],.]"]), part("p", &[])]);
        let Selector::Fields(fields) = &parts("[a\\.b.c=1.5]").unwrap()[0].selectors[0] else { panic!("no fields") };
        assert_eq!((&fields[0].path[..], &fields[0].value[..]), (&["a.b".to_owned(), "c".to_owned()][..], "1.5"));
    }

    #[test]
    fn other_brackets_belong_to_the_key() {
        for key in [
            "[python]", "a[", "a]", "a[]", "a[0]b", "a[00]", "a[0][b]", "a[=x]", "a[x,y=1]", "a[n=[1]]", "a,b=c",
            "a\\=b",
        ] {
            assert_eq!(read(key), [part(key, &[])], "{key}");
        }
        assert_eq!(read("a\\[0\\].b"), [part("a[0]", &[]), part("b", &[])]);
        assert_eq!(read("a\\.b\\\\.c\\d"), [part("a.b\\", &[]), part("c\\d", &[])]);
    }
}
