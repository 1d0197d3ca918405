//! A Docker engine that lives as long as a test, and an image of a shell, a web server and the program under test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portkeeper_tests::{Namespace, Own, Run, Sandbox, program_or_skip, skipped};

use crate::sandbox;

/// The image.
pub(super) const IMAGE: &str = "portkeeper-test:1";

/// Where containers have the volume with the registry.
pub(super) const REGISTRY: &str = "/registry";

/// How long the engine may take to start and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a container needs of busybox.
const APPLETS: [&str; 3] = ["sh", "httpd", "sleep"];

/// An engine in a network of its own. What it started ends with it.
pub(super) struct Engine {
    daemon: Child,
    network: Namespace,
    sandbox: Sandbox,
}

impl Engine {
    /// Starts one, or says aloud why that is not possible here.
    #[track_caller]
    pub(super) fn or_skip(options: &[&str]) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skipped("ENGINE", "only root can start a Docker engine");
            return None;
        }
        for program in ["dockerd", "docker", "iptables", "busybox"] {
            program_or_skip(program)?;
        }
        let (sandbox, network) = (sandbox(), Namespace::or_skip(Own::Network)?);
        let mut engine = Self { daemon: start(&sandbox, &network, options), network, sandbox };
        if let Err(why) = engine.wait_until_ready().and_then(|()| engine.make_image()) {
            skipped("ENGINE", &format!("Docker's engine does not work here: {why}"));
            return None;
        }
        Some(engine)
    }

    /// A program that sees this engine and its network.
    pub(super) fn program(&self, program: impl AsRef<Path>) -> Run<'_> {
        self.sandbox.program(program.as_ref()).inside(&self.network).env("DOCKER_HOST", self.address())
    }

    pub(super) fn portkeeper(&self, words: impl AsRef<str>) -> Run<'_> {
        self.program(self.sandbox.portkeeper_path()).words(words.as_ref())
    }

    pub(super) fn docker(&self, words: &str) -> Run<'_> {
        self.program("docker").words(words)
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Starts a container, and gives its ID.
    #[track_caller]
    pub(super) fn start(&self, name: &str, options: &str, command: &str) -> String {
        let run = format!("run -d --name {name} {options} {IMAGE} {command}");
        self.docker(&run).ok().stdout.trim().to_owned()
    }

    #[track_caller]
    pub(super) fn inspect(&self, container: &str, what: &str) -> String {
        self.docker(&format!("inspect -f {what} {container}")).ok().stdout.trim().to_owned()
    }

    /// A directory for a volume.
    pub(super) fn volume(&self) -> PathBuf {
        self.sandbox.directory("volume")
    }

    /// The Compose client that CI has unpacked, as a program of its own.
    #[track_caller]
    pub(super) fn compose_or_skip(&self) -> Option<PathBuf> {
        let client = std::env::var_os("PORTKEEPER_DOCKER_COMPOSE").map(PathBuf::from);
        if client.is_none() {
            skipped("DOCKER_COMPOSE", "PORTKEEPER_DOCKER_COMPOSE names no client, so no stack is started");
        }
        client
    }

    /// What Ctrl-C sends.
    pub(super) fn interrupt(&self, pid: u32) {
        send("INT", pid);
    }

    fn address(&self) -> String {
        format!("unix://{}", self.sandbox.root().join("docker.sock").display())
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while self.docker("version").run().code() != Some(0) {
            let has_ended = self.daemon.try_wait().is_ok_and(|status| status.is_some());
            if has_ended || Instant::now() > end {
                return Err(last_lines(&self.sandbox.root().join("dockerd.log")));
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn make_image(&self) -> Result<(), String> {
        let root = self.sandbox.root().join("image");
        let place = |from: &Path, to: &str| {
            let to = root.join(to.trim_start_matches('/'));
            fs::create_dir_all(to.parent().expect("a file's directory")).expect("a directory");
            fs::copy(from, to).expect("a file of this machine");
        };
        let busybox = program_or_skip("busybox").ok_or("no busybox")?;
        place(Path::new(&busybox), "bin/busybox");
        APPLETS.iter().for_each(|name| place(Path::new(&busybox), &format!("bin/{name}")));
        place(Path::new(self.sandbox.portkeeper_path()), "bin/portkeeper");
        for library in libraries(self.sandbox.portkeeper_path()) {
            place(&library, &library.to_string_lossy());
        }
        self.sandbox.write(root.join("www/index.html"), "hello\n");
        self.sandbox.write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
        for directory in ["root", "tmp", "proc", "sys", "dev"] {
            fs::create_dir_all(root.join(directory)).expect("a directory");
        }
        let archive = self.sandbox.root().join("image.tar");
        let _ = self.sandbox.program("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").ok();
        let environment = [format!("PORTKEEPER_REGISTRY={REGISTRY}/registry.json"), "PATH=/bin".to_owned()];
        let import = environment.iter().fold(self.docker("import"), |run, set| run.arg("-c").arg(format!("ENV {set}")));
        let _ = import.arg(&archive).arg(IMAGE).ok();
        // That a container starts is the kernel's matter.
        let outcome = self.docker(&format!("run --rm {IMAGE} portkeeper --version")).run();
        if outcome.code() == Some(0) { Ok(()) } else { Err(outcome.stderr) }
    }

    /// The first processes of all containers.
    fn containers(&self) -> Vec<u32> {
        let ids = self.docker("ps -q").run().stdout;
        let pid =
            |id: &str| self.docker(&format!("inspect -f {{{{.State.Pid}}}} {id}")).run().stdout.trim().parse().ok();
        ids.lines().filter_map(pid).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SIGTERM is nothing to a first process that does not handle it.
        self.containers().into_iter().for_each(|pid| send("KILL", pid));
        send("TERM", self.daemon.id());
        let end = Instant::now() + PATIENCE;
        while self.daemon.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < end {
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        unmount_below(self.sandbox.root());
    }
}

fn start(sandbox: &Sandbox, network: &Namespace, options: &[&str]) -> Child {
    let at = |name: &str| sandbox.root().join(name);
    let log = File::create(at("dockerd.log")).expect("a file in the sandbox");
    let run = sandbox.program("dockerd").inside(network).within("/");
    let run = run.arg("--data-root").arg(at("data")).arg("--exec-root").arg(at("exec"));
    let run = run.arg("--pidfile").arg(at("dockerd.pid"));
    let run = run.arg("-H").arg(format!("unix://{}", at("docker.sock").display()));
    let mut command = options.iter().fold(run, Run::arg).command();
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
    command.spawn().expect("dockerd is here")
}

/// The libraries that a program is linked with, and what loads them; none for one that has all in itself.
fn libraries(program: &str) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("ldd comes with the C library");
    let listed = String::from_utf8_lossy(&output.stdout);
    listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

fn send(signal: &str, pid: u32) {
    let _ = Command::new("kill").args(["-s", signal, &pid.to_string()]).status();
}

fn last_lines(file: &Path) -> String {
    let log = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<_> = log.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// What an engine leaves mounted that had to be killed.
fn unmount_below(directory: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|point| Path::new(point).starts_with(directory));
    for point in points.collect::<Vec<_>>().into_iter().rev() {
        let _ = Command::new("umount").args(["-l", point]).status();
    }
}
