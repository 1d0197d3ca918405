//! Ports for two protocols, against a simulated world.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::simulation::{Memory, Simulation, grace, named, port, range, request};
use super::*;
use crate::model::{Lease, Port, Protocol, Protocols};
use crate::probe::PortState;
use crate::registry::Store;

fn both(choice: PortSelector, lease: Lease) -> Request {
    Request { protocols: Protocols::Both, ..request(choice, lease) }
}

fn within(first: u16, last: u16) -> PortSelector {
    PortSelector::new(None, Some(range(first, last)))
}

#[test]
fn twins_follow_all_that_were_asked_for() {
    let (store, world) = (Memory::default(), Simulation::new());
    world.taken_for_udp.borrow_mut().insert(8001);
    let requests = vec![both(within(8000, 8009), grace(60)); 2];
    let granted = reserve(&store, &world, &requests).unwrap().granted;
    let view = |granted: &Granted| (granted.reservation.port.get(), granted.reservation.protocol);
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    assert_eq!(granted.iter().map(view).collect::<Vec<_>>(), [(8000, tcp), (8002, tcp), (8000, udp), (8002, udp)]);
    let twins: Vec<_> =
        with_twins(&granted).map(|(first, twin)| (first.reservation.port, twin.unwrap().reservation.port)).collect();
    assert_eq!(twins, [(port(8000), port(8000)), (port(8002), port(8002))]);
    assert_eq!(ports(&granted), [port(8000), port(8002)]);
}

#[test]
fn what_is_refused_says_for_which_protocol() {
    let (store, world) = (Memory::default(), Simulation::new());
    world.taken_for_udp.borrow_mut().insert(8000);
    let error = reserve(&store, &world, &[both(PortSelector::exactly(port(8000)), grace(60))]).unwrap_err();
    assert!(error.to_string().contains("port 8000 on 127.0.0.1 is not free for udp: "), "{error}");
    let error = reserve(&store, &world, &[both(within(8000, 8000), grace(60))]).unwrap_err().to_string();
    assert!(error.contains("no free port for both tcp and udp among 8000"), "{error}");
    assert!(store.ports().is_empty());
}

#[test]
fn a_port_that_one_request_prefers_is_left_to_it_with_both_protocols() {
    let (store, world) = (Memory::default(), Simulation::new());
    let udp = Request {
        protocols: Protocols::Udp,
        ..request(PortSelector::new(Some(port(8000)), Some(range(8000, 8009))), grace(60))
    };
    let granted = reserve(&store, &world, &[both(within(8000, 8009), grace(60)), udp]).unwrap().granted;
    assert_eq!(granted.iter().map(|one| one.reservation.port.get()).collect::<Vec<_>>(), [8001, 8000, 8001]);
}

