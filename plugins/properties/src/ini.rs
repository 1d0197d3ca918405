//! INI files: sections of keys and values, as systemd, PHP, git, MySQL and Python's configparser read them.
//!
//! They agree on little. Lines are read as systemd and configparser do: a line is a key with a value, whatever quotes it has. A comment behind a
//! value is one, and what stands between double quotes is no comment, as for PHP and git. What they read differently is refused: a new value
//! that some take for one with a comment, and a change of a value that may go on in the next line, or of lines that are in the middle
//! of a text to PHP, because a quote is open above them. A key that stands there several times is a list, as in systemd's units (an empty
//! value begins it anew), and wants a list in the map.

mod read;

use std::collections::BTreeMap;
use std::ops::Range;

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::json::Value;
use portkeeper_plugin_sdk::text;

use self::read::{read, scan};
use crate::Meaning;
use crate::edits::{Edits, Plan};
use crate::path::{self, Place};

/// A key with its value.
#[derive(Debug)]
struct Entry {
    /// The value without its comment; with its quotes.
    span: Range<usize>,
    /// Between the key and the value, as it is written; empty for a key that has no value at all.
    separator: Range<usize>,
    /// The line with its end.
    whole: Range<usize>,
    /// Counted from 1.
    line: usize,
    indent: usize,
    /// Whether some readers take the next line for a part of the value.
    goes_on: bool,
}

impl Entry {
    /// Whether what stands above it counts no more, as in systemd's units.
    fn begins_anew(&self) -> bool {
        self.span.is_empty() && !self.separator.is_empty()
    }
}

/// Where new keys of a section go.
#[derive(Debug)]
struct Section {
    /// Where the line starts that follows its last key or its header.
    end: usize,
    /// The indentation and the separator of its last key.
    style: Option<(String, String)>,
}

#[derive(Debug, Default)]
struct Ini {
    sections: BTreeMap<String, Section>,
    entries: BTreeMap<(String, String), Vec<Entry>>,
    /// Of the last key of the file.
    style: Option<(String, String)>,
    /// Where the first section's header stands, with the comments right above it.
    first_header: Option<usize>,
    /// From quotes that are not closed on their line to where a later line closes them.
    open: Vec<Range<usize>>,
}

/// New keys of sections that are not there yet, section by section.
type NewSections = Vec<(String, Vec<String>)>;

