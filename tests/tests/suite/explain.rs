//! `explain`: who has a port, with real processes of every kind.

use std::net::{TcpListener, TcpStream};
use std::process::Command;

use portkeeper_tests::{Namespace, Own, Ports, Sandbox, StandIn, copy_program, ipv6_or_skip, program_or_skip, skipped};
use serde_json::{Value, json};

use crate::sandbox;

#[track_caller]
fn explain(sandbox: &Sandbox, port: u16) -> Value {
    sandbox.portkeeper(format!("explain {port} --json")).ok().json()
}

#[track_caller]
fn text(sandbox: &Sandbox, port: u16) -> String {
    sandbox.portkeeper(format!("who {port} --format table")).ok().stdout
}

/// The pids behind the sockets, in their order.
fn pids(explained: &Value) -> Vec<u32> {
    let sockets = explained["sockets"].as_array().expect("sockets").iter();
    sockets.map(|socket| u32::try_from(socket["process"]["pid"].as_u64().expect("a pid")).unwrap()).collect()
}

#[test]
fn a_free_port_is_free_and_the_answer_is_no_failure() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let explained = explain(&sandbox, ports.first());
    assert_eq!((&explained["verdict"], &explained["sockets"]), (&json!("free"), &json!([])), "{explained}");
    let text = text(&sandbox, ports.first());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("{} is free", ports.first()));
    assert!(lines[lines.len() - 1].starts_with(&format!("do: portkeeper reserve --port {}", ports.first())), "{text}");
}

#[test]
fn a_server_is_named_with_all_that_is_known_of_it() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let project = sandbox.directory("shop-2/.git").parent().unwrap().to_owned();
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{0} [::1]:{0}", ports.first())).within(&project);
    let server = StandIn::start(listen.command());
    let explained = explain(&sandbox, ports.first());
    assert_eq!(explained["verdict"], "taken", "{explained}");
    assert_eq!(pids(&explained), [server.pid(); 2], "one for each family");
    let process = &explained["sockets"][0]["process"];
    assert_eq!(process["command"], "stand-in");
    assert_eq!(process["command_line"][1], "listen");
    assert_eq!(process["directory"], json!(project));
    assert_eq!(process["project"], json!(project));
    assert_eq!(process["parents"][0]["pid"], std::process::id());
    assert_eq!(process["uid"], rustix::process::geteuid().as_raw());
    for field in ["user", "started", "container", "sharers", "keeper", "container_proxy"] {
        assert!(process.get(field).is_some(), "{field} in {process}");
    }
    let text = text(&sandbox, ports.first());
    assert!(
        text.starts_with(&format!("{} is taken by stand-in (pid {}) in shop-2\n", ports.first(), server.pid())),
        "{text}"
    );
    assert_eq!(text.matches("listen 127.0.0.1").count(), 1, "a process is told of once\n{text}");
}

#[test]
fn the_port_that_is_yours_already_is_offered_instead() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("port --write-env=web --range {0}-{0}", ports.at(0))).ok();
    let _listener =
        StandIn::start(sandbox.stand_in_run(&format!("listen 127.0.0.1:{}", ports.at(1))).within("/").command());
    let text = text(&sandbox, ports.at(1));
    let last = text.lines().last().unwrap();
    assert!(last.starts_with(&format!("do: use {}, reserved for web here", ports.at(0))), "{text}");
    assert_eq!(explain(&sandbox, ports.at(1))["yours"], json!([{ "port": ports.at(0), "name": "web" }]));
}

