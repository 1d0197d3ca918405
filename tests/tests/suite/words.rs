//! Words that people type, and words that they get back.

use portkeeper_tests::{Ports, Sandbox, StandIn, Terminal};
use serde_json::json;

use crate::sandbox;

fn hint(sandbox: &Sandbox, words: &str) -> String {
    let outcome = sandbox.portkeeper(words).refused(2);
    let hint = outcome.stderr.lines().find_map(|line| line.strip_prefix("hint: "));
    hint.unwrap_or_else(|| panic!("no hint\n{outcome}")).to_owned()
}

#[test]
fn an_address_and_a_url_stand_for_their_port() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _listener = sandbox.listener("127.0.0.1", ports.at(0));
    let port = ports.at(0);
    for word in [
        format!("{port}"),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("http://localhost:{port}/index.html"),
        format!("https://127.0.0.1:{port}"),
        format!("ws://localhost:{port}/socket"),
    ] {
        let answer = sandbox.portkeeper("explain --json").arg(&word).ok().json();
        assert_eq!((&answer["port"], &answer["verdict"]), (&json!(port), &json!("taken")), "{word}: {answer}");
    }
    // 192.0.2.0/24 is for documentation: RFC 5737.
    sandbox.portkeeper("explain 192.0.2.1:80").refused(2).says("not an address of this machine");
    sandbox.portkeeper("explain http://localhost:x/").refused(2).says("`x` is not a port");
    sandbox.portkeeper("explain amqp://localhost/").refused(2).says("the port is missing");
}

#[test]
fn several_ports_are_explained_in_one_call() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _listener = sandbox.listener("127.0.0.1", ports.at(0));
    let words = format!("explain {0} localhost:{0} {1}", ports.at(0), ports.at(1));
    let answer = sandbox.portkeeper(format!("{words} --json")).ok().json();
    let verdicts: Vec<_> = answer.as_array().unwrap().iter().map(|each| each["verdict"].clone()).collect();
    assert_eq!(verdicts, [json!("taken"), json!("free")], "{answer}");
    let table = sandbox.portkeeper(format!("{words} --format table")).ok().stdout;
    assert!(table.contains(&format!("{} is taken", ports.at(0))), "{table}");
    assert!(table.contains(&format!("\n\n{} is free", ports.at(1))), "{table}");
}

#[test]
fn what_has_the_port_on_another_address_is_not_killed() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let (meant, other) = (sandbox.listener("127.0.0.1", port), sandbox.listener("127.0.0.2", port));
    let answer = sandbox.portkeeper(format!("kill http://127.0.0.1:{port}/ --force --yes --json")).ok().json();
    assert_eq!(answer["ended"][0]["pid"], json!(meant.pid()), "{answer}");
    let left = sandbox.portkeeper(format!("explain {port} --json")).ok().json();
    assert_eq!(left["sockets"][0]["process"]["pid"], json!(other.pid()), "{left}");
}

#[test]
fn where_the_dashes_of_run_go_is_said() {
    let sandbox = sandbox();
    for (words, line) in [
        ("run sh -c true", "run -- sh -c true"),
        ("run sh run.sh", "run -- sh run.sh"),
        ("run web sh -c true", "run web -- sh -c true"),
        ("run --port 8080 --env-key KEY sh {PORT}", "run --port 8080 --env-key KEY -- sh {PORT}"),
        ("--quiet run no-such-program", "--quiet run -- no-such-program"),
        ("run sh -- -c true", "run -- sh -c true"),
        ("run web sh -- -c true", "run web -- sh -c true"),
    ] {
        assert_eq!(hint(&sandbox, words), format!("portkeeper {line}"), "{words}");
    }
    let with_spaces = sandbox.portkeeper("run sh -c").arg("echo it's").refused(2);
    with_spaces.says(r"hint: portkeeper run -- sh -c 'echo it'\''s'");
    assert!(!sandbox.registry().exists(), "no name is left behind");
}

