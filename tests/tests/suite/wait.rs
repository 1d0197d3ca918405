//! `wait`: until a server listens, or a port is free.

use std::net::{TcpListener, TcpStream};

use portkeeper_tests::{Namespace, Own, Ports, Run, Sandbox, StandIn, copy_program, ipv6_or_skip, program_or_skip};

use crate::sandbox;

fn wait<'a>(sandbox: &'a Sandbox, words: impl AsRef<str>) -> Run<'a> {
    sandbox.portkeeper("wait").words(words.as_ref())
}

/// The whole of what portend prints when the time is up.
#[track_caller]
fn is_late(run: &Run<'_>, lines: impl AsRef<str>) {
    let outcome = run.exits(1);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.trim_end()), ("", lines.as_ref()), "{outcome}");
}

#[test]
fn a_port_that_is_as_wished_needs_no_word() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _listener = sandbox.listener("127.0.0.1", ports.at(0));
    for words in [
        format!("{} --occupied", ports.at(0)),
        format!("localhost:{} --occupied", ports.at(0)),
        format!("localhost:{} occupied", ports.at(0)),
        format!("127.0.0.1:{} occupied -t 0", ports.at(0)),
        format!("{} --free", ports.at(1)),
        format!("[::1]:{} --free", ports.at(0)),
        format!("[::1]:{} free", ports.at(1)),
        format!("{0} localhost:{0} --occupied", ports.at(0)),
    ] {
        let outcome = wait(&sandbox, words).ok();
        assert_eq!(outcome.stdout, "");
        outcome.is_silent();
    }
}

#[test]
fn what_is_not_so_in_time_is_said_in_portends_words() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _listener = sandbox.listener("127.0.0.1", ports.at(0));
    let (taken, free) = (ports.at(0), ports.at(1));
    let late = |words: String, lines: String| is_late(&wait(&sandbox, words), lines);
    late(format!("localhost:{free} occupied -t 0"), format!("Port {free} not bound on localhost."));
    late(format!("{free} --occupied --timeout 50ms"), format!("Port {free} not bound on localhost."));
    late(format!("{taken} --free -t 0.05"), format!("Port {taken} not free on localhost."));
    late(format!("[::1]:{taken} --occupied -t 0"), format!("Port {taken} not bound on ::1."));
    // Each of several is reported, and only if it is not in the requested state.
    late(
        format!("{taken} {free} 127.0.0.1:{free} --occupied -t 0"),
        format!("Port {free} not bound on localhost.\nPort {free} not bound on 127.0.0.1."),
    );
}

#[test]
fn without_a_word_it_waits_for_a_server() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _listener = sandbox.listener("127.0.0.1", ports.at(0));
    wait(&sandbox, format!("{}", ports.at(0))).ok().is_silent();
    is_late(&wait(&sandbox, format!("{} -t 0", ports.at(1))), format!("Port {} not bound on localhost.", ports.at(1)));
}

#[test]
fn a_proxy_without_a_server_behind_it_is_no_server() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let proxy = sandbox.work().join("docker-proxy");
    copy_program(sandbox.stand_in_path(), &proxy);
    let start = |mode: &str, port: u16| {
        StandIn::start(sandbox.program(&proxy).words(&format!("{mode} 127.0.0.1:{port}")).command())
    };
    // The first hangs up, as docker-proxy does while nothing listens in the container.
    let _proxies = [start("accept", ports.at(0)), start("listen", ports.at(1))];
    is_late(
        &wait(&sandbox, format!("{} -t 0.2", ports.at(0))),
        format!("Port {} not bound on localhost.", ports.at(0)),
    );
    wait(&sandbox, format!("{} -t 10", ports.at(1))).ok().is_silent();
    // What is no proxy may do as it likes.
    let own = Ports::take(1);
    let _server = sandbox.stand_in("accept", "127.0.0.1", own.first());
    wait(&sandbox, format!("{} -t 10", own.first())).ok().is_silent();
}

#[test]
fn a_url_has_to_be_answered() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let start = |status: u16, port: u16| {
        StandIn::start(sandbox.stand_in_run(&format!("http {status} 127.0.0.1:{port}")).command())
    };
    let _servers = [start(200, ports.at(0)), start(503, ports.at(1))];
    let url = |port: u16| format!("http://localhost:{port}/health?deep=1");
    wait(&sandbox, format!("{} -t 10", url(ports.at(0)))).ok().is_silent();
    let answer = format!("Port {} on localhost answers GET /health?deep=1 with 503.", ports.at(1));
    // A target without a path only has to listen.
    is_late(&wait(&sandbox, format!("{} {} -t 0", ports.at(1), url(ports.at(1)))), answer);
}

#[test]
fn it_waits_for_a_server_to_come_and_to_go() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let occupied = wait(&sandbox, format!("{} --occupied --timeout 60s", ports.first())).start();
    let listener = sandbox.listener("::1", ports.first());
    occupied.finish().expect_code(0);
    let free = wait(&sandbox, format!("{} --free --timeout 60s", ports.first())).start();
    listener.kill();
    free.finish().expect_code(0).is_silent();
}

