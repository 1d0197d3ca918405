//! What a document says, by readers of other people: the same tree for each syntax.

use std::path::Path;

use serde_yaml::Value as Yaml;

/// A syntax, which a built-in format edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Lines of `KEY=value`.
    Env,
    /// JSON, and JSON with comments.
    Json,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

/// What a key that is no text begins with.
pub(super) const NO_PATH: char = '\0';

/// What a step of a path begins with that is the index of an item.
pub(super) const ITEM: char = '\u{1}';

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Map(Vec<(String, Tree)>),
    List(Vec<Tree>),
    Text(String),
    /// As its reader writes it.
    Number(String),
    Bool(bool),
    /// Nothing, a date, or a value with a tag.
    Other(String),
}

impl Syntax {
    /// The syntax of a `type`.
    #[must_use]
    pub fn of_type(name: &str) -> Option<Self> {
        [Self::Env, Self::Json, Self::Toml, Self::Yaml].into_iter().find(|syntax| syntax.format() == name)
    }

    /// The `type` of its format.
    #[must_use]
    pub const fn format(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::Json => "json",
            Self::Toml => "toml",
            Self::Yaml => "yaml",
        }
    }

    /// Whether a value can be a number or a mapping, not only text.
    pub(super) const fn has_types(self) -> bool {
        !matches!(self, Self::Env)
    }

    /// Whether the text has other values that repeat the one at the path, as `${KEY}`: they change with it.
    pub(super) fn repeats(self, text: &str, path: &[String]) -> bool {
        let repeats = |key: &String| [format!("${key}"), format!("${{{key}")].iter().any(|name| text.contains(name));
        self == Self::Env && path.iter().any(repeats)
    }

    /// Whether files with this name usually are in the syntax.
    pub(super) fn is_usual(self, path: &Path) -> bool {
        if self == Self::Env {
            let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
            return name.is_some_and(|name| name.starts_with(".env") || name.ends_with(".env"));
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let usual: &[&str] = match self {
            Self::Env => &[],
            Self::Json => &["json", "jsonc", "code-workspace"],
            Self::Toml => &["toml"],
            Self::Yaml => &["yaml", "yml"],
        };
        extension.is_some_and(|extension| usual.contains(&extension.as_str()))
    }

    /// What the text says; none when its reader refuses it.
    pub(super) fn read(self, text: &str) -> Option<Tree> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self {
            Self::Env => env(text),
            Self::Json => json(&serde_json::from_str(&without_comments(text)).ok()?).into(),
            Self::Toml => Some(toml(&::toml::Value::Table(text.parse().ok()?))),
            Self::Yaml => Some(yaml(&serde_yaml::from_str(text).ok()?)),
        }
    }
}

impl Tree {
    pub(super) fn get_mut(&mut self, path: &[String]) -> Option<&mut Self> {
        let Some((key, rest)) = path.split_first() else { return Some(self) };
        match (self, key.strip_prefix(ITEM)) {
            (Self::Map(entries), None) => entries.iter_mut().find(|(name, _)| name == key)?.1.get_mut(rest),
            (Self::List(items), Some(index)) => items.get_mut(index.parse::<usize>().ok()?)?.get_mut(rest),
            _ => None,
        }
    }

    /// The same without regard to the order of keys.
    pub(super) fn sorted(mut self) -> Self {
        match &mut self {
            Self::Map(entries) => {
                for (_, value) in entries.iter_mut() {
                    *value = std::mem::replace(value, Self::Bool(false)).sorted();
                }
                entries.sort_by(|one, other| one.0.cmp(&other.0));
            }
            Self::List(items) => {
                for item in items {
                    *item = std::mem::replace(item, Self::Bool(false)).sorted();
                }
            }
            _ => {}
        }
        self
    }
}

