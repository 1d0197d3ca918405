use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const README: &str = r#"{
  "host": "127.0.0.1",
  "ports": [
    { "key": "SERVICE_PORT",  "preferred": 8888, "range": [8888, 8988] },
    { "key": "FRONTEND_PORT", "preferred": 8080, "range": "8080-8180", "protocol": "udp", "host": "::1", "owner": "me" }
  ],
  "outputs": [
    { "type": "env", "path": ".env" },
    { "type": "json", "path": "config.json", "backup": true, "inputs": ["a", "b"], "indent": 4,
      "map": { "z": 1, "a": { "port": "${SERVICE_PORT}", "on": true, "none": null }, "list": [1, "x"] } }
  ],
  "plugins": { "toml": { "path": "toml.wasm" } }
}
"#;

/// The same as YAML, with what people write in YAML.
const README_YAML: &str = r#"# ports of the stack
host: 127.0.0.1
ports:
  - key: SERVICE_PORT
    preferred: 8888
    range: [8888, 8988]
  - {key: FRONTEND_PORT, preferred: 8080, range: 8080-8180, protocol: udp, host: "::1", owner: me}
outputs:
  - type: env
    path: .env
  - type: json
    path: config.json
    backup: yes-please
    inputs: [a, b]
    indent: 4
    map:
      z: 1
      a: {port: "${SERVICE_PORT}", on: true, none: ~}
      list: [1, x]
plugins:
  toml: {path: toml.wasm}
"#;

fn json(text: impl Into<Vec<u8>>) -> Result<Config, ConfigError> {
    Config::parse(Path::new("pk.config.json"), text.into())
}

fn yaml(text: impl Into<Vec<u8>>) -> Result<Config, ConfigError> {
    Config::parse(Path::new("pk.config.yaml"), text.into())
}

fn json_error(text: impl Into<Vec<u8>>) -> String {
    json(text).unwrap_err().to_string()
}

fn yaml_error(text: impl Into<Vec<u8>>) -> String {
    yaml(text).unwrap_err().to_string()
}

/// An error in a config that is right otherwise, in a port's or an output's fields.
fn port_error(fields: &str) -> String {
    json_error(format!("{{\"ports\": [{{{fields}}}]}}"))
}

fn output_error(fields: &str) -> String {
    json_error(format!("{{\"ports\": [{{\"key\": \"A\"}}], \"outputs\": [{{{fields}}}]}}"))
}

#[test]
fn json_and_yaml_mean_the_same() {
    let one = json(README).unwrap();
    let other = yaml(README_YAML.replace("yes-please", "true")).unwrap();
    assert_eq!((&one.host, &one.ports, &one.outputs), (&other.host, &other.ports, &other.outputs));
    assert_eq!(one.plugins, other.plugins);

    assert_eq!(one.ports[0].range.unwrap().to_string(), "8888-8988");
    assert_eq!(one.ports[1].range.unwrap().to_string(), "8080-8180");
    let output = &one.outputs[1];
    assert!(output.backup && !one.outputs[0].backup);
    assert_eq!(Value::Object(output.options.clone()), json!({"indent": 4}));
    let keys: Vec<_> = output.map.as_ref().unwrap().keys().collect();
    assert_eq!(keys, ["z", "a", "list"], "the order is the author's");
}

