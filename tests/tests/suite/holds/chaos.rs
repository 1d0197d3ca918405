//! Holds under fire: no caller is given a port that another process holds, and in the end nothing is left.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use portkeeper_tests::{HolderProcess, Ports, Sandbox};

use crate::sandbox;

/// So many holders live at a time.
const HOLDERS: usize = 20;

/// What happens in a round.
#[derive(Debug, Clone, Copy)]
enum Act {
    Hold,
    HoldAndDie,
    HoldOnAFullDisk,
    Kill,
    Release,
    DeleteRegistry,
    TruncateRegistry,
}

/// What the test knows of the ports. A process that is killed in the middle may have got further than the test knows.
struct Chaos<'a> {
    sandbox: &'a Sandbox,
    ports: &'a Ports,
    random: fastrand::Rng,
    held: HashMap<u16, HolderProcess>,
    counts: HashMap<String, u32>,
}

impl Chaos<'_> {
    fn choose(&mut self) -> Act {
        match self.random.u8(..100) {
            0..5 => Act::DeleteRegistry,
            5..10 => Act::TruncateRegistry,
            10..15 => Act::HoldOnAFullDisk,
            15..30 => Act::HoldAndDie,
            _ if self.held.len() < HOLDERS => Act::Hold,
            number if number % 2 == 0 => Act::Kill,
            _ => Act::Release,
        }
    }

    fn act(&mut self, act: Act) {
        let kind = ["exclusive", "gated", "soft"][self.random.usize(..3)];
        let reserve = self.sandbox.portkeeper(format!("reserve --hold={kind} --range {}", self.ports));
        match act {
            Act::Hold => {
                let answer = reserve.ok().json();
                let (port, holder) =
                    (u16::try_from(answer["port"].as_u64().unwrap()).unwrap(), HolderProcess::of(&answer));
                let before = self.held.insert(port, holder);
                assert!(before.is_none(), "{port} was given while {before:?} holds it");
            }
            Act::HoldAndDie => {
                let mut caller = reserve.start();
                // Not waiting for anything: this is what scatters the kills over the caller's life.
                std::thread::sleep(Duration::from_micros(self.random.u64(..30_000)));
                caller.kill();
                let _ = caller.finish();
            }
            Act::HoldOnAFullDisk => {
                let outcome = reserve.with_largest_file(512).run();
                // A registry with next to nothing in it may fit.
                if outcome.code() == Some(0) {
                    let answer = outcome.json();
                    let port = u16::try_from(answer["port"].as_u64().unwrap()).unwrap();
                    assert!(self.held.insert(port, HolderProcess::of(&answer)).is_none(), "{port}");
                } else {
                    outcome.expect_code(3);
                }
            }
            Act::Kill => {
                if let Some((_, holder)) = self.any() {
                    holder.kill();
                }
            }
            Act::Release => {
                if let Some((port, holder)) = self.any() {
                    let _ = self.sandbox.portkeeper(format!("release {port}")).ok();
                    holder.ends();
                }
            }
            Act::DeleteRegistry => drop(std::fs::remove_file(self.sandbox.registry())),
            Act::TruncateRegistry => {
                if let Ok(text) = std::fs::read(self.sandbox.registry()) {
                    let length = self.random.usize(..=text.len() / 2);
                    // A file of its own: that of a caller killed while it wrote may still be the former state as well, by hard link.
                    let half = self.sandbox.write("half", &text[..length]);
                    std::fs::rename(half, self.sandbox.registry()).unwrap();
                }
            }
        }
        *self.counts.entry(format!("{act:?}")).or_default() += 1;
    }

    /// A port that is held, and no longer.
    fn any(&mut self) -> Option<(u16, HolderProcess)> {
        let port = self.held.keys().copied().nth(self.random.usize(..self.held.len().max(1)))?;
        self.held.remove_entry(&port)
    }
}

/// The holders of the sandbox's registry, by what they have open.
fn holders(sandbox: &Sandbox) -> Vec<u32> {
    let directory = sandbox.holds();
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"portkeeper\0holder"))
            && std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|files| {
                files
                    .flatten()
                    .any(|file| std::fs::read_link(file.path()).is_ok_and(|link| link.starts_with(&directory)))
            })
    })
    .collect()
}

#[test]
fn a_thousand_rounds_give_no_port_twice_and_leave_nothing_behind() {
    let (sandbox, ports) = (sandbox(), Ports::take(200));
    // A registry that was written only once has no former state, and damaged it is rightly left alone.
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    let seed = fastrand::u64(..);
    let random = fastrand::Rng::with_seed(seed);
    let mut chaos = Chaos { sandbox: &sandbox, ports: &ports, random, held: HashMap::new(), counts: HashMap::new() };
    for round in 0..1000 {
        let act = chaos.choose();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| chaos.act(act)));
        assert!(done.is_ok(), "round {round} of seed {seed}, {act:?}");
    }
    assert!(chaos.held.values().all(HolderProcess::runs), "seed {seed}: a holder ended that nobody had told to");

    let _ = sandbox.portkeeper("release --all --if-exists").ok();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holders(&sandbox).is_empty() {
        assert!(Instant::now() < deadline, "seed {seed}: orphaned holders: {:?}", holders(&sandbox));
        // Those whose caller was killed only now are on their way out.
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = sandbox.portkeeper("gc").ok();
    assert!(sandbox.reserved().is_empty(), "seed {seed}");
    assert!(std::fs::read_dir(sandbox.holds()).unwrap().next().is_none(), "seed {seed}: files are left");
    let free = |&port: &u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    assert!(ports.all().iter().all(free), "seed {seed}: a port did not come back");
}
