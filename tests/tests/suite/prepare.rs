//! The main job: a stack gets its ports, and its files.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use portkeeper_tests::{Namespace, Own, Ports, Sandbox, StandIn, program_or_skip};
use serde_json::{Value, json};

use crate::config::{README_JSON, README_YAML, one_port, readme_with};
use crate::sandbox;

/// The object of a file that says `window.RUNTIME = {...};`.
#[track_caller]
fn runtime(text: &str) -> Value {
    let object = text.split_once("window.RUNTIME = ").expect("an assignment").1;
    let object = object.rsplit_once("};").expect("its end").0;
    serde_json::from_str(&format!("{object}}}")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What shows whether a file was written again.
fn identity(path: &Path) -> (u64, i64, i64) {
    let metadata = path.metadata().unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}

fn identities(sandbox: &Sandbox) -> Vec<(u64, i64, i64)> {
    [".env", "config.json", "runtime-config.js"].map(|name| identity(&sandbox.work().join(name))).into()
}

/// The README's config, prepared in an empty directory.
fn prepared(ports: &Ports) -> Sandbox {
    let sandbox = sandbox();
    sandbox.write("pk.config.json", readme_with(ports).to_string());
    let _ = sandbox.portkeeper("prepare --config pk.config.json").ok();
    sandbox
}

#[test]
fn the_config_of_the_readme_in_an_empty_directory() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", readme_with(&ports).to_string());
    let answer = sandbox.portkeeper("prepare --config pk.config.json").ok();
    let (service, frontend) = (ports.at(0), ports.at(1));
    let expected = json!({
        "reserved": { "SERVICE_PORT": service, "FRONTEND_PORT": frontend },
        "guarantee": "advisory",
        "guarantees": { "SERVICE_PORT": "advisory", "FRONTEND_PORT": "advisory" },
        "outputs": [
            { "type": "env", "path": ".env", "status": "written" },
            { "type": "json", "path": "config.json", "status": "written" },
            { "type": "runtime_js", "path": "runtime-config.js", "status": "written" },
        ],
    });
    assert_eq!(answer.is_silent().json(), expected);
    assert_eq!(sandbox.read(".env"), format!("SERVICE_PORT={service}\nFRONTEND_PORT={frontend}\n"));
    let urls =
        json!({ "httpUrl": format!("https://localhost:{service}"), "wsUrl": format!("wss://localhost:{service}/ws") });
    assert_eq!(sandbox.read("config.json"), format!("{}\n", serde_json::to_string_pretty(&urls).unwrap()));
    assert_eq!(runtime(&sandbox.read("runtime-config.js")), urls);
    assert_eq!(sandbox.reserved(), ports.all());
}

#[test]
fn the_config_as_the_readme_has_it_gets_the_preferred_ports() {
    // In a network of its own, because another process may use 8888 in this one.
    let Some(network) = Namespace::or_skip(Own::Network) else { return };
    let sandbox = sandbox();
    sandbox.write("pk.config.json", README_JSON);
    let answer = sandbox.portkeeper("prepare --config pk.config.json").inside(&network).ok();
    assert_eq!(answer.json()["reserved"], json!({ "SERVICE_PORT": 8888, "FRONTEND_PORT": 8080 }));
    assert_eq!(sandbox.read(".env"), "SERVICE_PORT=8888\nFRONTEND_PORT=8080\n");
}

#[test]
fn the_yaml_config_of_the_readme_in_directories_that_are_not_there_yet() {
    let sandbox = sandbox();
    sandbox.write("pk.config.yaml", README_YAML);
    let answer = sandbox.portkeeper("prepare -c pk.config.yaml").ok().json();
    let (service, frontend) = (&answer["reserved"]["SERVICE_PORT"], &answer["reserved"]["FRONTEND_PORT"]);
    assert!((8888..=8988).contains(&service.as_u64().unwrap()), "{answer}");
    assert!((8080..=8180).contains(&frontend.as_u64().unwrap()), "{answer}");
    let config: Value = serde_json::from_str(&sandbox.read("examples/visual-programming/config.json")).unwrap();
    assert_eq!(config["visualUrl"], format!("http://localhost:{frontend}"));
    assert_eq!(
        runtime(&sandbox.read("examples/visual-programming/runtime-config.js"))["wsUrl"],
        format!("wss://localhost:{service}/ws")
    );
}

#[test]
fn a_second_run_gives_the_same_ports_and_rewrites_nothing() {
    let ports = Ports::take(2);
    let sandbox = prepared(&ports);
    let (files, before) = (sandbox.everything(), identities(&sandbox));
    let answer = sandbox.portkeeper("prepare").ok().json();
    assert_eq!(answer["reserved"], json!({ "SERVICE_PORT": ports.at(0), "FRONTEND_PORT": ports.at(1) }));
    for output in answer["outputs"].as_array().unwrap() {
        assert_eq!(output["status"], "unchanged", "{answer}");
    }
    files.assert_unchanged("a second run");
    assert_eq!(before, identities(&sandbox));
}

#[test]
fn the_stack_starts_on_its_port_and_a_run_beside_it_changes_nothing() {
    let ports = Ports::take(2);
    let sandbox = prepared(&ports);
    let before = identities(&sandbox);
    let port = sandbox.shell(". ./.env; echo $SERVICE_PORT").ok().port();
    let server = sandbox.listener("127.0.0.1", port);
    let answer = sandbox.portkeeper("prepare").ok();
    assert_eq!(answer.json()["reserved"]["SERVICE_PORT"], port);
    assert_eq!(before, identities(&sandbox));
    sandbox.portkeeper("prepare --require-free").refused(1).says(port.to_string()).says("stand-in");
    assert_eq!(before, identities(&sandbox));
    server.kill();
    let _ = sandbox.portkeeper("prepare --require-free").ok();
}

#[test]
fn a_web_server_answers_on_the_port_in_its_env_file_and_prepare_runs_beside_it() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let ports = Ports::take(2);
    let sandbox = prepared(&ports);
    let server = "set -a; . ./.env; exec python3 -u -m http.server --bind 127.0.0.1 \"$SERVICE_PORT\" 2>/dev/null";
    // Its first line is about the port, and comes when it listens.
    let server = StandIn::start(sandbox.shell(server).command());
    assert!(server.said().contains(&ports.at(0).to_string()), "{}", server.said());
    let config = || get((Ipv4Addr::LOCALHOST, ports.at(0)), "/config.json");
    assert_eq!(config(), sandbox.read("config.json"));

    let (files, before) = (sandbox.everything(), identities(&sandbox));
    let answer = sandbox.portkeeper("prepare").ok().json();
    assert_eq!(answer["reserved"], json!({ "SERVICE_PORT": ports.at(0), "FRONTEND_PORT": ports.at(1) }));
    assert!(answer["outputs"].as_array().unwrap().iter().all(|output| output["status"] == "unchanged"), "{answer}");
    files.assert_unchanged("a run beside the server");
    assert_eq!(before, identities(&sandbox));
    assert_eq!(config(), sandbox.read("config.json"));
}

