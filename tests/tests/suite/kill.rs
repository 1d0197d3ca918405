//! `kill`: ends what has a port, if it may.

use std::time::{Duration, Instant};

use portkeeper_tests::{
    HolderProcess, Ports, Run, Sandbox, Server, StandIn, copy_program, ipv6_or_skip, program_or_skip, skipped,
};
use serde_json::json;

use crate::sandbox;

fn kill<'a>(sandbox: &'a Sandbox, port: u16, words: &str) -> Run<'a> {
    sandbox.portkeeper(format!("kill {port} {words}"))
}

/// A project with the port reserved as `web`, and its directory.
fn project(sandbox: &Sandbox, port: u16) -> std::path::PathBuf {
    let directory = sandbox.directory("shop/.git").parent().unwrap().to_owned();
    let _ = sandbox.portkeeper(format!("port --write-env=web --range {port}-{port}")).within(&directory).ok();
    directory
}

fn is_alive(process: &StandIn) -> bool {
    // A zombie, which only waits for the test to notice, is not.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn the_listener_of_this_project_is_ended() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let directory = project(&sandbox, port);
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{port} [::1]:{port}"));
    let server = StandIn::start(listen.within(&directory).command());
    let answer = kill(&sandbox, port, "--yes --json").within(&directory).ok().json();
    let ended = json!([{ "pid": server.pid(), "command": "stand-in", "how": "asked", "processes": 1, "others": [] }]);
    assert_eq!(answer["ended"], ended, "{answer}");
    assert!(!is_alive(&server));
    assert_eq!(sandbox.reserved(), [port], "the reservation stays");
}

#[test]
fn a_strangers_listener_needs_force() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let directory = project(&sandbox, ports.at(0));
    let other = sandbox.directory("other/.git").parent().unwrap().to_owned();
    let start =
        |port: u16| StandIn::start(sandbox.stand_in_run(&format!("listen 127.0.0.1:{port}")).within(&other).command());
    // On the port of the project, on one that is not reserved, and on one of another project.
    let _ = sandbox.portkeeper(format!("port --write-env=web --range {0}-{0}", ports.at(2))).within(&other).ok();
    for (port, reason) in
        [(ports.at(0), "works elsewhere"), (ports.at(1), "not reserved"), (ports.at(2), "reserved for")]
    {
        let server = start(port);
        kill(&sandbox, port, "--yes")
            .within(&directory)
            .refused(1)
            .says(reason)
            .says("--force")
            .says(format!("pid {}", server.pid()));
        assert!(is_alive(&server));
        let _ = kill(&sandbox, port, "--yes --force").within(&directory).ok();
        assert!(!is_alive(&server));
    }
}

#[test]
fn a_listener_here_on_a_port_of_ones_own_is_ended_without_a_name() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    let server = sandbox.listener("127.0.0.1", ports.first());
    let _ = kill(&sandbox, ports.first(), "--yes").ok();
    assert!(!is_alive(&server));
}

#[test]
fn without_a_terminal_somebody_has_to_say_yes() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = sandbox.listener("127.0.0.1", ports.first());
    kill(&sandbox, ports.first(), "--force").exits(2).says("--yes").says(format!("stand-in (pid {})", server.pid()));
    assert!(is_alive(&server));
}

#[test]
fn on_a_terminal_it_shows_whom_and_asks() {
    if program_or_skip("script").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = sandbox.listener("127.0.0.1", ports.first());
    let command = format!("portkeeper kill {} --force", ports.first());
    let ask = |answer: &str| sandbox.shell(&format!("printf '{answer}\\n' | script -qec '{command}' /dev/null")).run();
    for no in ["n", "", "nonsense"] {
        let outcome = ask(no);
        assert!(outcome.stdout.contains(&format!("stand-in (pid {})", server.pid())), "{outcome}");
        assert!(outcome.stdout.contains("End it? [y/N]"), "{outcome}");
        assert!(outcome.stdout.contains("nothing was ended") && is_alive(&server), "{outcome}");
    }
    let outcome = ask("y");
    assert!(outcome.stdout.contains("ended stand-in") && !is_alive(&server), "{outcome}");
}

