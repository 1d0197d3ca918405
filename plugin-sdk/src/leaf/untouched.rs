//! What was written is read again: the document says what the map says, and all else is what it was.
//!
//! The rest is compared by a hash of its keys and texts, so that the old document need not lie beside the new one.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::tree::Walker;
use super::{Change, Leaf, Planned, Shape, Tree, plan};
use crate::Failure;

/// A document whose nodes know where they stand.
pub trait Spans: Tree {
    /// The text that the document was read from.
    fn whole(&self) -> &str;

    /// The bytes that a node takes in it; of a map or list at least some of them.
    fn span(&self, node: Self::Node) -> Range<usize>;

    /// The keys and values of a map, all of them; nothing for another node.
    fn entries(&self, node: Self::Node) -> impl Iterator<Item = (Cow<'_, str>, Self::Node)>;
}

/// What a document says beyond what is about to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest(Option<u64>);

impl Rest {
    /// Reads it from a document before the planned changes are made. `places` are those in its text, in their order.
    #[must_use]
    pub fn before<T: Spans>(
        tree: &T,
        root: T::Node,
        planned: &[Planned<'_, T::Node>],
        places: Vec<Range<usize>>,
    ) -> Self {
        let grown = planned.iter().filter_map(|planned| match planned.change {
            Change::Insert { map, .. } => Some(tree.id(map)),
            Change::Fill { node, .. } => Some(tree.id(node)),
            _ => None,
        });
        Self(Print { tree, places, grown: grown.collect() }.node(root))
    }

    /// Demands that the new document has the same rest and says what the map says. `places` are those in its text, in their order.
    ///
    /// # Errors
    /// `bad-target` for a document that cannot be changed without changing something else, and `bad-map` for a path that would find
    /// nothing the next time, because the map changes what it selects by.
    pub fn check<T: Spans>(
        self,
        tree: &T,
        root: T::Node,
        leaves: &[Leaf<'_>],
        places: Vec<Range<usize>>,
    ) -> Result<(), Failure> {
        let rest = Self(Print { tree, places, grown: BTreeSet::new() }.node(root));
        found_again(tree, root, leaves)?;
        let open = plan(tree, root, leaves, false)?;
        match open.first() {
            Some(planned) => Err(not_possible(&planned.leaf.name())),
            None if rest != self => Err(not_possible(&leaves.first().map(Leaf::name).unwrap_or_default())),
            None => Ok(()),
        }
    }
}

/// The refusal of changes that would change more than they should.
#[must_use]
pub fn not_possible(name: &str) -> Failure {
    Failure::bad_target(format!("`{name}` cannot be put into this file without changing what else it says"))
        .help("Write the key yourself once, on a line of its own; portkeeper then keeps its value up to date.")
}

/// Demands that the changed document has all places of the leaves. What a path found before and does not find now, the map itself has
/// changed.
///
/// # Errors
/// `bad-map`, because the next run would fail.
pub fn found_again<T: Tree>(tree: &T, root: T::Node, leaves: &[Leaf<'_>]) -> Result<(), Failure> {
    let Some(leaf) = leaves.iter().find(|&leaf| Walker { tree, root, leaf }.walk().is_err()) else { return Ok(()) };
    let name = leaf.name();
    Err(Failure::bad_map(format!(
        "the map's `{name}` selects an item by a value that the map changes, so the next run would not find the item"
    ))
    .help("Select it by a field that stays as it is, or by its index, such as `[0]`."))
}

struct Print<'a, T> {
    tree: &'a T,
    places: Vec<Range<usize>>,
    /// What is empty and becomes something.
    grown: BTreeSet<usize>,
}

impl<T: Spans> Print<'_, T> {
    /// A hash of what is not touched; none when all is.
    fn node(&self, node: T::Node) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        let mut is_empty = true;
        let mut found = false;
        let mut add = |name: &str, inner| {
            is_empty = false;
            if let Some(inner) = self.node(inner) {
                (name, inner).hash(&mut hasher);
                found = true;
            }
        };
        match self.tree.shape(node) {
            Shape::Map => self.tree.entries(node).for_each(|(key, value)| add(&key, value)),
            Shape::List | Shape::Documents => self.tree.items(node).iter().for_each(|&item| add("", item)),
            _ => {}
        }
        if !is_empty {
            return found.then(|| hasher.finish());
        }
        let span = self.tree.span(node);
        if self.is_touched(&span) || self.grown.contains(&self.tree.id(node)) {
            return None;
        }
        // Of an empty map or list only that it is one: its brackets are its own.
        let is_single = !matches!(self.tree.shape(node), Shape::Map | Shape::List | Shape::Documents);
        is_single.then(|| &self.tree.whole()[span]).hash(&mut hasher);
        Some(hasher.finish())
    }

    fn is_touched(&self, span: &Range<usize>) -> bool {
        let first = self.places.partition_point(|place| place.end <= span.start);
        let near = self.places[first..].iter().take_while(|place| place.start < span.end);
        near.into_iter().any(|place| !place.is_empty() || place.start > span.start)
    }
}
