//! What the commands answer in JSON is what `schema --output` says, and what the reference has of it.
//!
//! The reference's page is made here: `PORTKEEPER_WRITE_TABLES=1` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write;

use portkeeper_tests::builtin::root;
use portkeeper_tests::{Kind, Lan, Ports, Sandbox};
use serde_json::{Value, json};

use crate::plugin_shelf::shout;
use crate::sandbox;

/// The answers that are checked where a plugin is built.
const ELSEWHERE: [&str; 3] = ["plugin-build", "plugin-new", "plugin-test"];

const BEGIN: &str = "<!-- made by a test: begin -->\n";
const END: &str = "<!-- made by a test: end -->\n";

/// The commands that have a schema, as the program lists them.
fn commands(sandbox: &Sandbox) -> Vec<String> {
    let refused = sandbox.portkeeper("schema --output nothing-like-it").refused(2);
    let listed = refused.stderr.split_once("[possible values: ").unwrap().1.split_once(']').unwrap().0;
    listed.split(", ").map(str::to_owned).collect()
}

fn schema(sandbox: &Sandbox, command: &str) -> Value {
    sandbox.portkeeper(format!("schema --output {command}")).ok().json()
}

/// The schema, but what it does not name is not there.
fn strict(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            *fields = std::mem::take(fields).into_iter().map(|(key, value)| (key, strict(value))).collect();
            if fields.contains_key("properties") {
                fields.insert("additionalProperties".to_owned(), false.into());
                // Null, or an empty list, but never absent.
                let names = fields["properties"].as_object().unwrap().keys().cloned().map(Value::from).collect();
                fields.insert("required".to_owned(), Value::Array(names));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = strict(item.take())),
        _ => {}
    }
    schema
}

/// Holds an answer against the schema of the command.
#[track_caller]
pub(crate) fn check(sandbox: &Sandbox, command: &str, answer: &Value) {
    let validator = jsonschema::validator_for(&strict(schema(sandbox, command))).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{command}: {}\n{answer:#}", errors.join("\n"));
}

/// Answers that are held against their schemas.
struct Checked<'a> {
    sandbox: &'a Sandbox,
    commands: BTreeSet<String>,
}

impl Checked<'_> {
    #[track_caller]
    fn check(&mut self, command: &str, answer: &Value) {
        check(self.sandbox, command, answer);
        self.commands.insert(command.to_owned());
    }

    #[track_caller]
    fn run(&mut self, command: &str, words: &str) {
        let answer = self.sandbox.portkeeper(words).run().json();
        assert!(!matches!(&answer, Value::Array(items) if items.is_empty()), "{words}: there is nothing to look at");
        self.check(command, &answer);
    }
}

#[test]
fn a_line_is_an_item_of_the_list_that_the_schema_names() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.at(0))).ok();
    let _ = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.at(1))).ok();
    for (command, words) in [("doctor", "doctor"), ("gc", "gc --dry-run"), ("release", "release --all --yes")] {
        let whole = strict(schema(&sandbox, command));
        let list = whole["$comment"].as_str().unwrap().split('`').nth(1).unwrap();
        let name = whole["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let item =
            json!({ "$ref": whole["$defs"][name]["properties"][list]["items"]["$ref"], "$defs": whole["$defs"] });
        let validator = jsonschema::validator_for(&item).unwrap();
        let lines = sandbox.portkeeper(format!("{words} --format jsonl")).run().stdout;
        assert!(
            !lines.is_empty() && lines.lines().all(|line| validator.is_valid(&serde_json::from_str(line).unwrap())),
            "{lines}"
        );
    }
}

