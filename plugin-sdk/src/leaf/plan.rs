//! What has to change in a document for it to say what the map says, the same for every format.
//!
//! Maps are merged key by key and lists item by item, so that what does not change keeps its comments and its writing. Nothing is
//! replaced that would be lost, such as a map by a single value.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::tree::{Shape, Tree, Walker, Way};
use super::{Leaf, whole_number, with_numbers};
use crate::Failure;
use crate::json::{Map, Value};

/// A change, and the leaf that wants it.
#[derive(Debug)]
pub struct Planned<'a, N> {
    /// The first of them, if there are several.
    pub leaf: &'a Leaf<'a>,
    /// The key that leads to the changed place; empty for the root.
    pub key: String,
    /// What to do.
    pub change: Change<'a, N>,
}

/// What to do with a node. No two changes are of one node.
#[derive(Debug)]
pub enum Change<'a, N> {
    /// A single value or a list of them becomes this, and keeps its type and quotes where it can.
    Replace {
        /// The old value.
        node: N,
        /// The new one.
        value: &'a Value,
    },
    /// What has no value, or is a list without items, becomes this.
    Fill {
        /// The empty value.
        node: N,
        /// The new one.
        value: Cow<'a, Value>,
    },
    /// A map gets these entries behind its last one.
    Insert {
        /// The map.
        map: N,
        /// At least one.
        entries: Map,
    },
    /// A list gets more items behind its last one.
    Append {
        /// The list, which has items.
        list: N,
        /// At least one.
        items: Vec<Value>,
    },
    /// A list loses its last items.
    Truncate {
        /// The list.
        list: N,
        /// How many stay.
        keep: usize,
    },
}

impl<N> Planned<'_, N> {
    /// The failure of a change that would lose something.
    #[must_use]
    pub fn clash(&self, found: &str, wanted: &str, line: usize) -> Failure {
        clash(self.leaf, &self.key, found, wanted, line)
    }
}

/// Finds out what has to change, for all leaves. `numbers`: texts that are whole numbers become numbers where there is no value yet.
///
/// # Errors
/// `bad-target` with the line of what would be lost, and of what is no place or several; `bad-map` for two values for one place.
pub fn plan<'a, T: Tree>(
    tree: &T,
    root: T::Node,
    leaves: &'a [Leaf<'a>],
    numbers: bool,
) -> Result<Vec<Planned<'a, T::Node>>, Failure> {
    let walk = |leaf| Walker { tree, root, leaf }.walk();
    let ways = leaves.iter().map(walk).collect::<Result<Vec<_>, _>>()?;
    refuse_conflicts(tree, leaves, &ways)?;
    let mut planner = Planner { tree, numbers, planned: Vec::new(), grown: BTreeMap::new() };
    for (leaf, way) in leaves.iter().zip(&ways) {
        let place = Place { leaf, node: way.end(), key: &way.key() };
        if way.missing.is_empty() {
            planner.merge(place, leaf.value)?;
        } else {
            planner.grow(place, &way.missing, leaf.new_value(numbers))?;
        }
    }
    Ok(planner.planned)
}

