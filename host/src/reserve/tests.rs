//! The rules of choosing, keeping and ending, against a simulated world.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::simulation::{Memory, Simulation, grace, named, place, port, range, request, timed};
use super::*;
use crate::model::{Hold, HoldId, HoldKind, Lease, Moment, NetworkNamespace, Place, ProcessId};
use crate::probe::PortState;
use crate::registry::{RegistryError, Store, Transaction};

fn reserve_one(store: &Memory, world: &Simulation, choice: PortSelector, lease: Lease) -> Result<u16, ReserveError> {
    let outcome = reserve(store, world, &[request(choice, lease)])?;
    Ok(outcome.granted[0].reservation.port.get())
}

fn within(first: u16, last: u16) -> PortSelector {
    PortSelector::new(None, Some(range(first, last)))
}

fn stale_ports(store: &Memory, world: &Simulation) -> Vec<u16> {
    let released = would_collect(&store.snapshot().unwrap(), world).unwrap().released;
    released.iter().map(|released| released.reservation.port.get()).collect()
}

mod choosing {
    use super::*;

    #[test]
    fn a_range_is_taken_in_ascending_order_and_no_port_twice() {
        let (store, world) = (Memory::default(), Simulation::new());
        world.set(8001, PortState::Taken);
        let next = || reserve_one(&store, &world, within(8000, 8002), grace(60));
        assert_eq!(next().unwrap(), 8000);
        assert_eq!(next().unwrap(), 8002);
        let error = next().unwrap_err().to_string();
        assert!(error.contains("8000-8002 on 127.0.0.1: 2 reserved, 1 in use"), "{error}");
    }

    #[test]
    fn the_preferred_port_comes_first_wherever_it_lies() {
        let (store, world) = (Memory::default(), Simulation::new());
        let next = |preferred| {
            reserve_one(&store, &world, PortSelector::new(Some(port(preferred)), Some(range(8000, 8010))), grace(60))
                .unwrap()
        };
        assert_eq!([next(8005), next(8005), next(9999), next(9999)], [8005, 8000, 9999, 8001]);
    }

    #[test]
    fn one_port_or_none() {
        let (store, world) = (Memory::default(), Simulation::new());
        let exactly = |number| reserve_one(&store, &world, PortSelector::exactly(port(number)), grace(60));
        assert_eq!(exactly(8000).unwrap(), 8000);
        assert!(exactly(8000).unwrap_err().to_string().contains("not free: reserved while something listens"));
    }

    #[test]
    fn without_a_range_the_policy_chooses() {
        let (store, world) = (Memory::default(), Simulation::new());
        assert_eq!(reserve_one(&store, &world, PortSelector::new(None, None), grace(60)).unwrap(), 20_000);
    }

    #[test]
    fn a_lingering_port_is_the_last_choice() {
        let (store, world) = (Memory::default(), Simulation::new());
        world.set(8000, PortState::Lingering);
        let next = || reserve_one(&store, &world, within(8000, 8001), grace(60)).unwrap();
        assert_eq!([next(), next()], [8001, 8000]);
    }

    #[test]
    fn what_a_request_would_have_had_is_not_called_reserved() {
        let (store, world) = (Memory::default(), Simulation::new());
        assert_eq!(reserve_one(&store, &world, within(8000, 8000), grace(60)).unwrap(), 8000);
        let error = reserve(&store, &world, &vec![request(within(8000, 8002), grace(60)); 3]).unwrap_err().to_string();
        let words =
            "no further free port among 8000-8002 on 127.0.0.1: 2 for this request itself, 1 reserved, 0 in use";
        assert!(error.starts_with(words), "{error}");
    }

    #[test]
    fn many_ports_of_one_range_are_found_in_one_walk() {
        let (store, world) = (Memory::default(), Simulation::new());
        world.set(8000, PortState::Taken);
        world.set(8001, PortState::Lingering);
        let outcome = reserve(&store, &world, &vec![request(within(8000, 8999), grace(60)); 999]).unwrap();
        let ports: Vec<_> = outcome.granted.iter().map(|granted| granted.reservation.port.get()).collect();
        assert_eq!(ports[..2], [8002, 8003]);
        assert_eq!(ports[998], 8001, "what lingers comes last");
        assert_eq!(world.probes.get(), 1_001, "each port was asked for once, and the last resort before it was taken");
        let error = reserve_one(&store, &world, within(8000, 8999), grace(60)).unwrap_err().to_string();
        assert!(error.contains("999 reserved, 1 in use"), "{error}");
    }