#[test]
fn every_answer_is_what_its_schema_says() {
    let (sandbox, ports) = (sandbox(), Ports::take(10));
    let mut checked = Checked { sandbox: &sandbox, commands: BTreeSet::new() };
    let server = sandbox.listener("127.0.0.1", ports.at(0));
    let config = json!({
        "ports": [{ "key": "WEB_PORT", "preferred": ports.at(1) }, { "key": "API_PORT", "preferred": ports.at(2) }],
        "outputs": [{ "type": "env" }],
    });
    sandbox.write("pk.config.json", config.to_string());
    checked.run("prepare", "prepare");
    checked.run("prepare", "prepare --dry-run");
    checked.run("list", "list --json");
    checked.run("reserve", &format!("reserve --hold --port {} --ttl 1h", ports.at(3)));
    checked.run("reserve", &format!("reserve --count 2 --range {}-{} --owner me", ports.at(4), ports.at(5)));
    checked.run("port", "port WEB_PORT --json");
    checked.run("port", "port WEB_PORT API_PORT --json");
    checked.run("pick", "pick --json");
    checked.run("pick-why", &format!("pick --json --why {}", ports.at(0)));
    checked.run("status", "status");
    checked.run("explain", &format!("explain --json {}", ports.at(0)));
    checked.run("explain", &format!("explain --json {} {}", ports.at(1), ports.at(3)));
    checked.run("gc", "gc --dry-run");
    checked.run("release", &format!("release {} {}", ports.at(3), ports.at(4)));
    checked.run("kill", &format!("kill --json --yes {}", ports.at(0)));
    drop(server);
    let doctor = sandbox.portkeeper("doctor --json").run().json();
    checked.check("doctor", &doctor);
    sandbox.write("port-for.conf", format!("[DEFAULT]\nweb = {}\nbad = abc\n", ports.at(6)));
    checked.run("import", "import --json --port-for port-for.conf");
    let _ = sandbox.portkeeper("run --report report.json API_PORT -- true").ok();
    checked.check("run-report", &serde_json::from_str(&sandbox.read("report.json")).unwrap());

    sandbox.write("../shout.wasm", shout().component());
    checked.run("plugin-inspect", "plugin inspect --json ../shout.wasm");
    checked.run("plugin-add", "plugin add --json --project ../shout.wasm");
    checked.run("trust", "trust --list --json");
    checked.run("plugin-list", "plugin list --json");
    checked.run("plugin-cache", "plugin cache --json");
    checked.run("plugin-remove", "plugin remove --json --project shout");
    let mut all: BTreeSet<_> = commands(&sandbox).into_iter().collect();
    if !scans(&mut checked) {
        all.retain(|command| !command.starts_with("scan") && command != "reserve-network");
    }
    checked.commands.extend(ELSEWHERE.map(str::to_owned));
    assert_eq!(checked.commands, all, "each has a schema and an answer here");
}

/// Whether a network could be made, and was scanned.
fn scans(checked: &mut Checked<'_>) -> bool {
    let sandbox = checked.sandbox;
    let Some(mut lan) = Lan::or_skip(sandbox) else { return false };
    lan.host(1, Kind::Normal, &[8005]);
    let inside = |words: &str| sandbox.portkeeper(words).inside(lan.scanner()).ok();
    checked.check("scan", &inside("scan --ports 8004-8006 --json").json());
    for line in inside("scan --ports 8004-8006 --stream").stdout.lines() {
        checked.check("scan-stream", &serde_json::from_str(line).unwrap());
    }
    checked.check("reserve-network", &inside("reserve-network --range 8004-8050").json());
    checked.check("reserve-network", &inside("reserve-network --range 8004-8050 --count 2").json());
    true
}

