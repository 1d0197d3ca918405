//! Other programs' processes.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// Another program's process: it listens, or merely lives. Killed on drop.
#[derive(Debug)]
pub struct StandIn {
    child: Child,
    said: String,
}

impl StandIn {
    /// Starts the command and waits until it has printed its first line.
    ///
    /// # Panics
    /// When it cannot start or ends without a line.
    #[must_use]
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("a pipe");
        let mut this = Self { child, said: String::new() };
        BufReader::new(stdout).read_line(&mut this.said).expect("a readable pipe");
        assert!(!this.said.is_empty(), "{command:?} ended before it was ready");
        this
    }

    /// Its pid, as the test sees it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The line that it printed.
    #[must_use]
    pub fn said(&self) -> &str {
        self.said.trim_end()
    }

    /// Kills it with SIGKILL and waits for its end.
    pub fn kill(mut self) {
        self.end();
    }

    /// Kills it with SIGKILL and leaves a zombie until the guard is dropped.
    ///
    /// # Panics
    /// When the process cannot be killed.
    pub fn kill_without_reaping(&mut self) {
        self.child.kill().expect("kill");
        let pid = Pid::from_child(&self.child);
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("waitid");
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.end();
    }
}

/// Copies a program, to be started under another name.
///
/// By a process of its own: what this process has open for writing, a child that another test starts just then has open, too, and until
/// that child is another program the copy could not be started ("text file busy").
///
/// # Panics
/// When it cannot be copied.
#[track_caller]
pub fn copy_program(from: impl AsRef<OsStr>, to: &Path) {
    let status = Command::new("cp").arg("--").arg(from.as_ref()).arg(to).status().expect("cp");
    assert!(status.success(), "{} was not copied", to.display());
}