#[test]
fn what_other_tools_call_a_command_leads_to_ours() {
    let sandbox = sandbox();
    for (words, line) in [
        ("ps", "portkeeper status"),
        ("ls", "portkeeper list"),
        ("rm 8080", "portkeeper release"),
        ("stop 8080", "portkeeper kill"),
        ("version", "portkeeper --version"),
        ("help runn", "portkeeper run"),
    ] {
        assert_eq!(hint(&sandbox, words), line, "{words}");
    }
    for words in ["--verbose", "-v", "status --verbose"] {
        assert!(hint(&sandbox, words).contains("--version"), "{words}");
    }
    // Where the parser knows better it says so.
    sandbox.portkeeper("statsu").refused(2).says("similar subcommand").says("'status'");
}

#[test]
fn an_option_or_word_of_another_command_leads_to_what_helps() {
    let sandbox = sandbox();
    for (words, line) in [
        ("status 8080", "explain 8080"),
        ("status web", "explain web"),
        ("status --port 8080", "explain 8080"),
        ("list web", "port web"),
        ("gc 8080", "explain 8080"),
        ("port -p 8080", "port --port 8080"),
        ("reserve -p8080", "reserve --port 8080"),
        ("run -p 8080 -- true", "run --port 8080 -- true"),
        ("explain -p 8080", "explain 8080"),
        ("release --port=8080", "release 8080"),
        ("pick -p 8080", "pick 8080"),
        ("port -n web", "port web"),
        ("run --name web -- true", "run web -- true"),
        ("reserve 8080", "reserve --port 8080"),
        ("run 8080 -- true", "run --port 8080 -- true"),
        ("kill -9 8080", "kill 8080"),
        ("kill -KILL 8080", "kill 8080"),
        ("kill -s TERM 8080", "kill 8080"),
        ("kill -f 8080", "kill --force 8080"),
        ("pick -5", "pick -n 5"),
        ("wait free 8123", "wait 8123 --free"),
        ("wait up 8123", "wait 8123"),
    ] {
        assert_eq!(hint(&sandbox, words), format!("portkeeper {line}"), "{words}");
    }
    // Where no line that is near works, the parser explains.
    for words in ["scan -n web", "gc -n", "port -p", "status --nowhere 8080"] {
        sandbox.portkeeper(words).refused(2).says("unexpected argument");
    }
    assert!(!sandbox.registry().exists());
}

#[test]
fn what_is_no_port_is_named_once() {
    let sandbox = sandbox();
    for command in ["explain", "wait", "kill"] {
        let outcome = sandbox.portkeeper(format!("{command} 70000")).refused(2);
        assert_eq!(outcome.stderr.matches("70000").count(), 1, "{outcome}");
        sandbox
            .portkeeper(format!("{command} localhost:70000"))
            .refused(2)
            .says("`localhost:70000`: `70000` is not a port");
    }
}

#[test]
fn an_address_is_released_as_it_is_explained() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    for (index, word) in [(0, "localhost:PORT"), (1, "127.0.0.1:PORT"), (2, "http://localhost:PORT/index.html")] {
        let port = ports.at(index);
        let _ = sandbox.portkeeper(format!("reserve --port {port}")).ok();
        let other = sandbox.portkeeper(format!("release 127.0.0.77:{port}")).exits(1);
        other.says(format!("port {port} is not reserved at 127.0.0.77"));
        let answer = sandbox.portkeeper("release --json").arg(word.replace("PORT", &port.to_string())).ok().json();
        assert_eq!(answer["released"][0]["port"], json!(port), "{word}: {answer}");
    }
    sandbox.portkeeper("release 192.0.2.1:80").refused(2).says("not an address of this machine");
    sandbox.portkeeper("release localhost:70000").refused(2).says("`70000` is not a port");
}

#[test]
fn a_report_on_standard_output_is_refused_with_what_works() {
    let sandbox = sandbox();
    sandbox.portkeeper("run --report - -- true").exits(125).says("hint: --report run.json");
    assert!(!sandbox.has("-"));
    sandbox.portkeeper("run --report /dev/stderr -- true").ok().says("\"guarantee\"");
}