/// What a document that has nothing in it becomes.
///
/// # Errors
/// As for [`plan`].
pub fn whole(leaves: &[Leaf<'_>], numbers: bool) -> Result<Map, Failure> {
    match plan(&Empty, (), leaves, numbers)?.pop().map(|planned| planned.change) {
        Some(Change::Fill { value, .. }) => match value.into_owned() {
            Value::Object(map) => Ok(map),
            _ => Ok(Map::new()),
        },
        _ => Ok(Map::new()),
    }
}

/// Different paths may lead to one place, and that shows only in the document.
fn refuse_conflicts<T: Tree>(tree: &T, leaves: &[Leaf<'_>], ways: &[Way<T::Node>]) -> Result<(), Failure> {
    let mut ends = BTreeMap::new();
    for (at, way) in ways.iter().enumerate().filter(|(_, way)| way.missing.is_empty()) {
        if let Some(other) = ends.insert(tree.id(way.end()), at) {
            return Err(same_place(&leaves[other], &leaves[at]));
        }
    }
    for (leaf, way) in leaves.iter().zip(ways) {
        let outer = if way.missing.is_empty() { &way.nodes[..way.nodes.len() - 1] } else { &way.nodes[..] };
        if let Some(&other) = outer.iter().find_map(|&node| ends.get(&tree.id(node))) {
            return Err(same_place(&leaves[other], leaf));
        }
    }
    Ok(())
}

fn same_place(one: &Leaf<'_>, other: &Leaf<'_>) -> Failure {
    let (one, other) = (one.name(), other.name());
    Failure::bad_map(format!("the map's `{one}` and `{other}` give values to the same place"))
        .help("Remove one of them from the map.")
}

fn clash(leaf: &Leaf<'_>, key: &str, found: &str, wanted: &str, line: usize) -> Failure {
    leaf.clash(if key.is_empty() { "the document" } else { key }, found, wanted).line(line)
}

/// Where a leaf's value, or a part of it, goes.
#[derive(Clone, Copy)]
struct Place<'a, 'k, N> {
    leaf: &'a Leaf<'a>,
    node: N,
    key: &'k str,
}

struct Planner<'a, 't, T: Tree> {
    tree: &'t T,
    numbers: bool,
    planned: Vec<Planned<'a, T::Node>>,
    /// The changes that give a node new keys.
    grown: BTreeMap<usize, usize>,
}

impl<'a, T: Tree> Planner<'a, '_, T> {
    /// Plans what makes a node say the value.
    fn merge(&mut self, place: Place<'a, '_, T::Node>, value: &'a Value) -> Result<(), Failure> {
        let node = place.node;
        match (self.tree.shape(node), value) {
            (Shape::Map, Value::Object(map)) => self.merge_map(place, map),
            (Shape::List, Value::Array(items)) => self.merge_list(place, items),
            (Shape::Map | Shape::List | Shape::Documents, _) => Err(self.clash(place, self.wanted(value))),
            _ if self.tree.says(node, value) => Ok(()),
            (Shape::Null, _) => {
                let value = if self.numbers { Cow::Owned(with_numbers(value)) } else { Cow::Borrowed(value) };
                self.add(place, Change::Fill { node, value });
                Ok(())
            }
            (_, Value::Object(_)) => Err(self.clash(place, T::MAP)),
            _ => {
                self.add(place, Change::Replace { node, value });
                Ok(())
            }
        }
    }

    fn merge_map(&mut self, place: Place<'a, '_, T::Node>, map: &'a Map) -> Result<(), Failure> {
        for (key, value) in map.iter() {
            match self.tree.child(place.node, key) {
                Some(node) => self.merge(Place { node, key, ..place }, value)?,
                None => {
                    let value = if self.numbers { with_numbers(value) } else { value.clone() };
                    self.grow(place, &[key.to_owned()], value)?;
                }
            }
        }
        Ok(())
    }

    fn merge_list(&mut self, place: Place<'a, '_, T::Node>, new: &'a [Value]) -> Result<(), Failure> {
        let list = place.node;
        let items = self.tree.items(list);
        if items.is_empty() && !new.is_empty() {
            let items = new.iter().map(|value| self.new_item(None, value)).collect();
            self.add(place, Change::Fill { node: list, value: Cow::Owned(Value::Array(items)) });
            return Ok(());
        }
        for (&node, value) in items.iter().zip(new) {
            self.merge(Place { node, ..place }, value)?;
        }
        if let Some(&last) = items.last().filter(|_| new.len() > items.len()) {
            let items = new[items.len()..].iter().map(|value| self.new_item(Some(last), value)).collect();
            self.add(place, Change::Append { list, items });
        } else if new.len() < items.len() {
            self.add(place, Change::Truncate { list, keep: new.len() });
        }
        Ok(())
    }

    /// A new item has the type of the last one where its text reads as that.
    fn new_item(&self, last: Option<T::Node>, value: &Value) -> Value {
        if self.numbers {
            return with_numbers(value);
        }
        let like = match (last.map(|last| self.tree.shape(last)), value) {
            (Some(Shape::Number), Value::String(text)) => whole_number(text),
            (Some(Shape::Bool), Value::String(text)) => text.parse().ok().map(Value::Bool),
            _ => None,
        };
        like.unwrap_or_else(|| value.clone())
    }

    /// Plans new keys of a map, or of an empty value that becomes one.
    fn grow(&mut self, place: Place<'a, '_, T::Node>, keys: &[String], new: Value) -> Result<(), Failure> {
        let node = place.node;
        let id = self.tree.id(node);
        let shape = self.tree.shape(node);
        if !matches!(shape, Shape::Map | Shape::Null) {
            return Err(self.refuse_keys(place, shape));
        }
        let known = self.grown.get(&id).copied();
        let at = known.unwrap_or_else(|| {
            let change = match shape {
                Shape::Map => Change::Insert { map: node, entries: Map::new() },
                _ => Change::Fill { node, value: Cow::Owned(Value::Object(Map::new())) },
            };
            self.add(place, change);
            self.grown.insert(id, self.planned.len() - 1);
            self.planned.len() - 1
        });
        let Planned { leaf, change, .. } = &mut self.planned[at];
        let entries = match change {
            Change::Insert { entries, .. } => Some(entries),
            Change::Fill { value, .. } => value.to_mut().as_object_mut(),
            _ => None,
        };
        let is_put = entries.is_some_and(|entries| entries.put(keys, new));
        if is_put { Ok(()) } else { Err(same_place(leaf, place.leaf)) }
    }

    fn refuse_keys(&self, place: Place<'a, '_, T::Node>, shape: Shape) -> Failure {
        if shape != Shape::Documents {
            return self.clash(place, T::MAP);
        }
        let documents = self.tree.items(place.node);
        let (name, count) = (place.leaf.name(), documents.len());
        Failure::bad_target(format!("the file has {count} documents, and the map's `{name}` does not say which one it means"))
            .line(documents.get(1).map_or(1, |&second| self.tree.line(second)))
            .help("Begin the key with the document: `[kind=Service,metadata.name=web].spec`, or `[0].spec` for the first one.")
    }

    fn add(&mut self, place: Place<'a, '_, T::Node>, change: Change<'a, T::Node>) {
        self.planned.push(Planned { leaf: place.leaf, key: place.key.to_owned(), change });
    }

    fn clash(&self, place: Place<'a, '_, T::Node>, wanted: &str) -> Failure {
        clash(place.leaf, place.key, self.tree.in_words(place.node), wanted, self.tree.line(place.node))
    }

    fn wanted(&self, value: &Value) -> &'static str {
        match value {
            Value::Object(_) => T::MAP,
            Value::Array(_) => T::LIST,
            _ => "a single value",
        }
    }
}

/// A document with nothing in it.
struct Empty;

impl Tree for Empty {
    type Node = ();

    const MAP: &'static str = "an object";

    fn id(&self, (): ()) -> usize {
        0
    }

    fn shape(&self, (): ()) -> Shape {
        Shape::Null
    }

    fn line(&self, (): ()) -> usize {
        1
    }

    fn child(&self, (): (), _: &str) -> Option<()> {
        None
    }

    fn items(&self, (): ()) -> Cow<'_, [()]> {
        Cow::Borrowed(&[])
    }

    fn text(&self, (): ()) -> Option<Cow<'_, str>> {
        None
    }

    fn says(&self, (): (), _: &Value) -> bool {
        false
    }
}