#[test]
fn what_does_not_end_in_time_is_killed_and_that_is_said() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let script = "trap '' TERM; exec \"$@\"";
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{port}")).command();
    let stubborn = sandbox.program("sh").words("-c").arg(script).arg("sh").arg(listen.get_program());
    let stubborn = listen.get_args().fold(stubborn, Run::arg);
    let server = StandIn::start(stubborn.command());
    let outcome = kill(&sandbox, port, "--force --yes --timeout 100ms --json").ok();
    outcome.says("did not end within ").says(" s, so it was killed");
    assert_eq!(outcome.json()["ended"][0]["how"], "killed");
    assert!(!is_alive(&server));
}

#[test]
fn workers_that_stay_behind_are_ended_as_well() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = StandIn::start(sandbox.stand_in_run(&format!("fork 127.0.0.1:{}", ports.first())).command());
    let answer = kill(&sandbox, ports.first(), "--force --yes --timeout 1s --json").ok().json();
    assert_eq!(
        (&answer["ended"][0]["pid"], &answer["ended"][0]["processes"]),
        (&json!(server.pid()), &json!(3)),
        "{answer}"
    );
    let _ = sandbox.portkeeper(format!("wait {} --free -t 0", ports.first())).ok();
}

#[test]
fn all_servers_that_share_a_port_are_ended() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let start = || StandIn::start(sandbox.stand_in_run(&format!("reuseport 127.0.0.1:{}", ports.first())).command());
    let servers = [start(), start()];
    let answer = kill(&sandbox, ports.first(), "--force --yes --json").ok().json();
    assert_eq!(answer["ended"].as_array().map(Vec::len), Some(2), "{answer}");
    assert!(!servers.iter().any(is_alive));
}

#[test]
fn udp_is_ended_only_when_it_is_meant() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = sandbox.stand_in("udp", "127.0.0.1", ports.first());
    kill(&sandbox, ports.first(), "--force --yes").refused(1).says("no process is using tcp port");
    assert!(is_alive(&server));
    let _ = kill(&sandbox, ports.first(), "--force --yes --protocol udp").ok();
    assert!(!is_alive(&server));
}

#[test]
fn what_listens_for_a_container_is_never_killed() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let proxy = sandbox.work().join("docker-proxy");
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{}", ports.first())).command();
    copy_program(listen.get_program(), &proxy);
    let server =
        StandIn::start(sandbox.program(&proxy).words(&format!("listen 127.0.0.1:{}", ports.first())).command());
    kill(&sandbox, ports.first(), "--force --yes")
        .refused(1)
        .says("docker-proxy")
        .says("docker stop")
        .says("docker compose down");
    assert!(is_alive(&server));
    let advice = sandbox.portkeeper(format!("explain {} --json", ports.first())).ok().json()["advice"].clone();
    assert!(advice.as_str().unwrap().contains("docker compose down"), "{advice}");
}

#[test]
fn what_the_command_runs_in_is_never_killed() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let listener = std::net::TcpListener::bind(("127.0.0.1", ports.first())).unwrap();
    kill(&sandbox, ports.first(), "--force --yes").refused(1).says("what this command runs in");
    drop(listener);
}

#[test]
fn when_nobody_has_the_port_the_answer_is_no() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    kill(&sandbox, ports.first(), "--yes").refused(1).says("no process is using tcp port").says("explain");
}

/// As a service manager does it, only sooner: the successor listens before the first one has ended.
const RISES_AGAIN: &str = "
import os, signal, socket, subprocess, sys
def rise(*_):
    again = [sys.executable, '-c', os.environ['SCRIPT'], *sys.argv[1:]]
    again = subprocess.Popen(again, stdin=0, stdout=subprocess.PIPE)
    again.stdout.readline()
    os._exit(0)
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(('127.0.0.1', int(sys.argv[1])))
server.listen()
signal.signal(signal.SIGTERM, rise)
print('ready', flush=True)
sys.stdin.read()
";

#[test]
fn a_server_that_is_started_again_is_told_of() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = sandbox.program("python3").env("SCRIPT", RISES_AGAIN).words("-c").arg(RISES_AGAIN);
    let _server = StandIn::start(server.words(&ports.first().to_string()).command());
    let outcome = kill(&sandbox, ports.first(), "--force --yes --json").exits(1);
    outcome.says(format!("tcp port {} has python3", ports.first())).says("starts it again");
    assert_eq!(outcome.json()["ended"][0]["how"], "asked", "the first one has ended all the same");
}

