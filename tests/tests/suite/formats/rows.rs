//! The operations of the table of agreement, each on one document in four syntaxes.

/// An operation.
pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) map: &'static str,
    pub(super) numbers: bool,
    /// The document in YAML, JSON, JSON with comments and TOML; none where a syntax has no such document.
    pub(super) old: [Option<&'static str>; 4],
    /// Why the formats differ; empty where they agree.
    pub(super) why: &'static str,
}

const fn row(operation: &'static str, map: &'static str, old: [&'static str; 4]) -> Row {
    let [yaml, json, jsonc, toml] = old;
    Row { operation, map, numbers: false, old: [Some(yaml), Some(json), Some(jsonc), Some(toml)], why: "" }
}

impl Row {
    const fn numbers(self) -> Self {
        Self { numbers: true, ..self }
    }

    const fn why(self, why: &'static str) -> Self {
        Self { why, ..self }
    }

    const fn without_toml(self) -> Self {
        let [yaml, json, jsonc, _] = self.old;
        Self { old: [yaml, json, jsonc, None], ..self }
    }
}

const SERVERS: [&str; 4] = [
    "servers:\n  - name: a # first\n    port: 1\n  - name: b\n    port: 2\n",
    "{\"servers\": [{\"name\": \"a\", \"port\": 1}, {\"name\": \"b\", \"port\": 2}]}\n",
    "{\n  \"servers\": [\n    // first\n    {\"name\": \"a\", \"port\": 1},\n    {\"name\": \"b\", \"port\": 2},\n  ],\n}\n",
    "[[servers]]\nname = \"a\" # first\nport = 1\n\n[[servers]]\nname = \"b\"\nport = 2\n",
];

const PORTS: [&str; 4] = [
    "ports:\n  - 1 # one\n  - 2 # two\n",
    "{\"ports\": [1, 2]}\n",
    "{\n  \"ports\": [\n    1, // one\n    2 // two\n  ]\n}\n",
    "ports = [\n  1, # one\n  2, # two\n]\n",
];

const SERVER: [&str; 4] = [
    "server:\n  port: 1 # mine\n",
    "{\"server\": {\"port\": 1}}\n",
    "{\n  \"server\": {\n    \"port\": 1 // mine\n  }\n}\n",
    "[server]\nport = 1 # mine\n",
];

/// All of them.
pub(super) const ROWS: &[Row] = &[
    row("a number stays one", r#"{"server.port": "18431"}"#, SERVER),
    row("a number becomes text that is none", r#"{"server.port": "auto"}"#, SERVER),
    row(
        "text stays text",
        r#"{"a": "18431"}"#,
        ["a: \"1\"\n", "{\"a\": \"1\"}\n", "{\"a\": \"1\"} // c\n", "a = \"1\"\n"],
    ),
    row(
        "a number of the map replaces text",
        r#"{"a": 18431}"#,
        ["a: \"1\"\n", "{\"a\": \"1\"}\n", "{\"a\": \"1\"} // c\n", "a = \"1\"\n"],
    ),
    row(
        "a truth value stays one",
        r#"{"a": "false"}"#,
        ["a: true # c\n", "{\"a\": true}\n", "{\"a\": true} // c\n", "a = true # c\n"],
    ),
    row(
        "what says the same stays as it is written",
        r#"{"a": "16"}"#,
        ["a: 0x10\n", "{\"a\": 1.6e1}\n", "{\"a\": 16.0}\n", "a = 0x10\n"],
    )
    .why("the same number, written in four ways; no file is written"),
    row(
        "a null of the file is filled",
        r#"{"a": "18431"}"#,
        ["a: null # c\n", "{\"a\": null}\n", "{\"a\": null} // c\n", ""],
    )
    .without_toml(),
    row("a null of the map", r#"{"server.port": null}"#, SERVER).why("TOML has no null"),
    row("a new key", r#"{"server.host": "127.0.0.1"}"#, SERVER),
    row("a new key at the top", r#"{"port": "18431"}"#, SERVER),
    row("a new key at the top, a number", r#"{"port": "18431"}"#, SERVER).numbers(),
    row("a new key in a new map", r#"{"db.main.port": 1, "db.main.host": "x"}"#, SERVER),
    row("a new key in an empty map", r#"{"a.b": 1}"#, ["a: {}\n", "{\"a\": {}}\n", "{\"a\": {}} // c\n", "a = {}\n"]),
    row("a new file", r#"{"a": "1", "b": {"c": 2}}"#, ["", "", "", ""]),
    row("a file of comments", r#"{"a": 1}"#, ["# c\n", "\n", "// c\n", "# c\n"]),
    row("an item of a list by its index", r#"{"ports.1": "18431"}"#, PORTS),
    row("an item of a list by its index in brackets", r#"{"ports[0]": "18431"}"#, PORTS),
    row("a field of an item", r#"{"servers[0].port": "18431"}"#, SERVERS),
    row("a field of an item by another field", r#"{"servers[name=b].port": "18431"}"#, SERVERS),
    row("a new field of an item", r#"{"servers[name=a].tls": true}"#, SERVERS),
    row("an index beyond the end", r#"{"ports.2": "18431"}"#, PORTS),
    row("a selector that nothing fits", r#"{"servers[name=c].port": "1"}"#, SERVERS),
    row(
        "a selector that two items fit",
        r#"{"a[n=x].p": 1}"#,
        [
            "a:\n  - {n: x, p: 1}\n  - {n: x, p: 2}\n",
            "{\"a\": [{\"n\": \"x\", \"p\": 1}, {\"n\": \"x\", \"p\": 2}]}\n",
            "{\"a\": [\n  {\"n\": \"x\", \"p\": 1},\n  {\"n\": \"x\", \"p\": 2},\n]}\n",
            "[[a]]\nn = \"x\"\np = 1\n[[a]]\nn = \"x\"\np = 2\n",
        ],
    ),
    row("a list of the same length", r#"{"ports": ["1", "18431"]}"#, PORTS),
    row("a longer list", r#"{"ports": ["18431", "2", "18432"]}"#, PORTS),
    row("a shorter list", r#"{"ports": ["18431"]}"#, PORTS),
    row("a list without items", r#"{"ports": []}"#, PORTS).why("a list of lines of YAML cannot be empty"),
    row(
        "items for an empty list",
        r#"{"a": ["x", 2]}"#,
        ["a: [] # c\n", "{\"a\": []}\n", "{\n  \"a\": [] // c\n}\n", "a = [] # c\n"],
    ),
    row("a new list", r#"{"a": ["18431", "x", true]}"#, SERVER),
    row("a new list, numbers", r#"{"a": ["18431", "x", {"b": "2"}]}"#, SERVER).numbers(),
    row("a list of maps is merged item by item", r#"{"servers": [{"port": "18431"}, {"port": "18432"}]}"#, SERVERS),
    row("a longer list of maps", r#"{"servers": [{}, {}, {"name": "c", "port": 3}]}"#, SERVERS),
    row("a shorter list of maps", r#"{"servers": [{"port": "18431"}]}"#, SERVERS)
        .why("what belongs to a table of `[[servers]]` may stand anywhere in the file"),
    row("a map by a single value", r#"{"server": "x"}"#, SERVER),
    row("a single value by a map", r#"{"server.port.x": "1"}"#, SERVER),
    row("a list by a single value", r#"{"ports": "1"}"#, PORTS),
    row("a map by a list", r#"{"server": ["x"]}"#, SERVER),
    row(
        "a key with a dot before the path",
        r#"{"a.b": 2}"#,
        ["a.b: 1\n", "{\"a.b\": 1}\n", "{\"a.b\": 1} // c\n", "\"a.b\" = 1\n"],
    ),
    row("two values for one place", r#"{"ports[0]": 1, "ports.0": 2}"#, PORTS),
    row("a list and one of its items", r#"{"ports": [1, 2], "ports[0]": 2}"#, PORTS),
    row(
        "a key that stands there twice",
        r#"{"a": 3}"#,
        ["a: 1\na: 2\n", "{\"a\": 1, \"a\": 2}\n", "{\"a\": 1, \"a\": 2} // c\n", "a = 1\na = 2\n"],
    )
    .why("JSON's readers take the last one, and YAML's are of several minds; to TOML's it is an error"),
    row(
        "a byte order mark and CR LF stay",
        r#"{"a": 2, "b": 3}"#,
        [
            "\u{feff}a: 1\r\n",
            "\u{feff}{\r\n  \"a\": 1\r\n}\r\n",
            "\u{feff}{\r\n  \"a\": 1 // c\r\n}\r\n",
            "\u{feff}a = 1\r\n",
        ],
    ),
    row(
        "no line end at the end stays",
        r#"{"a": 2, "b": 3}"#,
        ["a: 1", "{\n  \"a\": 1\n}", "{\n  \"a\": 1 // c\n}", "a = 1"],
    ),
    row("what is no document", r#"{"a": 1}"#, ["a: [\n", "{\"a\": 1\n", "{a: 1}\n", "a = \n"]),
];
