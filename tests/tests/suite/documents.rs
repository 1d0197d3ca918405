//! What the command line prints about itself.

use portkeeper_tests::{Sandbox, program_or_skip};
use serde_json::Value;

use crate::sandbox;

/// The commands, as the help lists them.
fn commands(sandbox: &Sandbox) -> Vec<String> {
    let help = sandbox.portkeeper("--help").ok().stdout;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    // What continues a line is further in than a command.
    let commands = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: Vec<_> = commands.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert!(commands.len() > 20, "{help}");
    commands.into_iter().filter(|command| command != "help").collect()
}

#[test]
fn help_lists_every_command_and_each_has_its_own() {
    let sandbox = sandbox();
    for command in commands(&sandbox) {
        let own = sandbox.portkeeper(format!("{command} --help")).ok().stdout;
        assert!(own.contains("Usage") && own.contains("\nExamples:\n"), "{own}");
    }
    assert!(sandbox.portkeeper("--version").ok().stdout.starts_with("portkeeper "));
}

#[test]
fn completions_are_what_the_shell_understands() {
    let sandbox = sandbox();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.portkeeper(format!("completions {shell}")).ok().stdout;
        assert!(commands(&sandbox).iter().all(|command| script.contains(command)), "{shell}");
        if shell == "bash" && program_or_skip("bash").is_some() {
            let _ = sandbox.program("bash").arg("-n").stdin(script).ok();
        }
    }
    let _ = sandbox.portkeeper("completions tcsh").refused(2);
}

#[test]
fn the_manual_has_a_page_for_every_command_and_the_config() {
    let sandbox = sandbox();
    let page = sandbox.portkeeper("man").ok().stdout;
    assert!(page.contains(".TH PORTKEEPER 1"), "{page}");
    let directory = sandbox.directory("pages");
    let _ = sandbox.portkeeper("man pages").ok();
    let page = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!(page("portkeeper.1"), sandbox.portkeeper("man").ok().stdout);
    for command in commands(&sandbox) {
        let page = page(&format!("portkeeper-{command}.1"));
        assert!(page.contains(&format!(".TH PORTKEEPER-{} 1 ", command.to_uppercase())), "{page}");
        for section in ["NAME", "SYNOPSIS", "\"EXIT STATUS\"", "EXAMPLES", "\"SEE ALSO\""] {
            assert!(page.contains(&format!(".SH {section}")), "{section} in {page}");
        }
    }
    let _ = page("portkeeper-plugin-add.1");
    assert!(page("portkeeper.config.5").contains("ports[].key"));
    if program_or_skip("man").is_none() {
        return;
    }
    for file in std::fs::read_dir(&directory).unwrap() {
        let file = file.unwrap().path();
        let outcome = sandbox.program("man").arg("--warnings=w").arg("-E").arg("UTF-8").arg("-l").arg(&file).ok();
        assert_eq!(outcome.stderr, "", "{}", file.display());
        assert!(outcome.stdout.contains("SEE ALSO"), "{outcome}");
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
