//! What port-for promises: its own published tests, and each of its faults, against the command line and the library.

use std::collections::BTreeSet;

use portkeeper::model::{Port, PortRange, PortSpec, Protocol};
use portkeeper::policy::{KernelPorts, available_good_ports, good_port_ranges, why_not};
use portkeeper::{NameOf, PortRegistry, Selection};
use portkeeper_tests::{Ports, Sandbox, StandIn, all_at_once, ipv6_or_skip};

use crate::sandbox;

/// `(name, port)` as `list` prints them.
#[track_caller]
fn bound(sandbox: &Sandbox) -> Vec<(String, u16)> {
    let list = sandbox.portkeeper("list --global").ok().stdout;
    let entry = |line: &str| line.split_once(": ").map(|(name, port)| (name.to_owned(), port.parse().unwrap()));
    list.lines().map(|line| entry(line).unwrap_or_else(|| panic!("{list}"))).collect()
}

#[track_caller]
fn bind(sandbox: &Sandbox, name: &str) -> u16 {
    sandbox.portkeeper(format!("port --global {name}")).ok().port()
}

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

#[test]
fn test_store_and_unbind() {
    let sandbox = sandbox();
    assert_eq!(bound(&sandbox), []);
    let foo = bind(&sandbox, "foo");
    assert_eq!(bound(&sandbox), [("foo".to_owned(), foo)]);
    assert_eq!(bind(&sandbox, "foo"), foo);
    let aar = bind(&sandbox, "aar");
    assert_ne!(aar, foo);
    assert_eq!(bound(&sandbox), [("aar".to_owned(), aar), ("foo".to_owned(), foo)]);
    let _ = sandbox.portkeeper("release --global aar").ok();
    assert_eq!(bound(&sandbox), [("foo".to_owned(), foo)]);
}

#[test]
fn test_rebind_of_anothers_port_is_refused_and_says_whose_it_is() {
    let sandbox = sandbox();
    let foo = bind(&sandbox, "foo");
    sandbox.portkeeper(format!("port --global baz --port {foo}")).refused(1).says("foo");
    assert_eq!(bound(&sandbox).len(), 1);
}

#[test]
fn test_change_port_moves_the_name_where_port_for_refuses() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let foo = bind(&sandbox, "foo");
    let changed = sandbox.portkeeper(format!("port --global foo --port {}", ports.first())).ok();
    changed.says(format!("foo moved from {foo} to {}", ports.first()));
    assert_eq!(bound(&sandbox), [("foo".to_owned(), ports.first())]);
}

#[test]
fn test_bind_unavailable() {
    let sandbox = sandbox();
    let run = sandbox.portkeeper("port --global foo --port 80").without_powers();
    assert_eq!(run.ok().port(), 80);
    assert_eq!(bound(&sandbox), [("foo".to_owned(), 80)]);
    assert_eq!(run.ok().port(), 80);
}

#[test]
fn test_bind_non_auto() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    assert_eq!(sandbox.portkeeper(format!("port --global foo --port {}", ports.first())).ok().port(), ports.first());
}

#[test]
fn test_common_ports_are_not_good() {
    let good = available_good_ports(Protocol::Tcp, &KernelPorts::here());
    for common in [10, 80, 8080, 11211] {
        assert!(!good.contains(&port(common)) && why_not(Protocol::Tcp, port(common), &KernelPorts::here()).is_some());
    }
}

#[test]
fn test_good_port_ranges() {
    let ranges = |pairs: &[(u16, u16)]| -> Vec<PortRange> {
        pairs.iter().map(|&(first, last)| PortRange::new(port(first), port(last)).unwrap()).collect()
    };
    let all = ranges(&[(10, 15), (100, 200), (220, 245), (300, 330), (440, 495)]);
    assert_eq!(good_port_ranges(&all, 20, 3), ranges(&[(103, 197), (443, 492), (303, 327)]));
}

#[test]
fn test_something_works() {
    assert!(available_good_ports(Protocol::Tcp, &KernelPorts::here()).len() > 1_000);
}

#[test]
fn test_binding_makes_a_port_used() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let pick = sandbox.portkeeper(format!("pick {}", ports.first()));
    let listener = sandbox.stand_in("bind", "0.0.0.0", ports.first());
    pick.refused(1);
    listener.kill();
    assert_eq!(pick.ok().port(), ports.first());
}

#[test]
fn test_all_used() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let listeners: Vec<StandIn> = ports.all().iter().map(|&port| sandbox.listener("127.0.0.1", port)).collect();
    sandbox.portkeeper(format!("pick --random {ports}")).refused(1).says("3 in use");
    let registry = PortRegistry::at(sandbox.registry());
    let spec: PortSpec = ports.all().into_iter().map(port).collect();
    assert!(registry.select_random(&spec, &PortSpec::none()).is_err());
    drop(listeners);
}

#[test]
fn test_random_port_is_the_one_that_is_not_used() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let _used = [sandbox.listener("127.0.0.1", ports.at(0)), sandbox.listener("127.0.0.1", ports.at(2))];
    let registry = PortRegistry::at(sandbox.registry());
    let spec: PortSpec = ports.all().into_iter().map(port).collect();
    for _ in 0..100 {
        assert_eq!(registry.select_random(&spec, &PortSpec::none()).unwrap(), port(ports.at(1)));
    }
    assert!(registry.select_random(&spec, &PortSpec::from(port(ports.at(1)))).is_err());
}

