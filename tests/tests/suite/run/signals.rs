//! Signals that are sent to portkeeper are the command's.

use portkeeper_tests::{Ports, Sandbox, Server, program_or_skip, skipped, tell};
use rustix::process::Signal;

use crate::sandbox;

/// A program that writes down every signal, and ends with SIGTERM.
const LISTEN: &str = "
import signal, sys, time
def note(number, _):
    with open('signals', 'a') as file:
        file.write({known.value: known.name for known in signal.Signals}.get(number, str(number)) + '\\n')
    if number == signal.SIGTERM:
        sys.exit(9)
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, note)
open('signals', 'w').close()
# Not pause(2): a signal just before it would be noted only after the next.
while True:
    time.sleep(0.05)
";

/// Starts it, and waits until it listens to signals.
fn start(sandbox: &Sandbox, ports: &Ports) -> Server {
    sandbox.write("listen.py", LISTEN);
    let server = Server::start(sandbox, &format!("--port {} -- python3 listen.py", ports.first()));
    wait_for(sandbox, "");
    server
}

#[track_caller]
fn wait_for(sandbox: &Sandbox, expected: &str) {
    wait_until(expected, || if sandbox.has("signals") { sandbox.read("signals") } else { "nothing".to_owned() });
}

#[track_caller]
fn wait_until(expected: &str, found: impl Fn() -> String) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let found = found();
        if found == expected {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{found:?} is not {expected:?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// The process' state as one letter (proc_pid_stat(5)).
fn state_of(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().next().unwrap().to_owned()
}

/// The real-time signal with this number. The first two are the C library's own.
fn real_time(number: i32) -> Signal {
    #[expect(unsafe_code, reason = "rustix names the first 31 signals only")]
    // SAFETY: it is a signal that programs may send, and none that the C library keeps to itself.
    unsafe {
        Signal::from_raw_unchecked(34 + number)
    }
}

/// Whether this process ignores the signal, as under nohup(1). Then what it starts does so, too, and portkeeper leaves it at that.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
}

#[test]
fn each_signal_is_passed_on_once() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = start(&sandbox, &ports);
    let mut expected = String::new();
    let signals = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::WINCH, "SIGWINCH"),
        (Signal::CONT, "SIGCONT"),
        (Signal::ALARM, "SIGALRM"),
        // What servers and process managers know besides: more workers and fewer (gunicorn, puma), a dump, a power failure.
        (Signal::TTIN, "SIGTTIN"),
        (Signal::TTOU, "SIGTTOU"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::POWER, "SIGPWR"),
        (Signal::PROF, "SIGPROF"),
        (Signal::IO, "SIGIO"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::VTALARM, "SIGVTALRM"),
        (Signal::STKFLT, "SIGSTKFLT"),
        (Signal::URG, "SIGURG"),
        // systemd asks its own kind to halt with the fourth of the real-time signals.
        (real_time(0), "SIGRTMIN"),
        (real_time(3), "37"),
        (real_time(30), "SIGRTMAX"),
    ];
    for (signal, name) in signals {
        if is_ignored(signal) {
            tell(format_args!("{name} is ignored here, so it was not tried"));
            continue;
        }
        server.signal(signal);
        expected += &format!("{name}\n");
        wait_for(&sandbox, &expected);
    }
    // Stopping stops portkeeper, too, and going on lets both go on.
    server.signal(Signal::TSTP);
    expected += "SIGTSTP\n";
    wait_for(&sandbox, &expected);
    // The process that continues it knows from its parent that it has stopped.
    wait_until("T", || state_of(server.pid()));
    server.signal(Signal::CONT);
    expected += "SIGCONT\n";
    wait_for(&sandbox, &expected);
    assert_eq!(server.stop(Signal::TERM).code(), Some(9), "the command decides how it ends");
    assert_eq!(sandbox.read("signals"), expected + "SIGTERM\n");
}

#[test]
fn the_command_starts_with_signals_as_they_were() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let look = format!("portkeeper run -q --port {} -- grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status", ports.first());
    let plain = sandbox.shell("grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status").ok().stdout;
    assert_eq!(sandbox.shell(&look).ok().stdout, plain);
    let ignored = "trap '' HUP USR1; ";
    let plain = sandbox.shell(&format!("{ignored}grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status")).ok().stdout;
    assert_eq!(sandbox.shell(&format!("{ignored}{look}")).ok().stdout, plain, "as nohup wants it");
}

/// As the first process of a container: it waits for orphans, and is not deaf to signals.
#[test]
fn it_works_as_pid_1() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    if !sandbox.program("unshare").words("--pid --fork --mount-proc true").run().status.success() {
        skipped("NETNS", "`unshare --pid` does not work here");
        return;
    }
    let script = "
        [ $PPID -eq 1 ]
        (sleep 0 &)
        (sh -c 'sleep 0 & exec true' &)
        set -- /proc/[0-9]*
        until [ $# -eq 2 ]; do set -- /proc/[0-9]*; done
        trap 'exit 5' TERM
        kill -TERM 1
        while :; do sleep 0.01; done
    ";
    sandbox.write("inside.sh", script);
    let run = format!(
        "unshare --pid --fork --kill-child --mount-proc portkeeper run --port {} -- sh -eu inside.sh",
        ports.first()
    );
    let _ = sandbox.shell(&run).exits(5);
}
