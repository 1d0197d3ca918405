use super::super::simulation::{Memory, Simulation, grace, port, range, request};
use super::super::{Granted, collect, reserve};
use super::*;

fn project(path: &str, inode: u64) -> Option<Arc<Project>> {
    let born = (inode != 0).then(|| jiff::Timestamp::from_second(1_700_000_000).unwrap());
    Some(Arc::new(Project { path: path.into(), device: 1, inode, born, parent: (1, 1) }))
}

fn naming(name: &str, project: Option<Arc<Project>>) -> NameRequest {
    let name = name.parse().unwrap();
    NameRequest { name, project, choice: None, host: None, protocols: None, owner: None, hold: None }
}

fn rules() -> NameOptions {
    let host = Host::default();
    NameOptions { host: (host.clone(), host.literal_addresses().unwrap()), moves: false, require_free: false }
}

fn ask(store: &Memory, world: &Simulation, naming: NameRequest, rules: &NameOptions) -> Result<Granted, ReserveError> {
    Ok(reserve_names(store, world, &[naming], rules)?.granted.remove(0))
}

fn port_of(store: &Memory, world: &Simulation, name: &str, project: Option<Arc<Project>>) -> u16 {
    ask(store, world, naming(name, project), &rules()).unwrap().reservation.port.get()
}

#[test]
fn a_name_has_one_port_per_project_and_one_for_the_user() {
    let (store, world) = (Memory::default(), Simulation::new());
    let ports = [project("/a", 0), project("/b", 0), None].map(|project| port_of(&store, &world, "web", project));
    assert_eq!(ports, [20_000, 20_001, 20_002]);
    assert_eq!(port_of(&store, &world, "web", project("/a", 0)), 20_000);
    assert_eq!(port_of(&store, &world, "Web", project("/a", 0)), 20_003, "case matters");
}

#[test]
fn a_name_of_a_config_keeps_its_config_host_and_owner() {
    let (store, world) = (Memory::default(), Simulation::new());
    let addresses = vec!["127.0.0.2".parse().unwrap()];
    let lease = Lease::Named(LeaseName {
        config: Some("pk.config.json".into()),
        ..naming("API", project("/a", 0)).lease_name(None)
    });
    let host: Host = "127.0.0.2".parse().unwrap();
    let wanted =
        Request { host, addresses, owner: Some("shop".into()), ..request(PortSelector::exactly(port(8000)), lease) };
    reserve(&store, &world, &[wanted]).unwrap();
    let before = store.snapshot().unwrap();
    assert_eq!(port_of(&store, &world, "API", project("/a", 0)), 8000);
    assert_eq!(store.snapshot().unwrap(), before);
}

#[test]
fn another_port_moves_the_name_and_a_taken_one_leaves_it() {
    let (store, world) = (Memory::default(), Simulation::new());
    let at = |number| NameRequest { choice: Some(PortSelector::allow_in_use(port(number))), ..naming("web", None) };
    let api = NameRequest { name: "api".parse().unwrap(), ..at(8001) };
    ask(&store, &world, api, &rules()).unwrap();
    assert_eq!(ask(&store, &world, at(8000), &rules()).unwrap().reservation.port, port(8000));
    let error = ask(&store, &world, at(8001), &rules()).unwrap_err().to_string();
    assert!(error.starts_with("port 8001 on 127.0.0.1 is not free: reserved as api"), "{error}");
    assert_eq!(port_of(&store, &world, "web", None), 8000);
    let moved = ask(&store, &world, at(8002), &rules()).unwrap();
    assert_eq!((moved.reservation.port, moved.replaced[0].port), (port(8002), port(8000)));
    assert_eq!(store.ports(), [8001, 8002]);
}

#[test]
fn move_takes_another_port_even_of_the_same_range() {
    let (store, world) = (Memory::default(), Simulation::new());
    let web = || NameRequest { choice: Some(PortSelector::new(None, Some(range(8000, 8001)))), ..naming("web", None) };
    let moves = NameOptions { moves: true, ..rules() };
    assert_eq!(
        ask(&store, &world, web(), &moves).unwrap().reservation.port,
        port(8000),
        "a new name has nowhere to move from"
    );
    assert_eq!(ask(&store, &world, web(), &moves).unwrap().reservation.port, port(8001));
    assert_eq!(ask(&store, &world, web(), &moves).unwrap().reservation.port, port(8000));
    assert_eq!(store.ports().len(), 1);
}

#[test]
fn require_free_refuses_whoever_uses_it_and_changes_nothing() {
    let (store, world) = (Memory::default(), Simulation::new());
    let at = |number| NameRequest { choice: Some(PortSelector::allow_in_use(port(number))), ..naming("web", None) };
    let strict = NameOptions { require_free: true, ..rules() };
    world.set(8000, PortState::Taken);
    assert!(ask(&store, &world, at(8000), &strict).is_err());
    assert!(store.ports().is_empty());
    assert_eq!(ask(&store, &world, at(8000), &rules()).unwrap().reservation.port, port(8000));
    assert!(ask(&store, &world, naming("web", None), &strict).is_err(), "an old name is no exception");
}

#[test]
fn a_provisional_name_that_is_handed_out_lasts() {
    let (store, world) = (Memory::default(), Simulation::new());
    let lease = Lease::Named(LeaseName { provisional: true, ..naming("web", None).lease_name(None) });
    reserve(&store, &world, &[request(PortSelector::exactly(port(8000)), lease)]).unwrap();
    assert_eq!(port_of(&store, &world, "web", None), 8000);
    world.pass(3_600);
    assert!(collect(&store, &world).unwrap().released.is_empty());
}

#[test]
fn all_names_of_a_moved_directory_follow_it() {
    let (store, world) = (Memory::default(), Simulation::new());
    for name in ["web", "api"] {
        port_of(&store, &world, name, project("/old", 7));
    }
    world.gone.borrow_mut().insert("/old".into());
    assert_eq!(port_of(&store, &world, "web", project("/new", 7)), 20_000);
    assert!(collect(&store, &world).unwrap().released.is_empty(), "api is not gone, it has moved as well");
    assert_eq!(port_of(&store, &world, "api", project("/new", 7)), 20_001);
}

#[test]
fn names_are_listed_by_name_and_only_those_of_this_place() {
    let (store, mut world) = (Memory::default(), Simulation::new());
    for name in ["web", "api"] {
        port_of(&store, &world, name, None);
    }
    port_of(&store, &world, "other", project("/a", 0));
    reserve(&store, &world, &[request(PortSelector::exactly(port(8000)), grace(60))]).unwrap();
    let names = |world: &Simulation| {
        let snapshot = store.snapshot().unwrap();
        names_of(&snapshot, world, None).iter().map(|one| one.name().unwrap().name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&world), ["api", "web"]);
    world.place = super::super::simulation::place("b", crate::model::NetworkNamespace::Inode(9), 1);
    assert_eq!(names(&world), [""; 0]);
}