/// The body of what an HTTP server answers.
#[track_caller]
fn get(address: (Ipv4Addr, u16), path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address:?}: {error}"));
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {answer}"));
    assert!(head.lines().next().is_some_and(|status| status.contains(" 200 ")), "{head}");
    body.to_owned()
}

#[test]
fn a_dry_run_shows_what_would_be_and_changes_nothing() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", readme_with(&ports).to_string());
    let before = sandbox.everything();
    let dry = sandbox.portkeeper("prepare --dry-run").ok().json();
    assert!(dry["outputs"].as_array().unwrap().iter().all(|output| output["status"] == "would-write"), "{dry}");
    before.assert_unchanged("this");
    assert!(!sandbox.state().exists(), "not even a lock");
    let wet = sandbox.portkeeper("prepare").ok().json();
    assert_eq!(dry["reserved"], wet["reserved"]);
}

#[test]
fn a_diff_is_unified_and_changes_nothing() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", readme_with(&ports).to_string());
    sandbox.write(".env", "A=1\nSERVICE_PORT=1\nZ=2\n");
    let before = sandbox.everything();
    let outcome = sandbox.portkeeper("prepare --diff").ok();
    let diff = &outcome.stdout;
    for line in ["-SERVICE_PORT=1", &format!("+SERVICE_PORT={}", ports.at(0)), " A=1", "@@ "] {
        assert!(diff.lines().any(|have| have.starts_with(line)), "`{line}` in\n{outcome}");
    }
    before.assert_unchanged("this");
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(
        sandbox.portkeeper("prepare --diff").ok().stdout.lines().filter(|line| line.starts_with("@@")).count(),
        0
    );
}

