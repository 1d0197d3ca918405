//! A prepare with ten outputs in ten formats: what is built in, and the same formats as if third parties had made them.

use std::fs;

use portkeeper_tests::{Outcome, Run, Sandbox, WatPlugin, builtin};
use serde_json::{Value, json};

use crate::cases::{PORTKEEPER, reserve_and_release};
use crate::programs::Bench;
use crate::times::Times;

/// How many outputs there are, each in a format of its own.
const OUTPUTS: usize = 10;

/// How many rounds each gets.
const ROUNDS: usize = 21;

/// Where the formats' plugins come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Those that are built in are.
    BuiltIn,
    /// All of them are the user's plugins.
    Plugins,
}

/// Warm, and with nothing compiled before: on all cores and on one.
pub(crate) fn formats(bench: &Bench, times: &mut Times) {
    let (built_in, plugins, cold) = (home(Source::BuiltIn), home(Source::Plugins), home(Source::Plugins));
    for home in [&built_in, &plugins] {
        every_output_is_written(&in_new_project(bench, home, |run| run.ok()));
    }
    for round in 0..ROUNDS {
        reserve_and_release(bench, &built_in, times, "reserve beside ten formats", "release beside ten formats");
        for (home, case) in [(&built_in, "ten formats"), (&plugins, "ten plugins")] {
            every_output_is_written(&in_new_project(bench, home, |run| times.time((case, PORTKEEPER), run)));
        }
        // Compiling takes its time: fewer rounds do.
        if round % 7 == 0 {
            forget(&cold);
            let mut time = |case, run: &Run<'_>| times.time((case, PORTKEEPER), run);
            every_output_is_written(&in_new_project(bench, &cold, |run| time("ten plugins, cold", run)));
            forget(&cold);
            every_output_is_written(&in_new_project(bench, &cold, |run| {
                time("ten plugins, cold, one core", &run.clone().on_one_core())
            }));
        }
    }
}

/// A home whose configs have ten formats to name.
pub(crate) fn home(source: Source) -> Sandbox {
    let home = Bench::home();
    for format in types().iter().filter(|format| !is_built_in(format)) {
        home.write(home.plugins().join(format!("{format}.wasm")), WatPlugin::new(format).component());
    }
    if source == Source::Plugins {
        for name in builtin::FORMATS {
            let component = fs::read(builtin::component_path(&builtin::root(), name)).expect("a component");
            home.write(home.plugins().join(format!("{name}.wasm")), component);
        }
    }
    let explicit = |name: &str| {
        let path = home.plugins().join(format!("{name}.wasm"));
        (type_of(name), json!({ "path": path }))
    };
    let explicit: serde_json::Map<_, _> = match source {
        Source::BuiltIn => serde_json::Map::new(),
        Source::Plugins => builtin::FORMATS.into_iter().map(explicit).collect(),
    };
    home.write("plugins.json", Value::Object(explicit).to_string());
    home
}

/// Offers a prepare where nothing was prepared yet, and takes back what came of it.
pub(crate) fn in_new_project(bench: &Bench, home: &Sandbox, prepare: impl FnOnce(&Run<'_>) -> Outcome) -> Outcome {
    let plugins: Value = serde_json::from_str(&home.read("plugins.json")).expect("JSON");
    let config = json!({
        "ports": [{ "key": "SERVICE_PORT", "preferred": bench.port, "range": [bench.port, bench.port + 100] }],
        "outputs": types().iter().map(|format| output(format)).collect::<Vec<_>>(),
        "plugins": plugins,
    });
    home.write("project/pk.config.json", config.to_string());
    home.write("project/page.jinja", "# portkeeper:generated\nport = {{ SERVICE_PORT }}\n");
    let directory = home.work().join("project");
    let run = home.portkeeper("prepare").within(&directory).env("XDG_CACHE_HOME", home.root().join("cache"));
    let outcome = prepare(&run);
    home.portkeeper("release --all").ok();
    fs::remove_dir_all(directory).expect("a directory");
    outcome
}

/// Forgets all compiled plugins.
pub(crate) fn forget(home: &Sandbox) {
    let _ = fs::remove_dir_all(home.root().join("cache"));
}

/// The types that are built in, and as many others as make them ten.
fn types() -> Vec<String> {
    let others = (1..).map(|number| format!("other-{number}"));
    builtin::FORMATS.into_iter().map(type_of).chain(others).take(OUTPUTS).collect()
}

/// What an output's `type` is for a directory of `plugins/`.
fn type_of(directory: &str) -> String {
    if directory == "runtime-js" { "runtime_js".to_owned() } else { directory.to_owned() }
}

fn is_built_in(format: &str) -> bool {
    builtin::FORMATS.into_iter().any(|directory| type_of(directory) == format)
}

/// An output of the type, with what the format cannot do without.
fn output(format: &str) -> Value {
    let mut output = json!({ "type": format, "path": format!("out/{format}") });
    match format {
        "docker-compose" => output["services"] = json!({ "web": { "SERVICE_PORT": 80 } }),
        "template" => output["inputs"] = json!(["page.jinja"]),
        _ => {}
    }
    output
}

fn every_output_is_written(outcome: &Outcome) {
    let answer = outcome.json();
    let outputs = answer["outputs"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(outputs.len() == OUTPUTS && outputs.iter().all(|output| output["status"] == "written"), "{outcome}");
}
