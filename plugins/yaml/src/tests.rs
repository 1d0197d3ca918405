mod lists;

use proptest::prelude::*;

use super::*;

fn request(old: &str, map: &str) -> Request {
    Request { map: map.to_owned(), ..Request::new("values.yaml").text(old) }
}

fn merge(old: &str, map: &str) -> String {
    let response = Yaml::render(&request(old, map));
    response.unwrap_or_else(|failure| panic!("{old}\n{map}\n{failure}")).files.remove(0).text
}

fn failure(old: &str, map: &str) -> Failure {
    Yaml::render(&request(old, map)).expect_err(old)
}

/// A chart's values, as Helm's users keep them.
const VALUES: &str = r#"# Default values for shop.
replicaCount: 1

image:
    repository: "ghcr.io/example/shop"
    tag: ''          # the chart's version

service:
    type: ClusterIP
    port: 8080 # in the cluster
    nodePort: 0x7530
    annotations: {}

ingress:
    enabled: false
    hosts: [ "shop.local" ]  # more to come
    # paths: []

# nothing below
"#;

/// A workflow of GitHub's.
const WORKFLOW: &str = r#"name: test
on:
  push:
    branches: [main]
env: &env
  NODE_ENV: test

jobs:
  e2e:
    runs-on: ubuntu-24.04
    env:
      <<: *env
      BASE_URL: 'http://localhost:3000'
    steps:
      - uses: actions/checkout@v4
      - name: Serve
        run: |
          npm ci
          npm start
"#;

#[test]
fn a_charts_values_stay_as_their_owner_wrote_them() {
    let map = r#"{"service": {"port": "8888", "nodePort": "30000", "annotations": {"a/b": "x"}}, "image.tag": "v1",
        "ingress": {"enabled": "true", "hosts": ["a.local"]}}"#;
    let expected = VALUES
        .replace("port: 8080", "port: 8888")
        .replace("tag: ''", "tag: 'v1'")
        .replace("annotations: {}", "annotations: { a/b: x }")
        .replace("enabled: false", "enabled: true")
        .replace("\"shop.local\"", "\"a.local\"");
    assert_eq!(merge(VALUES, map), expected);
}

#[test]
fn new_keys_go_below_the_last_of_their_mapping() {
    let new = merge(
        VALUES,
        r#"{"image.port": 1, "ingress.class.name": "nginx", "db": {"port": "5432", "host": "127.0.0.1"}}"#,
    );
    let expected = VALUES.replace("the chart's version\n", "the chart's version\n    port: 1\n").replace(
        "# more to come\n",
        "# more to come\n    class:\n        name: nginx\ndb:\n    port: \"5432\"\n    host: \"127.0.0.1\"\n",
    );
    assert_eq!(new, expected);
}

