//! What to change in a document for one leaf of the map.

use std::ops::Range;

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::json::Value as Json;
use portkeeper_plugin_sdk::leaf::{Leaf, Walk, nested};
use portkeeper_plugin_sdk::text;
use portkeeper_plugin_sdk::yaml::{Id, Style, Value, Yaml};

use crate::layout::{INDENT, Layout, Place};
use crate::scalar;
use crate::verify;
use crate::write::{self, Quotes};

/// The text with the leaf's value at its place. `numbers`: new whole numbers are written as numbers.
pub(crate) fn set(mut text: String, leaf: &Leaf<'_>, numbers: bool) -> Result<String, Failure> {
    // A list takes an edit for each item that differs, all else one. The round after the last finds nothing more to do.
    let most = leaf.value.as_array().map_or(1, <[Json]>::len).max(1);
    for _ in 0..=most {
        let yaml = read(&text)?;
        let layout = Layout { yaml: &yaml, text: &text };
        let editor = Editor { yaml: &yaml, layout, leaf, numbers };
        let Some(edit) = editor.edit()? else { return Ok(text) };
        let mut new = text.clone();
        new.replace_range(edit.place, &edit.text);
        verify::says_the_same(&yaml, &new, &edit.path)?;
        text = new;
    }
    Err(verify::not_possible(&leaf.name()))
}

fn read(text: &str) -> Result<Yaml, Failure> {
    Yaml::parse(text).map_err(|error| {
        Failure::bad_target(format!("this cannot be read as YAML: {}", error.message))
            .line(error.line)
            .help("Nothing in the file was changed. Mend it first; a file with several documents cannot be edited.")
    })
}

/// What to put in the place of what, and the keys that lead to what changes.
struct Edit {
    place: Range<usize>,
    text: String,
    path: Vec<String>,
}

struct Editor<'a> {
    yaml: &'a Yaml,
    layout: Layout<'a>,
    leaf: &'a Leaf<'a>,
    numbers: bool,
}