#[test]
fn reservations_are_told_with_whom_they_are_for() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let (mine, other) = (sandbox.directory("mine"), sandbox.directory("other"));
    let _ = sandbox.portkeeper(format!("port --write-env=web --range {0}-{0}", ports.at(0))).within(&other).ok();
    let _ = sandbox.portkeeper(format!("reserve --port {} --owner anna", ports.at(1))).ok();
    let from = |directory: &std::path::Path, port: u16| {
        sandbox.portkeeper(format!("explain {port} --json")).within(directory).ok().json()
    };
    let seen = from(&mine, ports.at(0));
    assert_eq!(seen["verdict"], "reserved");
    assert_eq!(seen["summary"], format!("{} is free, but reserved for web of ../other", ports.at(0)));
    let (name, project) = (&seen["reservations"][0]["name"], &seen["reservations"][0]["project"]);
    assert_eq!((name, project), (&json!("web"), &json!(other)));
    assert_eq!(from(&other, ports.at(0))["verdict"], "reserved-for-you");
    assert!(from(&mine, ports.at(1))["summary"].as_str().unwrap().contains("owner anna"));
    // The server comes, from its own project.
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{}", ports.at(0)));
    let _server = StandIn::start(listen.within(&other).command());
    assert_eq!(from(&other, ports.at(0))["verdict"], "yours");
    assert_eq!(from(&mine, ports.at(0))["verdict"], "taken");
}

#[test]
fn python_and_node_are_named() {
    for (program, script) in [
        (
            "python3",
            "import socket,sys,os;s=socket.create_server(('127.0.0.1',int(sys.argv[1])));print(os.getpid(),flush=True);sys.stdin.read()",
        ),
        (
            "node",
            "require('net').createServer().listen(+process.argv[1],'127.0.0.1',()=>console.log(process.pid));process.stdin.resume()",
        ),
    ] {
        if program_or_skip(program).is_none() {
            continue;
        }
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let flag = if program == "node" { "-e" } else { "-c" };
        let server = sandbox.program(program).words(flag).arg(script).words(&ports.first().to_string());
        let server = StandIn::start(server.command());
        let explained = explain(&sandbox, ports.first());
        assert_eq!(pids(&explained), [server.said().parse::<u32>().unwrap()], "{explained}");
        assert!(explained["summary"].as_str().unwrap().contains(program), "{explained}");
    }
}

#[test]
fn a_client_is_never_taken_for_the_server() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = sandbox.listener("127.0.0.1", ports.first());
    let _clients: Vec<_> = (0..3).map(|_| TcpStream::connect(("127.0.0.1", ports.first())).unwrap()).collect();
    let explained = explain(&sandbox, ports.first());
    assert_eq!(pids(&explained), [server.pid()], "{explained}");
    assert!(text(&sandbox, ports.first()).contains("connected"), "the connections are told of");
}

#[test]
fn an_outgoing_connection_is_called_one() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    client.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], ports.first())).into()).unwrap();
    client.connect(&server.local_addr().unwrap().into()).unwrap();
    let explained = explain(&sandbox, ports.first());
    assert_eq!((&explained["verdict"], pids(&explained)), (&json!("in-use"), vec![std::process::id()]), "{explained}");
}

#[test]
fn a_server_that_forks_is_the_server_and_not_its_workers() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = StandIn::start(sandbox.stand_in_run(&format!("fork 127.0.0.1:{}", ports.first())).command());
    let explained = explain(&sandbox, ports.first());
    assert_eq!(pids(&explained), [server.pid()], "{explained}");
    assert_eq!(explained["sockets"][0]["process"]["sharers"], 3);
    assert!(text(&sandbox, ports.first()).contains("by 3 processes"));
    // Its workers are left behind with the port, and have to be ended, too.
    let _ = sandbox.portkeeper(format!("kill {} --force --yes", ports.first())).ok();
}

#[test]
fn bound_ports_and_udp_are_told_apart() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let bound = sandbox.stand_in("bind", "127.0.0.1", ports.at(0));
    let explained = explain(&sandbox, ports.at(0));
    assert_eq!((&explained["verdict"], pids(&explained)), (&json!("taken"), vec![bound.pid()]), "{explained}");
    assert_eq!(explained["sockets"][0]["state"], "bound");
    assert!(explained["summary"].as_str().unwrap().contains("does not listen"));
    let udp = sandbox.stand_in("udp", "0.0.0.0", ports.at(1));
    let explained = explain(&sandbox, ports.at(1));
    assert_eq!((&explained["verdict"], pids(&explained)), (&json!("free-for-tcp"), vec![udp.pid()]), "{explained}");
    assert_eq!(explained["sockets"][0]["protocol"], "udp");
}