/// The last of several lines with one key counts.
fn env(text: &str) -> Option<Tree> {
    let pairs: Result<Vec<_>, _> = dotenvy::from_read_iter(text.as_bytes()).collect();
    let mut entries: Vec<(String, Tree)> = Vec::new();
    for (key, value) in pairs.ok()? {
        entries.retain(|(known, _)| *known != key);
        entries.push((key, Tree::Text(value)));
    }
    Some(Tree::Map(entries))
}

fn json(value: &serde_json::Value) -> Tree {
    use serde_json::Value;
    match value {
        Value::Null => Tree::Other(String::new()),
        Value::Bool(value) => Tree::Bool(*value),
        Value::Number(number) => Tree::Number(number.to_string()),
        Value::String(text) => Tree::Text(text.clone()),
        Value::Array(items) => Tree::List(items.iter().map(json).collect()),
        Value::Object(map) => Tree::Map(map.iter().map(|(key, value)| (key.clone(), json(value))).collect()),
    }
}

fn toml(value: &::toml::Value) -> Tree {
    use ::toml::Value;
    match value {
        Value::String(text) => Tree::Text(text.clone()),
        Value::Integer(number) => Tree::Number(number.to_string()),
        Value::Float(number) => Tree::Number(number.to_string()),
        Value::Boolean(value) => Tree::Bool(*value),
        Value::Datetime(date) => Tree::Other(date.to_string()),
        Value::Array(items) => Tree::List(items.iter().map(toml).collect()),
        Value::Table(table) => Tree::Map(table.iter().map(|(key, value)| (key.clone(), toml(value))).collect()),
    }
}

fn yaml(value: &Yaml) -> Tree {
    // A key that is no text has no path. It only has to look the same before and after.
    let key = |key: &Yaml| key.as_str().map_or_else(|| format!("{NO_PATH}{key:?}"), str::to_owned);
    match value {
        Yaml::Null => Tree::Other(String::new()),
        Yaml::Bool(value) => Tree::Bool(*value),
        Yaml::Number(number) => Tree::Number(number.to_string()),
        Yaml::String(text) => Tree::Text(text.clone()),
        Yaml::Sequence(items) => Tree::List(items.iter().map(yaml).collect()),
        Yaml::Mapping(map) => Tree::Map(map.iter().map(|(name, value)| (key(name), yaml(value))).collect()),
        Yaml::Tagged(tagged) => Tree::Other(format!("{tagged:?}")),
    }
}

/// JSON without comments and trailing commas.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                out.push(c);
                while let Some(c) = chars.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|&c| c != '\n').is_some() {},
            '/' if chars.peek() == Some(&'*') => {
                let mut last = chars.next();
                for c in chars.by_ref() {
                    if last == Some('*') && c == '/' {
                        break;
                    }
                    last = Some(c);
                }
            }
            ']' | '}' => {
                let kept = out.trim_end();
                if kept.ends_with(',') {
                    out.truncate(kept.len() - 1);
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_another_one_repeats_is_known() {
        let text = "A=1\nB=${A}x\nC=$B\n";
        let repeated = ["A", "B", "C"].map(|key| Syntax::Env.repeats(text, &[key.to_owned()]));
        assert_eq!(repeated, [true, true, false]);
        assert_eq!(
            Syntax::Env.read("A=1\nA='2'\n"),
            Some(Tree::Map(vec![("A".to_owned(), Tree::Text("2".to_owned()))]))
        );
    }

    #[test]
    fn readers_give_the_same_tree() {
        let tree = Syntax::Json.read("{ // c\n\"a\": {\"b\": [1, true, \"x // y\"],}, /* d */ }").unwrap();
        assert_eq!(Syntax::Toml.read("[a]\nb = [1, true, 'x // y']\n").unwrap(), tree);
        assert_eq!(Syntax::Yaml.read("a:\n  b: [1, true, x // y]\n").unwrap(), tree);
        assert_eq!(Syntax::Json.read("{"), None);
    }
}
