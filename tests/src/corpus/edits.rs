//! The edits that a file gets: what its users would change, at places that the file itself has.

use serde_json::{Value, json};

use super::tree::{ITEM, NO_PATH, Syntax, Tree};

/// As many of each kind.
const OF_EACH: usize = 2;

/// Text that a new value has.
const TEXT: &str = "portkeeper: x # y";

/// A path with its new value, and what has to be read there.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    pub(super) kind: &'static str,
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    pub(super) reads: Tree,
}

impl Edit {
    fn new(kind: &'static str, path: Vec<String>, text: &str, reads: Tree) -> Self {
        Self { kind, path, value: json!(text), reads }
    }

    /// The edit as a `map`: nested, so that no dot in a key separates anything, but for an item, which is a part of its list's key.
    pub(super) fn map(&self) -> serde_json::Map<String, Value> {
        let mut keys: Vec<String> = Vec::new();
        for step in &self.path {
            match (step.strip_prefix(ITEM), keys.last_mut()) {
                (Some(index), Some(list)) => *list += &format!("[{index}]"),
                (Some(index), None) => keys.push(format!("[{index}]")),
                (None, _) => keys.push(escaped(step)),
            }
        }
        let nested = keys.iter().rev().fold(self.value.clone(), |inner, key| json!({ key: inner }));
        nested.as_object().cloned().unwrap_or_default()
    }

    /// What the document says with it; none when there is no such place.
    pub(super) fn applied(&self, tree: &Tree) -> Option<Tree> {
        let mut tree = tree.clone();
        let mut here = &mut tree;
        let mut missing = &self.path[..];
        while let Some((key, rest)) = missing.split_first() {
            let entries = match (here, key.strip_prefix(ITEM)) {
                (Tree::List(items), Some(index)) => {
                    (here, missing) = (items.get_mut(index.parse::<usize>().ok()?)?, rest);
                    continue;
                }
                (Tree::Map(entries), None) => entries,
                _ => return None,
            };
            let at = entries.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
                entries.push((key.clone(), Tree::Map(Vec::new())));
                entries.len() - 1
            });
            (here, missing) = (&mut entries[at].1, rest);
        }
        *here = self.reads.clone();
        Some(tree)
    }
}

/// The edits of a document, a mapping.
pub(super) fn edits(syntax: Syntax, tree: &Tree) -> Vec<Edit> {
    let mut leaves = Vec::new();
    let mut maps = Vec::new();
    collect(tree, &mut Vec::new(), &mut leaves, &mut maps);
    let mut edits = Vec::new();
    let numbers = leaves.iter().filter(|(_, leaf)| matches!(leaf, Tree::Number(text) if text.parse::<i64>().is_ok()));
    edits.extend(
        spread(numbers.collect())
            .into_iter()
            .map(|(path, _)| Edit::new("number", path.clone(), "18431", Tree::Number("18431".to_owned()))),
    );
    let texts = leaves.iter().filter(|(_, leaf)| matches!(leaf, Tree::Text(_)));
    edits.extend(
        spread(texts.collect())
            .into_iter()
            .map(|(path, _)| Edit::new("text", path.clone(), TEXT, Tree::Text(TEXT.to_owned()))),
    );
    let truths = leaves
        .iter()
        .filter_map(|(path, leaf)| Some((path, if let Tree::Bool(value) = leaf { value } else { return None })));
    edits.extend(
        spread(truths.collect())
            .into_iter()
            .map(|(path, value)| Edit::new("truth value", path.clone(), &(!value).to_string(), Tree::Bool(!value))),
    );
    let added = |path: &[String], keys: &[&str]| {
        [path, &keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()[..]].concat()
    };
    let text = Tree::Text("18431".to_owned());
    edits.push(Edit::new("new key", added(&[], &["portkeeper_new"]), "18431", text.clone()));
    if !syntax.has_types() {
        return edits;
    }
    edits.push(Edit::new("new nested key", added(&[], &["portkeeper_new", "a", "b"]), "18431", text.clone()));
    let inner: Vec<_> = maps.iter().filter(|path| !path.is_empty()).collect();
    edits.extend(
        spread(inner)
            .into_iter()
            .map(|path| Edit::new("new key in a mapping", added(path, &["portkeeper_new"]), "18431", text.clone())),
    );
    let is_item = |(path, _): &&Leaf| path.iter().any(|step| step.starts_with(ITEM));
    let is_number = |leaf: &Tree| matches!(leaf, Tree::Number(text) if text.parse::<i64>().is_ok());
    let numbers = leaves.iter().filter(is_item).filter(|(_, leaf)| is_number(leaf));
    edits.extend(
        spread(numbers.collect())
            .into_iter()
            .map(|(path, _)| Edit::new("number in a list", path.clone(), "18431", Tree::Number("18431".to_owned()))),
    );
    let texts = leaves.iter().filter(is_item).filter(|(_, leaf)| matches!(leaf, Tree::Text(_)));
    edits.extend(
        spread(texts.collect())
            .into_iter()
            .map(|(path, _)| Edit::new("text in a list", path.clone(), TEXT, Tree::Text(TEXT.to_owned()))),
    );
    edits
}

/// A key that has to be read as one part of a path.
fn escaped(key: &str) -> String {
    let mut escaped = String::with_capacity(key.len());
    for c in key.chars() {
        if matches!(c, '\\' | '.' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The first and the last: what stands at a file's ends differs most.
fn spread<T>(all: Vec<T>) -> Vec<T> {
    let last = all.len().saturating_sub(OF_EACH - 1);
    all.into_iter().enumerate().filter(|(index, _)| *index == 0 || *index >= last).map(|(_, one)| one).collect()
}

type Leaf = (Vec<String>, Tree);

fn collect(tree: &Tree, path: &mut Vec<String>, leaves: &mut Vec<Leaf>, maps: &mut Vec<Vec<String>>) {
    let entries = match tree {
        Tree::Map(entries) => entries,
        Tree::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(format!("{ITEM}{index}"));
                collect(item, path, leaves, maps);
                path.pop();
            }
            return;
        }
        _ => {
            if !path.is_empty() {
                leaves.push((path.clone(), tree.clone()));
            }
            return;
        }
    };
    maps.push(path.clone());
    for (key, value) in entries.iter().filter(|(key, _)| !key.is_empty() && !key.starts_with(NO_PATH) && key != "<<") {
        path.push(key.clone());
        collect(value, path, leaves, maps);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_lists_are_edited_by_their_index() {
        let read = |text: &str| Syntax::Json.read(text).unwrap();
        let tree = read(r#"{"a.b": [1, {"[c]": "x"}], "d": [[2]]}"#);
        let edits = edits(Syntax::Json, &tree);
        let of = |kind: &str| edits.iter().filter(|edit| edit.kind == kind).collect::<Vec<_>>();
        let [text] = of("text in a list")[..] else { panic!("{edits:?}") };
        assert_eq!(json!(text.map()), json!({ "a\\.b[1]": { "\\[c\\]": TEXT } }));
        let expected = read(&format!("{{\"a.b\": [1, {{\"[c]\": \"{TEXT}\"}}], \"d\": [[2]]}}"));
        assert_eq!(text.applied(&tree), Some(expected));
        let numbers: Vec<_> = of("number in a list").iter().map(|edit| json!(edit.map())).collect();
        assert_eq!(numbers, [json!({ "a\\.b[0]": "18431" }), json!({ "d[0][0]": "18431" })]);
    }
}