#[test]
fn a_hold_that_fails_leaves_neither_protocol() {
    let (store, world) = (Memory::default(), Simulation::new());
    world.keeper.broken.set(true);
    let hold = Some(crate::model::HoldKind::Gated);
    let held = Request { hold, ..both(within(8000, 8000), named("dns", "/srv/dns")) };
    assert!(reserve(&store, &world, &[held]).is_err());
    assert!(store.ports().is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Ask { name: usize, protocols: Protocols, range: (u16, u16) },
    Plain { protocols: Protocols },
    Release { name: usize },
    Udp { port: u16, taken: bool },
}

const NAMES: [&str; 3] = ["dns", "game", "web"];

fn protocols() -> impl Strategy<Value = Protocols> {
    prop_oneof![Just(Protocols::Tcp), Just(Protocols::Udp), Just(Protocols::Both)]
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    prop_oneof![
        4 => (name(), protocols(), (8000_u16..8004, 8004_u16..8006))
            .prop_map(|(name, protocols, range)| Step::Ask { name, protocols, range }),
        1 => protocols().prop_map(|protocols| Step::Plain { protocols }),
        1 => name().prop_map(|name| Step::Release { name }),
        1 => (8000_u16..8006, any::<bool>()).prop_map(|(port, taken)| Step::Udp { port, taken }),
    ]
}

/// What the registry has of each name: its ports and protocols.
fn names(store: &Memory) -> BTreeMap<String, Vec<(Port, Protocol)>> {
    let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for reservation in store.snapshot().unwrap().reservations() {
        let name = reservation.name().map_or_else(String::new, |name| name.name.clone());
        names.entry(name).or_default().push((reservation.port, reservation.protocol));
    }
    names.values_mut().for_each(|all| all.sort());
    names
}

proptest! {
    /// Whatever is asked for in whatever order: a name has one number, for the very protocols that were asked for last; no port is given
    /// twice; what was refused has changed nothing; and asking again changes nothing.
    #[test]
    fn a_name_has_one_number_for_the_protocols_that_were_asked_for(steps in prop::collection::vec(step(), 1..24)) {
        let (store, world) = (Memory::default(), Simulation::new());
        for step in steps {
            let before = names(&store);
            match step {
                Step::Ask { name, protocols, range: (first, last) } => {
                    let lease = named(NAMES[name], "/srv/shop");
                    let wanted = Request { protocols, ..request(within(first, last), lease) };
                    match reserve(&store, &world, std::slice::from_ref(&wanted)) {
                        Ok(_) => {
                            let after = names(&store);
                            let has = &after[NAMES[name]];
                            let numbers: BTreeSet<_> = has.iter().map(|(port, _)| *port).collect();
                            prop_assert_eq!(numbers.len(), 1, "{:?}", after);
                            prop_assert_eq!(
                                has.iter().map(|(_, protocol)| *protocol).collect::<Vec<_>>(), protocols.as_slice()
                            );
                            let again = reserve(&store, &world, &[wanted]).unwrap();
                            prop_assert!(again.granted.iter().all(|granted| granted.existed));
                            prop_assert_eq!(names(&store), after);
                        }
                        Err(_) => prop_assert_eq!(names(&store), before),
                    }
                }
                Step::Plain { protocols } => {
                    let wanted = Request { protocols, ..request(within(8000, 8005), grace(60)) };
                    if let Ok(outcome) = reserve(&store, &world, &[wanted]) {
                        prop_assert_eq!(outcome.granted.len(), protocols.as_slice().len());
                    }
                }
                Step::Release { name } => {
                    let is_it = |one: &crate::model::Reservation| one.name().is_some_and(|had| had.name == NAMES[name]);
                    release(&store, &world, is_it).unwrap();
                    prop_assert!(!names(&store).contains_key(NAMES[name]));
                }
                Step::Udp { port, taken } => {
                    let mut ports = world.taken_for_udp.borrow_mut();
                    if taken { ports.insert(port) } else { ports.remove(&port) };
                }
            }
            let all = store.snapshot().unwrap();
            let all = all.reservations();
            let overlap = all.iter().enumerate().any(|(at, one)| all[..at].iter().any(|other| other.overlaps(one)));
            prop_assert!(!overlap, "{:?}", names(&store));
        }
    }
}

#[test]
fn a_name_keeps_its_number_for_a_protocol_more_or_less_if_it_can() {
    let (store, world) = (Memory::default(), Simulation::new());
    let ask = |protocols| {
        let wanted = Request { protocols, ..request(within(8000, 8009), named("dns", "/srv/dns")) };
        let granted = reserve(&store, &world, &[wanted]).unwrap().granted;
        (granted[0].reservation.port.get(), granted[0].narrowed_from(), granted[0].moved_from())
    };
    assert_eq!(ask(Protocols::Udp), (8000, None, None));
    assert_eq!(ask(Protocols::Both), (8000, None, None));
    assert_eq!(ask(Protocols::Tcp), (8000, Some(Protocol::Udp), None));
    world.taken_for_udp.borrow_mut().insert(8000);
    assert_eq!(ask(Protocols::Both), (8001, None, Some(port(8000))));
    world.set(8001, PortState::Taken);
    assert_eq!(ask(Protocols::Both), (8001, None, None), "the server that it is for may be there");
}
