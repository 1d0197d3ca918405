//! `--hold`: the kernel keeps the port, and gives it back when it is told to.

use portkeeper_tests::{HolderProcess, Outcome, Ports, Sandbox, program_or_skip};
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