#[test]
fn a_command_runs_as_if_it_had_been_started_in_the_directory() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.directory("shop/.git");
    let config = format!(
        r#"{{"ports": [{{"key": "WEB_PORT", "range": [{0}, {0}]}}], "outputs": [{{"type": "env"}}]}}"#,
        ports.first()
    );
    sandbox.write("shop/pk.config.json", config);
    let _ = sandbox.portkeeper("-C shop prepare").ok();
    assert_eq!(sandbox.read("shop/.env"), format!("WEB_PORT={}\n", ports.first()));
    assert_eq!(sandbox.portkeeper("port WEB_PORT -C shop").ok().port(), ports.first());
    let run = sandbox.portkeeper("run WEB_PORT --directory shop -- pwd").ok();
    assert!(run.stdout.ends_with("/shop\n"), "{run}");
    // Relative paths are of that directory, as with git and make.
    let _ = sandbox.portkeeper("-C shop status --registry ../registry.json").ok();
    sandbox.portkeeper("-C missing status").refused(2).says("-C missing: no such file or directory");
    sandbox.portkeeper("-C missing run -- true").exits(125).says("-C missing");
}

#[test]
fn color_is_for_terminals_and_for_who_asks_for_it() {
    let sandbox = sandbox();
    let is_colored = |words: &str, variables: &[(&str, &str)]| {
        let run = sandbox.portkeeper(format!("explain nowhere {words}"));
        let outcome = variables.iter().fold(run, |run, (key, value)| run.env(key, value)).run();
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        outcome.stderr.contains('\u{1b}')
    };
    let (forbidden, forced) = (("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"));
    for (words, variables, expected) in [
        ("", &[][..], false),
        ("", &[forced], true),
        ("--color never", &[forced], false),
        ("--color=always", &[forbidden], true),
        ("--color always", &[], true),
        ("--color auto", &[forbidden], false),
        // Words that the parser refuses.
        ("--nowhere --color always", &[], true),
        ("--nowhere --color never", &[forced], false),
    ] {
        assert_eq!(is_colored(words, variables), expected, "{words} {variables:?}");
    }
    let on_terminal = |words: &str, key: &str| {
        let run = sandbox.portkeeper(format!("explain nowhere {words}")).env("TERM", "xterm").env(key, "1");
        Terminal::start(&run).ends().1.contains('\u{1b}')
    };
    assert!(on_terminal("", "UNSET") && !on_terminal("", "NO_COLOR") && !on_terminal("--color never", "UNSET"));
    let help = sandbox.portkeeper("--help --color always").ok().stdout;
    assert!(help.contains('\u{1b}'), "{help}");
}

/// All commands, by their names.
pub(crate) fn commands(sandbox: &Sandbox) -> Vec<String> {
    let below = |command: &str| -> Vec<String> {
        let help = sandbox.portkeeper(format!("{command} -h")).ok().stdout;
        let lines = help.split("Commands:\n").nth(1).unwrap_or_default().lines().take_while(|line| !line.is_empty());
        // What goes on from the line before is indented further.
        let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        names.map(|name| format!("{command} {name}").trim().to_owned()).collect()
    };
    let first = below("");
    let second: Vec<_> = first.iter().flat_map(|command| below(command)).collect();
    assert!(first.len() > 20 && second.len() > 5, "{first:?} {second:?}");
    [first, second, vec![String::new()]].concat()
}

#[test]
fn help_fits_eighty_columns() {
    let sandbox = sandbox();
    for command in commands(&sandbox) {
        for option in ["-h", "--help"] {
            let help = sandbox.portkeeper(format!("{command} {option}")).env("COLUMNS", "80").ok().stdout;
            // The program under test has a longer name.
            let help = help.replace("portkeeper-under-test", "portkeeper");
            let wide = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{command} {option}");
        }
    }
}

#[test]
fn a_token_that_is_nearly_one_gets_a_note() {
    let sandbox = sandbox();
    let outcome = sandbox.portkeeper("run -- echo {port} {PROT} {PORT} ${port} {{port}} {sort}").ok();
    outcome.says("{port} is passed on as it is; for the value of PORT write {PORT}").says("{PROT} is passed on");
    assert_eq!(outcome.stderr.lines().count(), 2, "{outcome}");
    assert!(outcome.stdout.starts_with("{port} {PROT} ") && outcome.stdout.contains("${port} {{port}}"), "{outcome}");
    sandbox.portkeeper("run --quiet -- true {port}").ok().is_silent();
}

