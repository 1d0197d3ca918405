//! Changes of a text that are planned on what it is, and made together.

use std::cmp::Reverse;
use std::ops::Range;

/// Changes by place.
#[derive(Debug, Default)]
pub struct Edits(Vec<Edit>);

/// One change.
#[derive(Debug)]
struct Edit {
    place: Range<usize>,
    text: String,
    depth: usize,
}

/// A changed text.
#[derive(Debug)]
pub struct Edited {
    /// The new text.
    pub text: String,
    /// The places that were changed, in the old text and in the new one.
    pub places: Vec<(Range<usize>, Range<usize>)>,
}

impl Edits {
    /// Whether there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a text in the place of another. What goes between the same two characters keeps the order that it comes in.
    pub fn replace(&mut self, place: Range<usize>, text: String) {
        self.insert(place, text, 0);
    }

    /// The same for a text that stands so deep in the document: what is deeper goes before what goes to the same place.
    pub fn insert(&mut self, place: Range<usize>, text: String, depth: usize) {
        self.0.push(Edit { place, text, depth });
    }

    /// The text with all changes; none when two of them overlap.
    #[must_use]
    pub fn apply(mut self, old: &str) -> Option<Edited> {
        self.0.sort_by_key(|edit| (edit.place.start, edit.place.end, Reverse(edit.depth)));
        let mut new = String::with_capacity(old.len() + self.0.iter().map(|edit| edit.text.len()).sum::<usize>());
        let mut places = Vec::with_capacity(self.0.len());
        let mut at = 0;
        for Edit { place, text, .. } in self.0 {
            new.push_str(old.get(at..place.start)?);
            let start = new.len();
            new.push_str(&text);
            at = place.end;
            places.push((place, start..new.len()));
        }
        new.push_str(old.get(at..)?);
        Some(Edited { text: new, places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(all: &[(Range<usize>, &str, usize)]) -> Edits {
        let mut edits = Edits::default();
        all.iter().for_each(|(place, text, depth)| edits.insert(place.clone(), (*text).to_owned(), *depth));
        edits
    }

    #[test]
    fn changes_are_made_in_the_order_of_the_text_and_what_is_deeper_first() {
        let edited = edits(&[(2..3, "Z", 0), (2..2, "x", 1), (0..1, "", 0), (2..2, "y", 2)]).apply("abcd").unwrap();
        assert_eq!(edited.text, "byxZd");
        assert_eq!(edited.places, [(0..1, 0..0), (2..2, 1..2), (2..2, 2..3), (2..3, 3..4)]);
    }

    #[test]
    fn changes_that_overlap_are_none() {
        assert!(edits(&[(0..2, "x", 0), (1..3, "y", 0)]).apply("abcd").is_none());
        assert!(edits(&[(0..2, "x", 0), (2..3, "y", 0)]).apply("abcd").is_some());
    }
}