    #[test]
    fn all_or_none() {
        let (store, world) = (Memory::default(), Simulation::new());
        let three = vec![request(within(8000, 8001), grace(60)); 3];
        assert!(reserve(&store, &world, &three).is_err());
        assert!(store.ports().is_empty());
    }

    #[test]
    fn who_can_choose_leaves_the_port_to_who_cannot() {
        let (store, world) = (Memory::default(), Simulation::new());
        let requests = [
            request(within(8000, 8010), grace(60)),
            request(PortSelector::new(Some(port(8001)), Some(range(8000, 8010))), grace(60)),
            request(PortSelector::exactly(port(8000)), grace(60)),
        ];
        let outcome = reserve(&store, &world, &requests).unwrap();
        let ports: Vec<_> = outcome.granted.iter().map(|granted| granted.reservation.port.get()).collect();
        assert_eq!(ports, [8002, 8001, 8000]);
    }

    #[test]
    fn a_rehearsal_changes_nothing() {
        let (store, world) = (Memory::default(), Simulation::new());
        dry_run(&store, &world, &[request(within(8000, 8000), grace(60))]).unwrap();
        assert!(store.ports().is_empty());
    }

    #[test]
    fn another_network_namespace_has_ports_of_its_own() {
        let (store, mut world) = (Memory::default(), Simulation::new());
        reserve_one(&store, &world, within(8000, 8000), grace(60)).unwrap();
        world.place = place("b", NetworkNamespace::Inode(7), 1);
        assert_eq!(reserve_one(&store, &world, within(8000, 8000), grace(60)).unwrap(), 8000);
        world.pass(3600);
        assert_eq!(stale_ports(&store, &world), [8000], "only the own one is judged");
        assert_eq!(release(&store, &world, |_| true).unwrap().released.len(), 1);
        assert_eq!(store.ports(), [8000]);
    }
}

mod networks {
    use super::*;

    /// A name in the network namespace 7, and the world outside of it.
    fn outside() -> (Memory, Simulation) {
        let (store, mut world) = (Memory::default(), Simulation::new());
        world.place = place("b", NetworkNamespace::Inode(7), 1);
        reserve_one(&store, &world, within(8000, 8000), named("WEB", "/a")).unwrap();
        world.place = place("b", NetworkNamespace::Initial, 1);
        (store, world)
    }

    fn collected(store: &Memory, world: &Simulation) -> Vec<Stale> {
        let planned = would_collect(&store.snapshot().unwrap(), world).unwrap().released;
        let done = collect(store, world).unwrap().released;
        assert_eq!(planned, done);
        done.into_iter().map(|released| released.why).collect()
    }

    #[test]
    fn what_was_made_in_a_network_namespace_is_collected_when_that_is_gone() {
        let (store, world) = outside();
        world.pass(1_000_000);
        assert_eq!(collected(&store, &world), []);
        world.gone_networks.borrow_mut().insert(8);
        assert_eq!(collected(&store, &world), [], "another one is gone");
        world.gone_networks.borrow_mut().insert(7);
        assert_eq!(collected(&store, &world), [Stale::NetworkGone]);
        assert!(store.ports().is_empty());
    }

    #[test]
    fn no_network_namespace_but_the_first_outlives_its_boot() {
        let (store, mut world) = outside();
        world.pass(60);
        world.reboot();
        let here = Arc::clone(&world.place);
        for unknown in ["", "another"] {
            world.place = Arc::new(Place { machine: unknown.into(), ..(*here).clone() });
            assert_eq!(collected(&store, &world), [], "it may be of another machine");
        }
        world.place = Arc::new(Place { boot: String::new(), ..(*here).clone() });
        assert_eq!(collected(&store, &world), [], "the boot is hidden");
        world.place = here;
        let now = world.now.get();
        world.now.set(Moment { since_boot: now.since_boot + std::time::Duration::from_secs(60), ..now });
        assert_eq!(collected(&store, &world), [], "a copy of the machine has made it since this boot began");
        world.now.set(now);
        assert_eq!(collected(&store, &world), [Stale::NetworkGone]);
    }