/// A schema in the words of the reference.
fn words(schema: &Value) -> String {
    if let Some(path) = schema["$ref"].as_str() {
        let name = type_name(path.rsplit('/').next().unwrap());
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(kinds) = schema["anyOf"].as_array() {
        return kinds.iter().map(words).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{}`", value.as_str().unwrap())).collect::<Vec<_>>().join(", ");
    }
    match &schema["type"] {
        Value::Array(kinds) => {
            kinds.iter().map(|kind| words(&json!({ "type": kind }))).collect::<Vec<_>>().join(" or ")
        }
        Value::String(kind) => match kind.as_str() {
            "array" => format!("list of {}", words(&schema["items"])),
            "object" => format!("object, of each {}", words(&schema["additionalProperties"])),
            "string" => "text".to_owned(),
            "boolean" => "true or false".to_owned(),
            other => other.to_owned(),
        },
        _ => "any JSON".to_owned(),
    }
}

/// How the reference calls a type of the program.
fn type_name(name: &str) -> &str {
    name.trim_end_matches("View")
}

fn one_line(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The fields of an object, the values of an enumeration, or what else the schema has.
fn body(text: &mut String, schema: &Value) {
    // Writing to a string cannot fail.
    if let Some(fields) = schema["properties"].as_object() {
        text.push_str("| field | is | meaning |\n|---|---|---|\n");
        for (name, field) in fields {
            let kind = field["const"].as_str().map_or_else(|| words(field), |value| format!("`{value}`"));
            let _ = writeln!(text, "| `{name}` | {kind} | {} |", one_line(field));
        }
        text.push('\n');
    } else if let Some(kinds) = schema["oneOf"].as_array() {
        for kind in kinds {
            if let Some(value) = kind["const"].as_str() {
                let _ = writeln!(text, "- `{value}`: {}", one_line(kind));
            } else if kind["properties"].is_object() {
                let _ = writeln!(text, "{}\n", one_line(kind));
                body(text, kind);
            } else {
                let _ = writeln!(text, "- {}", words(kind));
            }
        }
        text.push('\n');
    } else {
        let kind = words(schema);
        text.push_str(&format!("{}{}\n\n", kind[..1].to_uppercase(), &kind[1..]));
    }
}

/// The page: a section for each command, and the types that several of them have.
fn page(sandbox: &Sandbox) -> String {
    let (mut text, mut types) = (String::new(), std::collections::BTreeMap::new());
    for command in commands(sandbox) {
        let schema = schema(sandbox, &command);
        let form = match (&schema["type"], &schema["anyOf"], command.as_str()) {
            (kind, ..) if kind == "array" => "A list.",
            (_, Value::Array(_), _) => "One, or a list where several were asked for.",
            (.., "scan-stream") => "A line of JSON each.",
            _ => "One object.",
        };
        let lines = schema["$comment"].as_str().unwrap_or_default();
        let element = match (&schema["items"], &schema["anyOf"]) {
            (Value::Null, Value::Array(kinds)) => &kinds[0],
            (Value::Null, _) => &schema,
            (items, _) => items,
        };
        let name = element["$ref"].as_str().map(|path| path.rsplit('/').next().unwrap().to_owned());
        types.extend(schema["$defs"].as_object().into_iter().flatten().map(|(name, one)| (name.clone(), one.clone())));
        let element = name.as_ref().map_or(element, |name| &schema["$defs"][name]);
        let _ = writeln!(
            text,
            "## {}\n\n{}\n",
            command.replace('-', " "),
            format!("{} {form} {lines}", one_line(element)).trim()
        );
        body(&mut text, element);
    }
    let is_nested = |name: &str| text.contains(&format!("](#{})", type_name(name).to_lowercase()));
    let mut nested: Vec<_> = types.iter().filter(|(name, _)| is_nested(name)).collect();
    nested.sort_by_key(|(name, _)| type_name(name));
    let mut parts = String::from("# Parts of answers\n\n");
    let mut known: BTreeSet<&String> = BTreeSet::new();
    while let Some(index) = nested.iter().position(|(name, _)| !known.contains(name)) {
        let (name, schema) = nested[index];
        known.insert(name);
        let _ = writeln!(parts, "## {}\n\n{}\n", type_name(name), one_line(schema));
        body(&mut parts, schema);
        for other in &types {
            let is_asked = parts.contains(&format!("](#{})", type_name(other.0).to_lowercase()));
            if is_asked && !nested.contains(&other) {
                nested.push(other);
            }
        }
    }
    text + &parts
}

#[test]
fn the_reference_has_every_answer() {
    let path = root().join("docs/src/reference/answers.md");
    let old = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = old.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let new = format!("{before}{BEGIN}\n{}{END}{after}", page(&sandbox()));
    if std::env::var_os("PORTKEEPER_WRITE_TABLES").is_some() {
        std::fs::write(&path, &new).unwrap();
    }
    assert!(new == old, "the reference is out of date: PORTKEEPER_WRITE_TABLES=1 writes it");
}
