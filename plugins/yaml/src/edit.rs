//! All keys of the map, put into a document: one reading, one plan, and one verification.

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::edits::{Edited, Edits};
use portkeeper_plugin_sdk::json::Value as Json;
use portkeeper_plugin_sdk::leaf::{self, Leaf, Planned};
use portkeeper_plugin_sdk::yaml::Yaml;

use crate::change::{Changes, Writer};
use crate::document::Document;
use crate::layout::{INDENT, Layout, Place};
use crate::verify;
use crate::write;

/// The text with the value of each leaf at its place. `numbers`: new whole numbers are written as numbers.
pub(crate) fn set_all(text: &str, leaves: &[Leaf<'_>], numbers: bool) -> Result<String, Failure> {
    let yaml = read(text)?;
    match set(&yaml, text, leaves, numbers)? {
        Some(new) => Ok(new),
        None => Err(verify::not_possible(&first_impossible(&yaml, text, leaves, numbers))),
    }
}

/// The new text; none when it would not say what it should.
fn set(yaml: &Yaml, text: &str, leaves: &[Leaf<'_>], numbers: bool) -> Result<Option<String>, Failure> {
    let Changes { edits, allowed } = changes(yaml, text, leaves, numbers)?;
    if edits.is_empty() {
        return Ok(Some(text.to_owned()));
    }
    let Some(Edited { text: new, .. }) = edits.apply(text) else { return Ok(None) };
    let Ok(after) = Yaml::parse_documents(&new) else { return Ok(None) };
    let is_meant = verify::says_the_same(yaml, &after, &allowed) && is_done(&after, leaves, numbers)?;
    Ok(is_meant.then_some(new))
}

/// Whether the document says what the leaves want, so that the next run changes nothing.
fn is_done(after: &Yaml, leaves: &[Leaf<'_>], numbers: bool) -> Result<bool, Failure> {
    if let Some(root) = root(after) {
        leaf::found_again(&Document::new(after), root, leaves)?;
    }
    Ok(plan(after, leaves, numbers)?.is_some_and(|planned| planned.is_empty()))
}

/// The name of the first leaf that cannot be put into the text, after those before it.
fn first_impossible(yaml: &Yaml, text: &str, leaves: &[Leaf<'_>], numbers: bool) -> String {
    let is_possible = |count: usize| matches!(set(yaml, text, &leaves[..count], numbers), Ok(Some(_)));
    let (mut possible, mut impossible) = (0, leaves.len());
    while possible + 1 < impossible {
        let middle = possible.midpoint(impossible);
        if is_possible(middle) { possible = middle } else { impossible = middle }
    }
    leaves.get(possible).map(Leaf::name).unwrap_or_default()
}

fn read(text: &str) -> Result<Yaml, Failure> {
    Yaml::parse_documents(text).map_err(|error| {
        Failure::bad_target(format!("this cannot be read as YAML: {}", error.message))
            .line(error.line)
            .help("Nothing in the file was changed. Mend it first.")
    })
}

fn changes(yaml: &Yaml, text: &str, leaves: &[Leaf<'_>], numbers: bool) -> Result<Changes, Failure> {
    let layout = Layout::new(yaml, text);
    match plan(yaml, leaves, numbers)? {
        Some(planned) => Writer::new(yaml, layout).write(planned),
        None => first_entries(layout, leaves, numbers),
    }
}

/// What has to change in a document that has something in it.
fn plan<'a>(yaml: &Yaml, leaves: &'a [Leaf<'a>], numbers: bool) -> Result<Option<Vec<Planned<'a, Place>>>, Failure> {
    root(yaml).map(|root| leaf::plan(&Document::new(yaml), root, leaves, numbers)).transpose()
}

/// The document's root, if it has anything in it.
fn root(yaml: &Yaml) -> Option<Place> {
    yaml.root().filter(|&root| !yaml.is_null(root)).map(|value| Place { key: None, value })
}

/// The edit that puts the first entries into a document that has nothing but comments and markers.
fn first_entries(layout: Layout<'_>, leaves: &[Leaf<'_>], numbers: bool) -> Result<Changes, Failure> {
    let entries = Json::Object(leaf::whole(leaves, numbers)?);
    let lines = write::block_entries(&entries, 0, INDENT);
    let Some(first) = leaves.first() else { return Ok(Changes::default()) };
    let edit = layout.lines_below(layout.text.len(), &lines);
    let (place, written) = edit.ok_or_else(|| verify::not_possible(&first.name()))?;
    let mut edits = Edits::default();
    edits.replace(place, written);
    Ok(Changes { edits, ..Changes::default() })
}