#[test]
fn a_name_stands_for_its_port() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let directory = project(&sandbox, ports.first());
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{}", ports.first()));
    let server = StandIn::start(listen.within(&directory).command());
    let explained = sandbox.portkeeper("explain web --json").within(&directory).ok().json();
    assert_eq!((&explained["port"], &explained["verdict"]), (&json!(ports.first()), &json!("yours")), "{explained}");
    let _ = sandbox.portkeeper("kill web --yes").within(&directory).ok();
    assert!(!is_alive(&server));
    sandbox.portkeeper("kill wep --yes").within(&directory).refused(2).says("did you mean `web`?");
}

#[test]
fn a_stranger_on_another_address_is_not_meant() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let directory = project(&sandbox, port);
    let other = sandbox.directory("other/.git").parent().unwrap().to_owned();
    let start = |address: &str, directory: &std::path::Path| {
        StandIn::start(sandbox.stand_in_run(&format!("listen {address}:{port}")).within(directory).command())
    };
    let (own, stranger) = (start("127.0.0.1", &directory), start("127.0.0.2", &other));
    let _ = kill(&sandbox, port, "--yes").within(&directory).ok();
    assert!(!is_alive(&own) && is_alive(&stranger));
}

#[test]
fn a_worktree_inside_of_a_project_is_another_project() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let directory = project(&sandbox, port);
    let inner = sandbox.directory("shop/worktrees/fix");
    std::fs::write(inner.join(".git"), "gitdir: ../../.git/worktrees/fix").unwrap();
    let server = StandIn::start(sandbox.stand_in_run(&format!("listen 127.0.0.1:{port}")).within(&directory).command());
    kill(&sandbox, port, "--yes").within(&inner).refused(1).says("reserved for");
    sandbox.portkeeper("wait web --occupied -t 0").within(&inner).refused(2).says("no name of a port");
    assert!(is_alive(&server));
    let _ = kill(&sandbox, port, "--yes").within(&directory).ok();
}

/// What `explain` says to do about the port, without the words around it: `portkeeper kill 8080 --force`.
fn advised(sandbox: &Sandbox, port: u16) -> String {
    let explained = sandbox.portkeeper(format!("explain {port} --json")).ok().json();
    let advice = explained["advice"].as_str().expect("advice").to_owned();
    let (_, command) = advice.rsplit_once("portkeeper kill").unwrap_or_else(|| panic!("no kill in {advice:?}"));
    format!("kill{}", command.trim_end_matches(" ends the server"))
}

#[test]
fn the_server_under_run_is_ended_as_advised_whatever_its_rung() {
    for handover in ["auto", "adopt", "fds", "gated", "release"] {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let port = ports.first();
        let stand_in = sandbox.stand_in_run("").command().get_program().to_string_lossy().into_owned();
        let mode = if handover == "fds" { "fds".to_owned() } else { format!("serve 127.0.0.1:{port}") };
        let run = Server::start(&sandbox, &format!("--port {port} --handover {handover} -- {stand_in} {mode}"));
        let _ = sandbox.portkeeper(format!("wait {port} --occupied -t 60s")).ok();
        let advised = advised(&sandbox, port);
        assert_eq!(advised, format!("kill {port}"), "{handover}");
        let ended = sandbox.portkeeper(format!("{advised} --yes --json")).ok().json();
        assert_eq!(ended["ended"][0]["command"], "stand-in", "{handover}: {ended}");
        let _ = run.ends();
    }
}

#[test]
fn a_run_without_a_server_is_ended_by_its_command() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let run = Server::start(&sandbox, &format!("--port {} -- sleep 600", ports.first()));
    let _ = run.report();
    let advised = advised(&sandbox, ports.first());
    let ended = sandbox.portkeeper(format!("{advised} --yes --json")).ok().json();
    assert_eq!(ended["ended"][0]["command"], "sleep", "{ended}");
    let _ = run.ends();
}

