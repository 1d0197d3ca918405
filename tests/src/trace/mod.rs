//! Runs a program step by step: at each system call it is stopped, and the test says what happens there.
//!
//! It makes faults and races that are a matter of luck elsewhere a matter of counting: the 17th call fails with EIO, a directory becomes a
//! link between the 4th look and the 5th. It is ptrace(2) in a thread of its own, which sees all threads and children of the program. A
//! process counts from the first system call of its own, so what the dynamic loader does is left alone.

mod call;
mod ptrace;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, pidfd_send_signal, wait,
};

pub use call::Call;
use ptrace::Stop;

use crate::{Outcome, Run};

/// No command of a test takes that long, not even step by step on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The signal of a stop at a system call (`PTRACE_O_TRACESYSGOOD`).
const SYSTEM_CALL: i32 = libc::SIGTRAP | 0x80;

/// What happens at a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Go,
    /// It is not made, and fails with this error number.
    Fail(i32),
    /// The process is killed (SIGKILL) before it is made.
    Kill,
}

/// How a traced run ended.
#[derive(Debug)]
pub struct Traced {
    /// What came of it.
    pub outcome: Outcome,
    /// The processes that it left behind.
    pub survivors: Vec<u32>,
    /// Whether it was killed because it took too long.
    pub timed_out: bool,
}

/// Runs the command and asks at each system call of [`Call`]'s list what happens there. Everything else in the program stands still only
/// for the thread that makes the call.
///
/// # Panics
/// When the command cannot be started or traced.
#[track_caller]
pub fn trace(run: &Run<'_>, watch: impl FnMut(&Call) -> Action + Send) -> Traced {
    // A tracer waits for what its own thread has started, and when the thread ends, the kernel lets go of all that is left.
    thread::scope(|scope| scope.spawn(|| follow(run, watch)).join()).expect("the tracer")
}

/// Whether this process may trace what it starts: a sandbox can forbid it.
///
/// # Panics
/// When there is no shell.
#[must_use]
pub fn is_allowed() -> bool {
    let mut shell = Command::new("sh").args(["-c", "read _"]).stdin(Stdio::piped()).spawn().expect("the shell");
    let seize = || ptrace::seize(Pid::from_child(&shell)).is_ok();
    // With the thread ends the tracing.
    let is_allowed = thread::scope(|scope| scope.spawn(seize).join()).expect("the tracer");
    drop(shell.stdin.take());
    shell.wait().expect("the shell ends");
    is_allowed
}

#[expect(clippy::zombie_processes, reason = "the tracer waits for it")]
fn follow(run: &Run<'_>, watch: impl FnMut(&Call) -> Action) -> Traced {
    let [mut stdout, mut stderr] = [(); 2].map(|()| tempfile::tempfile().expect("a file"));
    let output = |file: &File| Stdio::from(file.try_clone().expect("a copy"));
    // The shell waits until it is traced, and becomes the program then.
    let mut command = run.clone().started_by(&["sh", "-c", "read _; exec \"$@\" </dev/null", "sh"]).command();
    command.stdin(Stdio::piped()).stdout(output(&stdout)).stderr(output(&stderr));
    let mut child = command.spawn().expect("the shell");
    let main = Pid::from_child(&child);
    ptrace::seize(main).expect("ptrace");
    child.stdin.take().expect("a pipe").write_all(b"\n").expect("the shell reads");
    let mut tracer = Tracer { main, watch, threads: HashMap::new(), begun: HashSet::new(), failing: HashMap::new() };
    let (status, timed_out) = within_patience(&child, || tracer.run());
    let text = |file: &mut File| {
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("portkeeper prints UTF-8");
        text
    };
    let outcome = Outcome { command: run.to_string(), status, stdout: text(&mut stdout), stderr: text(&mut stderr) };
    Traced { outcome, survivors: tracer.survivors(), timed_out }
}

/// Does it, and kills the process should that take too long. The second value says whether it did.
fn within_patience<T>(child: &Child, act: impl FnOnce() -> T) -> (T, bool) {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).expect("a pidfd");
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        let watchdog = scope.spawn(move || {
            let late = is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
            if late {
                let _ = pidfd_send_signal(&process, Signal::KILL);
            }
            late
        });
        let result = act();
        drop(done);
        (result, watchdog.join().expect("the watchdog"))
    })
}

struct Tracer<W> {
    main: Pid,
    watch: W,
    /// The process of each thread that lives.
    threads: HashMap<Pid, Pid>,
    /// The processes that have passed their loader.
    begun: HashSet<Pid>,
    /// The threads whose call is not made, and what they will be answered.
    failing: HashMap<Pid, i32>,
}

impl<W: FnMut(&Call) -> Action> Tracer<W> {
    /// Follows the program until its first process ends.
    fn run(&mut self) -> ExitStatus {
        // Threads are waited for as well, but not what other threads of this process have started.
        let options = WaitOptions::from_bits_retain((libc::__WALL | libc::__WNOTHREAD).cast_unsigned());
        loop {
            let (thread, status) = match wait(options) {
                Err(Errno::INTR) | Ok(None) => continue,
                waited => waited.expect("wait").expect("a child"),
            };
            if let Some(signal) = status.stopping_signal() {
                self.threads.entry(thread).or_insert_with(|| process_of(thread));
                let signal = self.at_stop(thread, status, signal);
                // One that was killed meanwhile cannot go on.
                let _ = ptrace::go_on(thread, signal);
            } else if thread == self.main {
                return ExitStatus::from_raw(status.as_raw());
            } else {
                self.threads.remove(&thread);
            }
        }
    }

    /// Gives the signal that the thread shall get.
    fn at_stop(&mut self, thread: Pid, status: WaitStatus, signal: i32) -> i32 {
        match (signal, status.as_raw() >> 16) {
            (SYSTEM_CALL, _) => self.at_call(thread),
            (_, libc::PTRACE_EVENT_EXEC) => drop(self.begun.remove(&thread)),
            (_, 0) => return signal,
            // It has made a thread or a process, or is one that was made.
            _ => {}
        }
        0
    }

    fn at_call(&mut self, thread: Pid) {
        match ptrace::stop(thread) {
            Ok(Stop::Entry(number, arguments)) => self.at_entry(thread, number, arguments),
            Ok(Stop::Exit) => {
                if let Some(error) = self.failing.remove(&thread) {
                    let _ = ptrace::answer(thread, error);
                }
            }
            // It was killed meanwhile.
            Ok(Stop::Other) | Err(_) => {}
        }
    }

    fn at_entry(&mut self, thread: Pid, number: i64, arguments: [u64; 6]) {
        let process = self.threads[&thread];
        if call::is_poll(number) {
            self.begun.insert(process);
        }
        if !self.begun.contains(&process) {
            return;
        }
        let Some(call) = Call::new(thread, process, number, arguments) else { return };
        match (self.watch)(&call) {
            Action::Go => {}
            Action::Fail(error) => {
                if ptrace::skip(thread).is_ok() {
                    self.failing.insert(thread, error);
                }
            }
            Action::Kill => kill_process(process, Signal::KILL).expect("kill"),
        }
    }

    fn survivors(&self) -> Vec<u32> {
        let others: HashSet<Pid> = self.threads.values().copied().filter(|&process| process != self.main).collect();
        others.into_iter().map(|process| process.as_raw_nonzero().get().unsigned_abs()).collect()
    }
}

/// The process that a thread belongs to; itself, when it is gone already.
fn process_of(thread: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{}/status", thread.as_raw_nonzero())).unwrap_or_default();
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
    process.and_then(Pid::from_raw).unwrap_or(thread)
}
