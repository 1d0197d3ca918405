//! From text to a tree of bounded size, the same for JSON and YAML.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_path_to_error::{Segment, Track};

use crate::document::{FieldPath, Step, json_problem, yaml_problem};

use super::error::{Fault, Position, Problem};
use super::source::{Format, LARGEST, Source};

/// What a tree may weigh. A text without aliases cannot reach it: a value takes two bytes of text at least.
const HEAVIEST: u64 = 64 * LARGEST;

/// What a value weighs besides its text: about what it takes in memory.
const WEIGHT: u64 = 64;

/// How many `[` and `{` a YAML text may have. The time that libyaml takes grows with the square of how deep they are nested, which
/// it does not limit.
const MOST_BRACKETS: usize = 10_000;

/// The whole number beyond which not every one can be distinguished from its neighbors (IEEE 754, 53 bits).
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Parses the text. The result is an object.
pub(super) fn parse(source: &Source) -> Result<Map<String, Value>, Fault> {
    let progress = Progress { left: Cell::new(HEAVIEST), problem: RefCell::default() };
    let mut track = Track::new();
    let seed = Node(&progress);
    let parsed = match source.format {
        Format::Json => parse_json(seed, &mut track, &source.text),
        Format::Yaml => parse_yaml(seed, &mut track, &source.text),
    };
    match parsed {
        Ok(Value::Object(tree)) => Ok(tree),
        // A YAML file of comments alone.
        Ok(Value::Null) => Err(Fault::new(FieldPath::root(), Problem::Empty)),
        Ok(_) => Err(Fault::invalid(FieldPath::root(), "a config is an object with the field `ports`")),
        Err(refusal) => Err(Fault {
            field: field_path(&track.path()),
            position: refusal.position,
            problem: progress.problem.take().unwrap_or(refusal.problem),
        }),
    }
}

/// The path that serde_path_to_error saw.
pub(super) fn field_path(path: &serde_path_to_error::Path) -> FieldPath {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// What a parser said when it gave up.
struct Refusal {
    position: Option<Position>,
    problem: Problem,
}

fn parse_json(seed: Node, track: &mut Track, text: &str) -> Result<Value, Refusal> {
    let mut parser = serde_json::Deserializer::from_str(text);
    seed.deserialize(serde_path_to_error::Deserializer::new(&mut parser, track))
        .and_then(|value| parser.end().map(|()| value))
        .map_err(|error| {
            let position = json_position(text, error.line(), error.column());
            let commented = position.is_some_and(|(_, at)| text[..at].ends_with(['/', '#']));
            let problem = match json_problem(&error) {
                words if words == "nested too deeply" => Problem::TooDeep,
                _ if commented => Problem::Syntax(
                    "JSON has no comments; remove them, or write the config as pk.config.yaml".to_owned(),
                ),
                words => Problem::Syntax(words),
            };
            Refusal { position: position.map(|(position, _)| position), problem }
        })
}

/// The place that serde_json means by a line and a column in bytes, and its offset in bytes. There is none in line 0.
pub(super) fn json_position(text: &str, line: usize, column: usize) -> Option<(Position, usize)> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let offset = text.floor_char_boundary(start + column);
    // The parser counts what it has read; the last character of that is the one it stumbled over.
    let stumbled = text[..offset].char_indices().next_back().map_or(0, |(index, _)| index);
    Some((Position::after(&text[..stumbled]), offset))
}

fn parse_yaml(seed: Node, track: &mut Track, text: &str) -> Result<Value, Refusal> {
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > MOST_BRACKETS {
        let words =
            format!("more than {MOST_BRACKETS} brackets are too many for a YAML config; write it as pk.config.json");
        return Err(Refusal { position: None, problem: Problem::Syntax(words) });
    }
    let parser = serde_yaml::Deserializer::from_str(text);
    seed.deserialize(serde_path_to_error::Deserializer::new(parser, track)).map_err(|error| {
        let position = yaml_position(&error);
        let words = error.to_string();
        if words.contains("more than one document") {
            return Refusal { position: second_document(text), problem: Problem::SeveralDocuments };
        }
        let problem = match words {
            _ if words.starts_with("recursion limit exceeded") => Problem::TooDeep,
            _ if words.starts_with("repetition limit exceeded") => Problem::TooMuch,
            _ => Problem::Syntax(yaml_problem(&error, text)),
        };
        Refusal { position, problem }
    })
}

pub(super) fn yaml_position(error: &serde_yaml::Error) -> Option<Position> {
    let place = error.location()?;
    Some(Position { line: place.line().try_into().ok()?, column: place.column().try_into().ok()? })
}

/// The first `---` after some content.
fn second_document(text: &str) -> Option<Position> {
    let mut lines = text.lines().zip(1..);
    let is_content = |line: &str| !line.trim().is_empty() && !line.starts_with(['#', '%']) && !line.starts_with("---");
    lines.find(|(line, _)| is_content(line))?;
    lines.find(|(line, _)| line.starts_with("---")).map(|(_, line)| Position { line, column: 1 })
}

/// What the nodes of a tree share while it is built.
struct Progress {
    left: Cell<u64>,
    /// Why a node gave up, in place of what the parser makes of it.
    problem: RefCell<Option<Problem>>,
}

impl Progress {
    fn refuse<T, E: Error>(&self, problem: Problem) -> Result<T, E> {
        let error = E::custom(&problem);
        self.problem.replace(Some(problem));
        Err(error)
    }

    fn weigh<E: Error>(&self, text: &str) -> Result<(), E> {
        match self.left.get().checked_sub(WEIGHT + text.len() as u64) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => self.refuse(Problem::TooMuch),
        }
    }

    fn invalid<T, E: Error>(&self, message: &str) -> Result<T, E> {
        self.refuse(Problem::Invalid(message.to_owned()))
    }
}

/// Builds one value.
#[derive(Clone, Copy)]
struct Node<'a>(&'a Progress);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, a list, text, a number, true, false or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.0.weigh("").map(|()| Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.0.weigh("").map(|()| Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.0.weigh("").map(|()| value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.0.weigh("").map(|()| value.into())
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Value, E> {
        self.0.invalid("a whole number this large cannot be kept exactly; put it in quotes")
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Value, E> {
        self.visit_i128(0)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() > LARGEST_EXACT {
            return self.visit_i128(0);
        }
        match Number::from_f64(value) {
            Some(number) => self.0.weigh("").map(|()| Value::Number(number)),
            None => self.0.invalid("infinity and not-a-number are no values for a config; put them in quotes"),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.0.weigh(text).map(|()| text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.0.weigh("")?;
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.0.weigh("")?;
        let mut object = Map::new();
        while let Some(key) = map.next_key_seed(Key { progress: self.0, object: &object })? {
            let value = map.next_value_seed(self)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        self.0.invalid("YAML tags like !this mean nothing in a config; remove it")
    }
}

/// Reads one key of an object. It refuses in the key itself, so that the parser reports the key's place.
struct Key<'a> {
    progress: &'a Progress,
    object: &'a Map<String, Value>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        self.progress.weigh(key)?;
        if self.object.contains_key(key) {
            return self.progress.refuse(Problem::Duplicate(key.to_owned()));
        }
        if key == "<<" {
            return self.progress.invalid("YAML merge keys (`<<`) are not supported in a config; write the fields out");
        }
        Ok(key.to_owned())
    }
}
