//! Ten times the size takes at most twelve times the work, whatever grows: counted in instructions, which are the same on every machine.

use std::fmt::Write;

use portkeeper::output::entries;
use portkeeper::plugins::{Catalogue, Engine, Limits, Plugin, Request, Sources, TextFile};
use serde_json::{Map, Value, json};

/// Small enough to be quick, and large enough that what is the same for all sizes does not hide what grows.
const SMALL: usize = 300;

/// A file of so many lines and what to write into it.
type Growing = fn(&str, usize) -> Option<(String, Map<String, Value>)>;

/// `key0` to `keyN` of one map, each on a line.
fn flat(format: &str, lines: usize) -> String {
    let mut text = String::from(if format == "json" { "{\n" } else { "" });
    for n in 0..lines {
        let comma = if n + 1 < lines { "," } else { "" };
        match format {
            "yaml" => writeln!(text, "key{n}: 8080 # of {n}"),
            "toml" => writeln!(text, "key{n} = 8080 # of {n}"),
            "json" => writeln!(text, "  \"key{n}\": 8080{comma} // of {n}"),
            _ => writeln!(text, "key{n}=8080 # of {n}"),
        }
        .expect("memory");
    }
    text + if format == "json" { "}\n" } else { "" }
}

fn list(format: &str, items: usize) -> Option<String> {
    let mut text = String::from(match format {
        "yaml" => "list:\n",
        "toml" => "list = [\n",
        "json" => "{\"list\": [\n",
        _ => return None,
    });
    for n in 0..items {
        let comma = if n + 1 < items { "," } else { "" };
        match format {
            "yaml" => writeln!(text, "  - 8080 # of {n}"),
            "toml" => writeln!(text, "  8080{comma} # of {n}"),
            _ => writeln!(text, "  8080{comma} // of {n}"),
        }
        .expect("memory");
    }
    Some(text + ["", "]\n", "]}\n"][["yaml", "toml", "json"].iter().position(|&name| name == format)?])
}

fn all_keys(count: usize) -> Map<String, Value> {
    (0..count).map(|n| (format!("key{n}"), json!("18431"))).collect()
}

const GROWING: &[(&str, Growing)] = &[
    ("lines", |format, size| {
        let keys = (0..30).map(|n| (format!("key{}", n * 10), json!("18431")));
        Some((flat(format, size), keys.collect()))
    }),
    ("lines and keys", |format, size| Some((flat(format, size), all_keys(size)))),
    ("new keys", |_, size| Some((String::new(), all_keys(size)))),
    ("new keys of new maps", |format, size| {
        let keys = (0..size).map(|n| (format!("group{}.key{n}", n / 10), json!("18431")));
        (format != "env").then(|| (String::new(), keys.collect()))
    }),
    ("items of a list", |format, size| {
        let items: Vec<_> = (0..size).map(|_| json!("18431")).collect();
        Some((list(format, size)?, Map::from_iter([("list".to_owned(), json!(items))])))
    }),
    ("items by index", |format, size| {
        let keys = (0..size).map(|n| (format!("list.{n}"), json!("18431")));
        Some((list(format, size)?, keys.collect()))
    }),
];

fn fuel(plugin: &Plugin, text: String, map: &Map<String, Value>) -> Option<u64> {
    let request = Request {
        entries: entries(map),
        map: serde_json::to_string(map).expect("JSON"),
        target: TextFile { path: "file".to_owned(), text: Some(text) },
        options: "{}".to_owned(),
        ..Request::default()
    };
    let (rendered, usage) = plugin.measure(&request);
    let written = rendered.ok()?.files[0].text.matches("18431").count();
    let meant = map.values().map(|value| value.as_array().map_or(1, Vec::len)).sum::<usize>();
    assert_eq!(written, meant, "all is written");
    Some(usage.fuel)
}

#[test]
fn ten_times_the_size_takes_at_most_twelve_times_the_work() {
    let engine = Engine::new(None, Limits::default());
    let catalogue = Catalogue::new(&engine, Sources::default(), &|_, _| false);
    let mut slow = Vec::new();
    for format in ["yaml", "toml", "json", "env"] {
        let plugin = catalogue.find(format).expect("a built-in format");
        for (what, growing) in GROWING {
            let [Some(small), Some(large)] = [SMALL, 10 * SMALL].map(|size| growing(format, size)) else { continue };
            let [small, large] = [small, large].map(|(text, map)| fuel(&plugin, text, &map));
            match small.zip(large) {
                Some((small, large)) if large <= 12 * small => {}
                took => slow.push(format!("{format}, {what}: {took:?}")),
            }
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
