//! `--hold`: the kernel keeps the port, and gives it back when it is told to.

use portkeeper_tests::{HolderProcess, Namespace, Outcome, Own, Ports, Sandbox, program_or_skip};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::sandbox;

/// Tries to bind a port in every way, and prints which ways there are: options and address.
const RIVALS: &str = "
import socket, sys
port = int(sys.argv[1])
for options in [(), ('SO_REUSEADDR',), ('SO_REUSEPORT',), ('SO_REUSEADDR', 'SO_REUSEPORT')]:
    for family, address in [(socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'), (socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')]:
        with socket.socket(family) as rival:
            if address == '::':
                rival.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            for option in options:
                rival.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
            try:
                rival.bind((address, port))
                print('+'.join(options) or 'plain', address)
            except OSError:
                pass
";

/// The ways in which a rival gets in.
#[track_caller]
fn ways_in(sandbox: &Sandbox, port: u16) -> Vec<String> {
    let rivals = sandbox.program("python3").words("-c").arg(RIVALS).arg(port.to_string()).ok();
    rivals.stdout.lines().map(str::to_owned).collect()
}

/// Holds the port.
#[track_caller]
fn hold(sandbox: &Sandbox, words: &str) -> (Value, HolderProcess) {
    let answer = sandbox.portkeeper(format!("reserve {words}")).ok().json();
    let holder = HolderProcess::of(&answer);
    (answer, holder)
}

/// All that is bound on the loopback addresses without any option.
fn is_bindable(port: u16) -> bool {
    ["127.0.0.1", "::1"].iter().all(|address| {
        let address = std::net::SocketAddr::new(address.parse().unwrap(), port);
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None).unwrap();
        socket.bind(&address.into()).is_ok()
    })
}

#[test]
fn nobody_binds_a_port_that_is_held() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    for (position, kind) in [(0, "exclusive"), (1, "gated")] {
        let port = ports.at(position);
        let (answer, holder) = hold(&sandbox, &format!("--hold={kind} --port {port}"));
        assert_eq!(
            (&answer["held"], &answer["guarantee"], &answer["port"]),
            (&json!(true), &json!(kind), &json!(port))
        );
        assert_eq!(ways_in(&sandbox, port), [""; 0], "{kind}");
        let _ = sandbox.portkeeper(format!("release {port}")).ok();
        assert_eq!(ways_in(&sandbox, port).len(), 16, "released, every way leads in");
        holder.ends();
    }
}

#[test]
fn a_wildcard_is_held_for_both_families() {
    if program_or_skip("python3").is_none() {
        return;
    }
    for host in ["0.0.0.0", "::"] {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let _ = hold(&sandbox, &format!("--hold --port {} --host {host}", ports.first()));
        assert_eq!(ways_in(&sandbox, ports.first()), [""; 0], "{host}");
    }
}

#[test]
fn a_soft_hold_lets_in_whoever_sets_reuseaddr() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let outcome = sandbox.portkeeper(format!("reserve --hold=soft --port {}", ports.first())).ok();
    outcome.says("SO_REUSEADDR").says("so can any other");
    assert_eq!(outcome.json()["guarantee"], "soft");
    let ways = ways_in(&sandbox, ports.first());
    assert!(!ways.is_empty() && ways.iter().all(|way| way.contains("SO_REUSEADDR")), "{ways:?}");
}

#[test]
fn a_server_restarts_through_a_soft_hold() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold=soft --port {}", ports.first()));
    for _ in 0..5 {
        // The standard library's listener sets SO_REUSEADDR on Unix.
        let server = std::net::TcpListener::bind(("127.0.0.1", ports.first())).unwrap();
        let _client = std::net::TcpStream::connect(("127.0.0.1", ports.first())).unwrap();
        drop(server.accept().unwrap());
    }
    assert!(holder.runs());
}

