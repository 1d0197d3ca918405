//! The override for containers, as Compose sees it: valid by its schema, and merged with the base file it replaces the ports.
//!
//! Compose's schema is not part of this repository. Where `PORTKEEPER_COMPOSE_SCHEMA` names a copy of it (Apache-2.0,
//! `schema/compose-spec.json` of the repository `compose-spec/compose-spec`), the files are checked against it; and where
//! there is a `docker compose` that knows `!override` (or `PORTKEEPER_DOCKER_COMPOSE` names one), it has the last word.

mod cases;
mod projects;

use std::path::{Path, PathBuf};

use jsonschema::{Draft, Validator};
use portkeeper_tests::{Ports, Sandbox, ipv6_or_skip, skipped};
use serde_json::{Value, json};
use serde_yaml::Value as Yaml;

use self::cases::cases;
use crate::sandbox;

/// Prepares every case and shows its directory and what is to be published.
fn each_case(check: impl Fn(&str, &Sandbox, &Value)) {
    for case in cases() {
        let ports = Ports::take(2);
        check(case.name, &case.prepare(&ports), &case.effective(&ports));
    }
}

fn document(sandbox: &Sandbox, path: &str) -> Yaml {
    let text = sandbox.read(path);
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}\n{text}"))
}

/// The document as Compose merges an override into a base: mappings key by key, lists one after the other, `!override` replaces.
fn merge(base: Yaml, over: Yaml) -> Yaml {
    match (base, over) {
        (_, Yaml::Tagged(tagged)) if tagged.tag == "!override" => tagged.value,
        (Yaml::Mapping(mut base), Yaml::Mapping(over)) => {
            for (key, value) in over {
                let old = base.insert(key.clone(), Yaml::Null).unwrap_or(Yaml::Null);
                base.insert(key, merge(old, value));
            }
            Yaml::Mapping(base)
        }
        (Yaml::Sequence(base), Yaml::Sequence(over)) => Yaml::Sequence([base, over].concat()),
        (_, over) => over,
    }
}

/// The document as JSON, and so without its tags.
fn plain(yaml: Yaml) -> Value {
    fn untagged(yaml: Yaml) -> Yaml {
        match yaml {
            Yaml::Tagged(tagged) => untagged(tagged.value),
            Yaml::Sequence(items) => Yaml::Sequence(items.into_iter().map(untagged).collect()),
            Yaml::Mapping(map) => Yaml::Mapping(map.into_iter().map(|(key, value)| (key, untagged(value))).collect()),
            other => other,
        }
    }
    serde_json::to_value(untagged(yaml)).unwrap()
}

#[track_caller]
fn assert_valid(validator: &Validator, document: &Value, name: &str) {
    let problems: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{name}: {problems:?}\n{document}");
}

