//! Where in the text a field stands.
//!
//! The parsers know, but do not keep it. So the text is walked again to the field, where an error is raised: the parser adds the
//! place to it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::document::{FieldPath, Step};

use super::error::Position;
use super::source::{Format, Source};
use super::tree::{json_position, yaml_position};

/// The place where the field's value begins; for a field that is not there, the place of what it would stand in.
pub(super) fn locate(source: &Source, field: &FieldPath) -> Option<Position> {
    let mut field = field.clone();
    loop {
        let walk = Walk { steps: field.steps(), format: source.format };
        let place = match source.format {
            Format::Json => locate_json(walk, &source.text),
            Format::Yaml => walk
                .deserialize(serde_yaml::Deserializer::from_str(&source.text))
                .err()
                .and_then(|error| yaml_position(&error)),
        };
        if place.is_some() {
            return place;
        }
        field = field.parent()?;
    }
}

/// The parser of JSON stops before the value; colon and blanks may come first.
fn locate_json(walk: Walk, text: &str) -> Option<Position> {
    let error = walk.deserialize(&mut serde_json::Deserializer::from_str(text)).err()?;
    let offset = match error.line() {
        0 => 0,
        line => json_position(text, line, error.column())?.1,
    };
    let before = text[offset..].find(|c: char| !c.is_ascii_whitespace() && c != ':')?;
    Some(Position::after(&text[..offset + before]))
}

/// Walks to a value and fails there; succeeds when there is no such value.
#[derive(Clone, Copy)]
struct Walk<'a> {
    steps: &'a [Step],
    format: Format,
}

impl<'a> Walk<'a> {
    /// The rest of the way, if it goes through this member or element.
    fn into(self, is_next: impl Fn(&Step) -> bool) -> Option<Self> {
        let (first, steps) = self.steps.split_first()?;
        is_next(first).then_some(Self { steps, ..self })
    }
}

fn arrived<E: Error>() -> E {
    E::custom("here")
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.format {
            Format::Json if self.steps.is_empty() => Err(arrived()),
            _ => deserializer.deserialize_any(self),
        }
    }
}

/// A scalar is refused by the default methods: it is the value, or the end of a way that leads on to nothing.
impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.steps.is_empty() {
            return Err(arrived());
        }
        while let Some(key) = map.next_key::<String>()? {
            match self.into(|step| matches!(step, Step::Key(wanted) if *wanted == key)) {
                Some(rest) => map.next_value_seed(rest)?,
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.steps.is_empty() {
            return Err(arrived());
        }
        for index in 0.. {
            let element = match self.into(|step| *step == Step::Index(index)) {
                Some(rest) => seq.next_element_seed(rest)?,
                None => seq.next_element::<IgnoredAny>()?.map(drop),
            };
            if element.is_none() {
                break;
            }
        }
        Ok(())
    }
}