#[test]
fn the_holder_is_a_small_process_of_its_own() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    assert_eq!(holder.link("cwd"), std::path::Path::new("/"));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", holder.pid())).unwrap();
    let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap().to_owned();
    assert_eq!(session, holder.pid().to_string(), "its own session");
    let files = holder.open_files();
    assert_eq!(files.iter().filter(|file| *file == "/dev/null").count(), 3, "{files:?}");
    let mine = |file: &String| {
        ["/dev/null", "anon_inode:inotify"].contains(&file.as_str())
            || file.starts_with("socket:")
            || file.starts_with(sandbox.state().to_str().unwrap())
    };
    assert!(files.iter().all(mine), "something was inherited: {files:?}");
}

#[test]
fn what_a_shell_has_open_does_not_stay_open() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    // The substitution waits until everyone has closed its pipe, and so does the pipeline; the lock is the shell's.
    let script = format!(
        "exec 9>lock && flock 9 && answer=$(portkeeper reserve --hold --port {}) && echo \"$answer\" | cat && exec 9>&- && flock -n lock true",
        ports.first()
    );
    let answer = sandbox.shell(&script).ok();
    assert!(HolderProcess::of(&answer.json()).runs());
}

#[test]
fn a_hundred_ports_are_one_small_process() {
    let (sandbox, ports) = (sandbox(), Ports::take(100));
    let answer = sandbox.portkeeper(format!("reserve --hold --count 100 --range {ports}")).ok().json();
    let answers = answer.as_array().unwrap();
    let holder = HolderProcess::of(&answers[0]);
    assert!(answers.iter().all(|answer| answer["holder"] == holder.pid()));
    // This is a debug build; a release build has about half of it.
    let memory = holder.own_memory();
    assert!(memory < 4096, "{memory} KiB");
    assert_eq!(sandbox.reserved(), ports.all());
    let _ = sandbox.portkeeper(format!("release {} {}", ports.at(0), ports.at(50))).ok();
    assert!(is_bindable(ports.at(0)) && is_bindable(ports.at(50)) && !is_bindable(ports.at(1)));
    assert!(holder.runs());
    let _ = sandbox.portkeeper("release --all").ok();
    holder.ends();
    assert!(ports.all().into_iter().all(is_bindable));
}

#[test]
fn release_returns_when_the_kernel_has_the_port_back() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    for _ in 0..20 {
        let (_, _) = hold(&sandbox, &format!("--hold --port {} --owner me", ports.first()));
        assert!(!is_bindable(ports.first()));
        let _ = sandbox.portkeeper("release --owner me").ok();
        assert!(is_bindable(ports.first()));
    }
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 0, "no files are left");
}

#[test]
fn udp_is_held_exclusively_and_in_no_other_way() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("--port {} --protocol udp", ports.first());
    sandbox.portkeeper(format!("reserve --hold=soft {words}")).refused(2).says("--hold=exclusive");
    let (_, holder) = hold(&sandbox, &format!("--hold {words}"));
    assert!(std::net::UdpSocket::bind(("127.0.0.1", ports.first())).is_err());
    assert_eq!(sandbox.status()[0]["listening"], json!([]), "that is only the hold");
    assert!(is_bindable(ports.first()), "TCP is another port");
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    let _ = std::net::UdpSocket::bind(("127.0.0.1", ports.first())).unwrap();
    holder.ends();
}

#[test]
fn a_port_that_is_held_is_reserved_by_nobody_else() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    let refusal = sandbox.portkeeper(format!("reserve --port {}", ports.first())).refused(1);
    refusal.says(format!("while process {} holds it", holder.pid()));
    assert_eq!(sandbox.portkeeper(format!("port --range {ports}")).ok().port(), ports.at(1));
    // Whoever uses another registry sees it through the kernel.
    let other = sandbox.portkeeper(format!("--registry other.json reserve --port {}", ports.first()));
    other.refused(1).says(holder.pid().to_string());
}

