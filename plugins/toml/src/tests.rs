use proptest::prelude::*;

use super::*;

fn request(old: &str, map: &str) -> Request {
    Request { map: map.to_owned(), ..Request::new("config.toml").text(old) }
}

fn merge(old: &str, map: &str) -> String {
    Toml::render(&request(old, map)).unwrap().files.remove(0).text
}

fn failure(old: &str, map: &str) -> Failure {
    Toml::render(&request(old, map)).unwrap_err()
}

const PYPROJECT: &str = r#"# The build
[build-system]
requires = ["hatchling >= 1.26"]   # pinned
build-backend = 'hatchling.build'

[project]
name = "shop"
version = "0.3.0"
dependencies = [
    "django >= 5",  # LTS
]

[[tool.mypy.overrides]]
module = "legacy.*"

[tool.shop]
port = 3000 # the server
host = '127.0.0.1'
debug = false
ratio = 0.5
big = 8_000
hex = 0xBEEF
"#;

#[test]
fn a_real_pyproject_stays_as_its_owner_wrote_it() {
    let map = r#"{"tool.shop.port": "8888", "tool.shop.host": "0.0.0.0", "tool": {"shop": {"debug": "true", "ratio": "2", "big": "8000", "hex": "48879"}}}"#;
    let expected = PYPROJECT
        .replace("3000", "8888")
        .replace("'127.0.0.1'", "'0.0.0.0'")
        .replace("debug = false", "debug = true")
        .replace("0.5", "2.0");
    assert_eq!(merge(PYPROJECT, map), expected);
}

#[test]
fn new_keys_go_below_the_last_of_their_table_and_new_tables_to_the_end() {
    let new = merge(
        PYPROJECT,
        r#"{"project.port": 1, "tool.shop.url": "http://x", "tool.shop.db.port": 2, "server.port": "3", "tool.mypy.strict": true}"#,
    );
    let expected =
        PYPROJECT.replace("# LTS\n]\n", "# LTS\n]\nport = 1\n").replace("0xBEEF\n", "0xBEEF\nurl = \"http://x\"\n")
            + "\n[tool.shop.db]\nport = 2\n\n[server]\nport = \"3\"\n\n[tool.mypy]\nstrict = true\n";
    assert_eq!(new, expected);
}

