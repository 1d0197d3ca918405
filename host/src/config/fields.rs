//! The fields of a config as types. Their comments are what editors show; see [`super::schema()`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::document::data_problem;
use crate::model::{HoldKind, Host, Port, PortRange, Protocols};

use super::error::Fault;
use super::{schema, tree};

/// What a portkeeper prepare reserves and writes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "an object with `ports`")]
#[schemars(title = "portkeeper config", deny_unknown_fields)]
pub(super) struct Document {
    /// The JSON Schema of this file, for editors. portkeeper ignores it.
    #[serde(default, rename = "$schema")]
    #[schemars(with = "Option<String>")]
    #[expect(dead_code, reason = "it is there so that the field is known")]
    pub(super) schema: Option<Value>,
    /// The host of every port that names none: an address or a name. Default: 127.0.0.1
    #[serde(default)]
    #[schemars(schema_with = "schema::host")]
    pub(super) host: Option<Host>,
    /// Whom the ports are for, in your own words. It is shown by `portkeeper status`.
    #[serde(default)]
    pub(super) owner: Option<String>,
    /// How every port is held that does not say so itself: exclusive, gated or soft. Default: not at all
    #[serde(default)]
    #[schemars(schema_with = "schema::hold")]
    pub(super) hold: Option<HoldKind>,
    /// Whether `portkeeper run` lets clients queue before the server has bound its port. Not for servers that connect to their own
    /// port first to see whether it is free. Default: false
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<bool>")]
    pub(super) queue_early: bool,
    /// The ports to reserve, all of them or none.
    #[schemars(length(min = 1, max = 1000))]
    pub(super) ports: Vec<PortEntry>,
    /// The files to write the ports into.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) outputs: Vec<Output>,
    /// Where the plugin of a type is, by type, in place of the usual directories.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) plugins: BTreeMap<String, PluginSource>,
}

/// A port to reserve.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(expecting = "an object such as {\"key\": \"WEB_PORT\"}")]
#[schemars(deny_unknown_fields)]
pub struct PortEntry {
    /// What the project calls the port, for example SERVICE_PORT: letters, digits and underscores.
    #[serde(deserialize_with = "key")]
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub key: String,
    /// The port to take when it is free.
    #[serde(default)]
    #[schemars(schema_with = "schema::port")]
    pub preferred: Option<Port>,
    /// Where to look when the preferred port is taken, ascending: `[8000, 8100]` or `"8000-8100"`.
    #[serde(default)]
    #[schemars(schema_with = "schema::range")]
    pub range: Option<PortRange>,
    /// The address or name to reserve the port on. Default: the config's host.
    #[serde(default)]
    #[schemars(schema_with = "schema::host")]
    pub host: Option<Host>,
    /// Whom the port is for. Default: the config's owner.
    #[serde(default)]
    pub owner: Option<String>,
    /// The transport protocol: tcp, udp, or `tcp,udp` for the same number with both. Default: tcp
    #[serde(default, deserialize_with = "protocols")]
    #[schemars(schema_with = "schema::protocols")]
    pub protocol: Protocols,
    /// How the port is held by sockets of a background process: exclusive, gated or soft. Default: the config's hold
    #[serde(default)]
    #[schemars(schema_with = "schema::hold")]
    pub hold: Option<HoldKind>,
}

/// A file to write the ports into.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(expecting = "an object such as {\"type\": \"env\"}")]
pub struct Output {
    /// The format: env, json, runtime_js, docker-compose, yaml, toml, shell, properties, ini, template, or one that a plugin adds.
    #[serde(rename = "type", deserialize_with = "format_name")]
    #[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$"))]
    pub format: String,
    /// The file, relative to the config's directory. Default: the format's usual file.
    #[serde(default)]
    pub path: Option<String>,
    /// What to write: names, objects and lists of them, with `${KEY}` and `${VARIABLE:-default}` in their values.
    /// Default: every key with its port.
    #[serde(default)]
    pub map: Option<Map<String, Value>>,
    /// Files that the format may read, relative to the config's directory. Default: the format's usual ones, where there are any.
    #[serde(default)]
    pub inputs: Option<Vec<String>>,
    /// Further files that the format may write beside `path`, relative to the config's directory. Default: none
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files: Vec<String>,
    /// Whether to keep the text from before the first change beside the file, with `.bak` at the end of its name. Default: false
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<bool>")]
    pub backup: bool,
    /// The format's own options: every other field.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// Where the plugin of a type is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(expecting = "an object such as {\"path\": \"plugins/ini.wasm\"}")]
#[schemars(deny_unknown_fields)]
pub struct PluginSource {
    /// The plugin's file, relative to the config's directory.
    pub path: String,
    /// The SHA-256 of the file, as 64 hexadecimal digits: another file is refused.
    #[serde(default, deserialize_with = "digest")]
    #[schemars(regex(pattern = "^[0-9A-Fa-f]{64}$"))]
    pub sha256: Option<String>,
}

pub(super) const DOCUMENT_FIELDS: &[&str] =
    &["ports", "outputs", "host", "owner", "hold", "queue_early", "plugins", "$schema"];
pub(super) const PORT_FIELDS: &[&str] = &["key", "preferred", "range", "host", "owner", "protocol", "hold"];
pub(super) const PLUGIN_FIELDS: &[&str] = &["path", "sha256"];

/// The fields that every output has. Whatever else stands in one is an option of its format; when the format has no such option,
/// one of these may be what was meant.
pub const OUTPUT_FIELDS: &[&str] = &["type", "path", "map", "inputs", "files", "backup"];

/// The tree as types.
pub(super) fn typed(tree: Map<String, Value>) -> Result<Document, Fault> {
    serde_path_to_error::deserialize(Value::Object(tree)).map_err(|error| {
        let field = tree::field_path(error.path());
        Fault::invalid(field, data_problem(&error.into_inner().to_string()))
    })
}

/// `null`, and in YAML a name with nothing after it, is the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn protocols<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Protocols, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map_or(Ok(Protocols::default()), |text| text.parse().map_err(D::Error::custom))
}

fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let key = String::deserialize(deserializer)?;
    let is_word = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_word && !key.is_empty() && !key.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(key);
    }
    Err(D::Error::custom(format_args!(
        "{key:?} is not a key: use letters, digits and underscores, and no digit first, as in SERVICE_PORT"
    )))
}

fn format_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    // The name of a plugin's file is made of it, so it must not lead anywhere else.
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_word && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 64 {
        return Ok(name);
    }
    Err(D::Error::custom(format_args!(
        "{name:?} is not the name of a type: use letters, digits, `-` and `_`, as in docker-compose"
    )))
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Some(text.to_ascii_lowercase()));
    }
    Err(D::Error::custom(format_args!("{text:?} is not a SHA-256 digest: it has 64 hexadecimal digits")))
}