/// The process whose pid is in the file, as soon as it is.
fn process_in(sandbox: &Sandbox, file: &str) -> HolderProcess {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if sandbox.has(file)
            && let Some(pid) = sandbox.read(file).strip_suffix('\n')
        {
            return HolderProcess::with_pid(pid.parse().expect("a pid")).expect("a process");
        }
        assert!(Instant::now() < deadline, "no {file}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_a_runs_children_only_its_command_is_ended() {
    let unmarked = "env -i sh -c 'echo $$ >command; exec sleep 600'";
    let marked = "sh -c 'echo $$ >command; exec sleep 600'";
    // What the shell had before it became portkeeper, perhaps with the mark of another; the command; whether it can be seen which it is.
    for (before, of_name, command, is_seen) in [
        ("", false, unmarked, true),
        ("PORTKEEPER_RUN=1.2 ", true, marked, true),
        ("PORTKEEPER_RUN=1.2 ", true, unmarked, false),
    ] {
        let case = format!("{before}{command}, named: {of_name}");
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let port = ports.first();
        let what = if of_name { format!("web --global --range {port}-{port}") } else { format!("--port {port}") };
        let script = format!(
            "{before}sleep 600 </dev/null >/dev/null 2>&1 & echo $! >child
             exec portkeeper run {what} -- {command} >/dev/null 2>&1"
        );
        let run = sandbox.shell(&script).start();
        let (child, server) = (process_in(&sandbox, "child"), process_in(&sandbox, "command"));
        let outcome = kill(&sandbox, port, "--yes --force --json").run();
        assert!(child.runs(), "{case}: {outcome}");
        if is_seen {
            let pid = &outcome.expect_code(0).json()["ended"][0]["pid"];
            assert_eq!(*pid, server.pid(), "{case}");
        } else {
            outcome.expect_code(1).says("which of them is its command cannot be seen");
            assert!(server.runs(), "{case}");
            server.kill();
        }
        let _ = run.finish();
        child.kill();
    }
}

#[test]
fn a_name_that_a_process_gives_itself_protects_nobody() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = "import socket,sys;s=socket.create_server(('127.0.0.1',int(sys.argv[1])));open('/proc/self/comm','w').write('docker-proxy');print('ready',flush=True);sys.stdin.read()";
    let server = sandbox.program("python3").words("-c").arg(script).words(&ports.first().to_string());
    let server = StandIn::start(server.command());
    let answer = kill(&sandbox, ports.first(), "--yes --force --json").ok().json();
    assert_eq!(answer["ended"][0]["command"], "docker-proxy", "{answer}");
    assert!(!is_alive(&server));
}

#[test]
fn engines_and_what_watches_a_container_are_never_killed() {
    let id = "0123456789abcdef".repeat(4);
    for (program, arguments, way) in [
        ("dockerd", String::new(), "docker ps --filter publish="),
        ("containerd-shim-runc-v2", String::new(), "docker stop"),
        ("rootlesskit", String::new(), "docker stop"),
        ("conmon", format!(" -c {id}"), "podman stop 0123456789ab"),
    ] {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let file = sandbox.work().join(program);
        copy_program(sandbox.stand_in_run("").command().get_program(), &file);
        let words = format!("watching{arguments} listen 127.0.0.1:{}", ports.first());
        let words = words.strip_prefix("watching ").or_else(|| words.strip_prefix("watching")).unwrap().trim_start();
        let server = StandIn::start(sandbox.program(&file).words(words).command());
        for force in ["", " --force"] {
            kill(&sandbox, ports.first(), &format!("--yes{force}")).refused(1).says(way);
        }
        assert!(is_alive(&server), "{program}");
        let explained = sandbox.portkeeper(format!("explain {} --json", ports.first())).ok().json();
        assert!(explained["advice"].as_str().unwrap().contains(way), "{explained}");
        assert!(!explained["advice"].as_str().unwrap().contains("portkeeper kill"), "{explained}");
    }
}

#[test]
fn several_ports_are_ended_in_one_call() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let servers = [sandbox.listener("127.0.0.1", ports.at(0)), sandbox.listener("127.0.0.1", ports.at(1))];
    let all = format!("kill {} {} {} --force --yes --json", ports.at(0), ports.at(1), ports.at(2));
    let outcome = sandbox.portkeeper(all).exits(1);
    outcome.says(format!("tcp port {}", ports.at(2)));
    let answers = outcome.json();
    let ended: Vec<_> = answers.as_array().unwrap().iter().map(|each| each["port"].clone()).collect();
    assert_eq!(ended, [json!(ports.at(0)), json!(ports.at(1))], "{answers}");
    assert!(!servers.iter().any(is_alive));
}

