//! Our check of options, beside a library that knows all of JSON Schema.

use std::cell::Cell;

use portkeeper::options::OptionsSchema;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

const NAMES: [&str; 4] = ["a", "b", "ab", "é"];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..4_i64).prop_map(Value::from),
        select(vec![0.5, 1.0, -2.5, 1e20]).prop_map(Value::from),
        select(NAMES.to_vec()).prop_map(Value::from),
        Just(json!("")),
        Just(json!(u64::MAX)),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::from), object(inner).prop_map(Value::Object)]
    })
}

fn object<T: Strategy<Value = Value>>(inner: T) -> impl Strategy<Value = Map<String, Value>> {
    btree_map(select(NAMES.to_vec()), inner, 0..4)
        .prop_map(|map| map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// One keyword with its value.
fn keyword(schema: BoxedStrategy<Value>) -> impl Strategy<Value = (&'static str, Value)> {
    let types = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let schemas = || vec(schema.clone(), 1..3).prop_map(Value::from);
    let one = |names: &[&'static str]| select(names.to_vec());
    prop_oneof![
        4 => subsequence(types.to_vec(), 1..4).prop_map(|types| ("type", json!(types))),
        2 => select(types.to_vec()).prop_map(|kind| ("type", json!(kind))),
        4 => object(schema.clone()).prop_map(|map| ("properties", Value::Object(map))),
        2 => subsequence(NAMES.to_vec(), 0..3).prop_map(|names| ("required", json!(names))),
        2 => any::<bool>().prop_map(|any| ("additionalProperties", json!(any))),
        3 => (one(&["additionalProperties", "items", "not", "propertyNames", "if", "then", "else"]), schema.clone()),
        3 => (one(&["allOf", "anyOf", "oneOf", "prefixItems"]), schemas()),
        2 => (one(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
              prop_oneof![(-2..3_i64).prop_map(Value::from), Just(json!(0.5)), Just(json!(u64::MAX))]),
        2 => (one(&["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"]),
              (0..4_u64).prop_map(Value::from)),
        1 => Just(("uniqueItems", json!(true))),
        1 => vec(value(), 1..4).prop_map(|values| ("enum", Value::from(values))),
        1 => value().prop_map(|value| ("const", value)),
        1 => one(&["^a", "b$", "^[a-b]+$", "é", ""]).prop_map(|pattern| ("pattern", json!(pattern))),
        1 => (one(&["^a", "b$"]), schema.clone()).prop_map(|(name, schema)| ("patternProperties", json!({ name: schema }))),
        1 => Just(("$ref", json!("#/$defs/one"))),
    ]
}

fn schema() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![3 => Just(json!({})), 1 => any::<bool>().prop_map(Value::from)].boxed();
    leaf.prop_recursive(3, 24, 4, |inner| {
        vec(keyword(inner.boxed()), 0..4).prop_map(|keywords| {
            Value::Object(keywords.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        })
    })
    .boxed()
}

/// A whole schema: an object with a definition that others may refer to.
fn whole() -> impl Strategy<Value = Value> {
    let definition =
        select(vec![json!({ "type": "integer" }), json!({ "required": ["a"] }), json!({ "maxLength": 1 })]);
    (vec(keyword(schema()), 1..5), definition).prop_map(|(keywords, definition)| {
        let mut schema: Map<_, _> = keywords.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        schema.insert("$defs".to_owned(), json!({ "one": definition }));
        Value::Object(schema)
    })
}

#[test]
fn the_verdicts_are_those_of_a_library() {
    let verdicts = [Cell::new(0_usize), Cell::new(0)];
    let config = ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config)
        .run(&(whole(), object(value())), |(schema, options)| {
            let ours = OptionsSchema::parse(&schema.to_string())
                .map_err(|error| TestCaseError::fail(format!("{schema}: {error}")))?;
            let theirs = jsonschema::draft202012::new(&schema).unwrap();
            let verdict = ours.check(&options);
            prop_assert_eq!(
                verdict.is_ok(),
                theirs.is_valid(&Value::Object(options.clone())),
                "{}\n{:?}\n{:?}",
                schema,
                options,
                verdict
            );
            let count = &verdicts[usize::from(verdict.is_ok())];
            count.set(count.get() + 1);
            Ok(())
        })
        .unwrap();
    assert!(verdicts.iter().all(|count| count.get() > 300), "both verdicts have to be met often: {verdicts:?}");
}

#[test]
fn the_formats_of_portkeeper_use_only_what_is_checked() {
    for format in portkeeper_tests::builtin::FORMATS {
        let path = portkeeper_tests::builtin::component_path(&portkeeper_tests::builtin::root(), format);
        let engine = portkeeper::plugins::Engine::new(None, portkeeper::plugins::Limits::default());
        let examined = engine.examine(&path).unwrap();
        let unchecked = examined.plugin.metadata().options_schema.unchecked();
        assert!(unchecked.is_empty(), "{format}: {unchecked:?}");
    }
}
