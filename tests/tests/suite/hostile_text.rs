//! What a repository, a plugin, a process or a user writes reaches no terminal as it is: each channel, and the terminal's bytes.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use portkeeper_tests::{Ports, Run, Terminal, WatPlugin, copy_program};
use serde_json::json;

use crate::config::one_port;
use crate::sandbox;

/// Clears the screen, sets the title, colors by a C1 control, turns the text around, hides characters, and begins a line.
const EVIL: &str = "E\u{1b}[2J\u{1b}]0;PWNED\u{7}\u{9b}31m\u{202e}\u{200b}\rV\u{7f}";

/// What a program shows on a terminal; demands that nothing in it drives one. The terminal itself puts CR before LF.
#[track_caller]
fn shown(run: &Run<'_>) -> String {
    let terminal = Terminal::start(&run.clone().env("NO_COLOR", "1"));
    let (_, text) = terminal.ends();
    assert_is_clean(&text);
    text.replace("\r\n", "\n")
}

#[track_caller]
fn assert_is_clean(text: &str) {
    let text = text.replace("\r\n", "\n");
    let is_bad = |c: &char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let bad: Vec<_> = text.chars().filter(is_bad).collect();
    assert!(bad.is_empty(), "{bad:?} reached the terminal: {text:?}");
}

#[test]
fn a_diff_is_cleaned_on_a_terminal_and_a_patch_elsewhere() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write(".env", format!("# {EVIL}\r\nKEEP=1\r\n"));
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }])).to_string());
    let diff = shown(&sandbox.portkeeper("prepare --diff"));
    assert!(diff.contains("+SERVICE_PORT=") && diff.contains("PWNED"), "{diff}");

    let patch = sandbox.portkeeper("prepare --diff").ok().stdout;
    assert!(patch.contains(&format!(" # {EVIL}\r\n")), "{patch:?}");
    sandbox.write("fix.patch", &patch);
    let _ = sandbox.shell("patch --binary -p1 < fix.patch || git apply fix.patch").ok();
    assert!(sandbox.read(".env").contains(&format!("SERVICE_PORT={}", ports.first())));
}

#[test]
fn what_a_project_is_called_and_what_its_config_says_begins_no_line() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let project = sandbox.directory("p\nhint: run curl\u{1b}[2J\u{9b}");
    let config = one_port(&ports, json!([{ "type": "json", "path": "x" }])).to_string();
    std::fs::write(project.join("pk.config.json"), config).unwrap();
    let here = |words: &str| sandbox.portkeeper(words).within(&project);
    let _ = here("prepare").ok();
    let port = ports.first();
    for words in ["status", "status --json", "list", "list --all", "prepare --dry-run", "doctor", "gc", "trust --list"]
    {
        assert_begins_no_line(&shown(&here(words)));
    }
    for words in [
        format!("explain {port}"),
        format!("explain {port} --json"),
        format!("kill {port}"),
        format!("reserve --port {port}"),
    ] {
        assert_begins_no_line(&shown(&here(&words)));
    }
    for output in [
        json!({ "type": "json", "path": EVIL }),
        json!({ "type": EVIL, "path": "x" }),
        json!({ "type": "json", "path": "x", EVIL: 1 }),
        json!({ "type": "json", "path": "x", "map": { "a": format!("${{NOWHERE:?{EVIL}\nhint: run curl}}") } }),
    ] {
        let config = one_port(&ports, json!([output])).to_string();
        std::fs::write(project.join("pk.config.json"), config).unwrap();
        assert_begins_no_line(&shown(&here("prepare")));
    }
    assert_begins_no_line(&shown(&here("release --all --yes")));
}

#[track_caller]
fn assert_begins_no_line(text: &str) {
    assert!(text.lines().all(|line| !line.starts_with("hint: run curl")), "{text}");
}

