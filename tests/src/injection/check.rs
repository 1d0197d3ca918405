//! The promises, and whether they were kept.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use super::case::{Does, Which};
use super::world::{ENV, World};
use super::{Case, Fault};
use crate::trace::Traced;
use crate::{HolderProcess, Outcome};

/// Words of a command that has changed nothing.
const NOTHING: [&str; 3] = ["nothing was changed", "nothing has changed", "nothing was reserved"];

/// The files that commands leave for good. `registry.json.link` is a name that the next change uses again.
const LASTING: [&str; 9] = [
    "registry.json",
    "registry.json.prev",
    "registry.json.link",
    "registry.json.lock",
    "plugin-cache.key",
    ".env",
    "config.json",
    "config.json.bak",
    "new",
];

/// The promises that were broken by the run. With `fault` that has happened to a call of it.
pub(super) fn broken_promises(world: &World, case: &Case, traced: &Traced, fault: Option<Fault>) -> Vec<String> {
    let status = world.sandbox.portkeeper("status --json").run();
    let reserved = ports_of(&status);
    let old = [world.kept, world.timed, world.held, world.dead];
    let mut check = Check {
        world,
        case,
        traced,
        fault,
        new: reserved.iter().copied().filter(|port| !old.contains(port)).collect(),
        reserved,
        broken: vec![],
    };
    check.promise(status.code() == Some(0), "status works afterwards");
    check.end();
    check.words();
    check.reservations();
    check.holds();
    check.files();
    check.again();
    check.broken
}

struct Check<'a> {
    world: &'a World,
    case: &'a Case,
    traced: &'a Traced,
    fault: Option<Fault>,
    /// What is reserved now.
    reserved: Vec<u16>,
    /// What of that was not before.
    new: Vec<u16>,
    broken: Vec<String>,
}

