//! Planned changes as edits of the text.

use std::ops::Range;

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::edits::Edits;
use portkeeper_plugin_sdk::json::{Map, Value as Json};
use portkeeper_plugin_sdk::leaf::{Change, Planned, Tree};
use portkeeper_plugin_sdk::text;
use portkeeper_plugin_sdk::yaml::{Id, Style, Value, Yaml};

use crate::document::Document;
use crate::layout::{Layout, Place};
use crate::scalar;
use crate::verify::{self, Allowed, Difference};
use crate::write::{self, Quotes};

/// What to put in the place of what.
pub(crate) type Edit = (Range<usize>, String);

/// The edits of all changes, and what they may change of the document.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) edits: Edits,
    pub(crate) allowed: Allowed,
}

/// Where a node stands in the document.
#[derive(Debug, Clone, Copy, Default)]
struct Above {
    /// What it is in.
    parent: Option<Id>,
    /// Its key there.
    key: Option<Id>,
    /// Whether aliases repeat it elsewhere.
    is_repeated: bool,
}

/// Writes changes where they belong.
pub(crate) struct Writer<'a> {
    yaml: &'a Yaml,
    layout: Layout<'a>,
    above: Vec<Above>,
    unit: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(yaml: &'a Yaml, layout: Layout<'a>) -> Self {
        let mut above = vec![Above::default(); yaml.len()];
        for id in 0..yaml.len() {
            match &yaml.node(id).value {
                Value::Text { .. } => {}
                Value::List(items) => items.iter().for_each(|&item| above[item].parent = Some(id)),
                Value::Map(entries) => {
                    for &(key, value) in entries {
                        (above[value].parent, above[value].key) = (Some(id), Some(key));
                    }
                }
                Value::Alias(_) => above[yaml.resolve(id)].is_repeated = true,
            }
        }
        Self { yaml, layout, above, unit: layout.unit() }
    }

    /// The edits of all changes.
    pub(crate) fn write(&self, planned: Vec<Planned<'_, Place>>) -> Result<Changes, Failure> {
        let mut allowed = Allowed::none(self.yaml);
        let mut edits = Edits::default();
        for planned in planned {
            let (place, (range, text), difference) = self.edit(&planned)?;
            self.refuse_what_aliases_repeat(&planned, place.value)?;
            allowed.add(place.value, difference);
            edits.insert(range, text, self.ancestors(place.value).count());
        }
        Ok(Changes { edits, allowed })
    }

    fn edit(&self, planned: &Planned<'_, Place>) -> Result<(Place, Edit, Difference), Failure> {
        Ok(match &planned.change {
            Change::Replace { node, value } => (*node, self.replacement(planned, *node, value)?, Difference::Value),
            Change::Fill { node, value } => (*node, self.filling(planned, *node, value)?, Difference::Value),
            Change::Insert { map, entries } => {
                let keys = entries.keys().map(str::to_owned).collect();
                (*map, self.insertion(planned, *map, entries)?, Difference::Keys(keys))
            }
            Change::Append { list, items } => {
                let length = self.items(*list).len() + items.len();
                (*list, self.appendix(planned, *list, items)?, Difference::Length(length))
            }
            Change::Truncate { list, keep } => {
                (*list, self.truncation(planned, *list, *keep)?, Difference::Length(*keep))
            }
        })
    }

    /// Another value in the place of a single one.
    fn replacement(&self, planned: &Planned<'_, Place>, place: Place, new: &Json) -> Result<Edit, Failure> {
        let node = self.yaml.node(place.value);
        match &node.value {
            Value::Text { text, style } if node.tag.is_none() && *style != Style::Block => {
                Ok((node.span.clone(), scalar::in_place_of(text, *style, new)))
            }
            Value::Text { style: Style::Block, .. } if node.tag.is_none() => {
                Err(self.clash(planned, place, "a value on one line"))
            }
            Value::Text { .. } => Err(self.clash(planned, place, "a value without a tag")),
            _ => Err(self.clash(planned, place, "another value")),
        }
    }

    /// A value in the place of nothing, or of a list without items.
    fn filling(&self, planned: &Planned<'_, Place>, place: Place, new: &Json) -> Result<Edit, Failure> {
        let node = self.yaml.node(place.value);
        let end = self.layout.end_of(place);
        let written = || write::flow(new, Quotes::AsNeeded);
        match (&node.value, new, place.key) {
            (Value::List(_), ..) => Ok((node.span.start..end, written())),
            (_, Json::Object(map), Some(key)) if node.span.is_empty() && !node.in_flow && !map.is_empty() => {
                let indent = self.yaml.node(key).column + self.unit;
                self.lines_below(planned, end, &write::block_entries(new, indent, self.unit))
            }
            _ if node.span.is_empty() => Ok((end..end, format!(" {}", written()))),
            _ => Ok((node.span.clone(), written())),
        }
    }

    /// New entries below the last one of a mapping, or between its braces.
    fn insertion(&self, planned: &Planned<'_, Place>, map: Place, new: &Map) -> Result<Edit, Failure> {
        self.refuse_what_is_merged_in(planned, map, new)?;
        let entries = self.yaml.entries(map.value);
        let (Some(&(first, _)), Some(&(key, value))) = (entries.first(), entries.last()) else {
            return Ok(self.first_in_braces(map, new));
        };
        let first = self.yaml.node(first);
        let end = self.layout.end_of(Place { key: Some(key), value });
        if self.yaml.node(map.value).in_flow {
            let is_json = matches!(first.value, Value::Text { style: Style::Double, .. });
            let quotes = if is_json { Quotes::Always } else { Quotes::AsNeeded };
            return Ok((end..end, format!(", {}", write::flow_entries(new, quotes))));
        }
        let lines = new.iter().flat_map(|(key, value)| write::block_entry(key, value, first.column, self.unit));
        self.lines_below(planned, end, &lines.collect::<Vec<_>>())
    }

    /// Entries in `{}`.
    fn first_in_braces(&self, map: Place, new: &Map) -> Edit {
        let (start, end) = (self.yaml.node(map.value).span.start + 1, self.layout.end_of(map) - 1);
        let is_blank = self.layout.text.get(start..end).is_some_and(|inside| inside.trim().is_empty());
        let place = if is_blank { start..end } else { start..start };
        (place, format!(" {} ", write::flow_entries(new, Quotes::AsNeeded)))
    }

    /// More items, written like the last one.
    fn appendix(&self, planned: &Planned<'_, Place>, list: Place, new: &[Json]) -> Result<Edit, Failure> {
        let Some(&last) = self.items(list).last() else {
            return self.filling(planned, list, &Json::Array(new.to_vec()));
        };
        let node = self.yaml.node(list.value);
        let line = |item: &Json| match (&self.yaml.node(last).value, item) {
            (Value::Text { text, style }, Json::String(_)) if *style != Style::Block => {
                scalar::in_place_of(text, *style, item)
            }
            _ => write::flow(item, Quotes::AsNeeded),
        };
        let end = self.layout.end_of(Place { key: None, value: last });
        if node.in_flow {
            return Ok((end..end, new.iter().map(|item| format!(", {}", line(item))).collect()));
        }
        let is_block = matches!(self.yaml.node(last).value, Value::Map(_)) && !self.yaml.node(last).in_flow;
        let lines = new.iter().flat_map(|item| match item {
            Json::Object(map) if is_block => write::block_item(map, node.column, self.unit),
            _ => vec![format!("{}{}{}", " ".repeat(node.column), write::DASH, line(item))],
        });
        self.lines_below(planned, end, &lines.collect::<Vec<_>>())
    }

    /// A list without its last items.
    fn truncation(&self, planned: &Planned<'_, Place>, list: Place, keep: usize) -> Result<Edit, Failure> {
        let node = self.yaml.node(list.value);
        let items = self.items(list);
        let end_of = |at: usize| self.layout.end_of(Place { key: None, value: items[at] });
        let end = end_of(items.len() - 1);
        let Some(last_kept) = keep.checked_sub(1) else {
            let whole = node.span.start..self.layout.end_of(list);
            return if node.in_flow {
                Ok((whole, "[]".to_owned()))
            } else {
                Err(self.clash(planned, list, "an empty list"))
            };
        };
        let start = end_of(last_kept);
        let text = self.layout.text;
        let lines = |start: usize, end: usize| match (self.layout.next_line(start), self.layout.next_line(end)) {
            (Some(start), Some(end)) => start..end,
            (Some(start), None) => text[..start].trim_end_matches(['\r', '\n']).len()..text.len(),
            _ => start..end,
        };
        if !node.in_flow {
            return Ok((lines(start, end), String::new()));
        }
        // Between brackets whole lines go where the last item is alone on its own.
        let next = self.yaml.node(items[keep]).span.start;
        let rest = text[end..].lines().next().unwrap_or_default().trim_start_matches([',', ' ', '\t']);
        let is_lines = text[start..next].contains('\n') && (rest.is_empty() || rest.starts_with('#'));
        Ok((if is_lines { lines(start, end) } else { start..end }, String::new()))
    }

    fn items(&self, list: Place) -> &[Id] {
        match &self.yaml.node(list.value).value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    fn lines_below(&self, planned: &Planned<'_, Place>, at: usize, lines: &[String]) -> Result<Edit, Failure> {
        let line = || text::line_of(self.layout.text, at);
        let edit = self.layout.lines_below(at, lines);
        edit.ok_or_else(|| verify::not_possible(&planned.leaf.name()).line(line()))
    }

    /// The node, and what it is in, from the inside out.
    fn ancestors(&self, id: Id) -> impl Iterator<Item = Id> {
        std::iter::successors(Some(id), |&id| self.above[id].parent)
    }

    /// What aliases repeat would change elsewhere as well, with all that is in it.
    fn refuse_what_aliases_repeat(&self, planned: &Planned<'_, Place>, id: Id) -> Result<(), Failure> {
        let repeated = self.ancestors(id).filter(|&id| self.above[id].is_repeated).last();
        let Some(id) = repeated else { return Ok(()) };
        let key = self.above[id].key.and_then(|key| self.yaml.text(key)).unwrap_or(&planned.key);
        let name = planned.leaf.name();
        Err(Failure::bad_target(format!(
            "`{key}` cannot be changed for the map's `{name}`: aliases repeat it elsewhere"
        ))
        .line(self.yaml.node(id).line)
        .help("Write the value out in the places that shall have their own, or change the map."))
    }

    /// A new mapping would hide the one of that name that `<<` merges in.
    fn refuse_what_is_merged_in(&self, planned: &Planned<'_, Place>, map: Place, new: &Map) -> Result<(), Failure> {
        let mut merged = new.iter().filter(|(_, value)| matches!(value, Json::Object(_)));
        let found = merged.find_map(|(key, _)| Some((key, self.yaml.get(map.value, key)?)));
        let Some((key, id)) = found else { return Ok(()) };
        let place = Place { key: None, value: id };
        let found = Document::new(self.yaml).in_words(place);
        let clash = planned.leaf.clash(key, found, "a mapping of its own: it comes in through `<<`");
        Err(clash.line(self.yaml.node(id).line))
    }

    fn clash(&self, planned: &Planned<'_, Place>, place: Place, wanted: &str) -> Failure {
        let line = text::line_of(self.layout.text, self.yaml.node(place.value).span.start);
        planned.clash(Document::new(self.yaml).in_words(place), wanted, line)
    }
}