#[test]
fn the_least_config_is_a_key() {
    let config = json(r#"{"$schema": "x", "ports": [{"key": "A", "range": null}], "outputs": null}"#).unwrap();
    assert_eq!(config.ports[0].key, "A");
    assert!(config.outputs.is_empty() && config.host.is_none());
    assert_eq!(config.directory(), Path::new("."));
    let yaml = yaml("ports:\n- key: A\n  range:\noutputs:\n").unwrap();
    assert_eq!(yaml.ports, config.ports);
}

#[test]
fn a_wrong_value_is_named_with_its_place_and_what_is_allowed() {
    assert_eq!(
        json_error(
            "{\n  \"ports\": [\n    {\"key\": \"A\"},\n    {\"key\": \"B\", \"range\":\n      [9000, 8000]}\n  ]\n}"
        ),
        "pk.config.json:5:7: ports[1].range: the range 9000-8000 runs backwards: did you mean 8000-9000?"
    );
    assert_eq!(
        yaml_error("ports:\n  - key: A\n  - key: B\n    range: 9000-8000\n"),
        "pk.config.yaml:4:12: ports[1].range: the range 9000-8000 runs backwards: did you mean 8000-9000?"
    );
    assert_eq!(
        port_error(r#""key": "A", "preferred": "8888""#),
        "pk.config.json:1:38: ports[0].preferred: found the text \"8888\", expected a port, 1 to 65535"
    );
    assert_eq!(
        port_error(r#""key": "A", "preferred": 70000"#),
        "pk.config.json:1:38: ports[0].preferred: `70000` is not a port: a port is a whole number from 1 to 65535"
    );
    assert!(port_error(r#""key": "A", "preferred": 0"#).contains("`0` is not a port"));
    assert!(port_error(r#""key": "A", "preferred": -1"#).contains("`-1` is not a port"));
    assert_eq!(
        port_error(r#""key": "A", "range": [1]"#),
        "pk.config.json:1:34: ports[0].range: found 1, expected a range of ports, written as [8000, 8100] or \"8000-8100\""
    );
    assert!(port_error(r#""key": "A", "range": [0, 5]"#).contains("`0` is not a port"));
    assert_eq!(
        port_error(r#""key": "A", "protocol": "sctp""#),
        "pk.config.json:1:37: ports[0].protocol: `sctp` is not a protocol: use tcp, udp, or tcp,udp for both"
    );
    assert!(port_error(r#""key": "A", "host": "a b""#).contains("ports[0].host: `a b` is not a host"));
    assert_eq!(
        port_error(r#""key": "BAD KEY=1""#),
        "pk.config.json:1:20: ports[0].key: \"BAD KEY=1\" is not a key: use letters, digits and underscores, and no digit \
         first, as in SERVICE_PORT"
    );
    assert!(
        port_error(r#""key": "1A""#).contains("is not a key") && port_error(r#""key": """#).contains("is not a key")
    );
    assert_eq!(
        output_error(r#""type": "env", "map": [1]"#),
        "pk.config.json:1:62: outputs[0].map: found a list, expected an object"
    );
    assert_eq!(
        output_error(r#""type": "env", "backup": "yes""#),
        "pk.config.json:1:65: outputs[0].backup: found the text \"yes\", expected true or false"
    );
    assert!(output_error(r#""type": "../x""#).contains("outputs[0].type: \"../x\" is not the name of a type"));
    let digest = json_error(r#"{"ports": [{"key": "A"}], "plugins": {"x": {"path": "p", "sha256": "abc"}}}"#);
    assert!(digest.contains("plugins.x.sha256: \"abc\" is not a SHA-256 digest"), "{digest}");
}

#[test]
fn what_is_missing_is_named_where_it_belongs() {
    assert_eq!(json_error("{\n \"outputs\": []}"), "pk.config.json:1:1: the field `ports` is missing");
    assert_eq!(port_error(r#""preferred": 1"#), "pk.config.json:1:12: ports[0]: the field `key` is missing");
    assert_eq!(output_error(r#""path": "x""#), "pk.config.json:1:39: outputs[0]: the field `type` is missing");
    assert!(json_error(r#"{"ports": []}"#).contains("pk.config.json:1:11: ports: there is no port to reserve"));
    assert_eq!(json_error("[]"), "pk.config.json: a config is an object with the field `ports`");
}

#[test]
fn a_misspelt_field_gets_a_suggestion() {
    assert_eq!(
        yaml_error("ports:\n- key: A\n  prefered: 1\n"),
        "pk.config.yaml:3:13: ports[0].prefered: unknown field `prefered`: did you mean `preferred`? Allowed are `key`, \
         `preferred`, `range`, `host`, `owner`, `protocol`, `hold`"
    );
    assert!(json_error(r#"{"port": []}"#).contains("did you mean `ports`?"));
    let plugin = json_error(r#"{"ports": [{"key": "A"}], "plugins": {"x": {"pfad": "p"}}}"#);
    assert!(plugin.contains("plugins.x.pfad: unknown field `pfad`"), "{plugin}");
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    assert_eq!(
        json_error("{\"ports\": [\n{\"key\": \"A\",\n \"key\": \"B\"}]}"),
        "pk.config.json:3:6: ports[0].key: `key` stands here a second time; remove one of the two"
    );
    assert_eq!(
        yaml_error("ports:\n- key: A\n  key: B\n"),
        "pk.config.yaml:3:3: ports[0].key: `key` stands here a second time; remove one of the two"
    );
    assert_eq!(
        yaml_error("ports:\n- key: A\n- key: A\n"),
        "pk.config.yaml:3:8: ports[1].key: the key A is that of ports[0] already; every port needs its own"
    );
}

#[test]
fn broken_text_is_named_with_its_place() {
    assert!(
        json_error("{\"ports\": [\n  {\"key\": \"A\",}\n]}")
            .starts_with("pk.config.json:2:15: ports[0]: remove the comma")
    );
    assert!(
        json_error("{\"ports\": [").starts_with("pk.config.json:1:11: ports: the text ends before the list is closed")
    );
    let comment = json_error("{\n  // mine\n  \"ports\": []}");
    assert!(comment.starts_with("pk.config.json:2:3: JSON has no comments"), "{comment}");
    assert!(yaml_error("ports: [\n  }").starts_with("pk.config.yaml:2:3: "));
    assert!(yaml_error("ports: &a [*b]").contains("unknown anchor"));
    assert!(json_error(r#"{"ports": [{"key": "A"}]} x"#).contains("expected the end of the text"));
    assert_eq!(
        yaml_error("# one\nports: []\n---\nports: []\n"),
        "pk.config.yaml:3:1: a second YAML document begins here; a config is one document"
    );
    let tag = yaml_error("ports:\n- key: !secret A\n");
    assert!(tag.starts_with("pk.config.yaml:2:8: ports[0].key: YAML tags"), "{tag}");
    let merge = yaml_error("ports:\n- &a {key: A}\n- <<: *a\n  key: B\n");
    assert!(
        merge.starts_with("pk.config.yaml:3:3: ports[1].<<: YAML merge keys") || merge.contains("merge keys"),
        "{merge}"
    );
}

#[test]
fn text_in_another_encoding_is_refused_and_a_byte_order_mark_is_not() {
    assert_eq!(
        json_error(b"{\n \"owner\": \"M\xfcller\"}".to_vec()),
        "pk.config.json:2:13: the text is not UTF-8; save the file in the encoding UTF-8"
    );
    let utf16 = |bytes: fn(u16) -> [u8; 2]| README.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    assert!(
        json_error(utf16(u16::to_le_bytes)).contains("UTF-16")
            && json_error(utf16(u16::to_be_bytes)).contains("UTF-16")
    );
    assert_eq!(json(format!("\u{feff}{README}")).unwrap().ports.len(), 2);
    assert_eq!(yaml("\u{feff}ports:\r\n- key: A\r\n").unwrap().ports.len(), 1);
}

#[test]
fn nothing_is_no_config() {
    for nothing in ["", " \n", "\u{feff}"] {
        assert!(json_error(nothing).starts_with("pk.config.json: the config is empty"));
    }
    for nothing in ["# only a comment\n", "---\n", "~"] {
        assert!(yaml_error(nothing).starts_with("pk.config.yaml: the config is empty"), "{}", yaml_error(nothing));
    }
}

#[test]
fn numbers_that_cannot_be_kept_exactly_are_refused() {
    let map = |number: &str| format!("ports: [{{key: A}}]\noutputs: [{{type: json, map: {{n: {number}}}}}]");
    for number in ["123456789012345678901234567890", "1e300", ".inf", ".nan", "99999999999999999999"] {
        let error = yaml_error(map(number));
        assert!(error.contains("outputs[0].map.n: ") && error.contains("in quotes"), "{number}: {error}");
    }
    for (number, kept) in [("18446744073709551615", json!(u64::MAX)), ("-5", json!(-5)), ("0.5", json!(0.5))] {
        assert_eq!(yaml(map(number)).unwrap().outputs[0].map.as_ref().unwrap()["n"], kept);
    }
    assert!(json_error(r#"{"ports": [], "x": 123456789012345678901234567890}"#).contains("in quotes"));
}

#[test]
fn a_small_text_cannot_take_much_time_or_memory() {
    let bomb: String =
        (1..20).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 20].join(","))).collect();
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 100_000].join(","));
    let hostile = [
        format!("a0: &a0 x\n{bomb}"),
        long,
        "ports: &a [*a, *a]".to_owned(),
        "[".repeat(9_000),
        "{a: ".repeat(9_000),
        "{a: ".repeat(200_000),
        "- ".repeat(500_000),
        "? ".repeat(500_000),
        format!("a: [{}]", "&a x,".repeat(100_000)),
    ];
    for text in hostile {
        let start = Instant::now();
        let error = yaml_error(text.as_str());
        let problems = [
            "becomes too large",
            "nested too deeply",
            "too many for",
            "unknown field `a",
            "expected a name",
            "found a list, expected a name",
        ];
        assert!(problems.iter().any(|words| error.contains(words)), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20), "{}: {:?}", &text[..20], start.elapsed());
    }
    for text in ["[".repeat(500_000), r#"{"a":"#.repeat(200_000)] {
        assert!(json_error(text).contains("nested too deeply"));
    }
}

#[test]
fn a_field_is_found_long_after_parsing() {
    let config = json(README).unwrap();
    let map = FieldPath::root().key("outputs").index(1).key("map");
    let port = map.clone().key("a").key("port");
    assert_eq!(
        config.error_at(port.clone(), "the variable X is not set").to_string(),
        "pk.config.json:10:39: outputs[1].map.a.port: the variable X is not set"
    );
    assert_eq!(config.line_of(&map.clone().key("list").index(1)), Some(10));
    assert_eq!(config.line_of(&FieldPath::root().key("outputs").index(0).key("path")), Some(8));
    assert_eq!(config.line_of(&FieldPath::root().key("outputs").index(0).key("no-such").index(3)), Some(8));
    assert_eq!(config.line_of(&FieldPath::root()), Some(1));

    let config = yaml(README_YAML.replace("yes-please", "true")).unwrap();
    assert_eq!(config.line_of(&port), Some(18));
    assert_eq!(config.line_of(&map.key("list").index(1)), Some(19));
}

#[test]
fn what_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pk.config.json");
    let error = |path: &Path| Config::load(path).unwrap_err();
    assert!(matches!(error(&path).problem, Problem::Missing));
    assert!(error(directory.path()).to_string().ends_with(": this is a directory, not a config file"));
    std::fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(error(&path).to_string().ends_with(": the file is larger than 1 MiB, too large for a config"));
    std::fs::write(&path, README).unwrap();
    assert_eq!(Config::load(&path).unwrap().directory(), directory.path());
    let under_a_file = path.join("x.json");
    assert!(matches!(error(&under_a_file).problem, Problem::Unreadable(_)));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pk.config.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(Config::load(&path).unwrap_err().problem, Problem::NotAFile(_)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = json(bytes.clone());
        let _ = yaml(bytes);
    }

    /// Text that is nearly right gets further than bytes at random.
    #[test]
    fn no_damage_makes_it_panic(at in 0..README.len(), cut in 0_usize..20, put in "[\\[\\]{},:\"'&*!<\\-#\\\\ \n0-9a-z]{0,6}") {
        for (text, parse) in [(README, json as fn(String) -> _), (README_YAML, yaml)] {
            let at = at.min(text.len());
            let end = (at + cut).min(text.len());
            if let Err(error) = parse(format!("{}{put}{}", &text[..at], &text[end..])) {
                prop_assert!(error.to_string().starts_with("pk.config."));
            }
        }
    }

    /// Whatever the layout, the place is that of the value.
    #[test]
    fn the_place_is_that_of_the_value(before in "[ \n\t]{0,5}", between in "[ \n]{0,5}") {
        let text = format!("{{\"ports\":{before}[{{\"key\"{before}:{between}\"A\",{between}\"range\":{between}\"x\"}}]}}");
        let position = json(text.clone()).unwrap_err().position.unwrap();
        prop_assert_eq!(position, Position::after(&text[..text.find("\"x\"").unwrap()]));
    }
}