#[test]
fn a_dual_stack_server_is_one() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = StandIn::start(sandbox.stand_in_run(&format!("dual [::]:{}", ports.first())).command());
    let explained = explain(&sandbox, ports.first());
    assert_eq!(pids(&explained), [server.pid()], "{explained}");
    assert_eq!(explained["sockets"][0]["address"], format!("[::]:{}", ports.first()));
}

#[test]
fn all_servers_that_share_a_port_are_named() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let start = || StandIn::start(sandbox.stand_in_run(&format!("reuseport 127.0.0.1:{}", ports.first())).command());
    let servers = [start(), start(), start()];
    let mut found = pids(&explain(&sandbox, ports.first()));
    found.sort_unstable();
    let mut expected = servers.each_ref().map(StandIn::pid);
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn another_users_process_is_named_to_root_and_its_user_to_everyone() {
    if !rustix::process::geteuid().is_root() {
        skipped("ROOT", "only root can start a process of another user");
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    // Its sockets were opened by root. What was opened by the other user carries that user's number.
    let server =
        StandIn::start(sandbox.stand_in_run(&format!("as 65534 listen 127.0.0.1:{}", ports.first())).command());
    if std::fs::read_link(format!("/proc/{}/fd/1", server.pid())).is_err() {
        skipped("ROOT", "root may not look into other users' processes here (CAP_SYS_PTRACE, as in most containers)");
        return;
    }
    let explained = explain(&sandbox, ports.first());
    assert_eq!((pids(&explained), &explained["sockets"][0]["process"]["uid"]), (vec![server.pid()], &json!(65534)));
    // Root without its powers may not look into other users' processes.
    let blind = sandbox.program("setpriv").words("--bounding-set=-all --inh-caps=-all").arg(sandbox.portkeeper_path());
    let outcome = blind.words(&format!("explain {} --format table", ports.first())).ok();
    let first = outcome.stdout.lines().next().unwrap_or_default();
    assert!(first.contains("a process of user root (uid 0) that this user may not see"), "{outcome}");
    assert!(outcome.stdout.contains("not seen"), "{outcome}");
}

#[test]
fn a_server_in_another_network_namespace_is_in_nobodys_way() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let _ = sandbox.portkeeper(format!("reserve --port {port} --owner over-there")).inside(&there).ok();
    let server = StandIn::start(sandbox.stand_in_run(&format!("listen 127.0.0.1:{port}")).inside(&there).command());
    let here = explain(&sandbox, port);
    assert_eq!((&here["verdict"], &here["reservations"][0]["here"]), (&json!("free"), &json!(false)), "{here}");
    assert!(text(&sandbox, port).contains("in another network namespace"));
    let there = sandbox.portkeeper(format!("explain {port} --json")).inside(&there).ok().json();
    assert_eq!(pids(&there), [server.pid()], "pids are shared with that namespace: {there}");
}

#[test]
fn the_kernels_settings_and_the_policy_have_their_say() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let sandbox = sandbox();
    let explain = |port: u16| sandbox.portkeeper(format!("explain {port} --json")).inside(&there).ok().json();
    let ephemeral = explain(40_000);
    assert_eq!(
        ephemeral["kernel"],
        json!({ "ephemeral_range": "32768-60999", "withheld": false, "privileged_below": null })
    );
    let set = "echo 40000,41000-41010 >/proc/sys/net/ipv4/ip_local_reserved_ports";
    let _ = sandbox.program("sh").words("-c").arg(set).inside(&there).ok();
    assert_eq!(explain(40_000)["kernel"]["withheld"], true);
    assert_eq!(explain(41_005)["kernel"]["withheld"], true);
    assert_eq!(explain(40_001)["kernel"]["withheld"], false);
    assert_eq!(explain(80)["kernel"]["privileged_below"], 1024);
    assert_eq!(explain(6000)["policy"], "browsers refuse to connect to it");
    assert_eq!(explain(8080)["policy"], "IANA has assigned it to a service: http-alt");
}