#[test]
fn a_check_says_no_until_everything_is_in_place() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", readme_with(&ports).to_string());
    let before = sandbox.everything();
    let _ = sandbox.portkeeper("prepare --check").exits(1);
    before.assert_unchanged("this");
    let _ = sandbox.portkeeper("prepare").ok();
    let _ = sandbox.portkeeper("prepare --check").ok();
    sandbox.write(".env", "SERVICE_PORT=1\n");
    let answer = sandbox.portkeeper("prepare --check").exits(1).json();
    assert_eq!(answer["outputs"][0], json!({ "type": "env", "path": ".env", "status": "would-write" }));
    assert_eq!(sandbox.read(".env"), "SERVICE_PORT=1\n");
}

#[test]
fn what_was_changed_by_hand_is_put_right_and_nothing_else_is_touched() {
    let ports = Ports::take(2);
    let sandbox = prepared(&ports);
    let before = identities(&sandbox);
    sandbox.write("config.json", "{\n    \"mine\": true,\n    \"wsUrl\": \"wrong\"\n}");
    let answer = sandbox.portkeeper("prepare").ok().json();
    let status: Vec<&Value> = answer["outputs"].as_array().unwrap().iter().map(|output| &output["status"]).collect();
    assert_eq!(status, ["unchanged", "written", "unchanged"]);
    let text = sandbox.read("config.json");
    assert!(text.starts_with("{\n    \"mine\": true,\n    \"wsUrl\": \"wss://") && text.ends_with('}'), "{text}");
    let after = identities(&sandbox);
    assert_eq!((before[0], before[2]), (after[0], after[2]));
}

#[test]
fn the_config_is_found_from_a_directory_below_and_paths_are_its_own() {
    let ports = Ports::take(2);
    let sandbox = sandbox();
    sandbox.write("pk.config.json", readme_with(&ports).to_string());
    let below = sandbox.directory("src/deep");
    let _ = sandbox.portkeeper("prepare").within(&below).ok();
    assert!(sandbox.has(".env") && !sandbox.has("src/deep/.env"));
    sandbox.directory("elsewhere");
    let config = sandbox.work().join("pk.config.json");
    let again = sandbox.portkeeper("prepare -c").arg(config).within(sandbox.work().join("elsewhere")).ok();
    assert_eq!(again.json()["outputs"][0]["status"], "unchanged");
}

#[test]
fn values_come_from_the_keys_then_the_environment_then_the_default() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let map = json!({
        "KEY": "${SERVICE_PORT}", "HOST": "${SERVICE_HOST:-localhost}", "EMPTY": "${EMPTY-unset}",
        "OR": "${EMPTY:-or}", "DOLLAR": "$$5", "TWICE": "${SERVICE_PORT}${SERVICE_PORT}",
    });
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "json", "map": map }])).to_string());
    let prepare = sandbox.portkeeper("prepare").env("SERVICE_PORT", "1").env("SERVICE_HOST", "db").env("EMPTY", "");
    let _ = prepare.ok();
    let port = ports.first();
    let written: Value = serde_json::from_str(&sandbox.read("config.json")).unwrap();
    let text = |key: &str| written[key].as_str().map_or_else(|| written[key].to_string(), str::to_owned);
    assert_eq!(text("KEY"), port.to_string());
    assert_eq!(text("TWICE"), format!("{port}{port}"));
    for (key, value) in [("HOST", "db"), ("EMPTY", ""), ("OR", "or"), ("DOLLAR", "$5")] {
        assert_eq!(text(key), value, "{key}");
    }
}

#[test]
fn worktrees_of_one_repository_get_different_ports_and_keep_them() {
    let (sandbox, ports) = (sandbox(), Ports::take(4));
    let range = ports.to_string();
    let config = json!({ "ports": [{ "key": "A", "range": range }, { "key": "B", "range": range }],
        "outputs": [{ "type": "env" }] });
    for worktree in ["main", "feature"] {
        sandbox.write(format!("{worktree}/pk.config.json"), config.to_string());
    }
    let ports_of = |worktree: &str| {
        let answer = sandbox.portkeeper("prepare").within(sandbox.work().join(worktree)).ok().json();
        [answer["reserved"]["A"].as_u64().unwrap(), answer["reserved"]["B"].as_u64().unwrap()]
    };
    let (main, feature) = (ports_of("main"), ports_of("feature"));
    let mut all = [main, feature].concat();
    all.sort_unstable();
    assert_eq!(all, ports.all().into_iter().map(u64::from).collect::<Vec<_>>());
    assert_eq!((ports_of("feature"), ports_of("main")), (feature, main));
}