#[test]
fn a_holder_that_is_killed_leaves_the_port_to_the_next() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    holder.kill();
    let status = &sandbox.status()[0];
    assert_eq!(
        (&status["held"], &status["hold_lost"], &status["guarantee"]),
        (&json!(false), &json!(true), &json!("advisory"))
    );
    let again = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first())).ok();
    again.says(format!("its holder, process {}, has ended", holder.pid()));
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 2, "the dead holder's files are gone");
}

#[test]
fn a_holder_ends_on_sigterm_and_leaves_no_file() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    holder.signal(Signal::TERM);
    holder.ends();
    assert!(is_bindable(ports.first()));
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 0);
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"][0]["port"], ports.first());
}

#[test]
fn a_hold_ends_with_its_time() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (answer, holder) = hold(&sandbox, &format!("--hold --ttl 300ms --port {}", ports.first()));
    assert_eq!(answer["lease"]["kind"], "timed");
    holder.ends();
    assert!(is_bindable(ports.first()));
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"][0]["port"], ports.first());
}

#[test]
fn a_hold_ends_with_its_process() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let process = sandbox.process();
    let (answer, holder) = hold(&sandbox, &format!("--hold --port {} --for-pid {}", ports.first(), process.pid()));
    assert_eq!(answer["lease"]["pid"], process.pid());
    assert!(holder.runs());
    process.kill();
    holder.ends();
    assert!(is_bindable(ports.first()));
}

#[test]
fn a_holder_whose_file_is_deleted_ends() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    std::fs::remove_dir_all(sandbox.state()).unwrap();
    holder.ends();
}

#[test]
fn the_longer_the_path_the_longer_the_way_to_the_holder() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let folder = sandbox.folder(["long"; 20].map(|word| format!("{word}-{word}")).join("/"));
    let registry = folder.join("registry.json");
    let portkeeper = |words: String| sandbox.portkeeper(words).arg("--registry").arg(&registry);
    let answer = portkeeper(format!("reserve --hold --port {}", ports.first())).ok();
    let holder = HolderProcess::of(&answer.json());
    let _ = portkeeper(format!("release {}", ports.first())).ok();
    holder.ends();
}

#[test]
fn a_hold_is_found_when_the_registry_is_lost() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    let lose: [&dyn Fn(); 3] = [
        &|| std::fs::remove_file(sandbox.registry()).unwrap(),
        &|| {
            // The former state is from before the hold.
            let whole = std::fs::read(sandbox.registry()).unwrap();
            std::fs::write(sandbox.registry(), &whole[..whole.len() / 2]).unwrap();
            std::fs::write(sandbox.registry().with_extension("json.prev"), "{\"version\":2,\"reservations\":[]}")
                .unwrap();
        },
        &|| {
            std::fs::write(sandbox.registry(), "").unwrap();
            let _ = std::fs::remove_file(sandbox.registry().with_extension("json.prev"));
        },
    ];
    for (way, lose) in lose.iter().enumerate() {
        lose();
        if way < 2 {
            assert_eq!(sandbox.reserved(), [ports.first()], "way {way}");
            sandbox.portkeeper(format!("reserve --port {}", ports.first())).refused(1);
            let other = sandbox.portkeeper(format!("reserve --port {} --ttl 1h", ports.at(1))).ok();
            other.says("taken back from the hold files");
            let _ = sandbox.portkeeper(format!("release {}", ports.at(1))).ok();
        }
    }
    // Nothing helps the registry any more; the port comes back all the same.
    let release = sandbox.portkeeper(format!("release {}", ports.first())).exits(3);
    release.says("the holds have ended");
    assert!(release.stdout.contains(&ports.first().to_string()), "{release}");
    holder.ends();
    assert!(is_bindable(ports.first()));
}

#[test]
fn a_holder_that_is_stuck_is_ended() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    holder.signal(Signal::STOP);
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    holder.ends();
    assert!(is_bindable(ports.first()));
}