#[test]
fn a_workflows_env_is_set_and_its_script_stays() {
    let map = r#"{"jobs.e2e.env": {"BASE_URL": "http://localhost:8888", "API_PORT": "9100"}}"#;
    let expected = WORKFLOW.replace(
        "      BASE_URL: 'http://localhost:3000'\n",
        "      BASE_URL: 'http://localhost:8888'\n      API_PORT: \"9100\"\n",
    );
    assert_eq!(merge(WORKFLOW, map), expected);
    // After a block of text.
    assert_eq!(merge("a: |\n  x\n\n# end\n", r#"{"b": 1}"#), "a: |\n  x\n\nb: 1\n# end\n");
}

#[test]
fn a_new_key_goes_below_a_block_of_text() {
    let old = "services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM nginx\n\n    init: true\n  db:\n    run: >-\n      x\n    # about y\n    y: 1\n";
    let expected = old.replace("FROM nginx\n\n", "FROM nginx\n\n      args:\n        PORT: \"8888\"\n");
    assert_eq!(merge(old, r#"{"services.web.build.args.PORT": "8888"}"#), expected);
}

#[test]
fn brackets_and_quotes_may_close_anywhere() {
    for (old, new) in [
        (
            "a:\n  command: [\n    \"x\",\n    \"y\"\n  ]\n  port: 1\n",
            "a:\n  command: [\n    \"x\",\n    \"y\"\n  ]\n  port: 8888\n",
        ),
        ("a:\n  c: [ # one\n1, {b: 2\n}]\n  port: 1\n", "a:\n  c: [ # one\n1, {b: 2\n}]\n  port: 8888\n"),
        ("a:\n  c: {\n    x: 1\n  }\n", "a:\n  c: {\n    x: 1\n  }\n  port: \"8888\"\n"),
        ("a:\n  c: 'x\n\n  '\n  port: 1\n", "a:\n  c: 'x\n\n  '\n  port: 8888\n"),
        ("b: 'x\n\n'\na: {port: 1}\n", "b: 'x\n\n'\na: {port: 8888}\n"),
        ("b:\t1\na:\n  port:\t1 # c\n", "b:\t1\na:\n  port:\t8888 # c\n"),
    ] {
        assert_eq!(merge(old, r#"{"a.port": "8888"}"#), new, "{old}");
    }
}

#[test]
fn a_new_file_is_lines() {
    assert_eq!(
        merge("", r#"{"a": "x", "b": {"c": [1, "two", {"d": null}], "e": {}}, "no": "yes", "port": 8888}"#),
        "a: x\nb:\n  c: [1, two, { d: null }]\n  e: {}\n\"no\": \"yes\"\nport: 8888\n"
    );
    assert_eq!(merge("# mine\n---\n# more", r#"{"a.b": 1}"#), "# mine\n---\n# more\na:\n  b: 1");
}

#[test]
fn braces_and_empty_values_grow_in_their_own_manner() {
    for (old, map, new) in [
        ("{\"a\": 1}", r#"{"b": "x", "c.d": 2}"#, "{\"a\": 1, \"b\": \"x\", \"c\": { \"d\": 2 }}"),
        (
            "{\n  a: 1, # one\n  b: [x,\n    y], # two }\n}\n",
            r#"{"c": 2}"#,
            "{\n  a: 1, # one\n  b: [x,\n    y], c: 2, # two }\n}\n",
        ),
        ("m: {a: 1,}\n", r#"{"m.b": "x y"}"#, "m: {a: 1, b: x y,}\n"),
        ("m: {a: , b:}\n", r#"{"m.b.c": 1, "m.a": "x"}"#, "m: {a: x , b: { c: 1 }}\n"),
        ("m:   # c\n  # d\nn: 1\n", r#"{"m.b.c": 1}"#, "m:   # c\n  b:\n    c: 1\n  # d\nn: 1\n"),
        ("m: ~ # c\n", r#"{"m.b": 1}"#, "m: { b: 1 } # c\n"),
        ("m:\nn:\n  - 1\n", r#"{"m": "x", "n": ["2"]}"#, "m: x\nn:\n  - 2\n"),
        ("m: # c\n", r#"{"m": "8888"}"#, "m: \"8888\" # c\n"),
        ("a:\n- b\n- c: 1\n  d:\n", r#"{"x": 1}"#, "a:\n- b\n- c: 1\n  d:\nx: 1\n"),
        ("a: &x b\nc: *x\n...\n", r#"{"d": 1}"#, "a: &x b\nc: *x\nd: 1\n...\n"),
        ("a: b\n  c\nd: 1\n", r#"{"a": "e"}"#, "a: e\nd: 1\n"),
        ("a:\n- [1]\n- {b: 2}\n- 3\nc: [4]\n", r#"{"d": 1}"#, "a:\n- [1]\n- {b: 2}\n- 3\nc: [4]\nd: 1\n"),
        ("a:\n  - [1]\n  - 3\n", r#"{"d": 1, "a": [[1], 4]}"#, "a:\n  - [1]\n  - 4\nd: 1\n"),
        ("a:\n  - {b: 2}\n#]\n", r#"{"d": 1}"#, "a:\n  - {b: 2}\nd: 1\n#]\n"),
        ("? a\n: b\n", r#"{"a": "c"}"#, "? a\n: c\n"),
        ("\"a.b\": 1\n", r#"{"a.b": 2}"#, "\"a.b\": 2\n"),
    ] {
        assert_eq!(merge(old, map), new, "{old}");
    }
}

#[test]
fn values_keep_their_type_and_quotes_where_they_can() {
    for (old, value, new) in [
        ("1", "\"8888\"", "8888"),
        ("1", "\"08\"", "\"08\""),
        ("1", "\"1.50\"", "1.50"),
        ("1.50", "\"1.5\"", "1.50"),
        ("1e3", "\"8888\"", "8888"),
        ("True", "\"true\"", "True"),
        ("true", "\"false\"", "false"),
        ("true", "\"no\"", "\"no\""),
        ("yes", "\"no\"", "\"no\""),
        ("x", "\"8888\"", "\"8888\""),
        ("x", "\"a b: c\"", "\"a b: c\""),
        ("x", "\"http://[::1]:8888/#top\"", "\"http://[::1]:8888/#top\""),
        ("127.0.0.1", "\"0.0.0.0\"", "0.0.0.0"),
        ("'x'", "\"it's\"", "'it''s'"),
        ("'x'", "\"a\\nb\"", "\"a\\nb\""),
        ("\"x\"", "\"\\u0007\\u2028é🙂\"", "\"\\u0007\\u2028é🙂\""),
        ("\"8080:80\"", "\"8888:80\"", "\"8888:80\""),
        ("\"1\"", "8888", "8888"),
        ("x", "null", "null"),
        ("x", "[1, \"a, b\"]", "[1, \"a, b\"]"),
        ("[1, 2]", "[3]", "[3]"),
    ] {
        assert_eq!(
            merge(&format!("k: {old} # c\n"), &format!("{{\"k\": {value}}}")),
            format!("k: {new} # c\n"),
            "{old}"
        );
    }
    let numbers =
        Request { options: r#"{"numbers": true}"#.to_owned(), ..request("b:\n", r#"{"a": "8888", "b": "1"}"#) };
    assert_eq!(Yaml::render(&numbers).unwrap().files[0].text, "b: 1\na: 8888\n");
}

#[test]
fn line_ends_a_mark_and_a_missing_final_line_end_stay() {
    assert_eq!(
        merge("\u{feff}ä: 1\r\nb:\r\n  c: 2", r#"{"b.d": "ü", "e": 1}"#),
        "\u{feff}ä: 1\r\nb:\r\n  c: 2\r\n  d: \"ü\"\r\ne: 1"
    );
}

#[test]
fn what_would_change_something_else_is_refused_with_its_line() {
    for (old, map, line, word) in [
        ("a: 1\n---\nb: 2\n", r#"{"a": 2}"#, 3, "2 documents"),
        ("x: 1\na: &p 8080\nb: *p\n", r#"{"a": 2}"#, 2, "aliases"),
        ("a: &p 8080\nb: *p\n", r#"{"b": 2}"#, 2, "an alias"),
        ("d: &d {s: {h: 1}}\na:\n  <<: *d\n", r#"{"a.s.p": 1}"#, 1, "<<"),
        ("d: &d\n  s: 1\na: *d\n", r#"{"a.s": 2}"#, 3, "an alias"),
        ("d: &d\n  s: 1\na: *d\n", r#"{"d.t": 2}"#, 2, "aliases"),
        ("d: &d\n  s: 1\na: *d\n", r#"{"d.s": 2}"#, 2, "aliases"),
        ("a: !secret x\n", r#"{"a": "y"}"#, 1, "tag"),
        ("a: 1\nb: |\n  x\n", r#"{"b": "y"}"#, 3, "block of text"),
        ("a: 1\n", r#"{"a.b": 1}"#, 1, "a single value"),
        ("\na:\n  b: 1\n", r#"{"a": 1}"#, 3, "a mapping"),
        ("a:\n  - 1\n", r#"{"a.b": 1}"#, 2, "a list"),
        ("a:\n  - 1\n", r#"{"a": []}"#, 2, "an empty list"),
        ("- 1\n", r#"{"a": 1}"#, 1, "the document"),
        ("text\n", r#"{"a": 1}"#, 1, "the document"),
        ("a: [1\nb: 2\n", r#"{"b": 1}"#, 2, "cannot be read as YAML"),
    ] {
        let failure = failure(old, map);
        assert_eq!((failure.code.as_str(), failure.line), ("bad-target", Some(line)), "{old}: {failure}");
        assert!(failure.message.contains(word), "{old}: {failure}");
    }
    // The last line would become part of the text.
    assert_eq!(failure("a: |\n  x", r#"{"b": 1}"#).code, "bad-target");
}

#[test]
fn an_anchor_that_nobody_uses_is_kept() {
    assert_eq!(merge("a: &p 8080\n", r#"{"a": "1"}"#), "a: &p 1\n");
}

#[test]
fn a_merged_key_gets_a_value_of_its_own() {
    assert_eq!(
        merge(WORKFLOW, r#"{"jobs.e2e.env.NODE_ENV": "dev"}"#),
        WORKFLOW.replace(":3000'\n", ":3000'\n      NODE_ENV: dev\n")
    );
}

/// Documents of all the shapes that a mapping can have.
fn document() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "(1|x|'y'|\"z\"|true|~|\\|\n  t|>-\n  u\n  v|&n w|!t s|\\*n|) ?( # c)?",
        "(\\{\\}|\\{a: 1\\}|\\{ a: , b: \\[x\\], \\}|\\[1, x\\])( # c)?",
        "\n  [abc]: [12]( # c)?\n  # d\n  x: (\\{\\}|y|)",
        "\n(  - 1\n  - a: 1\n    b:|- x\n- 'y'|- \\[1\\]\n- \\{a: 1\\}|  - \\{\\})",
        "\n    [abc]:\n        [abc]: 1",
    ];
    let line = prop_oneof![
        8 => ("[abc]|\"a\"|'b'", value).prop_map(|(key, value)| format!("{key}: {value}")),
        1 => "# [a-z:]{0,5}",
        1 => Just(String::new()),
    ];
    (
        proptest::collection::vec(line, 0..5),
        prop_oneof![Just("\n"), Just("\r\n")],
        any::<bool>(),
        prop_oneof![4 => Just(""), 1 => Just("---\n")],
    )
        .prop_map(|(lines, end, open, start)| {
            let text = format!("{start}{}\n", lines.join("\n")).replace('\n', end);
            if open { text.trim_end().to_owned() } else { text }
        })
}

#[test]
fn the_schema_is_what_the_options_say() {
    let derived: serde_json::Value =
        serde_json::from_str(&portkeeper_plugin_sdk::options::schema::<Options>()).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(SCHEMA).unwrap(), derived);
}

proptest! {
    #[test]
    fn an_edit_changes_what_it_says_and_nothing_else(
        old in document(),
        key in "[abcx](\\.[abcx]){0,2}",
        value in prop_oneof![Just("8888".to_owned()), "[ -~]{0,6}", "\\PC{0,5}"],
    ) {
        let map = serde_json::json!({ &key: value }).to_string();
        let Ok(response) = Yaml::render(&request(&old, &map)) else { return Ok(()) };
        let once = &response.files[0].text;
        prop_assert_eq!(&merge(once, &map), once, "a fixed point");
        // Another reader agrees: the value is there, and all else says what it said.
        let Ok(before) = serde_yaml::from_str::<serde_yaml::Value>(&old) else { return Ok(()) };
        let after: serde_yaml::Value = serde_yaml::from_str(once).map_err(|error| TestCaseError::fail(format!("{error}\n{once}")))?;
        let path: Vec<_> = key.split('.').collect();
        let found = path.iter().try_fold(&after, |value, key| value.get(*key)).expect("the key is there");
        let text = match found {
            serde_yaml::Value::String(text) => text.clone(),
            serde_yaml::Value::Bool(value) => value.to_string(),
            serde_yaml::Value::Number(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        prop_assert_eq!(&text, &value, "{}", once);
        prop_assert_eq!(without(before, &path), without(after, &path), "{}", once);
        // Comments stay, every one.
        let comments = |text: &str| text.matches("# ").count();
        prop_assert!(comments(once) >= comments(&old), "{}", once);
    }

    #[test]
    fn no_text_makes_it_panic(old in any::<String>(), yaml in "[\\[\\]{}:,'\"#&*!|> \n\r\tab1-]{0,40}", map in any::<String>(), options in any::<String>()) {
        let _ = Yaml::render(&request(&old, r#"{"a.b": 1}"#));
        if let Ok(response) = Yaml::render(&request(&yaml, r#"{"a.b": 1}"#)) {
            prop_assert_eq!(merge(&response.files[0].text, r#"{"a.b": 1}"#), &response.files[0].text[..]);
        }
        let _ = Yaml::render(&Request { options, ..request("", &map) });
    }
}

/// The document without the value, and without mappings that are empty after that.
fn without(value: serde_yaml::Value, path: &[&str]) -> serde_yaml::Value {
    let serde_yaml::Value::Mapping(mut map) = value else { return value };
    if let [key, rest @ ..] = path {
        let inner = map.remove(*key).filter(|_| !rest.is_empty()).map(|inner| without(inner, rest));
        if let Some(inner) = inner.filter(|inner| !inner.is_null()) {
            map.insert((*key).into(), inner);
        }
    }
    if map.is_empty() { serde_yaml::Value::Null } else { serde_yaml::Value::Mapping(map) }
}
