use std::borrow::Cow;

use super::*;

/// JSON values as a document of one line for each item of the root's lists.
struct Values;

impl<'a> Tree for &'a Values {
    type Node = &'a Value;

    const MAP: &'static str = "an object";

    fn id(&self, node: &'a Value) -> usize {
        std::ptr::from_ref(node) as usize
    }

    fn shape(&self, node: &'a Value) -> Shape {
        match node {
            Value::Null => Shape::Null,
            Value::Bool(_) => Shape::Bool,
            Value::Number(_) => Shape::Number,
            Value::String(_) => Shape::Text,
            Value::Array(_) => Shape::List,
            Value::Object(_) => Shape::Map,
        }
    }

    fn line(&self, _: &'a Value) -> usize {
        7
    }

    fn child(&self, node: &'a Value, key: &str) -> Option<&'a Value> {
        node.as_object()?.get(key)
    }

    fn items(&self, node: &'a Value) -> Cow<'_, [&'a Value]> {
        node.as_array().into_iter().flatten().collect()
    }

    fn text(&self, node: &'a Value) -> Option<Cow<'_, str>> {
        match node {
            Value::Array(_) | Value::Object(_) => None,
            Value::String(text) => Some(Cow::Borrowed(text)),
            other => Some(Cow::Owned(other.to_string())),
        }
    }

    fn says(&self, node: &'a Value, value: &Value) -> bool {
        node == value
    }
}

const DOCUMENT: &str = r#"{
    "a": [{"n": "x", "p": 1}, {"n": "y.z", "p": 2, "m": {"k": 3}}, {"n": "x", "p": 2}],
    "b": {}, "b[0]": 1, "[python]": {"c[0]": 2}, "c": [1, [true, "t"]], "e": [], "z": null, "c[9]": 4
}"#;

/// What is planned for a map, as text.
fn planned(map: &str, numbers: bool) -> Result<Vec<String>, Failure> {
    let document = crate::json::parse(DOCUMENT).unwrap();
    let map = crate::request::object(map).unwrap();
    let leaves = leaves(&map)?;
    let show = |planned: Planned<'_, &Value>| match planned.change {
        Change::Replace { node, value } => format!("{node} -> {value}"),
        Change::Fill { node, value } => format!("{node} => {value}"),
        Change::Insert { map, entries } => format!("{map} + {}", Value::Object(entries)),
        Change::Append { list, items } => format!("{list} + {}", Value::Array(items)),
        Change::Truncate { list, keep } => format!("{list} to {keep}"),
    };
    Ok(plan(&&Values, &document, &leaves, numbers)?.into_iter().map(show).collect())
}

#[test]
fn items_are_named_by_index_or_by_what_they_say() {
    for (key, change) in [
        ("a.1.p", "2 -> 9"),
        ("a[1].p", "2 -> 9"),
        ("a.[1].p", "2 -> 9"),
        ("a[n=y.z].m.k", "3 -> 9"),
        ("a[n=x, p=2].n", "\"x\" -> 9"),
        ("a[m.k=3].n", "\"y.z\" -> 9"),
        ("c[1][0]", "true -> 9"),
        ("c.1.1", "\"t\" -> 9"),
        // Keys, brackets and digits and all.
        ("b[0]", "1 -> 9"),
        ("[python].c[0]", "2 -> 9"),
        ("c\\[9\\]", "4 -> 9"),
        ("b.80", "{} + {\"80\":9}"),
        ("b.80.x", "{} + {\"80\":{\"x\":9}}"),
        ("a[0].q", "{\"n\":\"x\",\"p\":1} + {\"q\":9}"),
    ] {
        assert_eq!(planned(&format!("{{{}: 9}}", Value::from(key)), false).unwrap(), [change], "{key}");
    }
    assert!(planned(r#"{"new": {"80": 1}, "81": 2}"#, false).is_ok());
}

#[test]
fn what_is_no_place_or_several_is_refused_with_its_line() {
    for (key, word) in [
        ("a[n=x].p", "2 have n=x (lines 7, 7)"),
        ("a[n=q].p", "the item with n=q, and there is none"),
        ("a[3].p", "no such item among 3 items"),
        ("a.3.p", "no such item among 3 items"),
        ("a[99999999999999999999].p", "no such item"),
        ("a.x", "`a` is a list here"),
        ("a.0.n.x", "`n` is a single value here"),
        ("c.0.n", "`c.0` is a single value here"),
        ("b.0.p.0", "no such list"),
        ("new.0.p", "no such list"),
        ("new[0].p", "no such list"),
        ("z.0.p", "no such list"),
        ("z[n=x]", "there is a single value here"),
        ("b[n=x].p", "there is an object here"),
        ("[n=x].p", "there is an object here"),
        ("c[9]", "there are both"),
    ] {
        let failure = planned(&format!("{{\"{key}\": 9}}"), false).unwrap_err();
        assert_eq!((&failure.code[..], failure.line), ("bad-target", Some(7)), "{key}: {failure}");
        assert!(failure.message.contains(word), "{key}: {failure}");
    }
    let failure = planned(r#"{"a[n=q].p": 1}"#, false).unwrap_err();
    assert!(failure.help.unwrap().contains("`x`, `y.z`, `x`"));
}

#[test]
fn two_values_for_one_place_are_refused() {
    for map in [
        r#"{"a[0].p": 1, "a.0.p": 2}"#,
        r#"{"a[m.k=3].p": 1, "a.1.p": 2}"#,
        r#"{"a[m.k=3].q": 1, "a.1.q": 2}"#,
        r#"{"a": [], "a[0].p": 2}"#,
        r#"{"a[m.k=3]": [], "a[1].p": 2}"#,
        r#"{"b": {"x": 1}, "b.x.y": 2}"#,
    ] {
        assert_eq!(planned(map, false).unwrap_err().code, "bad-map", "{map}");
    }
}

#[test]
fn lists_are_merged_item_by_item() {
    for (map, numbers, changes) in [
        (r#"{"a": [{"p": 8}, {}, {"q": "1"}]}"#, false, &["1 -> 8", r#"{"n":"x","p":2} + {"q":"1"}"#][..]),
        (r#"{"c": [1, [true, "t"]]}"#, false, &[]),
        (r#"{"c": [1, [true, "u", "1"]]}"#, false, &["\"t\" -> \"u\"", "[true,\"t\"] + [\"1\"]"]),
        (r#"{"c": [2]}"#, false, &["1 -> 2", "[1,[true,\"t\"]] to 1"]),
        (r#"{"e": ["1"]}"#, false, &["[] => [\"1\"]"]),
        (r#"{"e": ["1", ["2"], "a"]}"#, true, &["[] => [1,[2],\"a\"]"]),
        (r#"{"z.x": "1", "z.y.x": "2"}"#, true, &["null => {\"x\":1,\"y\":{\"x\":2}}"]),
        (r#"{"z": [{"x": "1"}]}"#, true, &["null => [{\"x\":1}]"]),
        (r#"{"n.x": ["1"], "n.y": "2"}"#, true, &[]),
    ] {
        let found = planned(map, numbers).unwrap();
        if map.starts_with("{\"n") {
            assert!(found[0].ends_with(r#"+ {"n":{"x":[1],"y":2}}"#), "{found:?}");
        } else {
            assert_eq!(found, changes, "{map}");
        }
    }
    assert_eq!(planned(r#"{"c": [[1], 2]}"#, false).unwrap_err().message.matches("`c` is").count(), 1);
}

#[test]
fn a_new_item_has_the_type_of_the_last_one() {
    let list = |items: &str| {
        let document = crate::json::parse(items).unwrap();
        let map = crate::request::object(r#"{"l": ["1", "2"]}"#).unwrap();
        let leaves = leaves(&map).unwrap();
        let document = Value::Object(Map::from_iter([("l".to_owned(), document)]));
        match &plan(&&Values, &document, &leaves, false).unwrap().last().unwrap().change {
            Change::Append { items, .. } => items[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((list("[1]"), list("[\"1\"]")), (Value::from(2), Value::from("2")));
}

#[test]
fn an_empty_document_becomes_the_map() {
    let map = crate::request::object(r#"{"a.b": "1", "c": ["2"], "80": {"d.e": {}}}"#).unwrap();
    let whole = |numbers| whole(&leaves(&map).unwrap(), numbers).unwrap();
    assert_eq!(Value::Object(whole(true)).to_string(), r#"{"a":{"b":1},"c":[2],"80":{"d":{"e":{}}}}"#);
    assert_eq!(Value::Object(whole(false)).to_string(), r#"{"a":{"b":"1"},"c":["2"],"80":{"d":{"e":{}}}}"#);
    let map = crate::request::object(r#"{"a.0.b": 1}"#).unwrap();
    assert_eq!(super::whole(&leaves(&map).unwrap(), false).unwrap_err().code, "bad-target");
}

fn map(json: &str) -> Map {
    crate::request::object(json).unwrap()
}

#[test]
fn a_key_with_the_dot_is_meant_before_the_path() {
    let document = crate::json::parse(r#"{"a.b": {"c": 1}, "a": {"b": {}}}"#).unwrap();
    let map = map(r#"{"a.b": {"c": 2, "x.y": 3}, "new": 4}"#);
    let leaves = leaves(&map).unwrap();
    let planned = plan(&&Values, &document, &leaves, false).unwrap();
    assert!(
        matches!(&planned[0], Planned { key, change: Change::Replace { node, .. }, .. } if key == "c" && **node == Value::from(1))
    );
    let inserted = planned[1..].iter().map(|planned| match &planned.change {
        Change::Insert { entries, .. } => (&planned.key[..], Value::Object(entries.clone()).to_string()),
        other => panic!("{other:?}"),
    });
    assert_eq!(inserted.collect::<Vec<_>>(), [("a.b", "{\"x\":{\"y\":3}}".to_owned()), ("", "{\"new\":4}".to_owned())]);
}

#[test]
fn a_map_that_is_no_tree_is_refused() {
    for (json, word) in [
        (r#"{"a..b": 1}"#, "empty part"),
        (r#"{"a": {"b": 1}, "a.b": 2}"#, "twice"),
        (r#"{"a": 1, "a.b": 2}"#, "needs it to be an object"),
    ] {
        let failure = leaves(&map(json)).unwrap_err();
        assert_eq!(failure.code, "bad-map");
        assert!(failure.message.contains(word), "{}", failure.message);
    }
    assert_eq!(leaves(&map(r#"{"a\\.b": 1}"#)).unwrap()[0].name(), "a.b");
}

#[test]
fn whole_numbers_are_those_that_everybody_keeps() {
    assert_eq!(whole_number("8888"), Some(Value::from(8888)));
    assert_eq!(whole_number("-1"), Some(Value::from(-1)));
    for text in ["", "-", "08", "1.0", "1e3", "+1", "1234567890123456"] {
        assert_eq!(whole_number(text), None, "{text}");
    }
}
