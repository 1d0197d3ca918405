//! What the command line prints about itself.

use portkeeper_tests::program_or_skip;
use serde_json::Value;

use crate::sandbox;

const COMMANDS: [&str; 11] =
    ["reserve", "port", "release", "status", "gc", "prepare", "plugin", "trust", "schema", "completions", "man"];

#[test]
fn help_lists_every_command_and_each_has_its_own() {
    let sandbox = sandbox();
    let help = sandbox.portkeeper("--help").ok().stdout;
    for command in COMMANDS {
        assert!(help.contains(command), "{command} in\n{help}");
        let own = sandbox.portkeeper(format!("{command} --help")).ok().stdout;
        assert!(own.contains("Usage"), "{own}");
    }
    assert!(sandbox.portkeeper("--version").ok().stdout.starts_with("portkeeper "));
}

#[test]
fn completions_are_what_the_shell_understands() {
    let sandbox = sandbox();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.portkeeper(format!("completions {shell}")).ok().stdout;
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
        if shell == "bash" && program_or_skip("bash").is_some() {
            let _ = sandbox.program("bash").arg("-n").stdin(script).ok();
        }
    }
    let _ = sandbox.portkeeper("completions tcsh").refused(2);
}

#[test]
fn the_manual_is_troff_with_every_command() {
    let sandbox = sandbox();
    let page = sandbox.portkeeper("man").ok().stdout;
    assert!(page.contains(".TH portkeeper 1"), "{page}");
    for command in ["reserve", "prepare"] {
        assert!(page.contains(command));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = sandbox();
    let outcome = sandbox.shell("portkeeper man | true; portkeeper completions bash | head -n 1 > /dev/null").ok();
    outcome.is_silent();
}

#[test]
fn the_schema_accepts_the_configs_of_the_readme_and_refuses_others() {
    let sandbox = sandbox();
    let schema: Value = sandbox.portkeeper("schema").ok().json();
    assert!(jsonschema::meta::is_valid(&schema), "{schema}");
    let validator = jsonschema::validator_for(&schema).unwrap();
    for config in [crate::config::readme_json(), serde_yaml::from_str(crate::config::README_YAML).unwrap()] {
        let problems: Vec<String> = validator.iter_errors(&config).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}\n{config}");
    }
    for wrong in [
        r#"{"ports":[{"key":"A","range":[1,70000]}],"outputs":[]}"#,
        r#"{"ports":[{"preferred":8000}],"outputs":[]}"#,
        r#"{"ports":[{"key":"A","protocol":"icmp"}],"outputs":[]}"#,
        r#"{"prots":[]}"#,
    ] {
        assert!(!validator.is_valid(&serde_json::from_str(wrong).unwrap()), "{wrong}");
    }
}