impl Editor<'_> {
    fn edit(&self) -> Result<Option<Edit>, Failure> {
        let Some(root) = self.yaml.root().filter(|&root| !self.yaml.is_null(root)) else {
            return self.first_entries().map(Some);
        };
        let walk = self.leaf.walk(Place { key: None, value: root }, |place, key| self.child(place, key));
        let id = walk.node.value;
        let edit = match &self.yaml.node(id).value {
            Value::Map(entries) if !walk.missing.is_empty() => self.insertion(&walk, entries).map(Some),
            _ if !walk.missing.is_empty() && self.yaml.is_null(id) => self.filling(&walk).map(Some),
            _ if !walk.missing.is_empty() => Err(self.clash(id, walk.key(), "a mapping")),
            _ => self.replacement(&walk, walk.node, self.leaf.value),
        }?;
        if edit.is_some() {
            self.refuse_what_others_see(root, &walk)?;
        }
        Ok(edit)
    }

    fn child(&self, place: Place, key: &str) -> Option<Place> {
        // Not through aliases: what they stand for is somebody else's as well.
        let Value::Map(entries) = &self.yaml.node(place.value).value else { return None };
        let entry = entries.iter().rfind(|&&(name, _)| self.yaml.text(name) == Some(key));
        entry.map(|&(key, value)| Place { key: Some(key), value })
    }

    /// The edit that gives a place another value; none when it has that already.
    fn replacement(&self, walk: &Walk<Place>, place: Place, new: &Json) -> Result<Option<Edit>, Failure> {
        let (id, key) = (place.value, walk.key());
        if scalar::says(self.yaml, id, new) {
            return Ok(None);
        }
        let node = self.yaml.node(id);
        let edit = |place, text| Ok(Some(Edit { place, text, path: walk.found.clone() }));
        match (&node.value, new) {
            (Value::Map(_), Json::Object(_)) if !walk.found.is_empty() && new == self.leaf.value => Ok(None),
            (Value::Map(_), _) => Err(self.clash(id, key, "a single value")),
            (Value::Alias(_), _) => Err(self.clash(id, key, "another value")),
            (Value::List(items), Json::Array(new)) if items.len() == new.len() => {
                let differing = items.iter().zip(new).find(|&(&item, new)| !scalar::says(self.yaml, item, new));
                let item = |(&value, new)| self.replacement(walk, Place { key: None, value }, new);
                differing.map_or(Ok(None), item)
            }
            (Value::List(_), Json::Array(_)) if node.in_flow => {
                edit(node.span.start..self.layout.end_of(place), write::flow(new, Quotes::AsNeeded))
            }
            (Value::List(_), Json::Array(_)) => Err(self.clash(id, key, "a list of another length")),
            (Value::List(_), _) => Err(self.clash(id, key, "a single value")),
            (Value::Text { .. }, Json::Object(_)) if !self.yaml.is_null(id) => Err(self.clash(id, key, "a mapping")),
            (Value::Text { text, style }, _) => {
                if node.tag.is_some() {
                    return Err(self.clash(id, key, "a value without a tag"));
                }
                if *style == Style::Block {
                    return Err(self.clash(id, key, "a value on one line"));
                }
                if node.span.is_empty() {
                    let at = self.layout.end_of(place);
                    let new = if new == self.leaf.value { &self.leaf.new_value(self.numbers) } else { new };
                    return edit(at..at, format!(" {}", write::flow(new, Quotes::AsNeeded)));
                }
                edit(node.span.clone(), scalar::in_place_of(text, *style, new))
            }
        }
    }

    /// The edit that adds an entry to a mapping.
    fn insertion(&self, walk: &Walk<Place>, entries: &[(Id, Id)]) -> Result<Edit, Failure> {
        let id = walk.node.value;
        let Some((name, inner)) = walk.missing.split_first() else {
            return Err(verify::not_possible(&self.leaf.name()));
        };
        if let Some(merged) = self.yaml.get(id, name).filter(|_| !inner.is_empty()) {
            return Err(self.clash(merged, name, "a mapping of its own: it comes in through `<<`"));
        }
        let mut path = walk.found.clone();
        path.push(name.clone());
        let value = nested(inner, self.leaf.new_value(self.numbers));
        let (place, text) = match (entries.first(), entries.last()) {
            (Some(&(first, _)), Some(&(key, value_of_last))) => {
                let end = self.layout.end_of(Place { key: Some(key), value: value_of_last });
                if self.yaml.node(id).in_flow {
                    let is_json = matches!(self.yaml.node(first).value, Value::Text { style: Style::Double, .. });
                    let quotes = if is_json { Quotes::Always } else { Quotes::AsNeeded };
                    (end..end, format!(", {}", write::flow_entry(name, &value, quotes)))
                } else {
                    let indent = self.yaml.node(first).column;
                    self.lines_below(end, &write::block_entry(name, &value, indent, self.layout.unit()))?
                }
            }
            // Only braces have nothing in them.
            _ => {
                let (start, end) = (self.yaml.node(id).span.start + 1, self.layout.end_of(walk.node) - 1);
                let is_blank = self.layout.text.get(start..end).is_some_and(|inside| inside.trim().is_empty());
                let place = if is_blank { start..end } else { start..start };
                (place, format!(" {} ", write::flow_entry(name, &value, Quotes::AsNeeded)))
            }
        };
        Ok(Edit { place, text, path })
    }

    /// The edit that makes a mapping of an empty value: `server:`.
    fn filling(&self, walk: &Walk<Place>) -> Result<Edit, Failure> {
        let id = walk.node.value;
        let node = self.yaml.node(id);
        let value = nested(&walk.missing, self.leaf.new_value(self.numbers));
        let end = self.layout.end_of(walk.node);
        let (place, text) = match walk.node.key {
            Some(key) if node.span.is_empty() && !node.in_flow => {
                let indent = self.yaml.node(key).column + self.layout.unit();
                self.lines_below(end, &write::block_entries(&value, indent, self.layout.unit()))?
            }
            _ if node.span.is_empty() => (end..end, format!(" {}", write::flow(&value, Quotes::AsNeeded))),
            _ => (node.span.clone(), write::flow(&value, Quotes::AsNeeded)),
        };
        Ok(Edit { place, text, path: walk.found.clone() })
    }

    /// The edit that puts the first entries into a document that has nothing but comments and markers.
    fn first_entries(&self) -> Result<Edit, Failure> {
        let walk = self.leaf.walk((), |(), _| None);
        let value = nested(&walk.missing, self.leaf.new_value(self.numbers));
        let (place, text) = self.lines_below(self.layout.text.len(), &write::block_entries(&value, 0, INDENT))?;
        Ok(Edit { place, text, path: walk.missing.into_iter().take(1).collect() })
    }

    fn lines_below(&self, at: usize, lines: &[String]) -> Result<(Range<usize>, String), Failure> {
        let line = || text::line_of(self.layout.text, at);
        self.layout.lines_below(at, lines).ok_or_else(|| verify::not_possible(&self.leaf.name()).line(line()))
    }

    /// What aliases repeat would change elsewhere as well, with all that is in it.
    fn refuse_what_others_see(&self, root: Id, walk: &Walk<Place>) -> Result<(), Failure> {
        let mut place = Place { key: None, value: root };
        for key in &walk.found {
            place = self.child(place, key).unwrap_or(place);
            if self.yaml.is_aliased(place.value) {
                let name = self.leaf.name();
                let message = format!("`{key}` cannot be changed for the map's `{name}`: aliases repeat it elsewhere");
                return Err(Failure::bad_target(message)
                    .line(self.yaml.node(place.value).line)
                    .help("Write the value out in the places that shall have their own, or change the map."));
            }
        }
        Ok(())
    }

    fn clash(&self, id: Id, key: &str, wanted: &str) -> Failure {
        let node = self.yaml.node(id);
        let found = match &node.value {
            _ if node.tag.is_some() => "a value with a tag",
            Value::Text { style: Style::Block, .. } => "a block of text",
            Value::Text { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Alias(_) => "an alias",
        };
        let (key, found) = if key.is_empty() { ("the document", found) } else { (key, found) };
        self.leaf.clash(key, found, wanted).line(text::line_of(self.layout.text, node.span.start))
    }
}