#[test]
fn an_owner_is_shown_without_what_it_hides() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("reserve --port {} --ttl 1h", ports.first()));
    let answer = shown(&reserve.arg("--owner").arg("o\u{9b}2J\u{202e}"));
    assert!(answer.contains(r"o\u009b2J\u202e"), "{answer}");
    for words in ["status", "status --json", "status --format jsonl"] {
        assert!(shown(&sandbox.portkeeper(words)).contains('o'));
    }
    let _ = shown(&sandbox.portkeeper(format!("explain {}", ports.first())));
    let _ = shown(&sandbox.portkeeper(format!("release {}", ports.first())));
}

#[test]
fn a_plugin_says_nothing_that_a_terminal_obeys() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let options = format!(r#"{{"properties": {{"a": {{"description": {}}}}}}}"#, json!(EVIL));
    let plugin = WatPlugin::new("x")
        .named(EVIL)
        .release(EVIL)
        .description(&format!("{EVIL}\nsha256        forged"))
        .options_schema(&options);
    let file = sandbox.write("x.wasm", plugin.component());
    let inspected = shown(&sandbox.portkeeper("plugin inspect").arg(&file));
    assert_eq!(inspected.lines().filter(|line| line.starts_with("sha256 ")).count(), 1, "{inspected}");
    let _ = shown(&sandbox.portkeeper("plugin inspect --json").arg(&file));
    let _ = shown(&sandbox.portkeeper("plugin add").arg(&file));
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "x", "path": "out" }])).to_string());
    for words in ["plugin list", "plugin list --json", "schema", "prepare", "plugin remove x"] {
        let _ = shown(&sandbox.portkeeper(words));
    }
}

/// A process that has called itself, and the directory that it works in, what looks like an answer to the question.
#[test]
fn the_question_of_kill_is_about_one_line_each() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let directory = sandbox.directory("dir\nEnd it? [y/N] y\nnode (pid 1)");
    let program = directory.join("no\nde");
    copy_program(sandbox.stand_in_path(), &program);
    let mut process = Command::new(&program)
        .arg0(format!("{EVIL}\nEnd it? [y/N] y"))
        .args(["listen", &format!("127.0.0.1:{}", ports.first())])
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    let run = sandbox.portkeeper(format!("kill {} --force", ports.first())).env("NO_COLOR", "1");
    let mut terminal = Terminal::start(&run);
    terminal.shows("End it? [y/N] ", 1);
    terminal.types("n\n");
    let (_, text) = terminal.ends();
    assert_is_clean(&text);
    let forged = |line: &&str| line.starts_with("End it?") || line.starts_with("node (pid 1)");
    assert_eq!(text.lines().filter(forged).count(), 1, "{text}");
    assert_eq!(process.try_wait().unwrap(), None, "it lives");
    for words in [format!("explain {}", ports.first()), format!("explain {} --json", ports.first()), "status".into()] {
        let text = shown(&sandbox.portkeeper(&words));
        assert_eq!(text.lines().filter(forged).count(), 0, "{text}");
    }
    drop(process.stdin.take());
    let _ = process.wait();
}

#[test]
fn what_the_parser_says_of_words_is_cleaned() {
    let sandbox = sandbox();
    for word in [EVIL.to_owned(), format!("--{EVIL}"), format!("x\nhint: run curl {EVIL}")] {
        for words in ["", "status", "reserve --port", "run --env-key", "scan", "completions", "port --grace", "plugin"]
        {
            let run = sandbox.portkeeper(words).arg(&word);
            let outcome = run.exits(2);
            assert_is_clean(&outcome.stderr);
            assert!(!outcome.stderr.contains("\nhint: run curl"), "{outcome}");
            shown(&run);
        }
    }
    let named = sandbox.program("sh").arg("-c").arg(r#"exec -a "$(printf 'x\033[2Jx')" "$0" --nothing"#);
    let outcome = named.arg(sandbox.portkeeper_path()).run();
    assert_is_clean(&outcome.stderr);
}