impl Check<'_> {
    fn promise(&mut self, is_kept: bool, what: &str) {
        if !is_kept {
            self.broken.push(what.to_owned());
        }
    }

    fn is_ok(&self) -> bool {
        self.traced.outcome.code() == Some(0)
    }

    fn is_killed(&self) -> bool {
        self.fault == Some(Fault::Kill) && self.traced.outcome.code().is_none()
    }

    fn end(&mut self) {
        let (outcome, is_ok) = (&self.traced.outcome, self.is_ok());
        let errors = outcome.stderr.lines().filter(|line| line.starts_with("error")).count();
        self.promise(!self.traced.timed_out, "it ends");
        self.promise(is_ok || self.fault.is_some(), "it does not fail by itself");
        self.promise(outcome.has_no_internals(), "no internals are printed");
        if !self.is_killed() {
            self.promise(matches!(outcome.code(), Some(0..=3)), "it ends with one of its exit codes");
            self.promise(errors == usize::from(!is_ok), "an error is printed when there is one, and only then");
        }
    }

    /// What it says is so.
    fn words(&mut self) {
        let outcome = &self.traced.outcome;
        let is_named = |port: &u16| outcome.stderr.contains(&port.to_string());
        let are_named = self.is_ok() || self.is_killed() || self.new.iter().all(is_named);
        self.promise(are_named, &format!("what stayed reserved is named: {:?}", self.new));
        if NOTHING.iter().any(|words| outcome.stderr.contains(words)) {
            let changed = self.world.changed_in_project();
            self.promise(changed.is_empty() && self.new.is_empty(), &format!("nothing was changed: {changed:?}"));
        }
        if self.is_ok() {
            for port in answered(outcome, self.case) {
                self.promise(self.reserved.contains(&port), &format!("the answered {port} is reserved"));
                self.promise(self.case.does == Does::Find || self.new == [port], "one port is new");
            }
        }
    }

    fn reservations(&mut self) {
        let different: BTreeSet<u16> = self.reserved.iter().copied().collect();
        self.promise(different.len() == self.reserved.len(), "no port is reserved twice");
        for which in [Which::Kept, Which::Timed, Which::Held] {
            let is_there = different.contains(&self.world.port(which));
            if self.case.does == Does::Release(which) {
                self.promise(!self.is_ok() || !is_there, "what is released is gone");
            } else {
                self.promise(is_there, &format!("{which:?} is still reserved"));
            }
        }
    }

    fn holds(&mut self) {
        let holder = &self.world.holder;
        if self.case.does == Does::Release(Which::Held) {
            let is_reserved = self.reserved.contains(&self.world.held);
            let says_so = self.is_killed() || self.traced.outcome.stderr.contains("the holds have ended");
            self.promise(is_reserved || holder.soon_ends(), "no process holds what is released");
            self.promise(!is_reserved || holder.runs() || says_so, "what is reserved is held, or it says so");
        } else {
            let bound = TcpListener::bind(("127.0.0.1", self.world.held));
            self.promise(holder.runs() && bound.is_err(), "the live hold lives");
        }
        let left: Vec<_> = self.traced.survivors.iter().filter_map(|&pid| HolderProcess::with_pid(pid)).collect();
        if self.case.does == Does::Hold && self.is_ok() {
            self.promise(left.len() == 1 && left[0].runs(), "the new holder lives");
        } else if self.is_killed() && !self.new.is_empty() {
            // The holder has its word that it may stay, and the registry knows of it.
        } else {
            self.promise(left.iter().all(HolderProcess::soon_ends), "no process is left behind");
        }
        left.iter().for_each(HolderProcess::kill);
    }

    /// The project's files are whole: the old ones or the new ones.
    fn files(&mut self) {
        if self.case.does != Does::Write {
            let changed = self.world.changed_in_project();
            self.promise(changed.is_empty(), &format!("the project is left alone: {changed:?}"));
            return;
        }
        let env = std::fs::read_to_string(self.world.sandbox.work().join(".env")).unwrap_or_default();
        let port = env.lines().find_map(|line| line.split_once("PORT=")?.1.parse::<u16>().ok());
        let is_new = port.map(|port| self.new.contains(&port));
        self.promise(env.starts_with(ENV), &format!("the user's .env is kept: {env:?}"));
        self.promise(is_new != Some(false), "a port in the file is reserved");
        self.promise(!self.is_ok() || is_new == Some(true), "the port is in the file");
    }

    /// The same command works afterward, and leaves nothing behind that it does not leave by itself.
    fn again(&mut self) {
        let second = self.world.run(self.case).run();
        let is_gone = matches!(self.case.does, Does::Release(_)) && second.code() == Some(1);
        self.promise(second.code() == Some(0) || is_gone, &format!("it works the next time: {second}"));
        if self.case.does == Does::Hold && second.code() == Some(0) {
            HolderProcess::of(&second.json()).kill();
        }
        if self.case.does == Does::Release(Which::Held) {
            self.promise(self.world.holder.soon_ends(), "no process holds what is released then");
        }
        let left: Vec<_> = self.world.changed().into_iter().filter(|path| !self.is_lasting(path)).collect();
        self.promise(left.is_empty(), &format!("nothing is left behind: {left:?}"));
    }

    fn is_lasting(&self, path: &Path) -> bool {
        let is_within = |parent: &Path| parent.ends_with("locks") || parent == self.world.sandbox.holds();
        let name = path.file_name().and_then(OsStr::to_str);
        path.parent().is_some_and(is_within) || name.is_some_and(|name| LASTING.contains(&name))
    }
}

fn ports_of(status: &Outcome) -> Vec<u16> {
    let entries = serde_json::from_str::<Vec<Value>>(&status.stdout).unwrap_or_default();
    entries.iter().filter_map(|entry| u16::try_from(entry["port"].as_u64()?).ok()).collect()
}

/// The ports in the command's answer.
fn answered(outcome: &Outcome, case: &Case) -> Vec<u16> {
    match case.does {
        Does::Collect | Does::Release(_) => vec![],
        Does::Write if case.name == "prepare" => {
            let answer: Value = serde_json::from_str(&outcome.stdout).unwrap_or_default();
            answer["reserved"]["WEB_PORT"].as_u64().and_then(|port| u16::try_from(port).ok()).into_iter().collect()
        }
        _ => outcome.ports(),
    }
}