#[test]
fn words_of_other_processes_cannot_write_to_the_terminal() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let mut command = Command::new("sh");
    let name = "\u{1b}[31mred\nnext\u{202e}";
    let stand_in = sandbox.stand_in_run(&format!("listen 127.0.0.1:{}", ports.first())).command();
    let mut arguments = vec![stand_in.get_program().to_owned()];
    arguments.extend(stand_in.get_args().map(ToOwned::to_owned));
    let directory = sandbox.directory(format!("a{name}b"));
    command.args(["-c", "exec \"$@\"", "sh"]).args(arguments).current_dir(directory);
    let _server = StandIn::start(command);
    let text = text(&sandbox, ports.first());
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    assert!(text.lines().all(|line| !line.starts_with("next")), "{text}");
}

#[test]
fn a_port_that_is_none_is_refused() {
    for wrong in ["0", "70000", "http", "-1"] {
        let _ = sandbox().portkeeper(format!("explain {wrong}")).exits(2);
    }
}

#[test]
fn a_reservation_of_the_other_protocol_is_in_nobodys_way() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --count 2 --range {ports} --protocol udp --owner dns")).ok();
    let _tcp = sandbox.listener("127.0.0.1", ports.at(0));
    let seen = explain(&sandbox, ports.at(0));
    assert_eq!((&seen["verdict"], &seen["protocol"]), (&json!("taken"), &json!("tcp")), "{seen}");
    assert!(!seen["summary"].as_str().unwrap().contains("dns"), "{seen}");
    let seen = explain(&sandbox, ports.at(1));
    assert_eq!((&seen["verdict"], &seen["protocol"]), (&json!("reserved-for-you"), &json!("udp")), "{seen}");
    assert_eq!(seen["summary"], format!("{} (udp) is reserved for owner dns; no process is using it", ports.at(1)));
}

#[test]
fn another_users_server_in_the_projects_directory_is_a_stranger() {
    if !rustix::process::geteuid().is_root() {
        skipped("ROOT", "only root can start a process of another user");
        return;
    }
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let directory = std::env::temp_dir().join(format!("portkeeper-open-{}", std::process::id()));
    std::fs::create_dir_all(directory.join(".git")).unwrap();
    let _ = sandbox.portkeeper(format!("port web --port {port}")).within(&directory).ok();
    let script = "import os,socket,sys;os.setuid(65534);s=socket.create_server(('127.0.0.1',int(sys.argv[1])));print('ready',flush=True);sys.stdin.read()";
    let server = sandbox.program("/usr/bin/python3").words("-c").arg(script).words(&port.to_string());
    let server = StandIn::start(server.within(&directory).command());
    let explained = sandbox.portkeeper("explain web --json").within(&directory).ok().json();
    assert_eq!(explained["sockets"][0]["ownership"], "stranger", "{explained}");
    sandbox.portkeeper("wait web --owned -t 0").within(&directory).exits(1).says("by a stranger");
    sandbox.portkeeper("kill web --yes").within(&directory).refused(1).says("another user's");
    server.kill();
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn what_a_container_publishes_on_the_port_of_a_name_is_the_projects() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let (shop, engine) = (sandbox.directory("shop/.git"), sandbox.directory("engine/.git"));
    let (shop, engine) = (shop.parent().unwrap(), engine.parent().unwrap());
    let _ = sandbox.portkeeper(format!("port web --port {port}")).within(shop).ok();
    let proxy = sandbox.work().join("docker-proxy");
    copy_program(sandbox.stand_in_run("").command().get_program(), &proxy);
    // The engine was started in a directory of another project, which says nothing about its containers.
    let _proxy =
        StandIn::start(sandbox.program(&proxy).words(&format!("listen 127.0.0.1:{port}")).within(engine).command());
    let explained = sandbox.portkeeper("explain web --json").within(shop).ok().json();
    assert_eq!((&explained["verdict"], &explained["sockets"][0]["ownership"]), (&json!("yours"), &json!("own")));
    assert!(!explained["advice"].as_str().unwrap().contains("portkeeper kill"), "{explained}");
    let _ = sandbox.portkeeper("wait web --owned -t 0").within(shop).ok();
    let status = sandbox.portkeeper("status --format table").ok().stdout;
    assert!(!status.contains("stranger"), "{status}");
}
