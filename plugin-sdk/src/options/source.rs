//! The values of options as a source of serde types.
//!
//! Numbers with fractions are read where a type asks for them: what reads them is a tenth of a plugin.

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::Error;
use crate::json::{Map, Value};

/// A value.
pub(super) struct Source(pub(super) Value);

/// The key of an object. JSON has only text there, so text that reads as a number will do for a number.
pub(super) struct Key(pub(super) String);

fn entries(map: Map) -> impl Iterator<Item = (Key, Source)> {
    map.into_iter().map(|(key, value)| (Key(key), Source(value)))
}

impl<'de> Deserializer<'de> for Source {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (_, Some(value)) => visitor.visit_i64(value),
                _ => Err(de::Error::invalid_type(Unexpected::Float(0.0), &visitor)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(Source));
                let value = visitor.visit_seq(&mut items)?;
                items.end().map(|()| value)
            }
            Value::Object(map) => {
                let mut map = MapDeserializer::new(entries(map));
                let value = visitor.visit_map(&mut map)?;
                map.end().map(|()| value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// `"variant"`, or `{"variant": value}`.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(variant) => visitor.visit_enum(variant.into_deserializer()),
            Value::Object(map) if map.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(MapDeserializer::new(entries(map))))
            }
            other => Self(other).deserialize_any(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Number(number) => visitor.visit_f64(number.as_f64()),
            other => Self(other).deserialize_any(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Methods that take a key for a whole number when it reads as one.
macro_rules! whole_numbers {
    ($($deserialize:ident $visit:ident)*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.parse() {
                Ok(number) => visitor.$visit(number),
                Err(_) => visitor.visit_string(self.0),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Key {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    whole_numbers! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32 deserialize_i64 visit_i64
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32 deserialize_u64 visit_u64
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Source {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl IntoDeserializer<'_, Error> for Key {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
    #[serde(rename_all = "lowercase")]
    enum Style {
        Plain,
        Wide(u8),
        Framed { left: char, right: char },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Millimetres(f64);

    fn read<'de, T: Deserialize<'de>>(json: &str) -> Result<T, String> {
        let value = crate::json::parse(json).expect("the test's JSON is right");
        T::deserialize(Source(value)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_of_value_is_read() {
        assert_eq!(read("[true, -1, 300, 0.5, \"x\"]"), Ok((true, -1_i8, 300_u16, 0.5_f32, 'x')));
        assert_eq!(read("null"), Ok(None::<u8>));
        assert_eq!(read("3"), Ok(Some(3_u8)));
        assert_eq!(read("null"), Ok(()));
        assert_eq!(read("7"), Ok(Millimetres(7.0)));
        assert_eq!(
            read(r#"[{"a": {"b": []}}]"#),
            Ok(vec![BTreeMap::from([("a".to_owned(), BTreeMap::from([('b', Vec::<u8>::new())]))])])
        );
    }

    #[test]
    fn enums_are_read_in_all_forms() {
        assert_eq!(read(r#""plain""#), Ok(Style::Plain));
        assert_eq!(read(r#"{"wide": 3}"#), Ok(Style::Wide(3)));
        assert_eq!(read(r#"{"framed": {"left": "<", "right": ">"}}"#), Ok(Style::Framed { left: '<', right: '>' }));
        assert_eq!(read(r#"{"plain": 1}"#), Ok(BTreeMap::from([(Style::Plain, 1_u8)])));
        assert!(read::<Style>(r#"{"wide": 3, "plain": 4}"#).is_err());
        assert!(read::<Style>("5").is_err());
    }

    #[test]
    fn keys_may_be_numbers() {
        assert_eq!(read(r#"{"80": "web"}"#), Ok(BTreeMap::from([(80_u16, "web".to_owned())])));
        let error = read::<BTreeMap<u16, String>>(r#"{"x": "web"}"#).unwrap_err();
        assert_eq!(error, "expected u16, and this is `x`");
    }

    #[test]
    fn errors_say_what_was_found() {
        for (json, found) in [
            ("null", "null"),
            ("true", "true"),
            ("-3", "-3"),
            ("300", "300"),
            ("0.5", "a number with a fraction"),
            ("\"x\"", "`x`"),
            ("[1]", "a list"),
            ("{}", "an object"),
        ] {
            assert_eq!(read::<u8>(json).unwrap_err(), format!("expected u8, and this is {found}"));
        }
        assert!(read::<(u8, u8)>("[1]").is_err());
        assert!(read::<(u8, u8)>("[1, 2, 3]").is_err());
    }
}