#[test]
fn a_new_file_has_keys_first_and_then_tables() {
    assert_eq!(
        merge("", r#"{"a": "1", "b": {"c": 2}, "d.e.f": [1, "x", {"y": true}]}"#),
        "a = \"1\"\n\n[b]\nc = 2\n\n[d.e]\nf = [1, \"x\", { y = true }]\n"
    );
    assert_eq!(merge("# mine\n", r#"{"a": 1}"#), "# mine\na = 1\n");
}

#[test]
fn keys_of_the_root_go_before_the_first_header_and_its_comments() {
    let old = "# top\n\n# about t\n# more\n[t]\na = 1\n";
    assert_eq!(merge(old, r#"{"x": 1, "y": 2}"#), "# top\n\nx = 1\ny = 2\n\n# about t\n# more\n[t]\na = 1\n");
    // A license stays what the file begins with.
    let old = "# (c) us\n# all rights\n[t]\na = 1\n";
    assert_eq!(merge(old, r#"{"x": 1, "y": 2}"#), "# (c) us\n# all rights\n\nx = 1\ny = 2\n\n[t]\na = 1\n");
}

#[test]
fn dotted_keys_and_braces_grow_in_their_own_manner() {
    for (old, map, new) in [
        ("[p]\n  a.b=1 # c\n", r#"{"p.a.x.y": 2}"#, "[p]\n  a.b=1 # c\n  a.x.y=2\n"),
        ("a . b = 1", r#"{"a.c": 2}"#, "a . b = 1\na . c = 2"),
        (
            "p = { a = 1, b.c = 2 } # z\n",
            r#"{"p": {"x": 3, "b": {"d": 4}}}"#,
            "p = { a = 1, b.c = 2, b.d = 4, x = 3 } # z\n",
        ),
        ("p = {}\n", r#"{"p.x.y": 3}"#, "p = { x.y = 3 }\n"),
        ("p = { }\n", r#"{"p.x": 3}"#, "p = { x = 3 }\n"),
        ("p = {\n  a = 1, # one\n}\n", r#"{"p.x": 3}"#, "p = {\n  a = 1, x = 3, # one\n}\n"),
        ("[a.b]\nx = 1\n", r#"{"a.y": 2}"#, "[a.b]\nx = 1\n\n[a]\ny = 2\n"),
        ("\t[a]\t# c\n", r#"{"a.y": 2}"#, "\t[a]\t# c\n\ty = 2\n"),
        ("[\"a.b\"]\nx=1\n", r#"{"a.b": {"y": 2, "c d": 3}}"#, "[\"a.b\"]\nx=1\ny=2\n\"c d\"=3\n"),
    ] {
        assert_eq!(merge(old, map), new, "{old}");
    }
}

#[test]
fn values_keep_their_type_and_quotes_where_they_can() {
    for (old, map, new) in [
        ("a = 1", r#"{"a": "text"}"#, "a = \"text\""),
        ("a = 1", r#"{"a": "08"}"#, "a = \"08\""),
        ("a = 0x1f", r#"{"a": "31"}"#, "a = 0x1f"),
        ("a = 1e3", r#"{"a": "1000"}"#, "a = 1e3"),
        ("a = 'x'", r#"{"a": "it's"}"#, "a = \"it's\""),
        ("a = '''\nx'''", r#"{"a": "y"}"#, "a = 'y'"),
        ("a = \"\"\"\n\\u0078\"\"\" # c", r#"{"a": "x"}"#, "a = \"\"\"\n\\u0078\"\"\" # c"),
        ("a = \"8\"", r#"{"a": 8}"#, "a = 8"),
        ("a = 1979-05-27 # day", r#"{"a": "x"}"#, "a = \"x\" # day"),
        ("a = [ 1, 0x2 ]", r#"{"a": ["1", 2]}"#, "a = [ 1, 0x2 ]"),
        ("a = [ 1 ]", r#"{"a": [1, 2]}"#, "a = [ 1, 2 ]"),
        ("a = true", r#"{"a": "yes"}"#, "a = \"yes\""),
        ("", r#"{"a": "\t\u0007\"\\\u2028é"}"#, "a = \"\\t\\u0007\\\"\\\\\u{2028}é\"\n"),
    ] {
        assert_eq!(merge(old, map), new, "{old}");
    }
    let numbers = Request { options: r#"{"numbers": true}"#.to_owned(), ..request("", r#"{"a": "8888", "b": "x"}"#) };
    assert_eq!(Toml::render(&numbers).unwrap().files[0].text, "a = 8888\nb = \"x\"\n");
}

#[test]
fn lists_change_item_by_item_and_keep_their_types_and_comments() {
    let old = "ports = [\n  1, # one\n  0x2, # two\n]\nflags = [true, false]\nmixed = [{ a = 1, b = 'x' }, '7']\n";
    let map = r#"{"ports": ["18431", "2"], "flags": ["true", "true"], "mixed": [{"a": "5", "b": "y"}, "8"]}"#;
    let new = old.replace("1, # one", "18431, # one").replace("true, false", "true, true");
    assert_eq!(merge(old, map), new.replace("a = 1, b = 'x'", "a = 5, b = 'y'").replace("'7'", "'8'"));
    let numbers = Request { options: r#"{"numbers": true}"#.to_owned(), ..request("", r#"{"a": ["8888", "x"]}"#) };
    assert_eq!(Toml::render(&numbers).unwrap().files[0].text, "a = [8888, \"x\"]\n");
}

#[test]
fn line_ends_a_mark_and_a_missing_final_line_end_stay() {
    assert_eq!(
        merge("\u{feff}a = 1\r\nb = 2", r#"{"b": 3, "c": 4, "t.x": 5}"#),
        "\u{feff}a = 1\r\nb = 3\r\nc = 4\r\n\r\n[t]\r\nx = 5"
    );
}

#[test]
fn what_would_lose_something_is_refused_with_its_line() {
    for (old, map, line) in [
        ("a = 1\n[b]\nc = 1\n", r#"{"b": "x"}"#, 2),
        ("a = 1\n", r#"{"a.b": 1}"#, 1),
        ("\n[[a]]\nx = 1\n", r#"{"a.x": 2}"#, 2),
        ("a = [1]\n", r#"{"a.x": 2}"#, 1),
        ("x = 1\na = \n", r#"{"y": 2}"#, 2),
        ("x = 1\nx = 2\n", r#"{"y": 2}"#, 2),
        ("[x]\n[x]\n", r#"{"y": 2}"#, 2),
        ("a.b = 1\n[a]\n", r#"{"y": 2}"#, 2),
        ("a = \"x\n", r#"{"y": 2}"#, 1),
    ] {
        let failure = failure(old, map);
        assert_eq!((failure.code.as_str(), failure.line), ("bad-target", Some(line)), "{old}: {failure}");
    }
    assert_eq!(failure("", r#"{"a": null}"#).code, "bad-map");
}

#[test]
fn a_document_that_is_nested_without_end_is_refused() {
    let deep = format!("a = {}1{}\n", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(failure(&deep, r#"{"b": 1}"#).code, "bad-target");
    let deep = format!("a = {}1{}\n", "{ a = ".repeat(10_000), "}".repeat(10_000));
    assert_eq!(failure(&deep, r#"{"b": 1}"#).code, "bad-target");
}

/// Documents of all the shapes that a table can have.
fn document() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[abc]{1,2}(\\.[abc])? ?= ?(1|'x'|\"y\"|true|\\[1, 2\\]|\\{ ?\\}|\\{ a = 1 \\}|\\{ a\\.b = 1, c = 'z' \\}) ?(# n)?",
        "# [a-z =]{0,6}",
        "",
        " ?\\[[abc](\\.[abc])?\\] ?(# h)?",
        "\\[\\[[de]\\]\\]",
    ];
    (proptest::collection::vec((line, prop_oneof![Just("\n"), Just("\r\n")]), 0..8), any::<bool>()).prop_map(
        |(lines, open)| {
            let text: String = lines.into_iter().map(|(line, end)| line + end).collect();
            if open { text.trim_end().to_owned() } else { text }
        },
    )
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
        value in prop_oneof![Just("8888".to_owned()), "\\PC{0,5}"],
    ) {
        let map = serde_json::json!({ &key: value }).to_string();
        let Ok(response) = Toml::render(&request(&old, &map)) else { return Ok(()) };
        let once = &response.files[0].text;
        prop_assert_eq!(&merge(once, &map), once, "a fixed point");
        // What reads TOML elsewhere agrees: the value is there, and all else says what it said.
        let Ok(before) = toml::from_str::<toml::Table>(&old) else { return Ok(()) };
        let mut after: toml::Table = toml::from_str(once).map_err(|error| TestCaseError::fail(format!("{error}\n{once}")))?;
        let found = take(&mut after, &key.split('.').collect::<Vec<_>>()).expect("the key is there");
        let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        prop_assert_eq!(text, value);
        let mut before = before;
        take(&mut before, &key.split('.').collect::<Vec<_>>());
        prop_assert_eq!(without_empty(before), without_empty(after));
        // No line of the owner's is gone, but for the one with the value.
        let gone = old.lines().filter(|line| !once.lines().any(|new| new == *line)).count();
        prop_assert!(gone <= 1, "{}", once);
    }

    #[test]
    fn no_text_makes_it_panic(old in any::<String>(), toml in "[\\[\\]{}=.,'\"# \n\r\ta1]{0,40}", map in any::<String>(), options in any::<String>()) {
        let _ = Toml::render(&request(&old, r#"{"a.b": 1}"#));
        let _ = Toml::render(&request(&toml, r#"{"a.b": 1}"#));
        let _ = Toml::render(&Request { options, ..request("", &map) });
    }
}

/// Takes the value out of the document.
fn take(table: &mut toml::Table, path: &[&str]) -> Option<toml::Value> {
    match path {
        [key] => table.remove(*key),
        [key, rest @ ..] => take(table.get_mut(*key)?.as_table_mut()?, rest),
        [] => None,
    }
}

/// Tables with nothing in them are the same as none: taking the only key leaves one.
fn without_empty(table: toml::Table) -> toml::Table {
    let kept = table.into_iter().filter_map(|(key, value)| match value {
        toml::Value::Table(inner) => {
            let inner = without_empty(inner);
            (!inner.is_empty()).then_some((key, toml::Value::Table(inner)))
        }
        other => Some((key, other)),
    });
    kept.collect()
}