#[test]
fn a_process_that_is_not_the_holder_is_never_touched() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    let bystander = sandbox.process();
    // The registry names another process, and the holder can't be called.
    for file in std::fs::read_dir(sandbox.holds()).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|kind| kind == "sock") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let text = std::fs::read_to_string(sandbox.registry()).unwrap();
    let forged = text.replace(&format!("\"pid\":{},", holder.pid()), &format!("\"pid\":{},", bystander.pid()));
    assert_ne!(text, forged);
    std::fs::write(sandbox.registry(), forged).unwrap();
    let refusal = sandbox.portkeeper(format!("release {}", ports.first())).exits(3);
    refusal.says(format!("process {}, does not answer", bystander.pid())).says("kill");
    assert!(HolderProcess::with_pid(bystander.pid()).unwrap().runs());
    assert!(holder.runs() && !is_bindable(ports.first()));
    assert_eq!(sandbox.reserved(), [ports.first()], "it is still held, so it is still reserved");
    // Undone, the proof is there.
    std::fs::write(sandbox.registry(), text).unwrap();
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    holder.ends();
}

#[test]
fn what_fails_leaves_neither_a_holder_nor_a_reservation() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("reserve --hold --port {} --owner {}", ports.first(), "x".repeat(8000));
    // So that the lock is there, and only the registry and the hold file don't fit.
    let _ = sandbox.portkeeper("gc").ok();
    let failed: Outcome = sandbox.portkeeper(&words).with_largest_file(4096).run();
    failed.expect_code(3).is_one_clear_error();
    assert!(is_bindable(ports.first()), "{failed}");
    assert!(sandbox.reserved().is_empty());
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 0);
}

#[test]
fn in_the_foreground_it_holds_until_it_is_interrupted() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("reserve --hold --foreground --port {}", ports.first());
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 0)] {
        let mut holding = sandbox.portkeeper(&words).start();
        let answer: Value = serde_json::from_str(&holding.line()).unwrap();
        assert_eq!((&answer["holder"], &answer["held"]), (&json!(holding.pid()), &json!(true)));
        assert!(!is_bindable(ports.first()));
        HolderProcess::of(&answer).signal(signal);
        holding.finish().expect_code(code);
        assert!(is_bindable(ports.first()));
        assert!(sandbox.reserved().is_empty());
    }
    let mut holding = sandbox.portkeeper(&words).start();
    let _ = holding.line();
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    holding.finish().expect_code(0);
}

#[test]
fn grace_and_hold_exclude_each_other() {
    sandbox().portkeeper("reserve --hold --grace 1m").refused(2).says("--grace");
    sandbox().portkeeper("reserve --foreground").refused(2).says("--hold");
    sandbox().portkeeper("reserve --hold=firm").refused(2).says("exclusive, gated or soft");
}

/// A config with two held ports.
fn held_config(ports: &Ports, hold: &str) -> String {
    json!({
        "hold": hold,
        "ports": [
            { "key": "WEB_PORT", "range": [ports.at(0), ports.at(0)] },
            { "key": "API_PORT", "range": [ports.at(1), ports.at(1)], "hold": "soft" },
        ],
        "outputs": [{ "type": "env" }],
    })
    .to_string()
}

fn holders(sandbox: &Sandbox) -> Vec<u64> {
    sandbox.status().iter().filter_map(|entry| entry["holder"].as_u64()).collect()
}

