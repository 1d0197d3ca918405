//! The rules of holding, against simulated holders.

use super::simulation::{Memory, Simulation, named, port, range, request};
use super::*;
use crate::model::{HoldId, HoldKind, Lease};
use crate::probe::PortState;
use crate::registry::Store;

fn held(choice: PortSelector, lease: Lease, kind: HoldKind) -> Request {
    Request { hold: Some(kind), ..request(choice, lease) }
}

fn exactly(number: u16, kind: HoldKind) -> Request {
    held(PortSelector::exactly(port(number)), Lease::Held, kind)
}

fn name(name: &str, kind: HoldKind) -> Request {
    held(PortSelector::new(None, Some(range(8000, 8010))), named(name, "/srv/shop"), kind)
}

fn one(store: &Memory, world: &Simulation, request: &Request) -> Granted {
    reserve(store, world, std::slice::from_ref(request)).unwrap().granted.remove(0)
}

fn files(world: &Simulation) -> usize {
    world.keeper.files.borrow().len()
}

#[test]
fn one_holder_for_all_that_is_asked_for_at_once() {
    let (store, world) = (Memory::default(), Simulation::new());
    let requests = [exactly(8000, HoldKind::Exclusive), exactly(8001, HoldKind::Soft), exactly(8002, HoldKind::Gated)];
    let granted = reserve(&store, &world, &requests).unwrap().granted;
    let files: std::collections::HashSet<_> =
        granted.iter().map(|granted| granted.reservation.hold.unwrap().file).collect();
    assert_eq!(files.len(), 1);
    assert!(granted.iter().all(|granted| granted.held && granted.newly_held && !granted.hold_failed));
    let known = store.snapshot().unwrap();
    assert!(known.reservations().iter().zip(&granted).all(|(known, granted)| *known == granted.reservation));
}

#[test]
fn a_lingering_port_is_held_when_there_is_no_other() {
    let (store, world) = (Memory::default(), Simulation::new());
    world.set(8000, PortState::Lingering);
    let ask = || held(PortSelector::new(None, Some(range(8000, 8001))), Lease::Held, HoldKind::Exclusive);
    assert_eq!(one(&store, &world, &ask()).reservation.port, port(8001));
    assert_eq!(one(&store, &world, &ask()).reservation.port, port(8000));
}

#[test]
fn a_hold_ends_when_its_holder_does_and_a_name_stays() {
    let (store, world) = (Memory::default(), Simulation::new());
    one(&store, &world, &exactly(9000, HoldKind::Exclusive));
    let web = one(&store, &world, &name("WEB", HoldKind::Exclusive));
    world.keeper.files.borrow_mut().clear();
    let released = collect(&store, &world).unwrap().released;
    assert_eq!(released.len(), 1);
    assert!(released[0].why.to_string().contains("its holder, process 1000, has ended"), "{}", released[0].why);
    assert_eq!(store.ports(), [8000]);

    let again = one(&store, &world, &name("WEB", HoldKind::Exclusive));
    assert!(again.existed && again.newly_held);
    assert_ne!(again.reservation.hold, web.reservation.hold);
}

#[test]
fn what_is_held_as_it_should_be_is_left_alone() {
    let (store, world) = (Memory::default(), Simulation::new());
    let first = one(&store, &world, &name("WEB", HoldKind::Gated));
    let second = one(&store, &world, &name("WEB", HoldKind::Gated));
    assert_eq!(first.reservation.hold, second.reservation.hold);
    assert!(second.held && !second.newly_held);
    assert_eq!(world.keeper.begun.get(), 1);
    // A request that asks for no hold does not end one.
    let plain = one(&store, &world, &Request { hold: None, ..name("WEB", HoldKind::Gated) });
    assert_eq!((plain.reservation.hold, plain.held), (first.reservation.hold, true));
}

#[test]
fn what_somebody_uses_keeps_its_name_and_is_not_held() {
    let (store, world) = (Memory::default(), Simulation::new());
    one(&store, &world, &Request { hold: None, ..name("WEB", HoldKind::Gated) });
    world.set(8000, PortState::Taken);
    let granted = one(&store, &world, &name("WEB", HoldKind::Exclusive));
    assert!(granted.hold_failed && !granted.held && granted.reservation.hold.is_none());
}

#[test]
fn a_holder_that_gives_up_leaves_no_reservation() {
    let (store, world) = (Memory::default(), Simulation::new());
    one(&store, &world, &Request { hold: None, ..name("WEB", HoldKind::Gated) });
    world.keeper.broken.set(true);
    let both = [name("WEB", HoldKind::Gated), exactly(9000, HoldKind::Gated)];
    let error = reserve(&store, &world, &both).unwrap_err().to_string();
    assert!(error.contains("it is broken"), "{error}");
    assert_eq!(store.ports(), [8000], "the name was there before");
    assert_eq!(store.snapshot().unwrap().reservations()[0].hold, None);
    assert_eq!(files(&world), 0);
}