#[test]
fn without_a_timeout_it_waits_on() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let waiting = wait(&sandbox, format!("{} --occupied", ports.first())).start();
    // Another wait with the same start is over in the meantime.
    is_late(
        &wait(&sandbox, format!("{} --occupied -t 0.3", ports.first())),
        format!("Port {} not bound on localhost.", ports.first()),
    );
    let _listener = sandbox.listener("127.0.0.1", ports.first());
    waiting.finish().expect_code(0);
}

/// portend's fault: it took such a port for free.
#[test]
fn a_port_that_is_bound_without_listening_is_neither_free_nor_occupied() {
    if !ipv6_or_skip() {
        return;
    }
    for address in ["127.0.0.1", "::1", "0.0.0.0"] {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let _bound = sandbox.stand_in("bind", address, ports.first());
        let port = ports.first();
        is_late(&wait(&sandbox, format!("{port} --free -t 0")), format!("Port {port} not free on localhost."));
        is_late(&wait(&sandbox, format!("{port} --occupied -t 0")), format!("Port {port} not bound on localhost."));
    }
}

#[test]
fn a_port_that_merely_lingers_is_free() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let listener = TcpListener::bind(("127.0.0.1", ports.first())).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // The side that closes first keeps the remnant (TIME_WAIT).
    drop(listener.accept().unwrap());
    drop(listener);
    drop(client);
    wait(&sandbox, format!("{} --free -t 10", ports.first())).ok().is_silent();
    let explained = sandbox.portkeeper(format!("explain {} --json", ports.first())).ok().json();
    assert_eq!((&explained["verdict"], &explained["remnants"]), (&"lingering".into(), &1.into()), "{explained}");
}

/// portend's faults: nonsense, a `KeyError` and tracebacks.
#[test]
fn bad_input_is_refused_with_the_reason() {
    let sandbox = sandbox();
    for (words, reason) in [
        ("localhost free", "no name of a port"),
        ("localhost: free", "the port is missing"),
        ("[::1] free", "the port is missing"),
        ("::1 free", "the port is missing"),
        ("localhost:http free", "`http` is not a port"),
        ("localhost:70000 free", "`70000` is not a port"),
        ("0 --free", "`0` is not a port"),
        ("http://localhost:80/ --free", "is a URL"),
        ("127.0.0.300:80 --free", "is not a host"),
        ("no-such-host.invalid:80 --free", "cannot be resolved"),
        ("localhost:80 busy", "no name of a port"),
        ("free", "no name of a port"),
        ("https://localhost:8443/", "only http"),
        ("postgres://localhost:5432/shop -t 0", "portkeeper wait localhost:5432"),
        ("postgres://localhost/shop -t 0", "the port is missing"),
    ] {
        wait(&sandbox, words).refused(2).says(reason);
    }
    for words in [
        "80 --free --occupied",
        "80 --free --http /",
        "80 --free --owned",
        "80 --http health",
        "80 -t -1 --free",
        "--free",
    ] {
        let _ = wait(&sandbox, words).exits(2);
    }
}

#[test]
fn a_name_of_this_project_stands_for_its_port() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("port --write-env=WEB_PORT --range {ports}")).ok();
    wait(&sandbox, "WEB_PORT --free -t 0").ok().is_silent();
    is_late(&wait(&sandbox, "WEB_PORT --occupied -t 0"), format!("Port {} not bound on 127.0.0.1.", ports.first()));
    let _listener = sandbox.listener("::1", ports.first());
    wait(&sandbox, "WEB_PORT occupied").within(sandbox.directory("web/src")).ok().is_silent();
    wait(&sandbox, "WEB_POTR occupied").refused(2).says("did you mean `WEB_PORT`?");
    wait(&sandbox, "WEB_PORT occupied").within(sandbox.root()).refused(2).says("no name of a port");
}

#[test]
fn a_udp_port_cannot_be_waited_for() {
    let sandbox = sandbox();
    let _ = sandbox.portkeeper("reserve --protocol udp --write-env=DNS_PORT").ok();
    wait(&sandbox, "DNS_PORT --occupied").refused(2).says("only TCP");
}

#[test]
fn an_answer_of_another_status_is_no_answer() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let server = |status: u16, port: u16| {
        StandIn::start(sandbox.stand_in_run(&format!("http {status} 127.0.0.1:{port}")).command())
    };
    let _servers = [server(204, ports.at(0)), server(503, ports.at(1))];
    wait(&sandbox, format!("{} --http /health -t 10", ports.at(0))).ok().is_silent();
    is_late(
        &wait(&sandbox, format!("127.0.0.1:{} --occupied --http /health?x=1 -t 0", ports.at(1))),
        format!("Port {} on 127.0.0.1 answers GET /health?x=1 with 503.", ports.at(1)),
    );
    let _mute = sandbox.listener("127.0.0.1", ports.at(2));
    is_late(
        &wait(&sandbox, format!("{} --http / -t 0", ports.at(2))),
        format!("Port {} on localhost does not answer GET /.", ports.at(2)),
    );
}

