//! What passes between portkeeper and a plugin, whatever version of the interface the plugin speaks.
//!
//! The meaning of each field is written down where plugin authors read it: in the interface itself, `wit/`.

use crate::options::OptionsSchema;

/// All that a plugin gets to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The name of the project's directory, without its path.
    pub project: String,
    /// The reserved ports, in the config's order.
    pub reservations: Vec<ReservedPort>,
    /// The expanded map as flat, dotted names with their values.
    pub entries: Vec<(String, String)>,
    /// The expanded map as JSON.
    pub map: String,
    /// The file to render, as it is.
    pub target: TextFile,
    /// The files that the config's `inputs` names.
    pub inputs: Vec<TextFile>,
    /// The output's own options as a JSON object.
    pub options: String,
    /// Facts beyond the fields.
    pub attrs: Vec<(String, String)>,
}

/// One reserved port, as a plugin sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReservedPort {
    /// The config's `key`.
    pub name: String,
    /// The port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The host as the config writes it.
    pub host: Option<String>,
    /// Facts beyond the fields.
    pub attrs: Vec<(String, String)>,
}

/// A file as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextFile {
    /// Relative to the config's directory, with `/` between its parts.
    pub path: String,
    /// None when there is no such file.
    pub text: Option<String>,
}

/// What a plugin made of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The files as they shall be, each path once. A path is the target's, or one that by its spelling stays below the directory
    /// that it is relative to. Whether the config consents to more than the target, the caller decides.
    pub files: Vec<OutFile>,
    /// What the user should hear.
    pub diagnostics: Vec<Diagnostic>,
    /// What the plugin logged.
    pub log: Vec<LogLine>,
}

/// A file as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutFile {
    /// Relative to the config's directory, with `/` between its parts.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// Whether the text is kept out of diffs and logs, and the file away from other users.
    pub sensitive: bool,
}

/// A message for the user that does not stop the output. Safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// What there is to say.
    pub message: String,
    /// The file that it is about.
    pub path: Option<String>,
    /// The line in that file, counted from 1.
    pub line: Option<u32>,
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Probably not what the user wanted. Also every severity that this host does not know.
    Warning,
}

/// A line of a plugin's log. Safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `debug`, `info`, `warn` or `error`, or what the plugin wrote instead.
    pub level: String,
    /// The line.
    pub message: String,
}

/// A plugin's own no: the request cannot be rendered, and the user can do something about it. Safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `bad-options`, `bad-map`, `bad-target`, `bad-input`, or a word of the plugin's own.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What the user can do about it.
    pub help: Option<String>,
    /// The line of the target that is at fault, counted from 1.
    pub line: Option<u32>,
}

/// What one call of a plugin took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Instructions, about: the same on every machine.
    pub fuel: u64,
    /// The most linear memory, in bytes.
    pub memory: usize,
    /// By the clock on the wall, from an instance's making to its end.
    pub time: std::time::Duration,
}

/// Who a plugin is. Its texts are safe to show, its paths stay below the directory that they are relative to.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// What it does.
    pub description: String,
    /// The values of an output's `type` that it renders.
    pub output_types: Vec<String>,
    /// Where an output is written whose config has no `path`.
    pub default_path: Option<String>,
    /// What the output's own options may be.
    pub options_schema: OptionsSchema,
    /// The files that it wants as `inputs` when the config names none and they are there.
    pub default_inputs: Vec<String>,
    /// Facts beyond the fields.
    pub attrs: Vec<(String, String)>,
}
