//! New tables with headers, which go to the end of the text.

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::json::{Map, Value as Json};
use portkeeper_plugin_sdk::text::LineEnd;

use crate::edit::{dotted, is_table};
use crate::value;

/// Headers, each with its lines.
#[derive(Debug, Default)]
pub(crate) struct Sections(Vec<(String, Vec<String>)>);

impl Sections {
    /// A table with what it has. One that has only further tables needs no header.
    pub(crate) fn table(&mut self, path: &[String], entries: &Map) -> Result<(), Failure> {
        let own = entries.iter().filter(|(_, value)| !is_table(value));
        let lines = own.map(|(key, value)| line(key, value)).collect::<Result<Vec<_>, Failure>>()?;
        if !lines.is_empty() {
            self.0.push((format!("[{}]", name(path)), lines));
        }
        for (key, value) in entries.iter() {
            if let Some(inner) = value.as_object().filter(|_| is_table(value)) {
                self.table(&[path, &[key.to_owned()]].concat(), inner)?;
            }
        }
        Ok(())
    }

    /// One more table of `[[...]]`.
    pub(crate) fn item(&mut self, path: &[String], entries: &Map) -> Result<(), Failure> {
        let lines = dotted(entries)?.into_iter().map(|(key, value)| format!("{key} = {value}"));
        self.0.push((format!("[[{}]]", name(path)), lines.collect()));
        Ok(())
    }

    /// The text with the sections behind it. A text without a final line end keeps having none.
    pub(crate) fn append_to(self, text: &mut String) {
        let end = LineEnd::of(text).as_str();
        let is_open = !text.is_empty() && !text.ends_with('\n');
        for (header, lines) in self.0 {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push_str(end);
            }
            let shown = text.trim_end_matches([' ', '\t', '\r']);
            if !(text.is_empty() || shown.ends_with("\n\n") || shown.ends_with("\n\r\n")) {
                text.push_str(end);
            }
            text.push_str(&header);
            text.push_str(end);
            lines.iter().for_each(|line| text.extend([line, end]));
        }
        if is_open && text.ends_with(end) {
            text.truncate(text.len() - end.len());
        }
    }
}

fn line(key: &str, value: &Json) -> Result<String, Failure> {
    Ok(format!("{} = {}", value::key(key), value::write(value)?))
}

fn name(path: &[String]) -> String {
    path.iter().map(|key| value::key(key)).collect::<Vec<_>>().join(".")
}