#[test]
fn a_server_of_this_very_project_needs_no_reservation() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let directory = sandbox.directory("shop/.git").parent().unwrap().to_owned();
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{}", ports.first()));
    let server = StandIn::start(listen.within(&directory).command());
    let _ = kill(&sandbox, ports.first(), "--yes").within(&directory).ok();
    assert!(!is_alive(&server));
}

#[test]
fn a_server_that_a_loop_starts_again_is_noticed() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let stand_in = sandbox.stand_in_run("").command().get_program().to_string_lossy().into_owned();
    let script = format!("echo ready; while :; do '{stand_in}' listen 127.0.0.1:{port} >/dev/null; sleep 0.3; done");
    let shell = StandIn::start(sandbox.program("sh").words("-c").arg(script).command());
    let _ = sandbox.portkeeper(format!("wait {port} --occupied -t 60s")).ok();
    kill(&sandbox, port, "--force --yes").exits(1).says("starts it again");
    shell.kill();
    let _ = kill(&sandbox, port, "--force --yes").run();
}

#[test]
fn a_service_manager_that_shares_the_socket_is_left_alone() {
    if program_or_skip("python3").is_none() {
        return;
    }
    // It is called by its file, as systemd is, opens the socket, and starts the service with it.
    let script = "
import os, socket, subprocess, sys
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
child = subprocess.Popen(['sleep', '600'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[s.fileno()])
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
";
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let manager = sandbox.work().join("systemd");
    copy_program(std::fs::canonicalize("/usr/bin/python3").unwrap(), &manager);
    let run = sandbox.program(&manager).env("PYTHONHOME", "/usr").words("-c").arg(script).words(&port.to_string());
    let manager = StandIn::start(run.command());
    let answer = kill(&sandbox, port, "--force --yes --json").run();
    assert_eq!(answer.json()["ended"][0]["pid"].to_string(), manager.said(), "{answer}");
    assert_eq!(answer.json()["ended"][0]["others"], json!([]), "{answer}");
    assert!(is_alive(&manager), "the manager keeps the socket for the next server");
    kill(&sandbox, port, "--force --yes").refused(1).says("systemctl list-sockets");
    assert!(is_alive(&manager));
}

#[test]
fn who_was_only_sent_a_socket_is_left_alone() {
    if !rustix::process::geteuid().is_root() {
        skipped("ROOT", "only root can start processes of other users");
        return;
    }
    if program_or_skip("python3").is_none() {
        return;
    }
    // The parent is the daemon, of one user; its child opens the socket as another one, and sends it up.
    let script = "
import os, socket, sys
up, down = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
child = os.fork()
if child == 0:
    up.close(); os.setuid(65533)
    s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
    socket.send_fds(down, [b'x'], [s.fileno()])
    down.recv(1)
    os._exit(0)
down.close()
os.setuid(65534)
_, fds, _, _ = socket.recv_fds(up, 1, 1)
print(child, flush=True)
sys.stdin.read()
";
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let daemon = sandbox.program("/usr/bin/python3").words("-c").arg(script).words(&port.to_string());
    let daemon = StandIn::start(daemon.within("/").command());
    let explained = sandbox.portkeeper(format!("explain {port} --json")).ok().json();
    assert_eq!(explained["sockets"][0]["process"]["pid"].to_string(), daemon.said(), "{explained}");
    let outcome = kill(&sandbox, port, "--force --yes --json").exits(1);
    assert_eq!(outcome.json()["ended"][0]["pid"].to_string(), daemon.said(), "{outcome}");
    outcome.says("another user has only sent it the socket");
    assert!(!outcome.stderr.contains("starts it again"), "nothing has: {outcome}");
    assert!(is_alive(&daemon), "the daemon was only sent the socket");
    // Now no other process has it.
    kill(&sandbox, port, "--force --yes").refused(1).says("another user has only sent it the socket");
    assert!(is_alive(&daemon));
}