    #[test]
    fn a_holder_that_lives_is_not_of_an_earlier_boot() {
        let (store, mut world) = outside();
        let file = HoldId::new(1);
        let hold = Hold { kind: HoldKind::Exclusive, holder: ProcessId { pid: 5, started: 1 }, file: Some(file) };
        let held = Reservation { hold: Some(hold), ..store.snapshot().unwrap().reservations()[0].clone() };
        let change = |transaction: &mut Transaction| {
            transaction.replace(0, held.clone());
            Ok::<_, RegistryError>(())
        };
        store.transaction(change).unwrap();
        world.keeper.files.borrow_mut().insert(file, vec![held.clone()]);
        world.pass(60);
        world.reboot();
        assert_eq!(collected(&store, &world), []);
        world.keeper.files.borrow_mut().clear();
        assert_eq!(collected(&store, &world), [Stale::NetworkGone]);
    }

    #[test]
    fn what_is_gone_can_be_released_from_elsewhere() {
        let (store, world) = outside();
        assert!(release(&store, &world, |_| true).unwrap().released.is_empty());
        world.gone_networks.borrow_mut().insert(7);
        assert_eq!(release(&store, &world, |_| true).unwrap().released.len(), 1);
    }
}

mod leases {
    use super::*;

    #[test]
    fn a_grace_ends_when_its_time_is_over_and_nothing_listens() {
        let (store, mut world) = (Memory::default(), Simulation::new());
        reserve_one(&store, &world, within(8000, 8000), grace(60)).unwrap();
        world.pass(59);
        assert!(stale_ports(&store, &world).is_empty());
        world.set(8000, PortState::Taken);
        world.pass(600);
        assert!(stale_ports(&store, &world).is_empty());
        world.set_clock(-100_000);
        world.set(8000, PortState::Free);
        assert_eq!(stale_ports(&store, &world), [8000]);
        world.reboot();
        assert_eq!(stale_ports(&store, &world), [8000]);
    }

    #[test]
    fn a_ttl_never_outlives_its_duration_however_the_clock_jumps() {
        let (store, mut world) = (Memory::default(), Simulation::new());
        reserve_one(&store, &world, within(8000, 8000), timed(100)).unwrap();
        world.set(8000, PortState::Taken);
        world.set_clock(1_000_000);
        assert!(stale_ports(&store, &world).is_empty(), "within the boot the wall clock does not count");
        world.set_clock(-2_000_000);
        world.pass(100);
        assert_eq!(stale_ports(&store, &world), [8000]);
        world.set_clock(1_000_000);
        reserve_one(&store, &world, within(8001, 8001), timed(100)).unwrap();
        world.reboot();
        assert!(!stale_ports(&store, &world).contains(&8001));
        world.set_clock(-1);
        assert!(stale_ports(&store, &world).contains(&8001), "a clock before the start says nothing");
    }

    #[test]
    fn a_timed_port_is_renewed_by_its_owner_only() {
        let (store, world) = (Memory::default(), Simulation::new());
        let ask = |owner: Option<&str>| {
            let mut request = request(PortSelector::exactly(port(8000)), timed(100));
            request.owner = owner.map(str::to_owned);
            reserve(&store, &world, &[request]).map(|outcome| outcome.granted[0].existed)
        };
        assert!(!ask(Some("ci")).unwrap());
        world.pass(90);
        assert!(ask(Some("ci")).unwrap());
        world.pass(90);
        assert!(stale_ports(&store, &world).is_empty());
        assert!(ask(Some("other")).is_err());
        assert!(ask(None).is_err());
    }

    #[test]
    fn a_process_lease_ends_with_its_process() {
        let (store, mut world) = (Memory::default(), Simulation::new());
        let process = Lease::Process(ProcessId { pid: 4711, started: 1 });
        reserve_one(&store, &world, within(8000, 8000), process).unwrap();
        world.pass(1_000_000);
        assert!(stale_ports(&store, &world).is_empty());
        world.place = place("b", NetworkNamespace::Initial, 2);
        world.ended.borrow_mut().insert(4711);
        assert!(stale_ports(&store, &world).is_empty(), "a pid of another pid namespace says nothing");
        world.reboot();
        assert_eq!(stale_ports(&store, &world), [8000], "no process outlives its boot");
    }