/// What to change for these places.
pub(crate) fn plan(old: &str, places: &[Place<'_>]) -> Result<Plan, Failure> {
    let ini = read(old)?;
    let mut plan = Plan { edits: Edits::default(), expected: ini.meaning(old), warnings: Vec::new() };
    let mut new_sections = NewSections::new();
    for place in places {
        let (section, key) = ini.resolve(place)?;
        let values = values(place)?;
        ini.set(old, &mut plan, &mut new_sections, &(section, key), &values, place)?;
    }
    let mut is_first = old.trim().is_empty();
    for (section, lines) in new_sections {
        let header = (!section.is_empty()).then(|| format!("[{section}]"));
        let gap = (!std::mem::take(&mut is_first) && !section.is_empty()).then(String::new);
        gap.into_iter().chain(header).chain(lines).for_each(|line| plan.edits.insert_line(old.len(), line));
    }
    Ok(plan)
}

/// What the text says.
pub(crate) fn meaning(text: &str) -> Result<Meaning, Failure> {
    Ok(read(text)?.meaning(text))
}

/// A value as the values of one key or of several lines with it.
fn values(place: &Place<'_>) -> Result<Vec<String>, Failure> {
    let name = place.name();
    match place.value {
        Value::Array(items) if items.is_empty() => {
            Err(Failure::bad_map(format!("`{name}` is an empty list, and nothing stands for one in this format")))
        }
        Value::Array(items) => {
            let values: Vec<_> = items.iter().map(|item| path::text(&name, item)).collect::<Result<_, _>>()?;
            match values.iter().any(String::is_empty) {
                true => {
                    Err(Failure::bad_map(format!("`{name}` has an empty item, and that would begin the list anew")))
                }
                false => Ok(values),
            }
        }
        value => Ok(vec![path::text(&name, value)?]),
    }
}

impl Ini {
    fn meaning(&self, text: &str) -> Meaning {
        let value = |entry: &Entry| text[entry.span.clone()].to_owned();
        let values = |entries: &Vec<Entry>| entries.iter().map(value).collect();
        self.entries.iter().map(|(place, entries)| (place.clone(), values(entries))).collect()
    }

    /// The section and the key of a place. Both may have dots in them, so what the file has decides; for what it does not have, the map's own
    /// nesting, else the last dot.
    fn resolve(&self, place: &Place<'_>) -> Result<(String, String), Failure> {
        let parts = place.levels.concat();
        let split = |at: usize| (parts[..at].join("."), parts[at..].join("."));
        let splits: Vec<_> = (0..parts.len()).rev().map(split).collect();
        let there: Vec<_> = splits.iter().filter(|place| self.entries.contains_key(*place)).collect();
        match there.as_slice() {
            [one] => return Ok((*one).clone()),
            [(section, key), (other, _), ..] => {
                return Err(Failure::bad_target(format!(
                    "`{}` may mean `{key}` of section `{section}` or what section `{other}` has by this name",
                    place.name()
                ))
                .help("Write the section and the key as an object in the map: {\"SECTION\": {\"KEY\": ...}}."));
            }
            [] => {}
        }
        let by_section = splits.iter().find(|(section, _)| !section.is_empty() && self.sections.contains_key(section));
        Ok(by_section.cloned().unwrap_or_else(|| match place.levels.as_slice() {
            [outer @ .., key] if !outer.is_empty() => (outer.concat().join("."), key.join(".")),
            _ => split(parts.len() - 1),
        }))
    }

    fn set(
        &self,
        old: &str,
        plan: &mut Plan,
        new_sections: &mut NewSections,
        place: &(String, String),
        values: &[String],
        asked: &Place<'_>,
    ) -> Result<(), Failure> {
        let all = self.entries.get(place).map_or(&[][..], Vec::as_slice);
        // An empty value begins the list anew and has to stay where it is, or what stands above it would count again. One that stands alone
        // is a value, and so is the last one where the key is to be empty. A key without a separator is a switch, and begins nothing.
        let begin = all.iter().rposition(Entry::begins_anew).map_or(0, |at| at + 1);
        let is_value = begin == all.len() && (all.len() == 1 || values == [""]);
        let counted = &all[begin - usize::from(is_value && begin > 0)..];
        let is_list = matches!(asked.value, Value::Array(_));
        if let ([_, second, ..], false) = (counted, is_list) {
            return Err(Failure::bad_target(format!(
                "`{}` stands here {} times, and the map has a single value",
                asked.name(),
                counted.len()
            ))
            .line(second.line)
            .help("Give all of its values as a list, or remove the lines that do not count."));
        }
        let mut written = Vec::new();
        for (entry, value) in counted.iter().zip(values) {
            written.push(self.replace(old, plan, entry, value, asked)?);
        }
        for entry in counted.iter().skip(values.len()) {
            self.refuse_ambiguous(old, entry, asked)?;
            plan.edits.replace(entry.whole.clone(), String::new());
        }
        let added = values.iter().skip(counted.len());
        for value in added {
            let value = encode(value, None).ok_or_else(|| unwritable(asked))?;
            self.add(old, plan, new_sections, place, (all.last(), asked), &value)?;
            written.push(value);
        }
        let expected = plan.expected.entry(place.clone()).or_default();
        expected.truncate(all.len() - counted.len());
        expected.extend(written);
        Ok(())
    }

    /// Plans a line for the key: below the last one with it, else at the end of its section.
    fn add(
        &self,
        old: &str,
        plan: &mut Plan,
        new_sections: &mut NewSections,
        (section, key): &(String, String),
        (last, asked): (Option<&Entry>, &Place<'_>),
        value: &str,
    ) -> Result<(), Failure> {
        let special = |c: char| c.is_control() || matches!(c, '=' | ':' | '[' | ']');
        let is_key = key.trim() == key && !key.starts_with(['#', ';']) && !key.replace("[]", "").contains(special);
        let is_section = section.trim() == section && !section.contains(|c: char| c.is_control() || "[]".contains(c));
        if !is_key || !is_section {
            return Err(Failure::bad_map(format!("`{key}` of section `{section}` cannot be written as an INI key")));
        }
        let known = self.sections.get(section);
        let style = known.and_then(|section| section.style.as_ref()).or(self.style.as_ref());
        let (indent, separator) = style.map_or(("", "="), |(indent, separator)| (indent.as_str(), separator.as_str()));
        let indent = if known.is_some_and(|section| section.style.is_some()) { indent } else { "" };
        let line = format!("{indent}{key}{separator}{value}");
        let place = last.map(|entry| entry.whole.end).or_else(|| known.map(|section| section.end));
        self.refuse_in_quotes(old, place.unwrap_or(old.len()), asked)?;
        match place {
            Some(at) => plan.edits.insert_line(at, line),
            None if section.is_empty() && self.first_header.is_some() => {
                let at = self.first_header.unwrap_or(old.len());
                plan.edits.insert_line(at, line);
            }
            None => match new_sections.iter_mut().find(|(name, _)| name == section) {
                Some((_, lines)) => lines.push(line),
                // Keys of no section stand before all sections.
                None if section.is_empty() => new_sections.insert(0, (section.clone(), vec![line])),
                None => new_sections.push((section.clone(), vec![line])),
            },
        }
        Ok(())
    }
}

impl Ini {
    /// Plans the value in the place of the old one, and says how it is written.
    fn replace(
        &self,
        old: &str,
        plan: &mut Plan,
        entry: &Entry,
        value: &str,
        asked: &Place<'_>,
    ) -> Result<String, Failure> {
        let written = &old[entry.span.clone()];
        if unquoted(written) == value || written == value {
            return Ok(written.to_owned());
        }
        self.refuse_ambiguous(old, entry, asked)?;
        let new = encode(value, Some(written)).ok_or_else(|| unwritable(asked).line(entry.line))?;
        let gap = if entry.separator.is_empty() { "=" } else { "" };
        plan.edits.replace(entry.span.clone(), format!("{gap}{new}"));
        Ok(new)
    }

    fn refuse_ambiguous(&self, old: &str, entry: &Entry, asked: &Place<'_>) -> Result<(), Failure> {
        self.refuse_in_quotes(old, entry.whole.start, asked)?;
        if !entry.goes_on {
            return Ok(());
        }
        Err(Failure::bad_target(format!("the value of `{}` may go on in the next line", asked.name()))
            .line(entry.line)
            .help("Write it in one line, close its quotes there, and do not indent the next one deeper."))
    }

    fn refuse_in_quotes(&self, old: &str, at: usize, asked: &Place<'_>) -> Result<(), Failure> {
        let Some(open) = self.open.iter().find(|open| open.start < at && at < open.end) else { return Ok(()) };
        let message = format!("`{}` would be written into a text to some readers: a quote is open here", asked.name());
        Err(Failure::bad_target(message).line(text::line_of(old, open.start)).help("Close the quote on its line."))
    }
}

fn unwritable(asked: &Place<'_>) -> Failure {
    Failure::bad_map(format!(
        "the value of `{}` cannot be written so that every reader of the file reads the same",
        asked.name()
    ))
    .help(
        "Leave out line breaks, blanks and a backslash at its ends, quotes without an end, and `;` and `#`, where some readers see a comment. \
         If this file's readers take them, give the key such a value by hand first; if they take quotes, write the value in double quotes.",
    )
}

/// The value in the manner of the old one.
fn encode(value: &str, old: Option<&str>) -> Option<String> {
    let printable = value.chars().all(|c| c == '\t' || !c.is_control());
    let quote = old.and_then(quote_of).filter(|quote| !value.contains(['"', *quote, '\\']));
    // Only double quotes keep a comment from beginning for all that have comments behind values: git and MySQL take `'` as it is.
    let is_shown = quote == Some('"') || has_no_new_sign(value, old.unwrap_or_default());
    match quote {
        _ if !printable || !is_shown => None,
        Some(quote) => Some(format!("{quote}{value}{quote}")),
        None => {
            let is_plain = value.trim() == value
                && !value.starts_with([';', '#'])
                && !value.ends_with('\\')
                && comment_at(value).is_none()
                && scan(value) == (value.len(), None);
            is_plain.then(|| value.to_owned())
        }
    }
}

/// Whether the value has only those signs that the old one shows this file's readers to take as text: `;` begins a comment for PHP and git
/// even without a blank before it, `#` for git and MySQL, and an apostrophe that no other one closes makes PHP read on to the file's end.
fn has_no_new_sign(value: &str, old: &str) -> bool {
    let is_open = |text: &str| outside_of_quotes(text).filter(|&c| c == '\'').count() % 2 == 1;
    let has = |text: &str, sign| outside_of_quotes(text).any(|c| c == sign);
    [';', '#'].into_iter().all(|sign| !has(value, sign) || has(old, sign)) && (!is_open(value) || is_open(old))
}

/// What stands between no double quotes.
fn outside_of_quotes(value: &str) -> impl Iterator<Item = char> {
    let mut inside = false;
    value.chars().filter(move |&c| {
        inside ^= c == '"';
        !inside
    })
}

/// The quote that a value is wrapped in as a whole.
fn quote_of(written: &str) -> Option<char> {
    let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = written.get(1..written.len().checked_sub(1)?)?;
    (written.len() > 1 && written.ends_with(quote) && !inner.contains([quote, '\\'])).then_some(quote)
}

fn unquoted(written: &str) -> &str {
    if quote_of(written).is_some() { &written[1..written.len() - 1] } else { written }
}

/// Where a comment starts behind a value, to a reader that knows no quotes.
fn comment_at(value: &str) -> Option<usize> {
    value.match_indices([';', '#']).map(|(at, _)| at).find(|&at| value[..at].ends_with([' ', '\t']))
}