#[test]
fn a_config_is_named_as_a_plain_word_too() {
    let sandbox = sandbox();
    sandbox.write("stack.json", r#"{"ports": [{"key": "WEB_PORT"}], "outputs": [{"type": "env"}]}"#);
    let _ = sandbox.portkeeper("prepare stack.json").ok();
    assert!(sandbox.read(".env").starts_with("WEB_PORT="));
    let _ = sandbox.portkeeper("prepare stack.json --check").ok();
    sandbox.portkeeper("prepare stack.json --config other.json").refused(2).says("--config");
    sandbox.portkeeper("prepare missing.json").refused(2).says("missing.json");
}

#[test]
fn pages_are_written_into_a_directory_that_was_not_there() {
    let sandbox = sandbox();
    let _ = sandbox.portkeeper("man doc/man1").ok();
    assert!(sandbox.has("doc/man1/portkeeper-run.1"));
}

#[test]
fn a_protocol_is_written_in_either_case() {
    let sandbox = sandbox();
    let answer = sandbox.portkeeper("reserve --protocol UDP --json").ok().json();
    assert_eq!(answer["protocol"], "udp", "{answer}");
}

/// What the standard library, serde and the like call things, and numbers that only a manual explains.
const OF_THE_LANGUAGE: [&str; 20] = [
    "(os error",
    "invalid digit",
    "number too large",
    "cannot parse",
    "is not in 1..",
    "struct ",
    "enum ",
    "variant",
    "Some(",
    "None)",
    "Os {",
    "kind:",
    "expected u16",
    "Utf8Error",
    "EOF",
    "ident",
    "trailing characters",
    "sequence",
    "cannot start any token",
    "while scanning",
];

#[test]
fn no_text_of_the_language_reaches_a_person() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let listener = sandbox.listener("127.0.0.1", ports.first());
    for (name, text) in [
        ("text.json", r#"{"ports": ["A"]}"#),
        ("map.json", r#"{"ports": {"A": 1}}"#),
        ("list.json", "[]"),
        ("output.json", r#"{"ports": [{"key": "A"}], "outputs": ["env"]}"#),
        ("plugin.json", r#"{"ports": [{"key": "A"}], "plugins": {"x": 1}}"#),
        ("number.json", r#"{"ports": [{"key": "A", "preferred": 70000}]}"#),
        ("negative.json", r#"{"ports": [{"key": "A", "preferred": -1}]}"#),
        ("protocol.json", r#"{"ports": [{"key": "A", "protocol": "icmp"}]}"#),
        ("hold.json", r#"{"ports": [{"key": "A", "hold": true}]}"#),
        ("bool.json", r#"{"ports": [{"key": "A"}], "outputs": [{"type": "env", "backup": "yes"}]}"#),
        ("cut.json", r#"{"ports": ["#),
        ("tab.yaml", "ports:\n\t- key: A\n"),
        ("at.yaml", "ports: @a\n"),
        ("cut.yaml", "ports: [\n"),
        ("registry.json", "{}"),
        ("cut-registry.json", r#"{"version":4,"#),
        ("empty.json", ""),
        ("words.json", "nonsense"),
    ] {
        sandbox.write(name, text);
    }
    let port = ports.first();
    let mut lines: Vec<String> = [
        "reserve --count many",
        "reserve --count 99999999",
        "reserve --for-pid x",
        "reserve --for-pid 4294967295",
        "reserve --protocol icmp",
        "reserve --port x",
        "reserve --ttl x",
        "reserve --hold=x",
        "reserve --range x-y",
        "reserve --host 192.0.2.1",
        "reserve --write-env --env-path /proc/no/.env",
        "pick -n x",
        "pick 99999",
        "wait x:y",
        "wait 80 -t x",
        "scan --rate x",
        "scan -p x",
        "scan --timeout x",
        "import --portkeeper missing.json",
        "import --portkeeper text.json",
        "import --port-for missing",
        "plugin inspect missing.wasm",
        "plugin inspect text.json",
        "plugin add missing.wasm",
        "plugin build missing",
        "plugin test missing.wasm missing",
        "plugin new /proc/no/x",
        "trust missing.wasm",
        "man /proc/no",
        "run --handover x -- true",
        "run -- ./missing",
        "run -- ./text.json",
        "run -c missing.json -- true",
        "status --registry registry.json",
        "status --registry list.json",
        "status --registry cut-registry.json",
        "status --registry words.json",
        "import --portkeeper list.json",
        "import --portkeeper cut.json",
        "import --portkeeper empty.json",
        "import --portkeeper words.json",
        "status --registry /dev/null",
        "reserve --registry /proc/no/registry.json",
        "reserve --lock /proc/no/lock",
        "completions x",
    ]
    .map(str::to_owned)
    .to_vec();
    for name in ["text", "map", "list", "output", "plugin", "number", "negative", "protocol", "hold", "bool", "cut"] {
        lines.push(format!("prepare {name}.json"));
    }
    lines.extend(["tab", "at", "cut"].map(|name| format!("prepare {name}.yaml")));
    lines.push("prepare .".to_owned());
    lines.push(format!("reserve --port {port}"));
    lines.push(format!("kill {port}"));
    for line in lines {
        let outcome = sandbox.portkeeper(&line).run();
        assert_ne!(outcome.code(), Some(0), "{outcome}");
        assert!(!outcome.stderr.is_empty(), "{outcome}");
        for text in OF_THE_LANGUAGE {
            assert!(!outcome.stderr.contains(text) && !outcome.stdout.contains(text), "`{text}`\n{outcome}");
        }
    }
    let full = sandbox.shell("portkeeper status --json > /dev/full").exits(3);
    full.says("no space left on device");
    drop(listener);
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place_and_what_is_expected() {
    let sandbox = sandbox();
    for (line, file, text, words) in [
        ("prepare", "a.json", "{\"ports\": [\n", "a.json:1:12: ports: the text ends before the list is closed"),
        ("prepare", "a.yaml", "ports:\n\t- key: A\n", "a.yaml:2:1: ports: a tab stands where YAML expects spaces"),
        ("prepare", "b.yaml", "ports: [\n  {", "b.yaml:3:1: ports[0]: the text ends before a bracket is closed"),
        ("import --portkeeper", "b.json", "[]", "expected an object"),
        ("import --portkeeper", "c.json", "{\n  \"a\": ", "line 2, column 7: the text ends where a value is expected"),
        (
            "status --registry",
            "d.json",
            "[]",
            "d.json is not a registry (line 1, column 2: found a list, expected an object)",
        ),
        ("status --registry", "e.json", "{\"version\":4,\n\"reservations\":[", "(line 2, column 16: the text ends"),
    ] {
        sandbox.write(file, text);
        let outcome = sandbox.portkeeper(format!("{line} {file}")).run();
        assert_ne!(outcome.code(), Some(0), "{outcome}");
        outcome.says(words);
    }
    sandbox.write("pk.config.json", r#"{"ports": [{"key": "A"}], "outputs": [{"type": "env"}]}"#);
    sandbox.write("portkeeper.lock", "nonsense");
    sandbox
        .portkeeper("prepare")
        .refused(2)
        .says("portkeeper.lock: line 1, column 1: found the text \"nonsense\", expected an object");
}

#[test]
fn a_server_is_found_by_the_url_that_it_prints() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = StandIn::start(sandbox.stand_in_run(&format!("http 200 127.0.0.1:{}", ports.first())).command());
    let url = format!("http://127.0.0.1:{}/", ports.first());
    let _ = sandbox.portkeeper(format!("wait {url} -t 10")).ok();
    let answer = sandbox.portkeeper(format!("kill {url} --force --yes --json")).ok().json();
    assert_eq!(answer["ended"][0]["pid"], json!(server.pid()), "{answer}");
}

#[test]
fn a_kind_of_hold_after_a_blank_is_no_name() {
    let sandbox = sandbox();
    for words in ["reserve --hold soft", "port --hold exclusive", "reserve --hold gated web"] {
        let kind = words.split(' ').nth(2).unwrap();
        sandbox.portkeeper(words).refused(2).says(format!("hint: --hold={kind}"));
    }
    assert!(sandbox.reserved().is_empty());
    let _ = sandbox.portkeeper("reserve --hold web --project .").ok();
}

#[test]
fn a_file_that_is_no_registry_gets_no_lock_beside_it() {
    let sandbox = sandbox();
    sandbox.write("passwd", "root:x:0:0::/root:/bin/sh\n");
    sandbox.portkeeper("reserve --registry passwd").refused(3).says("is not a registry").says("mv ");
    assert!(!sandbox.has("passwd.lock"));
}

#[test]
fn a_port_in_place_of_a_command_is_explained() {
    sandbox().portkeeper("8080").refused(2).says("portkeeper explain 8080");
}
