//! What is promised about containers, with a real Docker engine: Debian's, in a network of its own, with images made of files of this
//! machine. Nothing is fetched, and no engine that is here already is asked anything.

mod docker;

use portkeeper_tests::{Sandbox, all_at_once};
use serde_json::json;

use self::docker::{Engine, IMAGE, REGISTRY};

// In a network of its own, any port will do.
const WEB: u16 = 18_080;
const FIRST: u16 = 18_090;
const STACK: u16 = 18_100;
const SHARED: u16 = 24_000;

/// What a container does that only serves.
const SERVER: &str = "httpd -f -p 80 -h /www";

/// How long a container may take to be there, on a busy machine.
const PATIENCE: &str = "90s";

/// docker-proxy listens for the containers.
#[test]
fn with_a_proxy_for_each_port() {
    let Some(engine) = Engine::or_skip(&[]) else { return };
    keeps_its_promises(&engine);
}

/// The engine itself listens for the containers: ending that listener ends all of them.
#[test]
fn without_a_proxy() {
    let Some(engine) = Engine::or_skip(&["--userland-proxy=false"]) else { return };
    keeps_its_promises(&engine);
}

fn keeps_its_promises(engine: &Engine) {
    a_published_port_is_explained_and_its_listener_never_ended(engine);
    a_server_under_run_is_the_first_process_of_a_container(engine);
    a_registry_on_a_volume_knows_whose_ports_are_whose(engine);
    a_stack_runs_on_its_reserved_port(engine);
}

fn a_published_port_is_explained_and_its_listener_never_ended(engine: &Engine) {
    let container = engine.start("web", &format!("-p 127.0.0.1:{WEB}:80"), SERVER);
    let ready = format!("wait 127.0.0.1:{WEB} --http / -t {PATIENCE}");
    let _ = engine.portkeeper(ready).ok();
    let way_out = format!("docker ps --filter publish={WEB}, then docker stop ID");
    let explained = engine.portkeeper(format!("explain {WEB} --format table")).run();
    assert!(explained.stdout.contains(&way_out), "{explained}");
    let _ = engine.portkeeper(format!("pick {WEB}")).exits(1);
    for force in ["", " --force"] {
        engine.portkeeper(format!("kill {WEB} --yes{force}")).refused(1).says(&way_out);
        assert_eq!(engine.inspect(&container, "{{.State.Running}}"), "true");
    }

    // What it says helps.
    let found = engine.docker(&format!("ps --no-trunc -q --filter publish={WEB}")).ok().stdout;
    assert_eq!(found.trim(), container);
    let _ = engine.docker(&format!("stop -t 0 {container}")).ok();
    assert_eq!(engine.portkeeper(format!("pick {WEB}")).ok().stdout, format!("{WEB}\n"));
}

fn a_server_under_run_is_the_first_process_of_a_container(engine: &Engine) {
    let run = "portkeeper run --port 8080 --host 0.0.0.0 -- httpd -f -p 8080 -h /www";
    let container = engine.start("first", &format!("-p 127.0.0.1:{FIRST}:8080"), run);
    let _ = engine.portkeeper(format!("wait 127.0.0.1:{FIRST} --http / -t {PATIENCE}")).ok();
    let inside = engine.docker(&format!("exec {container} portkeeper explain 8080 --format json")).run().json();
    assert_eq!(inside["port"], 8080, "{inside}");
    let _ = engine.docker(&format!("stop -t 60 {container}")).ok();
    assert_eq!(engine.inspect(&container, "{{.State.ExitCode}}"), "143", "it was asked to end, and ended");
}

/// A container has ports of its own, unless it shares the machine's network.
fn a_registry_on_a_volume_knows_whose_ports_are_whose(engine: &Engine) {
    let reserve = |options: &str, words: &str| {
        let volume = engine.volume();
        engine.docker(&format!(
            "run --rm -v {}:{REGISTRY} {options} {IMAGE} portkeeper reserve --ttl 1h {words}",
            volume.display()
        ))
    };
    let here = |words: &str| {
        let registry = engine.volume().join("registry.json");
        engine.portkeeper(format!("reserve --ttl 1h {words}")).env("PORTKEEPER_REGISTRY", registry)
    };
    let one = format!("--port {SHARED}");
    assert_eq!(here(&one).ok().port(), SHARED);
    assert_eq!(reserve("", &one).ok().port(), SHARED, "its own network");
    reserve("--network host", &one).exits(1).says(format!("{SHARED}"));

    let range = format!("--range {}-{}", SHARED + 1, SHARED + 8);
    let container = reserve("--network host", &range);
    let mut ports: Vec<_> =
        all_at_once((0..8).map(|turn| if turn % 2 == 0 { here(&range) } else { container.clone() }))
            .iter()
            .map(|outcome| outcome.expect_code(0).port())
            .collect();
    ports.sort_unstable();
    assert_eq!(ports, (SHARED + 1..=SHARED + 8).collect::<Vec<_>>());
}

fn a_stack_runs_on_its_reserved_port(engine: &Engine) {
    let Some(compose) = engine.compose_or_skip() else { return };
    let directory = engine.sandbox().directory("stack");
    write_stack(engine.sandbox());
    let portkeeper = |words: &str| engine.portkeeper(words).within(&directory);
    let client = |words: &str| engine.program(&compose).words(words).within(&directory);
    let ready = format!("wait WEB_PORT --http / -t {PATIENCE}");

    let _ = portkeeper("prepare").ok();
    let _ = client("up -d").ok();
    let _ = portkeeper(&ready).ok();
    assert_eq!(portkeeper("explain WEB_PORT --json").run().json()["port"], STACK);
    portkeeper("kill WEB_PORT --yes").refused(1).says("docker compose down");
    let _ = client("down -t 0").ok();

    let run = portkeeper("run --handover release -c pk.config.json --").arg(&compose).words("up --timeout 5").start();
    let _ = portkeeper(&ready).ok();
    engine.interrupt(run.pid());
    let outcome = run.finish();
    assert!(outcome.code().is_some(), "{outcome}");
    assert_eq!(engine.docker("ps -q").ok().stdout, "", "its containers are stopped\n{outcome}");
    let _ = client("down -t 0").ok();
}

fn write_stack(sandbox: &Sandbox) {
    let compose = format!("services:\n  web:\n    image: {IMAGE}\n    command: {SERVER}\n    ports: [\"8080:80\"]\n");
    sandbox.write("stack/compose.yaml", compose);
    let config = json!({
        "ports": [{ "key": "WEB_PORT", "range": [STACK, STACK] }],
        "outputs": [{ "type": "docker-compose", "services": { "web": { "WEB_PORT": 80 } } }],
    });
    sandbox.write("stack/pk.config.json", config.to_string());
}