#[test]
fn a_config_holds_its_ports_with_one_holder() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", held_config(&ports, "exclusive"));
    let answer = sandbox.portkeeper("prepare").ok().json();
    assert_eq!(answer["guarantees"], json!({ "WEB_PORT": "exclusive", "API_PORT": "soft" }));
    assert_eq!(answer["guarantee"], "soft", "of all together the weakest");
    let first = holders(&sandbox);
    assert!(first.len() == 2 && first[0] == first[1], "{first:?}");
    assert!(ports.all().iter().all(|&port| !is_bindable(port)));

    // Once more: the same ports, the same holder, nothing to say.
    sandbox.portkeeper("prepare --require-free").ok().is_silent();
    assert_eq!(holders(&sandbox), first);
    let _ = sandbox.portkeeper("prepare --check").ok();

    // A key that is gone: the holder lets go of its port, and of nothing else.
    let one = json!({ "ports": [{ "key": "WEB_PORT", "hold": "exclusive" }], "outputs": [{ "type": "env" }] });
    sandbox.write("pk.config.json", one.to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(holders(&sandbox), first[..1]);
    assert!(is_bindable(ports.at(1)) && !is_bindable(ports.at(0)));
    let _ = sandbox.portkeeper("release --all").ok();
    assert!(is_bindable(ports.at(0)));
}

#[test]
fn another_kind_of_hold_is_another_holder_without_a_gap() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", held_config(&ports, "exclusive"));
    let _ = sandbox.portkeeper("prepare").ok();
    let old = holders(&sandbox);
    sandbox.write("pk.config.json", held_config(&ports, "soft"));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let rival = scope.spawn(|| {
            let mut attempts = 0_u32;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(!is_bindable(ports.at(0)), "it was free for a moment");
                attempts += 1;
            }
            attempts
        });
        assert_eq!(sandbox.portkeeper("prepare").ok().json()["guarantee"], "soft");
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(rival.join().unwrap() > 0);
    });
    let new = holders(&sandbox);
    assert_ne!(old[0], new[0]);
    assert_eq!(old[1], new[1], "what was soft before stays where it is");
    let _server = std::net::TcpListener::bind(("127.0.0.1", ports.at(0))).expect("a server binds through a soft hold");
}

#[test]
fn a_name_outlives_its_hold_and_is_held_again() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = format!("reserve --hold --write-env WEB_PORT --range {ports}");
    let answer = sandbox.portkeeper(&reserve).ok().json();
    assert_eq!((&answer["held"], &answer["lease"]["kind"]), (&json!(true), &json!("named")));
    let holder = HolderProcess::of(&answer);
    holder.kill();
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"], json!([]));
    let status = sandbox.portkeeper("status --format table").ok();
    assert!(status.stdout.contains("hold lost"), "{status}");
    // Asked without --hold, it says what is.
    let plain = sandbox.portkeeper(format!("reserve --write-env WEB_PORT --range {ports}")).ok().json();
    assert_eq!((&plain["held"], &plain["guarantee"]), (&json!(false), &json!("advisory")));
    let again = sandbox.portkeeper(&reserve).ok().json();
    assert_eq!((&again["held"], &again["port"]), (&json!(true), &json!(ports.first())));
    assert!(!is_bindable(ports.first()));
}

#[test]
fn a_port_whose_server_runs_cant_be_held_and_says_so() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write(
        "pk.config.json",
        held_config(&ports, "exclusive").replace("\"hold\":\"exclusive\"", "\"owner\":\"me\""),
    );
    let _ = sandbox.portkeeper("prepare").ok();
    let server = sandbox.listener("127.0.0.1", ports.at(0));
    sandbox.write("pk.config.json", held_config(&ports, "exclusive"));
    let outcome = sandbox.portkeeper("prepare").ok();
    outcome.says(format!("WEB_PORT keeps {}, but it can't be held now", ports.at(0))).says(server.pid().to_string());
    assert_eq!(outcome.json()["guarantees"], json!({ "WEB_PORT": "advisory", "API_PORT": "soft" }));
    server.kill();
    assert_eq!(sandbox.portkeeper("prepare").ok().json()["guarantees"]["WEB_PORT"], "exclusive");
}

