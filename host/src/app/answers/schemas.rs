//! The JSON Schema of every answer, by the command that gives it.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::*;
use crate::model::{Host, Port, PortRange, PortSet};
use crate::scan::{Address, Mac, Report, UpBy};

/// A command, how its answer comes, and the schema of it.
type Answer = (&'static str, Form, fn(&mut SchemaGenerator) -> Schema);

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One object.
    Object,
    /// One object; with `--format jsonl` a line for each item of its most important list.
    Of(&'static str),
    /// A list of them; with `--format jsonl` a line each.
    List,
    /// One where one was asked for, a list of them where several were.
    OneOrList,
    /// A line each.
    Lines,
}

/// Every command that answers in JSON.
pub(crate) const ANSWERS: [Answer; 26] = [
    ("reserve", Form::OneOrList, of::<ReservedView<'_>>),
    ("reserve-network", Form::OneOrList, of::<NetworkReservedView<'_>>),
    ("port", Form::OneOrList, of::<Port>),
    ("pick", Form::List, of::<Port>),
    ("pick-why", Form::List, of::<PickedWhy<'_>>),
    ("list", Form::List, of::<NameView<'_>>),
    ("status", Form::List, of::<StatusView<'_>>),
    ("explain", Form::OneOrList, of::<Explained<'_>>),
    ("release", Form::Of("released"), of::<Released<'_>>),
    ("gc", Form::Of("released"), of::<Released<'_>>),
    ("kill", Form::OneOrList, of::<Killed<'_>>),
    ("doctor", Form::Of("findings"), of::<Diagnosis<'_>>),
    ("prepare", Form::Object, of::<Prepared<'_>>),
    ("run-report", Form::Object, of::<RunReport<'_>>),
    ("import", Form::Of("imported"), of::<Imported<'_>>),
    ("trust", Form::Object, of::<TrustedView<'_>>),
    ("scan", Form::Of("hosts"), of::<Report>),
    ("scan-stream", Form::Lines, of::<ScanLine<'_>>),
    ("plugin-list", Form::List, of::<TypeView>),
    ("plugin-inspect", Form::Object, of::<InspectedPlugin<'_>>),
    ("plugin-build", Form::Object, of::<BuiltPlugin<'_>>),
    ("plugin-test", Form::List, of::<FixtureView>),
    ("plugin-cache", Form::Object, of::<CacheView<'_>>),
    ("plugin-add", Form::Object, of::<AddedPlugin<'_>>),
    ("plugin-remove", Form::Object, of::<RemovedFiles<'_>>),
    ("plugin-new", Form::Object, of::<NewPlugin<'_>>),
];

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The schema of what the command answers; none for a command that does not answer in JSON.
pub(crate) fn schema_of(command: &str) -> Option<Schema> {
    let (_, form, element) = ANSWERS.iter().find(|(name, ..)| *name == command)?;
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let element = element(&mut generator);
    let mut schema = match form {
        Form::Object | Form::Of(_) | Form::Lines => element,
        Form::List => json_schema!({ "type": "array", "items": element }),
        Form::OneOrList => json_schema!({ "anyOf": [element, { "type": "array", "items": element }] }),
    };
    if let Form::Of(list) = form {
        let lines = format!("With --format jsonl there is a line for each of `{list}`.");
        schema.insert("$comment".to_owned(), lines.into());
    }
    let definitions = generator.take_definitions(true);
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), format!("The answer of portkeeper {}", command.replace('-', " ")).into());
    schema.insert("$defs".to_owned(), definitions.into());
    Some(schema)
}

/// Types that JSON shows as text.
macro_rules! texts {
    ($($type:ty: $name:literal, $description:literal;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description })
            }
        }
    )*};
}

texts! {
    Host: "Host", "An address, a wildcard address, or a host's name";
    PortRange: "PortRange", "A range of ports, `8000-8100`";
    PortSet: "PortSet", "Ports and ranges of ports, `80,8000-8100`";
    Address: "Address", "An address, with its zone where it needs one";
    Mac: "Mac", "The address of a network card, `02:00:5e:00:53:01`";
}

impl JsonSchema for Port {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": u16::MAX })
    }
}

impl JsonSchema for UpBy {
    fn schema_name() -> Cow<'static, str> {
        "UpBy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Self::all().names().collect();
        json_schema!({ "type": "array", "items": { "enum": names } })
    }
}