#[test]
fn a_real_server_of_python_answers() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let script = format!(
        "python3 -m http.server {port} --bind 127.0.0.1 >/dev/null 2>&1 & server=$!
        portkeeper wait {port} --http / --timeout 60s
        kill $server
        portkeeper wait {port} --free --timeout 60s"
    );
    let _ = sandbox.shell(&script).ok();
}

#[test]
fn the_owner_of_a_process_lease_is_the_process_and_what_comes_from_it() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let owned = wait(&sandbox, format!("{port} --owned -t 0"));
    is_late(&owned, format!("Port {port} not bound on localhost."));
    let listener = sandbox.listener("127.0.0.1", port);
    is_late(&owned, format!("Port {port} on localhost is bound, but it is not reserved here, so it has no owner."));
    listener.kill();

    let other = sandbox.process();
    let _ = sandbox.portkeeper(format!("reserve --port {port} --for-pid {}", other.pid())).ok();
    let stranger = sandbox.listener("127.0.0.1", port);
    let outcome = owned.exits(1);
    outcome
        .says("by a stranger: stand-in")
        .says(format!("(pid {})", stranger.pid()))
        .says(sandbox.work().display().to_string());
    stranger.kill();
    let _ = sandbox.portkeeper("release --all").ok();
    // The test itself starts the server, so the server comes from it.
    let _ = sandbox.portkeeper(format!("reserve --port {port} --for-pid {}", std::process::id())).ok();
    let _own = sandbox.listener("127.0.0.1", port);
    owned.ok().is_silent();
}

#[test]
fn the_owner_of_a_name_works_in_its_project() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let (shop, other) = (sandbox.directory("shop"), sandbox.directory("other/.git").parent().unwrap().to_owned());
    std::fs::create_dir(shop.join(".git")).unwrap();
    let _ = sandbox.portkeeper(format!("port --write-env --range {ports}")).within(&shop).ok();
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{port}"));
    let owned = wait(&sandbox, "PORT --owned -t 0").within(&shop);
    let stranger = StandIn::start(listen.clone().within(&other).command());
    owned.exits(1).says("by a stranger").says(other.display().to_string());
    let status = &sandbox.status()[0]["listening"][0];
    assert_eq!(status["ownership"], "stranger", "{status}");
    assert!(sandbox.portkeeper("status --format table").ok().stdout.contains("a stranger"));
    stranger.kill();
    let _own = StandIn::start(listen.within(sandbox.directory("shop/src")).command());
    owned.ok().is_silent();
    assert_eq!(sandbox.status()[0]["listening"][0]["ownership"], "own");
}

#[test]
fn a_server_in_another_network_namespace_is_not_waited_for_from_here() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{port}"));
    let _listener = StandIn::start(listen.inside(&there).command());
    let occupied = wait(&sandbox, format!("{port} --occupied -t 0"));
    is_late(&occupied, format!("Port {port} not bound on localhost."));
    occupied.inside(&there).ok().is_silent();
}

/// In a range of one port the kernel connects the port to itself, which looks like a server.
#[test]
fn a_connection_of_a_port_to_itself_is_no_server() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let narrow = format!("echo {port} {port} >/proc/sys/net/ipv4/ip_local_port_range");
    let _ = sandbox.program("sh").words("-c").arg(&narrow).inside(&there).ok();
    let occupied = wait(&sandbox, format!("{port} --occupied -t 0.2")).inside(&there);
    is_late(&occupied, format!("Port {port} not bound on localhost."));
}

#[test]
fn an_interrupted_wait_ends_by_the_signal() {
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::{Pid, Signal, kill_process};

    let (sandbox, ports) = (sandbox(), Ports::take(1));
    // The process that starts the tests may have SIGINT ignored, as a shell does for what it puts into the background.
    let run = sandbox.program("env").words("--default-signal=INT").arg(sandbox.portkeeper_path());
    let mut waiting = run.words(&format!("wait {} --occupied --timeout 60s", ports.first())).command().spawn().unwrap();
    // The first one may come before `env` has run.
    let status = loop {
        if let Some(status) = waiting.try_wait().unwrap() {
            break status;
        }
        let _ = kill_process(Pid::from_child(&waiting), Signal::INT);
        std::thread::yield_now();
    };
    // Which a shell turns into exit code 130.
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
}

/// portend's calls.
#[test]
fn programs_wait_as_well() {
    use std::time::Duration;

    use portkeeper::wait::{assert_free, find_available_port, wait_free, wait_occupied};

    let ports = Ports::take(1);
    let port = ports.first();
    assert_free("localhost", port).unwrap();
    wait_free("::1", port, None).unwrap();
    let error = wait_occupied("localhost", port, Some(Duration::from_millis(20))).unwrap_err();
    assert_eq!(error.to_string(), format!("Port {port} not bound on localhost."));
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    wait_occupied("localhost", port, None).unwrap();
    assert_eq!(assert_free("127.0.0.1", port).unwrap_err().to_string(), format!("Port {port} not free on 127.0.0.1."));
    assert!(wait_free("a b", port, None).is_err() && wait_free("localhost", 0, None).is_err());
    let found = find_available_port().unwrap();
    assert!(TcpListener::bind(("127.0.0.1", found.get())).is_ok());
}