    #[test]
    fn an_ended_process_makes_room_at_once() {
        let (store, world) = (Memory::default(), Simulation::new());
        let process = Lease::Process(ProcessId { pid: 4711, started: 1 });
        reserve_one(&store, &world, within(8000, 8000), process).unwrap();
        world.ended.borrow_mut().insert(4711);
        assert_eq!(reserve_one(&store, &world, within(8000, 8000), grace(60)).unwrap(), 8000);
        assert_eq!(store.ports(), [8000]);
    }
}

mod names {
    use super::*;

    fn ask(store: &Memory, world: &Simulation, name: &str, project: &str, choice: PortSelector) -> Granted {
        let outcome = reserve(store, world, &[request(choice, named(name, project))]).unwrap();
        confirm(store, world, &outcome.granted).unwrap();
        outcome.granted.into_iter().next().unwrap()
    }

    #[test]
    fn a_name_keeps_its_port_whoever_listens_and_however_long() {
        let (store, mut world) = (Memory::default(), Simulation::new());
        let first = ask(&store, &world, "WEB", "/a", within(8000, 8010));
        world.set(8000, PortState::Taken);
        world.pass(1_000_000);
        let again = ask(&store, &world, "WEB", "/a", within(8000, 8010));
        assert_eq!(first.reservation.port, again.reservation.port);
        assert!(again.existed);
        world.reboot();
        assert!(ask(&store, &world, "WEB", "/a", within(8000, 8010)).existed);
        assert_eq!(ask(&store, &world, "WEB", "/b", within(8000, 8010)).reservation.port.get(), 8001);
    }

    #[test]
    fn a_name_moves_when_its_port_no_longer_fits() {
        let (store, world) = (Memory::default(), Simulation::new());
        ask(&store, &world, "WEB", "/a", within(8000, 8010));
        let moved = ask(&store, &world, "WEB", "/a", within(9000, 9010));
        assert_eq!(moved.replaced[0].port.get(), 8000);
        assert_eq!(store.ports(), [9000]);
    }

    #[test]
    fn a_name_that_was_never_written_ends_like_a_grace() {
        let (store, world) = (Memory::default(), Simulation::new());
        reserve_one(&store, &world, within(8000, 8000), named("WEB", "/a")).unwrap();
        world.pass(GRACE.as_secs());
        assert_eq!(reserve_one(&store, &world, within(8000, 8000), grace(1)).unwrap(), 8000);
    }

    #[test]
    fn an_abandoned_name_leaves_what_it_replaced() {
        let (store, world) = (Memory::default(), Simulation::new());
        ask(&store, &world, "WEB", "/a", within(8000, 8010));
        let requests =
            [request(within(9000, 9010), named("WEB", "/a")), request(within(9000, 9010), named("API", "/a"))];
        let outcome = reserve(&store, &world, &requests).unwrap();
        abandon(&store, &world, &outcome.granted).unwrap();
        assert_eq!(store.ports(), [8000]);
        assert!(ask(&store, &world, "WEB", "/a", within(8000, 8010)).existed);
    }

    #[test]
    fn two_at_once_share_the_name_and_the_failure_of_one_does_not_hurt_the_other() {
        let (store, world) = (Memory::default(), Simulation::new());
        let asked = || reserve(&store, &world, &[request(within(8000, 8010), named("WEB", "/a"))]).unwrap().granted;
        let (first, second) = (asked(), asked());
        assert_eq!(first[0].reservation.port, second[0].reservation.port);
        abandon(&store, &world, &first).unwrap();
        confirm(&store, &world, &second).unwrap();
        assert_eq!(store.ports(), [8000]);
        let (third, fourth) = (asked(), asked());
        confirm(&store, &world, &fourth).unwrap();
        abandon(&store, &world, &third).unwrap();
        assert_eq!(store.ports(), [8000]);
    }

