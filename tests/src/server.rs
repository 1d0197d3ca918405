//! A server under `portkeeper run`, as a test sees it from outside.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use crate::{HolderProcess, Run, Sandbox};

/// How long anything may take on a machine that is busy with many other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `portkeeper run`, in a process group of its own, which ends with this value.
#[derive(Debug)]
pub struct Server {
    child: Child,
    report: PathBuf,
    go: PathBuf,
}

impl Server {
    /// Runs the command: `words` are the options of `run`, and what follows its two dashes.
    #[must_use]
    #[track_caller]
    pub fn start(sandbox: &Sandbox, words: &str) -> Self {
        Self::start_run(sandbox, &sandbox.portkeeper(format!("run --report report.json --ready-timeout 10m {words}")))
    }

    /// The same, in the directory.
    #[must_use]
    #[track_caller]
    pub fn start_in(sandbox: &Sandbox, directory: &Path, words: &str) -> Self {
        let run = sandbox.portkeeper("run --ready-timeout 10m --report").arg(sandbox.work().join("report.json"));
        Self::start_run(sandbox, &run.words(words).within(directory))
    }

    /// The same, with a script of the shell that finds its port in the environment. It waits for [`Server::go`] before it begins, so
    /// that a test can have clients and rivals on the port from before the server starts.
    #[must_use]
    #[track_caller]
    pub fn prepare(sandbox: &Sandbox, words: &str, script: &str) -> Self {
        let _ = std::fs::remove_file(sandbox.work().join("go"));
        let script = format!("until [ -e go ]; do sleep 0.01; done; {script}");
        let run =
            sandbox.portkeeper(format!("run --report report.json --ready-timeout 10m {words} -- sh -c")).arg(script);
        let server = Self::start_run(sandbox, &run);
        let _ = server.report();
        server
    }

    #[track_caller]
    fn start_run(sandbox: &Sandbox, run: &Run<'_>) -> Self {
        let report = sandbox.work().join("report.json");
        let _ = std::fs::remove_file(&report);
        let mut command = run.command();
        // A pipe without a writer: what reads it ends with the test. What servers print does not matter.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{run}: {error}"));
        Self { child, report, go: sandbox.work().join("go") }
    }

    /// Lets a prepared server begin.
    ///
    /// # Panics
    /// When it cannot.
    pub fn go(&self) {
        std::fs::write(&self.go, "").expect("a file");
    }

    /// The pid of portkeeper.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The report, as soon as there is one.
    #[must_use]
    #[track_caller]
    pub fn report(&self) -> Value {
        self.report_when(|_| true)
    }

    /// The report, as soon as it is as it should be.
    ///
    /// # Panics
    /// When that takes too long.
    #[must_use]
    #[track_caller]
    pub fn report_when(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let report = std::fs::read(&self.report).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            match report {
                Some(report) if is_it(&report) => return report,
                last => assert!(Instant::now() < deadline, "not in time: {last:?}"),
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// The report, once every port has a server.
    #[must_use]
    #[track_caller]
    pub fn ready(&self) -> Value {
        self.report_when(|report| {
            report["ports"].as_array().is_some_and(|ports| ports.iter().all(|port| port["server"].is_number()))
        })
    }

    /// The process that has the first port.
    #[must_use]
    #[track_caller]
    pub fn server(&self) -> u32 {
        u32::try_from(self.ready()["ports"][0]["server"].as_u64().expect("a pid")).expect("a pid")
    }

    /// Ends the server with the signal, and waits until another one has the port, that many times in all.
    #[track_caller]
    pub fn restart(&self, times: usize, signal: Signal) {
        for _ in 0..times {
            let old = self.server();
            let process = HolderProcess::with_pid(old).expect("a server");
            process.signal(signal);
            process.ends();
            let is_new =
                |report: &Value| report["ports"][0]["server"].as_u64().is_some_and(|new| new != u64::from(old));
            let _ = self.report_when(is_new);
        }
    }

    /// Sends portkeeper a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("kill");
    }

    /// Sends portkeeper a signal, and waits for its end.
    #[track_caller]
    pub fn stop(mut self, signal: Signal) -> ExitStatus {
        // Waiting closes it, and a server that ends with its input must not be quicker than the signal.
        let _input = self.child.stdin.take();
        self.signal(signal);
        self.child.wait().expect("wait")
    }

    /// Waits for the end.
    #[track_caller]
    pub fn ends(mut self) -> ExitStatus {
        self.child.wait().expect("wait")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The servers too: they are in portkeeper's group.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// What the server on the address says to a client that says nothing.
///
/// # Errors
/// What the system says.
pub fn ask(address: impl Into<SocketAddr>) -> std::io::Result<String> {
    let mut answer = String::new();
    let mut client = TcpStream::connect(address.into())?;
    std::io::Read::read_to_string(&mut client, &mut answer)?;
    Ok(answer)
}