#[test]
fn a_project_that_is_moved_or_spelled_differently_keeps_its_ports() {
    let (sandbox, ports) = (sandbox(), Ports::take(4));
    sandbox.write("shop/pk.config.json", one_port(&ports, json!([{ "type": "env" }])).to_string());
    let port_in = |directory: &str| {
        sandbox.portkeeper("prepare").within(sandbox.work().join(directory)).ok().json()["reserved"]["SERVICE_PORT"]
            .clone()
    };
    let port = port_in("shop");
    std::os::unix::fs::symlink("shop", sandbox.work().join("link")).unwrap();
    assert_eq!(port_in("link"), port);
    std::fs::rename(sandbox.work().join("shop"), sandbox.work().join("moved")).unwrap();
    assert_eq!(port_in("moved"), port);
    assert_eq!(sandbox.reserved().len(), 1);
}

#[test]
fn a_key_that_left_the_config_gives_its_port_back() {
    let ports = Ports::take(2);
    let sandbox = prepared(&ports);
    let mut config = readme_with(&ports);
    config["ports"].as_array_mut().unwrap().pop();
    sandbox.write("pk.config.json", config.to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(sandbox.reserved(), [ports.at(0)]);
}

#[test]
fn a_prepare_and_a_reserve_by_hand_keep_out_of_each_others_way() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let taken = sandbox.portkeeper(format!("port --range {ports}")).ok().port();
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }])).to_string());
    let prepared = sandbox.portkeeper("prepare").ok().json()["reserved"]["SERVICE_PORT"].clone();
    assert_eq!(prepared, ports.at(1));
    assert_ne!(prepared, taken);
    sandbox.portkeeper(format!("reserve --range {ports}")).refused(1);
}

#[test]
fn ten_prepares_of_one_project_at_once_agree() {
    let (sandbox, ports) = (sandbox(), Ports::take(5));
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }, { "type": "json" }])).to_string());
    let prepare = sandbox.portkeeper("prepare");
    let outcomes = portkeeper_tests::all_at_once(std::iter::repeat_n(prepare, 10));
    let answers: Vec<Value> =
        outcomes.iter().map(|outcome| outcome.expect_code(0).json()["reserved"].clone()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(sandbox.reserved().len(), 1);
    assert_eq!(sandbox.read(".env"), format!("SERVICE_PORT={}\n", sandbox.reserved()[0]));
    let left: Vec<_> = std::fs::read_dir(sandbox.work()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_container_gets_an_override_with_the_host_address() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("compose.yaml", "services:\n  web:\n    image: nginx\n    ports:\n      - \"80:80\"\n");
    let services = json!({ "web": { "SERVICE_PORT": 80 } });
    let output = json!([{ "type": "docker-compose", "path": "compose.override.yaml", "services": services }]);
    sandbox.write("pk.config.json", one_port(&ports, output).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    let text = sandbox.read("compose.override.yaml");
    let parsed: serde_yaml::Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let serde_yaml::Value::Tagged(tagged) = &parsed["services"]["web"]["ports"] else { panic!("{text}") };
    assert_eq!(tagged.tag, "!override");
    assert!(text.contains(&format!("127.0.0.1:{}:80", ports.first())), "{text}");
    assert!(text.contains("2.24.4"), "the Compose version that it needs\n{text}");
    let before = identity(&sandbox.work().join("compose.override.yaml"));
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(before, identity(&sandbox.work().join("compose.override.yaml")));
}

#[test]
fn a_real_package_json_keeps_everything_else() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let before = "{\n\t\"name\": \"shöp\",\n\t\"version\": \"1.0.0\",\n\t\"scripts\": {\n\t\t\"build\": \"tsc -b\",\n\t\t\"dev\": \"vite --port 1\"\n\t},\n\t\"config\": { \"port\": 1 },\n\t\"dependencies\": {\n\t\t\"vite\": \"^5.0.0\"\n\t}\n}\n";
    sandbox.write("package.json", before);
    let map = json!({ "scripts.dev": "vite --port ${SERVICE_PORT}", "config": { "port": "${SERVICE_PORT}" } });
    let outputs = json!([{ "type": "package_json", "path": "package.json", "map": map }]);
    sandbox.write("pk.config.json", one_port(&ports, outputs).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    let port = ports.first();
    let after = before
        .replace("--port 1\"", &format!("--port {port}\""))
        .replace("\"port\": 1 ", &format!("\"port\": {port} "));
    assert_eq!(sandbox.read("package.json"), after, "a number stays a number");
}