#[test]
fn a_holder_that_gives_up_leaves_a_moved_name_where_it_was() {
    let (store, world) = (Memory::default(), Simulation::new());
    one(&store, &world, &Request { hold: None, ..name("WEB", HoldKind::Gated) });
    world.keeper.broken.set(true);
    let elsewhere = Request { choice: PortSelector::exactly(port(8001)), ..name("WEB", HoldKind::Gated) };
    let _ = reserve(&store, &world, &[elsewhere]).unwrap_err();
    assert_eq!(store.ports(), [8000]);
}

#[test]
fn a_release_ends_holds_and_leaves_the_others() {
    let (store, world) = (Memory::default(), Simulation::new());
    reserve(&store, &world, &[exactly(8000, HoldKind::Gated), exactly(8001, HoldKind::Gated)]).unwrap();
    let release = |number| release(&store, &world, |reservation| reservation.port == port(number)).unwrap();
    assert_eq!(release(8000).released.len(), 1);
    assert_eq!((store.ports(), files(&world)), (vec![8001], 1));
    assert_eq!(release(8001).released.len(), 1);
    assert_eq!((store.ports(), files(&world)), (vec![], 0));
}

#[test]
fn what_a_program_holds_for_itself_is_not_released() {
    let (store, world) = (Memory::default(), Simulation::new());
    one(&store, &world, &exactly(8000, HoldKind::Gated));
    store
        .transaction(|transaction| {
            let mut reservation = transaction.reservations()[0].clone();
            reservation.hold.as_mut().unwrap().file = None;
            transaction.replace(0, reservation);
            Ok::<_, RegistryError>(())
        })
        .unwrap();
    let outcome = release(&store, &world, |_| true).unwrap();
    assert!(outcome.released.is_empty());
    assert!(outcome.refused[0].to_string().contains("process 1000 holds port 8000 itself"), "{}", outcome.refused[0]);
    world.ended.borrow_mut().insert(1000);
    assert_eq!(release(&store, &world, |_| true).unwrap().released.len(), 1);
}

#[test]
fn a_lost_registry_is_put_together_again() {
    let world = Simulation::new();
    let whole = Memory::default();
    one(&whole, &world, &exactly(9000, HoldKind::Exclusive));
    one(&whole, &world, &name("WEB", HoldKind::Soft));

    let lost = Memory::default();
    let outcome = reserve(&lost, &world, &[request(PortSelector::exactly(port(9001)), Lease::Held)]).unwrap();
    assert!(outcome.notices[0].to_string().contains("2 reservations"), "{}", outcome.notices[0]);
    let mut ports = lost.ports();
    ports.sort_unstable();
    assert_eq!(ports, [8000, 9000, 9001]);
}

#[test]
fn a_hold_that_the_former_state_does_not_know_is_given_back_to_its_name() {
    let (store, world) = (Memory::default(), Simulation::new());
    one(&store, &world, &Request { hold: None, ..name("WEB", HoldKind::Gated) });
    let former = store.snapshot().unwrap();
    let held = one(&store, &world, &name("WEB", HoldKind::Gated));
    let mut transaction = crate::registry::Transaction::dry_run(former);
    assert_eq!(recover(&mut transaction, &world).unwrap().reservations, 1);
    assert_eq!(transaction.reservations()[0].hold, held.reservation.hold);
    assert_eq!(recover(&mut transaction, &world).unwrap().reservations, 0);
}

#[test]
fn a_held_port_whose_name_has_moved_is_its_holders() {
    let (store, world) = (Memory::default(), Simulation::new());
    one(&store, &world, &name("WEB", HoldKind::Gated));
    let other = Memory::default();
    world.set(8000, PortState::Taken);
    let elsewhere =
        Request { hold: None, ..held(PortSelector::exactly(port(9000)), named("WEB", "/srv/shop"), HoldKind::Gated) };
    let files = world.keeper.files.take();
    one(&other, &world, &elsewhere);
    world.keeper.files.replace(files);
    let mut transaction = crate::registry::Transaction::dry_run(other.snapshot().unwrap());
    assert_eq!(recover(&mut transaction, &world).unwrap().reservations, 1);
    assert_eq!(transaction.reservations()[1].lease, Lease::Held);
}

#[test]
fn a_boot_ends_every_hold() {
    let (store, mut world) = (Memory::default(), Simulation::new());
    one(&store, &world, &exactly(9000, HoldKind::Exclusive));
    let id = HoldId::new(1);
    assert!(world.keeper.files.borrow().contains_key(&id));
    world.reboot();
    assert_eq!(would_collect(&store.snapshot().unwrap(), &world).unwrap().released.len(), 1);
}
