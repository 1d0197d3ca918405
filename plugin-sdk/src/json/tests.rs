use proptest::prelude::*;

use super::*;

/// What serde_json makes of the text, as text again.
fn serde(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text).ok()
}

#[test]
fn a_text_is_read_as_it_is_written() {
    let text = r#" {"b": [1, -0, 1.50e3, 12345678901234567890123], "a": {"\u00fc\ud83d\ude00\n": null}, "t": true} "#;
    let value = parse(text).unwrap();
    let expected = "{\"b\":[1,-0,1.50e3,12345678901234567890123],\"a\":{\"ü😀\\n\":null},\"t\":true}";
    assert_eq!(value.to_string(), expected);
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for (text, at) in [
        ("", 0),
        ("{", 1),
        ("[1 2]", 3),
        ("{\"a\" 1}", 5),
        ("{a: 1}", 1),
        ("[1,]", 3),
        ("{\"a\": 1,}", 8),
        ("\"a", 2),
        ("\"\n\"", 1),
        ("\"\\x\"", 1),
        ("01", 0),
        ("1.", 0),
        ("+1", 0),
        ("-", 0),
        ("nul", 0),
        ("1 1", 2),
        ("\"\\ud800\"", 7),
        ("\"\\u+123\"", 7),
        ("\u{feff}1", 0),
    ] {
        assert_eq!(parse(text).unwrap_err().at, at, "{text}");
        assert!(serde(text).is_none(), "{text}");
    }
    assert!(parse(&"[".repeat(100_000)).is_err());
}

#[test]
fn numbers_are_equal_when_their_values_are() {
    let number = |text| Number::parse(text).unwrap();
    for (a, b) in [
        ("1500", "1.50e3"),
        ("0", "-0.00"),
        ("0.010", "1E-2"),
        ("100", "1e+2"),
        ("1e99999999999999999999", "1e99999999999999999998"),
    ] {
        assert_eq!(number(a), number(b));
    }
    for (a, b) in [("1", "-1"), ("1", "10"), ("0.1", "0.01"), ("1e3", "1e-3")] {
        assert_ne!(number(a), number(b));
    }
}

#[test]
fn of_a_key_that_stands_there_twice_the_last_counts() {
    let value = parse(r#"{"a": 1, "b": 2, "a": 3}"#).unwrap();
    assert_eq!(value.to_string(), r#"{"a":3,"b":2}"#);
    assert_eq!(value, parse(r#"{"b": 2, "a": 3}"#).unwrap());
}

#[test]
fn an_object_of_many_keys_is_one_of_few() {
    let mut map = Map::new();
    for n in 0..100 {
        map.insert(format!("k{n}"), Value::from(n));
        assert_eq!(map.get("k0"), Some(&Value::from(0)));
        assert_eq!((map.get(&format!("k{n}")), map.get("k100")), (Some(&Value::from(n)), None));
    }
    map.insert("k50".to_owned(), Value::Null);
    assert_eq!((map.len(), map.get("k50")), (100, Some(&Value::Null)));
    assert!(map.put(&["k100".to_owned(), "a".to_owned()], Value::Null) && !map.put(&["k7".to_owned()], Value::Null));
    assert_eq!(map.keys().nth(100), Some("k100"));
}

/// Any value, by way of another implementation.
fn any_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            proptest::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_reads_and_writes_what_serde_json_does(value in any_value()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let ours = parse(&text).unwrap();
        prop_assert_eq!(serde(&ours.to_string()), serde(&text));
    }

    #[test]
    fn it_takes_no_text_that_serde_json_refuses(text in prop_oneof!["[\\[\\]{},:\"\\\\u0-9a-f.eE+ntrl -]{0,20}", any::<String>()]) {
        let other = serde(&text);
        // A number beyond all measure is a number all the same.
        if other.is_some() || !text.contains(['e', 'E']) {
            prop_assert_eq!(parse(&text).is_ok(), other.is_some(), "{}", text);
        }
    }
}
