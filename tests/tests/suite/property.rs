//! Random sequences of what users do, against a model that is simple enough to be right.

use std::collections::BTreeMap;

use portkeeper_tests::{Ports, Sandbox, StandIn};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::sandbox;

/// How many ports the model plays with: few, so that they meet.
const PORTS: u16 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    /// A grace of a minute or a lease of an hour: alive for the whole test.
    Lasting,
    /// A grace that is over immediately: alive while something listens.
    WhileListening,
    /// As long as the process that the model keeps for the port.
    Process,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    ReserveExactly(u16, Lease),
    ReserveAny(Lease),
    Release(u16),
    Listen(u16),
    StopListening(u16),
    EndProcess(u16),
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    let lease = || prop_oneof![Just(Lease::Lasting), Just(Lease::WhileListening), Just(Lease::Process)];
    prop_oneof![
        3 => (0..PORTS, lease()).prop_map(|(port, lease)| Step::ReserveExactly(port, lease)),
        4 => lease().prop_map(Step::ReserveAny),
        3 => (0..PORTS).prop_map(Step::Release),
        2 => (0..PORTS).prop_map(Step::Listen),
        2 => (0..PORTS).prop_map(Step::StopListening),
        2 => (0..PORTS).prop_map(Step::EndProcess),
        2 => Just(Step::Collect),
    ]
}

/// The world as it should be.
struct Model<'a> {
    sandbox: &'a Sandbox,
    ports: &'a Ports,
    reserved: BTreeMap<u16, Lease>,
    listeners: BTreeMap<u16, StandIn>,
    processes: BTreeMap<u16, StandIn>,
}

impl Model<'_> {
    fn is_alive(&self, port: u16) -> bool {
        self.reserved.get(&port).is_some_and(|lease| match lease {
            Lease::Lasting => true,
            Lease::WhileListening => self.listeners.contains_key(&port),
            Lease::Process => self.processes.contains_key(&port),
        })
    }

    fn is_free(&self, port: u16) -> bool {
        !self.is_alive(port) && !self.listeners.contains_key(&port)
    }

    fn alive(&self) -> Vec<u16> {
        (0..PORTS).filter(|&port| self.is_alive(port)).map(|port| self.ports.at(port)).collect()
    }

    /// What is stale may have been collected on the way, or not yet. Then it must not come to life again by a new listener.
    fn forget_what_was_collected(&mut self) {
        let listed = self.sandbox.reserved();
        let gone = |port: &u16| !listed.contains(&self.ports.at(*port)) && !self.is_alive(*port);
        let gone: Vec<u16> = self.reserved.keys().copied().filter(gone).collect();
        self.reserved.retain(|port, _| !gone.contains(port));
    }

    fn take(&mut self, step: Step) {
        self.forget_what_was_collected();
        match step {
            Step::ReserveExactly(port, lease) => {
                let range = format!("--port {}", self.ports.at(port));
                self.reserve(self.is_free(port).then_some(port), port, &range, lease);
            }
            Step::ReserveAny(lease) => {
                let lowest = (0..PORTS).find(|&port| self.is_free(port));
                let range = format!("--range {}", self.ports);
                self.reserve(lowest, lowest.unwrap_or_default(), &range, lease);
            }
            Step::Release(port) => self.release(port),
            Step::Listen(port) if !self.listeners.contains_key(&port) => {
                let listener = self.sandbox.listener("127.0.0.1", self.ports.at(port));
                self.listeners.insert(port, listener);
            }
            Step::Listen(_) => {}
            Step::StopListening(port) => drop(self.listeners.remove(&port)),
            Step::EndProcess(port) => drop(self.processes.remove(&port)),
            Step::Collect => {
                let _ = self.sandbox.portkeeper("gc").ok();
                assert_eq!(self.sandbox.reserved(), self.alive(), "after a collection only what is alive is there");
                let alive = (0..PORTS).filter(|&port| self.is_alive(port)).collect::<Vec<_>>();
                self.reserved.retain(|port, _| alive.contains(port));
            }
        }
        let listed = self.sandbox.reserved();
        assert!(
            self.alive().iter().all(|port| listed.contains(port)),
            "{:?} is alive, {listed:?} listed",
            self.alive()
        );
    }

    /// Reserves, and expects the port, or a refusal.
    fn reserve(&mut self, expected: Option<u16>, wanted: u16, range: &str, lease: Lease) {
        let process = (lease == Lease::Process).then(|| self.sandbox.process());
        let flags = match (&process, lease) {
            (Some(process), _) => format!("--for-pid {}", process.pid()),
            (None, Lease::WhileListening) => "--grace 0s".to_owned(),
            (None, _) if wanted.is_multiple_of(2) => "--ttl 1h".to_owned(),
            (None, _) => String::new(),
        };
        let run = self.sandbox.portkeeper(format!("reserve {range} {flags}"));
        let Some(port) = expected else {
            run.refused(1);
            return;
        };
        assert_eq!(run.ok().port(), self.ports.at(port));
        self.reserved.insert(port, lease);
        self.processes.remove(&port);
        if let Some(process) = process {
            self.processes.insert(port, process);
        }
    }

    fn release(&mut self, port: u16) {
        let outcome = self.sandbox.portkeeper(format!("release {}", self.ports.at(port))).run();
        if self.is_alive(port) {
            outcome.expect_code(0);
        } else if !self.reserved.contains_key(&port) {
            outcome.expect_code(1);
        }
        // What is stale may or may not be there still; either answer is true.
        self.reserved.remove(&port);
        assert!(!self.sandbox.reserved().contains(&self.ports.at(port)), "{outcome}");
    }
}

#[test]
fn whatever_users_do_the_registry_agrees_with_the_model() {
    // A case costs some 40 processes.
    let mut runner =
        TestRunner::new(Config { cases: 12, max_shrink_iters: 60, failure_persistence: None, ..Config::default() });
    let steps = proptest::collection::vec(step(), 1..20);
    let result = runner.run(&steps, |steps| {
        let (sandbox, ports) = (sandbox(), Ports::take(PORTS));
        let mut model = Model {
            sandbox: &sandbox,
            ports: &ports,
            reserved: BTreeMap::new(),
            listeners: BTreeMap::new(),
            processes: BTreeMap::new(),
        };
        steps.into_iter().for_each(|step| model.take(step));
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
