use proptest::prelude::*;

use super::*;

fn request(old: &str, map: &str) -> Request {
    Request { map: map.to_owned(), ..Request::new("config.json").text(old) }
}

fn merge(old: &str, map: &str) -> String {
    Json::render(&request(old, map)).unwrap().files.remove(0).text
}

fn failure(old: &str, map: &str) -> Failure {
    Json::render(&request(old, map)).unwrap_err()
}

#[test]
fn a_new_file_is_an_object_with_two_spaces() {
    let expected = "{\n  \"SERVICE_PORT\": \"8888\",\n  \"db\": {\n    \"ports\": [\n      1\n    ]\n  }\n}\n";
    for old in ["", "\n", "{}\n"] {
        assert_eq!(merge(old, r#"{"SERVICE_PORT": "8888", "db": {"ports": [1]}}"#), expected);
    }
}

#[test]
fn a_real_package_json_stays_as_its_owner_wrote_it() {
    let old = "{\n\t\"name\": \"caf\\u00e9\",\n\t\"scripts\": {\n\t\t\"build\": \"x\"\n\t},\n\t\"n\": 1.50e3,\n\t\"config\": {\"port\": 1}\n}";
    let new = merge(old, r#"{"scripts": {"start": "serve -p 8888"}, "config.port": "8888", "n": 1500}"#);
    let expected =
        old.replace("\"x\"\n", "\"x\",\n\t\t\"start\": \"serve -p 8888\"\n").replace("\"port\": 1}", "\"port\": 8888}");
    assert_eq!(new, expected);
}

#[test]
fn comments_and_trailing_commas_stay() {
    let old = "// top\n{\n    \"a\": 1, // one\n    /* two */ \"b\": {\n    }, // end\n    // last\n}\n// bottom\n";
    assert_eq!(
        merge(old, r#"{"a": 2, "b": {"x": "1"}, "c": 3}"#),
        "// top\n{\n    \"a\": 2, // one\n    /* two */ \"b\": {\n        \"x\": \"1\"\n    }, // end\n    \"c\": 3,\n    // last\n}\n// bottom\n"
    );
    assert_eq!(merge("{\n  \"a\": 1 // one\n}\n", r#"{"b": 2}"#), "{\n  \"a\": 1, // one\n  \"b\": 2\n}\n");
    assert_eq!(merge("{ // none yet\n}\n", r#"{"b": 2}"#), "{ // none yet\n  \"b\": 2\n}\n");
    assert_eq!(merge("// mine\n", r#"{"b": 2}"#), "// mine\n{\n  \"b\": 2\n}\n");
}

#[test]
fn a_document_on_one_line_stays_on_one_line() {
    assert_eq!(merge(r#"{"a":1}"#, r#"{"b": {"c": [1, 2]}}"#), r#"{"a":1,"b":{"c":[1,2]}}"#);
    assert_eq!(merge(r#"{ "a": {} }"#, r#"{"b": 2, "a.x": 1}"#), r#"{ "a": {"x": 1}, "b": 2 }"#);
    assert_eq!(merge(r#"{"a": 1,}"#, r#"{"b": 2}"#), r#"{"a": 1, "b": 2,}"#);
}

#[test]
fn line_ends_a_mark_and_a_missing_final_line_end_stay() {
    assert_eq!(merge("\u{feff}{\r\n  \"a\": 1\r\n}", r#"{"b": 2}"#), "\u{feff}{\r\n  \"a\": 1,\r\n  \"b\": 2\r\n}");
}

#[test]
fn a_key_may_be_a_path_and_a_literal_key_is_meant_first() {
    let nested = "{\n  \"server\": {\n    \"port\": 8888\n  }\n}\n";
    assert_eq!(merge("", r#"{"server.port": 8888}"#), nested);
    assert_eq!(merge("", r#"{"server": {"port": 8888}}"#), nested);
    assert_eq!(merge("", r#"{"server\\.port": 8888}"#), "{\n  \"server.port\": 8888\n}\n");
    assert_eq!(merge(r#"{"server.port": 1}"#, r#"{"server.port": 8888}"#), r#"{"server.port": 8888}"#);
    assert_eq!(merge(r#"{"server": null}"#, r#"{"server.port": 8888}"#), r#"{"server": {"port": 8888}}"#);
}

#[test]
fn a_type_in_the_document_stays() {
    assert_eq!(
        merge(r#"{"a": 1, "b": true, "c": "x"}"#, r#"{"a": "2", "b": "false", "c": "3"}"#),
        r#"{"a": 2, "b": false, "c": "3"}"#
    );
    assert_eq!(merge(r#"{"a": 1}"#, r#"{"a": "http"}"#), r#"{"a": "http"}"#);
    assert_eq!(merge(r#"{"a": "1"}"#, r#"{"a": 2}"#), r#"{"a": 2}"#);
}

#[test]
fn new_numbers_are_numbers_when_the_option_says_so() {
    let request = Request {
        options: r#"{"numbers": true}"#.to_owned(),
        ..request(r#"{"a": "1"}"#, r#"{"a": "2", "b": "3", "c": "03"}"#)
    };
    assert_eq!(Json::render(&request).unwrap().files[0].text, r#"{"a": "2", "b": 3, "c": "03"}"#);
}

#[test]
fn nothing_is_replaced_that_would_be_lost() {
    let lost = failure("{\n  \"scripts\": {\"a\": 1}\n}", r#"{"scripts": "x"}"#);
    assert_eq!((lost.code.as_str(), lost.line), ("bad-target", Some(2)));
    assert!(failure(r#"{"server": "x"}"#, r#"{"server.port": 1}"#).message.contains("`server`"));
    assert!(failure(r#"{"server": [1]}"#, r#"{"server": {}}"#).message.contains("an array"));
}

#[test]
fn what_is_no_object_or_no_json_is_refused_with_its_line() {
    assert!(failure("[]", "{}").message.contains("not an object"));
    assert_eq!(failure("{\n  \"a\": 1\n  \"b\": 2\n}", "{}").line, Some(2));
    assert_eq!(failure("{\n\n'a': 1}", "{}").line, Some(3));
}

#[test]
fn lists_change_item_by_item_and_keep_their_types_and_comments() {
    let old = "{\n  \"ports\": [\n    1, // one\n    2 // two\n  ],\n  \"mixed\": [1, true, {\"a\": 1, /* b */ \"b\": [ 2.0 ]}, \"7\"]\n}\n";
    let map = r#"{"ports": ["1", "18531"], "mixed": ["18431", "true", {"a": "5", "b": ["2"]}, "8"]}"#;
    let new = old
        .replace("2 // two", "18531 // two")
        .replace("[1, true", "[18431, true")
        .replace("\"a\": 1", "\"a\": 5")
        .replace("\"7\"", "\"8\"");
    assert_eq!(merge(old, map), new);
    let request =
        Request { options: r#"{"numbers": true}"#.to_owned(), ..request("{}", r#"{"new": ["1", {"a": "2"}, "x"]}"#) };
    assert!(Json::render(&request).unwrap().files[0].text.replace(['\n', ' '], "").contains(r#"[1,{"a":2},"x"]"#));
}

#[test]
fn half_of_a_character_is_refused_with_words_for_it() {
    let failure = failure("{\n\"e\": \"\\ud800\",\n\"p\": 1}", r#"{"p": 2}"#);
    assert_eq!(failure.line, Some(2));
    assert!(failure.help.unwrap().contains("half of a character"));
}

#[test]
fn a_map_that_contradicts_itself_is_refused() {
    for map in [r#"{"a": 1, "a.b": 2}"#, r#"{"a.b": 1, "a": {"b": 2}}"#, r#"{"a.b": 1, "a\\.b": 2}"#, r#"{"a..b": 1}"#]
    {
        assert_eq!(failure("", map).code, "bad-map", "{map}");
    }
    let deep = format!(r#"{{"{}": 1}}"#, vec!["a"; 200].join("."));
    assert_eq!(failure("", &deep).code, "bad-map");
}

#[test]
fn a_document_of_ten_thousand_levels_is_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{{\"a\": {}1{}}}", open.repeat(10_000), close.repeat(10_000));
        assert!(failure(&deep, "{}").message.contains("nesting"), "{open}");
    }
}

/// JSON with comments, laid out at random.
fn document() -> impl Strategy<Value = String> {
    let blank = prop_oneof!["", " ", "\n", "\n  ", "\r\n\t", " /* c */ ", " // d\n"];
    let scalar = prop_oneof!["1", "1\\.50", "true", "null", "\"x\"", "\"\\\\u00e9\""].prop_map(|text: String| text);
    scalar.prop_recursive(3, 12, 3, move |inner| {
        let item = (blank.clone(), prop_oneof!["a", "b", "a\\.b", "c"], inner, blank.clone());
        (proptest::collection::vec(item, 0..3), any::<bool>()).prop_map(|(items, comma)| {
            let comma = if comma && !items.is_empty() { "," } else { "" };
            let items: Vec<_> =
                items.into_iter().map(|(a, key, value, b)| format!("{a}\"{key}\":{b}{value}")).collect();
            format!("{{{}{comma}}}", items.join(","))
        })
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
    fn merging_again_changes_nothing_and_comments_stay(old in document(), numbers in any::<bool>(), map in prop_oneof![
        Just(r#"{"a": "2", "c": {"x": 1}}"#), Just(r#"{"a.b": 7, "b": [1, {"x": "y"}]}"#), Just(r#"{"c.a.b": "8", "c.d": null}"#),
        Just(r#"{"a\\.b": "8", "d": "9", "e": true}"#),
    ]) {
        let options = format!("{{\"numbers\": {numbers}}}");
        let request = Request { options, ..request(&old, map) };
        if let Ok(response) = Json::render(&request) {
            let once = &response.files[0].text;
            prop_assert_eq!(&Json::render(&request.clone().text(once)).unwrap().files[0].text, once);
            for comment in ["/* c */", "// d"] {
                prop_assert_eq!(once.matches(comment).count(), old.matches(comment).count());
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(old in "[\\[\\]{}:,\"/*\\\\ \na1]{0,30}", map in "[{}:,\"a.\\\\1]{0,20}") {
        let _ = Json::render(&request(&old, &map));
        let _ = Json::render(&request(&old, r#"{"a": "1", "b.c": 2}"#));
    }
}