/// What an override of ours may hold by the Compose Specification ("ports", short syntax), and nothing else.
fn narrow_schema() -> Validator {
    let port = r"^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]):\d{1,5}:\d{1,5}(/udp)?$";
    let ports =
        json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": { "type": "string", "pattern": port } });
    let service = json!({ "type": "object", "required": ["ports"], "properties": { "ports": ports }, "additionalProperties": false });
    let services = json!({
        "type": "object", "minProperties": 1, "patternProperties": { "^[a-zA-Z0-9._-]+$": service }, "additionalProperties": false,
    });
    let schema = json!({
        "type": "object", "required": ["services"], "properties": { "services": services }, "additionalProperties": false,
    });
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn an_override_holds_ports_in_the_short_syntax_and_nothing_else() {
    if !ipv6_or_skip() {
        return;
    }
    let schema = narrow_schema();
    for wrong in [json!({ "web": { "ports": [80] } }), json!({ "web": { "ports": ["localhost:8080:80"] } })] {
        assert!(!schema.is_valid(&json!({ "services": wrong })), "{wrong}");
    }
    each_case(|name, sandbox, _| {
        assert_valid(&schema, &plain(document(sandbox, "compose.override.yaml")), name);
    });
}

#[test]
fn merged_with_the_base_file_the_reserved_ports_are_all_that_is_published() {
    if !ipv6_or_skip() {
        return;
    }
    each_case(|name, sandbox, effective| {
        let (base, over) = (document(sandbox, "compose.yaml"), document(sandbox, "compose.override.yaml"));
        let merged = plain(merge(base.clone(), over));
        let services = merged["services"].as_object().unwrap();
        assert_eq!(services.len(), effective.as_object().unwrap().len(), "{name}");
        for (service, merged) in services {
            assert_eq!(merged["ports"], effective[service], "{name}: {service}");
            assert_eq!(
                merged["image"],
                plain(base["services"][service.as_str()]["image"].clone()),
                "{name}: {service}"
            );
        }
    });
}

/// Compose's own schema, if the environment names a copy.
#[track_caller]
fn published_schema_or_skip() -> Option<Validator> {
    let Some(path) = std::env::var_os("PORTKEEPER_COMPOSE_SCHEMA").map(PathBuf::from) else {
        skipped("compose_schema", "PORTKEEPER_COMPOSE_SCHEMA does not name a copy of Compose's schema");
        return None;
    };
    Some(published_schema(&path))
}

fn published_schema(path: &Path) -> Validator {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    // It names its draft, 7, and itself by addresses that a validator does not know.
    schema.as_object_mut().unwrap().retain(|name, _| !["$schema", "$id", "id"].contains(&name.as_str()));
    jsonschema::options().with_draft(Draft::Draft7).build(&schema).unwrap()
}

#[test]
fn composes_published_schema_accepts_the_override_and_what_it_is_merged_to() {
    let Some(schema) = published_schema_or_skip() else { return };
    let wrong = json!({ "services": { "web": { "port": ["8080:80"] } } });
    assert!(!schema.is_valid(&wrong), "a schema that accepts everything says nothing");
    each_case(|name, sandbox, _| {
        let (base, over) = (document(sandbox, "compose.yaml"), document(sandbox, "compose.override.yaml"));
        assert_valid(&schema, &plain(over.clone()), name);
        assert_valid(&schema, &plain(merge(base, over)), name);
    });
}

/// The `docker compose` that knows `!override`: the program that `PORTKEEPER_DOCKER_COMPOSE` names, or Docker's own. It needs
/// no daemon to merge files.
#[track_caller]
fn compose_or_skip() -> Option<String> {
    let client = std::env::var("PORTKEEPER_DOCKER_COMPOSE").unwrap_or_else(|_| String::from("docker compose"));
    let asked = sandbox().shell(&format!("{client} version --short")).run();
    let version = asked.stdout.trim().trim_start_matches('v');
    let parts: Vec<u32> = version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect();
    if asked.status.success() && parts.as_slice() >= [2, 24, 4].as_slice() {
        return Some(client);
    }
    skipped("compose", &format!("`{client}` is not 2.24.4 or newer (found: `{version}`)"));
    None
}

#[test]
fn docker_compose_itself_publishes_the_reserved_ports() {
    let Some(client) = compose_or_skip() else { return };
    each_case(|name, sandbox, effective| {
        let merged = sandbox.shell(&format!("{client} --project-name shop config --format json")).ok().json();
        for (service, ports) in effective.as_object().unwrap() {
            let published = merged["services"][service]["ports"].as_array().unwrap().iter().map(short_syntax);
            let normal = |port: &Value| port.as_str().unwrap().to_owned();
            let (mut published, mut expected) =
                (published.collect::<Vec<_>>(), ports.as_array().unwrap().iter().map(normal).collect::<Vec<_>>());
            published.sort();
            expected.sort();
            assert_eq!(published, expected, "{name}: {service}\n{merged}");
        }
    });
}

/// A port of `docker compose config`, which is in the long syntax, in the short one.
fn short_syntax(port: &Value) -> String {
    let text = |key: &str| port[key].as_str().unwrap_or_default();
    let address = match text("host_ip") {
        "" => String::new(),
        address if address.contains(':') => format!("[{}]:", address.trim_matches(['[', ']'])),
        address => format!("{address}:"),
    };
    let protocol = if text("protocol") == "udp" { "/udp" } else { "" };
    format!("{address}{}:{}{protocol}", text("published"), port["target"])
}
