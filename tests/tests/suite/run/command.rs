//! What the command is given, and what comes of it.

use std::fs;

use portkeeper_tests::{Ports, Server};
use rustix::process::Signal;
use serde_json::json;

use crate::sandbox;

#[test]
fn the_command_is_told_its_port_in_arguments_and_environment() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let script = "echo $0 $1 $PORT $HOST $SERVICE";
    let run = sandbox.portkeeper(format!("run --port {port} --env-key SERVICE -- sh -c")).arg(script);
    let outcome = run.arg("http://{HOST}:{PORT}/").arg("{{PORT}}{SERVICE}{x}").ok();
    assert_eq!(outcome.stdout, format!("http://127.0.0.1:{port}/ {{{{PORT}}}}{port}{{x}} {port} 127.0.0.1 {port}\n"));
    assert_eq!(sandbox.reserved(), [0_u16; 0], "the reservation ends with the command");
}

#[test]
fn several_ports_have_numbers() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let (a, b) = (ports.at(0), ports.at(1));
    let run = |options: &str| sandbox.portkeeper(format!("run --range {ports} --count 2 {options} -- sh -c"));
    let outcome = run("").arg("echo $PORT1 $PORT2 $PORT $0").arg("{PORT2}").ok();
    assert_eq!(outcome.stdout, format!("{a} {b} {a} {b}\n"));
    let outcome = run("--env-key API --env-key WEB").arg("echo $API $WEB $PORT2").ok();
    assert_eq!(outcome.stdout, format!("{a} {b} {b}\n"));
    let outcome = run("--env-key API").arg("echo $API1 $API2").ok();
    assert_eq!(outcome.stdout, format!("{a} {b}\n"));
    run("--env-key A --env-key B --env-key C").arg("true").refused(125).says("--env-key");
}

#[test]
fn a_config_names_the_ports_and_its_files_are_written() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let config = json!({
        "ports": [
            { "key": "SERVICE_PORT", "preferred": ports.at(0), "range": [ports.first(), ports.last()] },
            { "key": "WEB_PORT", "preferred": ports.at(1), "range": [ports.first(), ports.last()] },
        ],
        "outputs": [{ "type": "env" }],
    });
    sandbox.write("pk.config.json", config.to_string());
    let script = "cat .env; echo $SERVICE_PORT $WEB_PORT $PORT $0";
    let outcome = sandbox.portkeeper("run -c pk.config.json -- sh -c").arg(script).arg("{WEB_PORT}").ok();
    let (a, b) = (ports.at(0), ports.at(1));
    assert_eq!(outcome.stdout, format!("SERVICE_PORT={a}\nWEB_PORT={b}\n{a} {b} {a} {b}\n"));
    assert_eq!(sandbox.reserved(), [a, b], "names stay");
    assert!(sandbox.status().iter().all(|entry| entry["held"] == false), "but nothing holds them any more");
    let _ = sandbox.portkeeper("run -c pk.config.json -- true").ok();
}

#[test]
fn write_env_gives_the_port_a_name_that_stays() {
    let sandbox = sandbox();
    let outcome = sandbox.portkeeper("run --profile service --write-env -- sh -c").arg("echo $SERVICE_PORT $PORT").ok();
    let port = sandbox.read(".env").trim().strip_prefix("SERVICE_PORT=").unwrap().to_owned();
    assert_eq!(outcome.stdout, format!("{port} {port}\n"));
    assert_eq!(sandbox.reserved(), [port.parse::<u16>().unwrap()]);
}

#[test]
fn the_code_of_the_command_comes_back() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let run = |command: &str| sandbox.portkeeper(format!("run --port {} -- {command}", ports.first()));
    let _ = run("true").ok();
    let _ = run("sh -c").arg("exit 7").exits(7);
    let _ = run("sh -c").arg("kill -TERM $$").exits(128 + 15);
    run("no-such-program").refused(127).says("`no-such-program` was not found");
    run("/etc/passwd").refused(126).says("/etc/passwd");
    sandbox.write("broken", "#!/no/such/interpreter\n");
    let chmod = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(sandbox.work().join("broken"), chmod).unwrap();
    run("./broken").refused(126);
    assert_eq!(sandbox.reserved(), [0_u16; 0], "a command that does not start leaves nothing behind");
}

