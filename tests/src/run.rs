//! One run of the command line: prepared, started, ended.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Namespace, Outcome};

/// A run of a program in a sandbox, not started yet.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: PathBuf,
    stdin: Vec<u8>,
    namespace: Option<&'a Namespace>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(program: impl Into<OsString>, environment: Vec<(OsString, OsString)>, directory: &Path) -> Self {
        let directory = directory.to_owned();
        Self { program: program.into(), arguments: vec![], environment, directory, stdin: vec![], namespace: None }
    }

    /// Adds arguments, split at white space.
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        self.arguments.extend(words.split_whitespace().map(OsString::from));
        self
    }

    /// Adds one argument as it is.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((key.into(), value.as_ref().to_owned()));
        self
    }

    /// Runs it in the directory.
    #[must_use]
    pub fn within(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.directory);
        self
    }

    /// Runs it in the namespace.
    #[must_use]
    pub fn inside(mut self, namespace: &'a Namespace) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Gives it the bytes as its standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs it under a limit for the size of any file it writes, as on a full disk: what goes beyond fails with EFBIG.
    #[must_use]
    pub fn with_largest_file(self, bytes: u64) -> Self {
        // POSIX counts `ulimit -f` in blocks of 512 bytes; the trap turns the signal into an error.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", bytes / 512);
        self.started_by(&["sh", "-c", &script, "sh"])
    }

    /// Runs it so that the modes of files count, as they do for every user but root.
    #[must_use]
    pub fn without_powers(self) -> Self {
        if rustix::process::geteuid().is_root() {
            self.started_by(&["setpriv", "--bounding-set", "-dac_override,-dac_read_search"])
        } else {
            self
        }
    }

    /// Runs it on one core of the machine only.
    #[must_use]
    pub fn on_one_core(self) -> Self {
        self.started_by(&["taskset", "-c", "0"])
    }

    /// Runs it as a user who owns nothing and may do nothing (65534). Root only.
    #[must_use]
    pub fn without_root(self) -> Self {
        self.started_by(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    }

    /// Runs it under a limit of open files that it cannot raise.
    #[must_use]
    pub fn with_open_files(self, most: u32) -> Self {
        self.with_limit('n', most.into())
    }

    /// Runs it under a limit of the memory that it writes to (`RLIMIT_DATA`), as on a machine that has no more.
    #[must_use]
    pub fn with_memory(self, bytes: u64) -> Self {
        self.with_limit('d', bytes / 1024)
    }

    /// Runs it under a limit of the addresses that it uses (`RLIMIT_AS`), whatever stands there.
    #[must_use]
    pub fn with_address_space(self, bytes: u64) -> Self {
        self.with_limit('v', bytes / 1024)
    }

    /// Runs it under a limit, in the units of the shell's `ulimit`.
    fn with_limit(self, option: char, most: u64) -> Self {
        let script = format!("ulimit -{option} {most}; exec \"$@\"");
        self.started_by(&["sh", "-c", &script, "sh"])
    }

    pub(crate) fn started_by(mut self, words: &[&str]) -> Self {
        let program = std::mem::replace(&mut self.program, words[0].into());
        let others = words[1..].iter().map(OsString::from);
        self.arguments.splice(0..0, others.chain([program]));
        self
    }

    /// The command, for a [`crate::StandIn`].
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = match self.namespace {
            Some(namespace) => namespace.enter(&self.program, &self.directory),
            None => Command::new(&self.program),
        };
        command.args(&self.arguments).current_dir(&self.directory).env_clear();
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(&self) -> Running {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // A program that ends before it has read everything breaks the pipe, which is its right.
        let _ = child.stdin.take().expect("a pipe").write_all(&self.stdin);
        Running { child, command: self.to_string() }
    }

    /// Runs it to its end, whatever that is.
    #[must_use]
    #[track_caller]
    pub fn run(&self) -> Outcome {
        self.start().finish()
    }

    /// Runs it and demands success.
    #[track_caller]
    pub fn ok(&self) -> Outcome {
        self.exits(0)
    }

    /// Runs it and demands the exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> Outcome {
        let outcome = self.run();
        outcome.expect_code(code);
        outcome
    }

    /// Runs it and demands a refusal: the exit code, nothing on stdout, one error on stderr.
    #[track_caller]
    pub fn refused(&self, code: i32) -> Outcome {
        let outcome = self.exits(code);
        outcome.is_one_clear_error();
        outcome
    }
}

impl std::fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = Path::new(&self.program).file_name().unwrap_or(&self.program);
        write!(f, "{}", name.display())?;
        self.arguments.iter().try_for_each(|argument| match argument.to_str() {
            Some(plain) if !plain.is_empty() && !plain.contains(char::is_whitespace) => write!(f, " {plain}"),
            _ => write!(f, " {argument:?}"),
        })
    }
}

/// A run that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    command: String,
}

impl Running {
    /// Kills it with SIGKILL.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill");
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its standard output, when it is there.
    ///
    /// # Panics
    /// When it ends before.
    #[must_use]
    #[track_caller]
    pub fn line(&mut self) -> String {
        next_line(self.child.stdout.as_mut().expect("a pipe"), &self.command)
    }

    /// The next line of its standard error, when it is there.
    ///
    /// # Panics
    /// When it ends before.
    #[must_use]
    #[track_caller]
    pub fn error_line(&mut self) -> String {
        next_line(self.child.stderr.as_mut().expect("a pipe"), &self.command)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it printed something that is not UTF-8.
    #[must_use]
    #[track_caller]
    pub fn finish(self) -> Outcome {
        let output = self.child.wait_with_output().expect("wait");
        let text = |bytes| String::from_utf8(bytes).expect("portkeeper prints UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Outcome { command: self.command, status: output.status, stdout, stderr }
    }
}

/// Byte by byte, so that nothing is taken from what comes after it.
#[track_caller]
fn next_line(output: &mut impl Read, command: &str) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap_or_else(|error| panic!("{command}: {error}"));
        line.extend(byte);
    }
    String::from_utf8(line).expect("portkeeper prints UTF-8")
}

/// Starts all runs before it waits for the first.
pub fn all_at_once<'a>(runs: impl IntoIterator<Item = Run<'a>>) -> Vec<Outcome> {
    let running: Vec<Running> = runs.into_iter().map(|run| run.start()).collect();
    running.into_iter().map(Running::finish).collect()
}
