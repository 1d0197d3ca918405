//! Files as configurations look: groups of keys with values of all kinds and a comment here and there.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// The formats that edit in place.
pub(crate) const TYPES: [&str; 4] = ["yaml", "toml", "json", "env"];

/// How long files are.
pub(crate) const LINES: [usize; 4] = [100, 1_000, 10_000, 50_000];

/// How many keys the map has.
pub(crate) const KEYS: [usize; 3] = [1, 50, 1_000];

/// How many keys a group has.
const GROUP: usize = 40;

/// A file, and a map that changes keys all over it. A map of more keys than the file has adds the rest.
pub(crate) fn file(format: &str, lines: usize, keys: usize) -> (String, Map<String, Value>) {
    let count = lines * GROUP / (GROUP + 1);
    let step = (count / keys).max(1);
    let mut map = Map::new();
    for index in (0..keys).map(|number| number * step) {
        let (group, key) = (format!("group{}", index / GROUP), format!("key{index}"));
        if format == "env" {
            map.insert(format!("KEY_{index}"), json!("18431"));
        } else if let Some(keys) = map.entry(group).or_insert_with(|| json!({})).as_object_mut() {
            keys.insert(key, json!("18431"));
        }
    }
    (text(format, count), map)
}

fn text(format: &str, count: usize) -> String {
    let mut text = if format == "json" { "{\n".to_owned() } else { String::new() };
    for index in 0..count {
        let is_first = index % GROUP == 0;
        let group = index / GROUP;
        let value = ["8080", "true", "\"http://localhost:8080/path\"", "\"text\""][index % 4];
        let is_last = index + 1 == count || index % GROUP == GROUP - 1;
        // Writing to a string cannot fail.
        let _ = match format {
            "yaml" if is_first => writeln!(text, "group{group}: # of {group}\n  key{index}: {value}"),
            "yaml" => writeln!(text, "  key{index}: {value}"),
            "toml" if is_first => writeln!(text, "[group{group}] # of {group}\nkey{index} = {value}"),
            "toml" => writeln!(text, "key{index} = {value}"),
            "json" => {
                let open = if is_first { format!("  \"group{group}\": {{\n") } else { String::new() };
                let end = match (is_last, index + 1 == count) {
                    (true, true) => "\n  }\n}",
                    (true, false) => "\n  },",
                    (false, _) => ",",
                };
                writeln!(text, "{open}    \"key{index}\": {value}{end}")
            }
            _ if is_first => writeln!(text, "# group {group}\nKEY_{index}={value}"),
            _ => writeln!(text, "KEY_{index}={value}"),
        };
    }
    text
}