#[test]
fn what_portkeeper_itself_can_not_do_is_125() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _listener = sandbox.listener("127.0.0.1", ports.first());
    let outcome = sandbox.portkeeper(format!("run --port {} -- true", ports.first())).refused(125);
    outcome.says(format!("port {} on 127.0.0.1 is not free", ports.first()));
    outcome.says(format!("to end it: portkeeper kill {}", ports.first()));
    sandbox.portkeeper("run --ttl 1h -- true").refused(125).says("--ttl");
    sandbox.portkeeper("run -c missing.json -- true").refused(125).says("missing.json");
    sandbox.portkeeper("run --port 8000").refused(2).says("COMMAND");
    sandbox.portkeeper("run --handover magic -- true").refused(2).says("magic");
    assert_eq!(sandbox.reserved(), [0_u16; 0]);
}

#[test]
fn a_port_of_a_config_that_somebody_uses_is_refused_by_name() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = json!({ "ports": [{ "key": "API", "preferred": ports.first() }], "outputs": [{ "type": "env" }] });
    sandbox.write("pk.config.json", config.to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    let _listener = sandbox.listener("127.0.0.1", ports.first());
    sandbox.portkeeper("run -c pk.config.json -- true").refused(125).says("of API is in use: stand-in");
}

#[test]
fn the_reservation_is_the_commands_while_it_runs() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = "sleep 600";
    let server = Server::prepare(&sandbox, &format!("--port {}", ports.first()), script);
    let pid = server.report()["pid"].clone();
    let status = sandbox.status();
    assert_eq!((&status[0]["lease"]["kind"], &status[0]["lease"]["pid"]), (&json!("process"), &pid));
    assert_eq!((&status[0]["held"], &status[0]["holder"]), (&json!(true), &json!(server.pid())));
    sandbox.portkeeper(format!("reserve --port {}", ports.first())).refused(1);
    assert_eq!(server.stop(Signal::TERM).code(), Some(128 + 15));
    assert_eq!(sandbox.reserved(), [0_u16; 0]);
}

#[test]
fn one_line_says_how_the_server_got_its_port() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = format!("{} serve 127.0.0.1:$PORT", sandbox.stand_in_path());
    let outcome = sandbox.portkeeper(format!("run --port {} -- sh -c", ports.first())).arg(&script).ok();
    assert_eq!(outcome.stdout, "ready 1\n");
    let line = outcome.stderr.trim_end();
    assert!(line.starts_with(&format!("127.0.0.1:{} is stand-in's (pid ", ports.first())), "{line}");
    assert!(line.ends_with(") by adopt: never free, and clients wait while it restarts"), "{line}");
    let quiet = sandbox.portkeeper(format!("run -q --port {} -- sh -c", ports.first())).arg(script).ok();
    quiet.is_silent();
}

#[test]
fn a_server_that_does_not_come_is_told_of_and_its_clients_are_refused() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let script = "touch started; until [ -e refused ]; do sleep 0.01; done; sleep 1";
    let run = sandbox.portkeeper(format!("run --queue-early --ready-timeout 300ms --port {port} -- sh -c")).arg(script);
    let running = run.start();
    while !sandbox.has("started") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // As long as a socket listens there, a client gets in.
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {}
    sandbox.write("refused", "");
    let outcome = running.finish();
    outcome.expect_code(0);
    outcome.says(format!("after 0.3 s sh still does not listen on {port}"));
}

#[test]
fn a_name_is_asked_for_by_name_and_stays() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let reserved = sandbox.portkeeper(format!("reserve --global web --port {port} --hold")).ok();
    assert_eq!(reserved.json()["held"], true);
    let run = sandbox.portkeeper("run --global web -- sh -c").arg("echo $web $PORT $0");
    assert_eq!(run.arg("{web}").ok().stdout, format!("{port} {port} {port}\n"), "its holder hands it over");
    assert_eq!(sandbox.reserved(), [port], "the name stays");
    let several = sandbox.portkeeper("run --global web odd-name -- sh -c").arg("echo $PORT1 $PORT2").ok();
    let other = sandbox.portkeeper("port --global odd-name").ok();
    assert_eq!(several.stdout, format!("{port} {}", other.stdout));
    sandbox.portkeeper("run web -c pk.config.json -- true").run().expect_code(2).says("--config");
}