#[test]
fn test_get_port_in_all_its_forms() {
    let (sandbox, ports) = (sandbox(), Ports::take(4));
    let registry = PortRegistry::at(sandbox.registry());
    let get = |spec: &PortSpec| registry.get_port(spec).unwrap().get();
    let text = |text: String| get(&text.parse().unwrap());
    assert!(get(&PortSpec::any()) > 1_023 && text("-1".to_owned()) > 1_023);
    assert_eq!(get(&port(ports.first()).into()), ports.first());
    assert_eq!(text(ports.first().to_string()), ports.first());
    assert!(ports.all().contains(&text(ports.to_string())));
    let some: PortSpec = [ports.at(0), ports.at(2)].into_iter().map(port).collect();
    assert!((0..20).all(|_| [ports.at(0), ports.at(2)].contains(&get(&some))));
    let mixed: BTreeSet<u16> =
        (0..200).map(|_| text(format!("{},{}-{}", ports.at(3), ports.at(0), ports.at(1)))).collect();
    assert_eq!(Vec::from_iter(mixed), [ports.at(0), ports.at(1), ports.at(3)]);
    assert!("8000-".parse::<PortSpec>().is_err());
}

#[test]
fn test_the_store_of_the_library() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let registry = PortRegistry::at(sandbox.registry());
    let shop = sandbox.directory("shop");
    let (global, project) = (NameOf::user(), NameOf::project(&shop).unwrap());
    let name = |text: &str| text.parse().unwrap();
    let foo = registry.reserve_name(&name("foo"), &global, &Selection::new()).unwrap();
    assert_eq!(registry.reserve_name(&name("foo"), &global, &Selection::new()).unwrap().port, foo.port);
    assert_eq!(bind(&sandbox, "foo"), foo.port.get(), "the command line has the same");
    let other = registry.reserve_name(&name("foo"), &project, &Selection::new().port(ports.first()).unwrap()).unwrap();
    assert_eq!(other.port.get(), ports.first());
    let names = |of: &NameOf| {
        registry.names(of).unwrap().into_iter().map(|(name, port)| (name, port.get())).collect::<Vec<_>>()
    };
    assert_eq!(names(&global), [("foo".to_owned(), foo.port.get())]);
    assert_eq!(names(&project), [("foo".to_owned(), ports.first())]);
    assert_eq!(registry.release_name(&name("foo"), &project).unwrap().unwrap().port, other.port);
    assert_eq!(registry.release_name(&name("foo"), &project).unwrap(), None);
    assert_eq!(names(&global).len(), 1);
}

#[test]
fn fault_names_in_parallel_are_all_stored() {
    let sandbox = sandbox();
    let ask = |number| sandbox.portkeeper(format!("port --global name-{number} --lock-timeout 2m"));
    let outcomes = all_at_once((0..50).map(ask));
    let ports: BTreeSet<u16> = outcomes.iter().map(|outcome| outcome.expect_code(0).port()).collect();
    assert_eq!((ports.len(), bound(&sandbox).len()), (50, 50));
}

#[test]
fn fault_one_name_in_parallel_is_one_port() {
    let sandbox = sandbox();
    let outcomes = all_at_once((0..50).map(|_| sandbox.portkeeper("port --global foo --lock-timeout 2m")));
    let ports: BTreeSet<u16> = outcomes.iter().map(|outcome| outcome.expect_code(0).port()).collect();
    assert_eq!(ports.len(), 1);
}

#[test]
fn fault_names_are_not_folded_and_signs_are_not_lost() {
    let sandbox = sandbox();
    let names = ["Foo", "foo", "#foo", "a=b"];
    let ports: BTreeSet<u16> = names.iter().map(|name| bind(&sandbox, name)).collect();
    assert_eq!(ports.len(), 4);
    let listed: Vec<String> = bound(&sandbox).into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, ["#foo", "Foo", "a=b", "foo"]);
}

#[test]
fn fault_an_unprivileged_user_can_add_a_name() {
    let sandbox = sandbox();
    assert!(sandbox.portkeeper("port --global foo").without_powers().ok().port() > 1_023);
}

#[test]
fn fault_a_bad_port_is_refused_and_stored_nowhere() {
    let sandbox = sandbox();
    let foo = bind(&sandbox, "foo");
    for bad in ["abc", "70000", "0", "-5"] {
        sandbox.portkeeper(format!("port --global bar --port={bad}")).refused(2).says(bad);
    }
    assert_eq!(bound(&sandbox), [("foo".to_owned(), foo)]);
}

#[test]
fn fault_ipv6_and_udp_count_too() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let _ipv6 = sandbox.listener("::1", ports.at(0));
    let _udp = sandbox.stand_in("udp", "127.0.0.1", ports.at(1));
    assert_eq!(sandbox.portkeeper(format!("port --global web --range {ports}")).ok().port(), ports.at(1));
    let udp = format!("port --global dns --protocol udp --range {}-{}", ports.at(1), ports.at(2));
    assert_eq!(sandbox.portkeeper(udp).ok().port(), ports.at(2));
}

#[test]
fn fault_the_table_of_ports_is_not_from_2017() {
    // What port-for 0.4 takes for unassigned: OpenTelemetry, Matter, Network Time Security.
    for assigned in [4_317, 5_540, 4_460] {
        assert!(why_not(Protocol::Tcp, port(assigned), &KernelPorts::default()).is_some());
    }
}
