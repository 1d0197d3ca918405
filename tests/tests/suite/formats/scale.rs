//! Large files and many keys. What is counted are instructions, which are the same on every machine and on every run.

use std::fmt::Write;

use portkeeper::output::entries;
use portkeeper::plugins::{Catalogue, Engine, Limits, Plugin, Request, Sources, TextFile};
use portkeeper_tests::Ports;
use serde_json::{Map, Value, json};

use crate::config::one_port;
use crate::sandbox;

/// A file of groups of three lines.
fn file(lines: usize) -> String {
    let mut text = String::new();
    for group in 0..lines / 3 {
        // Writing to a string cannot fail.
        let _ = write!(text, "group{group}:\n  name: \"value {group}\"\n  port: {group} # its port\n");
    }
    text
}

/// The instructions that it takes to put the map into the text.
fn instructions(plugin: &Plugin, text: &str, map: &Map<String, Value>) -> u64 {
    let request = Request {
        entries: entries(map),
        map: serde_json::to_string(map).unwrap(),
        target: TextFile { path: "file".to_owned(), text: Some(text.to_owned()) },
        options: "{}".to_owned(),
        ..Request::default()
    };
    let (rendered, usage) = plugin.measure(&request);
    let text = &rendered.unwrap().files[0].text;
    assert_eq!(text.matches("18431").count(), map.len());
    usage.fuel
}

#[test]
fn ten_times_the_lines_take_at_most_twelve_times_the_work() {
    let engine = Engine::new(None, Limits::default());
    let catalogue = Catalogue::new(&engine, Sources::default(), &|_, _| false);
    let changed =
        |lines: usize| (0..50).map(|key| (format!("group{}.port", key * lines / 150), json!("18431"))).collect();
    let plugin = catalogue.find("yaml").unwrap();
    let [few, many] = [600, 6_000].map(|lines| instructions(&plugin, &file(lines), &changed(lines)));
    assert!(many <= 12 * few, "6,000 lines take {many} instructions, and 600 {few}");
}

#[test]
fn a_large_file_and_a_thousand_keys_are_everyday_work() {
    let ports = Ports::take(1);
    let sandbox = sandbox();
    sandbox.write("values.yaml", file(6_000));
    let changed: Map<_, _> = (0..50).map(|key| (format!("group{}.port", key * 40), json!("${SERVICE_PORT}"))).collect();
    let added: Map<_, _> = (0..1_000).map(|key| (format!("k{key}"), json!("${SERVICE_PORT}"))).collect();
    let outputs = json!([
        { "type": "yaml", "path": "values.yaml", "map": changed },
        { "type": "yaml", "path": "new.yaml", "map": added, "numbers": true },
    ]);
    sandbox.write("pk.config.json", one_port(&ports, outputs).to_string());
    sandbox.portkeeper("prepare").ok();
    let port = ports.first();
    assert_eq!(sandbox.read("values.yaml").matches(&format!("  port: {port} # its port\n")).count(), 50);
    assert_eq!(sandbox.read("new.yaml").lines().filter(|line| line.ends_with(&format!(": {port}"))).count(), 1_000);
}
