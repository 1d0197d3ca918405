//! Items of lists, several documents, and the edits of many keys.

use super::*;

/// What an operator of Kubernetes keeps in one file.
const MANIFESTS: &str = "# the shop
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
    - name: http
      port: 80 # in the cluster
    - name: metrics
      port: 9090
---
kind: Service
metadata:
  name: db
spec:
  ports:
  - port: 5432
---
# nothing here
---
kind: ConfigMap
metadata: {name: web}
data: {}
";

fn with_numbers(old: &str, map: &str) -> String {
    let request = Request { options: r#"{"numbers": true}"#.to_owned(), ..request(old, map) };
    Yaml::render(&request).unwrap().files.remove(0).text
}

#[test]
fn an_item_is_named_by_its_index_or_its_fields() {
    let old = "servers:\n  - url: http://localhost:1 # dev\n    description: dev\n  - {url: 'http://a', n: 1}\nscrape_configs:\n- job_name: web\n  static_configs:\n  - targets: [\"localhost:1\", 'b:2']\n";
    let expected =
        old.replace("localhost:1 #", "localhost:8888 #").replace("n: 1}", "n: 2, m: x}").replace("'b:2'", "'b:3'");
    for map in [
        r#"{"servers.0.url": "http://localhost:8888", "servers.1.n": "2", "servers[1].m": "x", "scrape_configs[job_name=web].static_configs.0.targets[1]": "b:3"}"#,
        r#"{"servers[description=dev].url": "http://localhost:8888", "servers[1]": {"n": "2", "m": "x"}, "scrape_configs": {"0": {"static_configs[0].targets.1": "b:3"}}}"#,
        r#"{"servers": [{"url": "http://localhost:8888"}, {"n": "2", "m": "x"}], "scrape_configs[0].static_configs[0].targets": ["localhost:1", "b:3"]}"#,
    ] {
        assert_eq!(merge(old, map), expected);
    }
    // Of a mapping the same is a key, and so are brackets that are there.
    assert_eq!(
        merge("ports:\n  80: a\n\"x[0]\": 1\n", r#"{"ports.80": "b", "x[0]": 2}"#),
        "ports:\n  80: b\n\"x[0]\": 2\n"
    );
}

#[test]
fn a_document_is_named_like_an_item() {
    let map = r#"{"[kind=Service,metadata.name=web].spec.ports[name=http].port": "8888", "[1].spec.ports.0.port": "8889",
        "[kind=ConfigMap].data.URL": "http://x:8888", "[kind=ConfigMap].new": 1, "[kind=Service, metadata.name=db].metadata.labels.a": "b"}"#;
    let expected = MANIFESTS
        .replace("port: 80 #", "port: 8888 #")
        .replace("5432", "8889")
        .replace("data: {}", "data: { URL: http://x:8888 }\nnew: 1")
        .replace("  name: db\n", "  name: db\n  labels:\n    a: b\n");
    assert_eq!(merge(MANIFESTS, map), expected);
    assert_eq!(merge(&expected, map), expected);
    // The same map serves a file that has only one of them, and files that begin or end with nothing.
    let one = r#"{"[kind=Service].port": 1, "[0].host": "x"}"#;
    assert_eq!(merge("---\nkind: Service\nport: 2\n---\n", one), "---\nkind: Service\nport: 1\nhost: x\n---\n");
    assert_eq!(merge("---\n---\na: 1\n", r#"{"a": 2}"#), "---\n---\na: 2\n");
    assert_eq!(merge("a: 1\n---\n- 1\n- 2\n", r#"{"[1][0]": 3}"#), "a: 1\n---\n- 3\n- 2\n");
    assert_eq!(merge("x: &x 1\ny: *x\n---\nx: &x 2\n", r#"{"[1].x": 3}"#), "x: &x 1\ny: *x\n---\nx: &x 3\n");
}

#[test]
fn what_could_be_several_places_is_refused_with_its_line() {
    for (old, map, line, word) in [
        (MANIFESTS, r#"{"kind": "x"}"#, 14, "3 documents"),
        (MANIFESTS, r#"{"[kind=Service].spec.type": "x"}"#, 14, "2 have kind=Service (lines 3, 14)"),
        (MANIFESTS, r#"{"[kind=Pod].spec.type": "x"}"#, 3, "the document with kind=Pod"),
        (MANIFESTS, r#"{"[3].spec": "x"}"#, 3, "no such document among 3 documents"),
        (MANIFESTS, r#"{"[0].spec.ports.2.port": 1}"#, 9, "no such item among 2 items"),
        (MANIFESTS, r#"{"[0].spec.other[0].port": 1}"#, 8, "no such list"),
        (MANIFESTS, r#"{"[0].spec.ports.port": 1}"#, 9, "`ports` is a list here"),
        ("\"l[0]\": 1\nl: [1]\n", r#"{"l[0]": 2}"#, 1, "there are both"),
        ("kind: Pod\n", r#"{"[kind=Service].port": 2}"#, 1, "the document with kind=Service"),
    ] {
        let failure = failure(old, map);
        assert_eq!((failure.code.as_str(), failure.line), ("bad-target", Some(line)), "{map}: {failure}");
        assert!(failure.message.contains(word), "{map}: {failure}");
    }
    let failure = failure("l:\n- n: a\n  p: 1\n", r#"{"l[n=a].n": "b"}"#);
    assert!(failure.code == "bad-map" && failure.message.contains("selects an item by a value"), "{failure}");
}

#[test]
fn lists_grow_and_shrink_in_their_own_manner() {
    for (old, map, new) in [
        (
            "a:\n  - 1 # one\n  # end\nb: 1\n",
            r#"{"a": ["1", "2", "x"]}"#,
            "a:\n  - 1 # one\n  - 2\n  - x\n  # end\nb: 1\n",
        ),
        ("a:\n- 'x'\n", r#"{"a": ["x", "y", "80"]}"#, "a:\n- 'x'\n- 'y'\n- '80'\n"),
        ("a: [1, # one\n  2]\n", r#"{"a": [1, "3", "4"]}"#, "a: [1, # one\n  3, 4]\n"),
        ("a: [ ]\nb:\n", r#"{"a": ["1"], "b": ["x", "2"]}"#, "a: [\"1\"]\nb: [x, \"2\"]\n"),
        (
            "a:\n  - id: x\n    p: 1\nb: 1\n",
            r#"{"a": [{"p": "2"}, {"id": "z", "p": "3", "m": {"k": "v"}}, {}]}"#,
            "a:\n  - id: x\n    p: 2\n  - id: z\n    p: \"3\"\n    m:\n      k: v\n  - {}\nb: 1\n",
        ),
        ("a:\n- - 1\n- - 2\n", r#"{"a": [["1"], ["2", "3"]]}"#, "a:\n- - 1\n- - 2\n  - 3\n"),
        ("a:\n  - 1 # one\n  # two\n  - 2\n  - 3 # three\nb: 1\n", r#"{"a": [1]}"#, "a:\n  - 1 # one\nb: 1\n"),
        ("a:\n  - 1\n  - 2", r#"{"a": [3]}"#, "a:\n  - 3"),
        ("a: [1, 2, 3] # c\n", r#"{"a": [4, 2]}"#, "a: [4, 2] # c\n"),
        ("a: [\n  1, # one\n  2, # two\n]\n", r#"{"a": [1]}"#, "a: [\n  1, # one\n]\n"),
        ("a: [1, 2]\n", r#"{"a": []}"#, "a: []\n"),
        // The inner before the outer, also in a last line without an end.
        (
            "a:\n  b:\n    - c: 1",
            r#"{"d": 1, "a.e": 2, "a.b.0.f": 3}"#,
            "a:\n  b:\n    - c: 1\n      f: 3\n  e: 2\nd: 1",
        ),
        (
            "a:\n  b:",
            r#"{"d": 1, "a.e": 2, "a.b.f": 3, "a.b.g.h": 4}"#,
            "a:\n  b:\n    f: 3\n    g:\n      h: 4\n  e: 2\nd: 1",
        ),
        ("a:\n  b:\n", r#"{"d": 1, "a.b": 2}"#, "a:\n  b: 2\nd: 1\n"),
        ("{a: {b: }}", r#"{"d": 1, "a.b": 2, "a.c": 3}"#, "{a: {b: 2, c: 3 }, d: 1}"),
    ] {
        assert_eq!(merge(old, map), new, "{old}");
        assert_eq!(merge(new, map), new, "{old}");
    }
}

#[test]
fn numbers_are_numbers_in_new_lists_as_well() {
    assert_eq!(with_numbers("", r#"{"a": ["1", ["2", "x"], {"b": "3"}]}"#), "a: [1, [2, x], { b: 3 }]\n");
    assert_eq!(
        with_numbers("a:\nb: []\n", r#"{"a": ["1"], "b": ["2"], "c.d": ["3"]}"#),
        "a: [1]\nb: [2]\nc:\n  d: [3]\n"
    );
    assert_eq!(with_numbers("a:\n  - x\n", r#"{"a": ["x", "1", {"p": "2"}]}"#), "a:\n  - x\n  - 1\n  - { p: 2 }\n");
    // What has a type keeps it.
    assert_eq!(with_numbers("a: ['1', x]\n", r#"{"a": ["2", "3"]}"#), "a: ['2', \"3\"]\n");
}

#[test]
fn the_key_that_cannot_be_put_in_is_named() {
    let old = "a: 1\nb: |\n  x";
    let failure = failure(old, r#"{"a": 2, "new": 1, "c": 3}"#);
    assert!(failure.message.contains("`new` cannot be put"), "{failure}");
    assert_eq!(failure.line, Some(3));
}