#[test]
fn a_prepare_that_fails_lets_go_again() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let config = held_config(&ports, "exclusive")
        .replace("\"type\":\"env\"", "\"type\":\"env\",\"map\":{\"A\":\"${NOBODY_SETS_THIS}\"}");
    sandbox.write("pk.config.json", config);
    sandbox.portkeeper("prepare").refused(2).says("NOBODY_SETS_THIS");
    assert!(ports.all().into_iter().all(is_bindable));
    assert!(sandbox.reserved().is_empty());
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 0);
}

#[test]
fn a_dry_run_holds_nothing() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", held_config(&ports, "exclusive"));
    let before = sandbox.everything();
    let answer = sandbox.portkeeper("prepare --dry-run").ok().json();
    assert_eq!(answer["guarantee"], "advisory");
    assert_eq!(sandbox.everything(), before);
    assert!(ports.all().into_iter().all(is_bindable));
}

#[test]
fn a_config_that_asks_for_what_udp_cant_do_is_refused_with_its_line() {
    let sandbox = sandbox();
    sandbox.write("pk.config.yaml", "hold: soft\nports:\n  - key: A\n    protocol: udp\n");
    sandbox.portkeeper("prepare").refused(2).says("pk.config.yaml:3").says("ports[0].hold").says("exclusive");
}

#[test]
fn a_held_timed_port_is_renewed_with_its_hold() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("--hold --port {} --owner me", ports.first());
    let (_, first) = hold(&sandbox, &format!("{words} --ttl 500ms"));
    let (_, second) = hold(&sandbox, &format!("{words} --ttl 1h"));
    first.ends();
    assert!(second.runs() && !is_bindable(ports.first()));
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"], json!([]));
}

#[test]
fn the_kernel_itself_gives_a_held_port_to_nobody() {
    for kind in ["soft", "gated"] {
        let Some(there) = Namespace::or_skip(Own::Network) else { return };
        let sandbox = sandbox();
        // Five ports for everybody, and the middle one is held.
        let narrow = "echo 20000 20004 > /proc/sys/net/ipv4/ip_local_port_range";
        let _ = sandbox.program("sh").words("-c").arg(narrow).inside(&there).ok();
        let words = format!("reserve --hold={kind} --port 20002");
        let holder = HolderProcess::of(&sandbox.portkeeper(words).inside(&there).ok().json());
        for server in ["127.0.0.1:30000", "[::1]:30000"] {
            let storm = sandbox.stand_in_run(&format!("storm 100000 {server}")).inside(&there).ok();
            assert_eq!(storm.stdout.trim(), "{20000, 20001, 20003, 20004}", "{kind}, {server}");
        }
        assert!(holder.runs());
        let _ = sandbox.portkeeper("release 20002").inside(&there).ok();
        let storm = sandbox.stand_in_run("storm 1000 127.0.0.1:30000").inside(&there).ok();
        assert!(storm.stdout.contains("20002"), "released, it is a port like the others: {storm}");
    }
}

#[test]
fn a_hold_in_another_network_namespace_keeps_nobody_here_away() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first()));
    let there_holder = HolderProcess::of(&reserve.clone().inside(&there).ok().json());
    assert!(is_bindable(ports.first()));
    let here_holder = HolderProcess::of(&reserve.ok().json());
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    here_holder.ends();
    assert!(there_holder.runs(), "its port is not ours to release");
    let _ = sandbox.portkeeper("release --all").inside(&there).ok();
    there_holder.ends();
}

#[test]
fn a_hold_in_another_pid_namespace_is_seen_by_its_lock() {
    let Some(there) = Namespace::or_skip(Own::Processes) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first()));
    let _ = reserve.inside(&there).ok();
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"], json!([]));
    assert_eq!(sandbox.status()[0]["held"], true);
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    assert!(is_bindable(ports.first()));
    let _ = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first())).inside(&there).ok();
    drop(there);
    // With its first process a pid namespace ends, and everyone in it.
    let gone = || sandbox.portkeeper("gc").ok().json()["released"][0]["port"] == ports.first();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !gone() {
        assert!(std::time::Instant::now() < deadline, "its lock is still held");
    }
}