    #[test]
    fn a_key_that_left_the_config_leaves_the_registry() {
        let (store, world) = (Memory::default(), Simulation::new());
        ask(&store, &world, "OLD", "/a", within(8000, 8010));
        ask(&store, &world, "OTHER", "/b", within(8000, 8010));
        let outcome = reserve(&store, &world, &[request(within(8000, 8010), named("NEW", "/a"))]).unwrap();
        let released = confirm(&store, &world, &outcome.granted).unwrap();
        assert_eq!(released.len(), 1);
        assert_eq!(store.ports(), [8001, 8002]);
    }

    #[test]
    fn a_name_ends_with_its_project() {
        let (store, world) = (Memory::default(), Simulation::new());
        ask(&store, &world, "WEB", "/a", within(8000, 8000));
        world.gone.borrow_mut().insert("/a".into());
        assert_eq!(stale_ports(&store, &world), [8000]);
        assert_eq!(reserve_one(&store, &world, within(8000, 8000), grace(60)).unwrap(), 8000);
        assert_eq!(store.ports(), [8000]);
    }
}

/// What may happen.
#[derive(Debug, Clone)]
enum Step {
    Reserve { first: u16, count: usize, seconds: u64, timed: bool },
    Release(u16),
    Pass(u64),
    Listen(u16),
    Close(u16),
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    let port = || 8000..8008_u16;
    prop_oneof![
        4 => (port(), 1..4_usize, 0..50_u64, any::<bool>())
            .prop_map(|(first, count, seconds, timed)| Step::Reserve { first, count, seconds, timed }),
        1 => port().prop_map(Step::Release),
        2 => (0..30_u64).prop_map(Step::Pass),
        1 => port().prop_map(Step::Listen),
        1 => port().prop_map(Step::Close),
        1 => Just(Step::Collect),
    ]
}

proptest! {
    /// Against a model that is a map from port to the end of its lease.
    #[test]
    fn no_port_is_given_twice_and_none_is_lost(steps in prop::collection::vec(step(), 1..60)) {
        let (store, world) = (Memory::default(), Simulation::new());
        let mut model: HashMap<u16, (u64, bool)> = HashMap::new();
        let mut listening = [false; 8];
        let mut clock = 0;
        for step in steps {
            let lives = |port: u16, &(end, timed): &(u64, bool), listening: &[bool; 8]| {
                clock < end || (!timed && listening[usize::from(port - 8000)])
            };
            match step {
                Step::Reserve { first, count, seconds, timed: is_timed } => {
                    let lease = if is_timed { timed(seconds) } else { grace(seconds) };
                    let asked = vec![request(within(first, 8007), lease); count];
                    let free: Vec<_> = (first..8008)
                        .filter(|port| !listening[usize::from(port - 8000)])
                        .filter(|port| !model.get(port).is_some_and(|entry| lives(*port, entry, &listening)))
                        .take(count)
                        .collect();
                    match reserve(&store, &world, &asked) {
                        Ok(outcome) => {
                            let ports: Vec<_> = outcome.granted.iter().map(|g| g.reservation.port.get()).collect();
                            prop_assert_eq!(&ports, &free);
                            model.retain(|port, entry| lives(*port, entry, &listening));
                            model.extend(ports.into_iter().map(|port| (port, (clock + seconds, is_timed))));
                        }
                        Err(_) => prop_assert!(free.len() < count),
                    }
                }
                Step::Release(wanted) => {
                    let released = release(&store, &world, |reservation| reservation.port == port(wanted)).unwrap().released;
                    if model.remove(&wanted).is_some() { prop_assert!(!released.is_empty()); }
                }
                Step::Pass(seconds) => {
                    world.pass(seconds);
                    clock += seconds;
                    continue;
                }
                Step::Listen(wanted) => {
                    world.set(wanted, PortState::Taken);
                    listening[usize::from(wanted - 8000)] = true;
                }
                Step::Close(wanted) => {
                    world.set(wanted, PortState::Free);
                    listening[usize::from(wanted - 8000)] = false;
                }
                Step::Collect => {
                    collect(&store, &world).unwrap();
                    model.retain(|port, entry| lives(*port, entry, &listening));
                    let mut expected: Vec<_> = model.keys().copied().collect();
                    let mut found = store.ports();
                    expected.sort_unstable();
                    found.sort_unstable();
                    found.dedup();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
