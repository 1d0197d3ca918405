//! Programs that hold ports for themselves.

use std::net::{TcpListener, TcpStream};

use portkeeper::model::{Guarantee, HoldKind};
use portkeeper::{PortRegistry, Selection};
use portkeeper_tests::{Ports, listen_when_free};

use crate::sandbox;

fn held(ports: &Ports) -> Selection {
    Selection::new().range(ports.first(), ports.last()).unwrap().hold(HoldKind::Exclusive)
}

#[test]
fn a_guard_holds_until_it_is_dropped() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let registry = PortRegistry::at(sandbox.registry());
    let reserved = registry.reserve(&held(&ports)).unwrap();
    assert_eq!(reserved.held().unwrap().addresses().count(), reserved.reservation().addresses.len());
    assert!(TcpListener::bind(("127.0.0.1", ports.first())).is_err());
    let status = &sandbox.status()[0];
    assert_eq!((&status["guarantee"], &status["holder"]), (&"exclusive".into(), &std::process::id().into()));
    drop(reserved);
    let _ = listen_when_free(([127, 0, 0, 1], ports.first()).into());
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn a_guard_becomes_a_listener_without_a_gap() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let registry = PortRegistry::at(sandbox.registry());
    let listener = registry.reserve(&held(&ports)).unwrap().into_listener().unwrap();
    assert_eq!(listener.local_addr().unwrap(), (std::net::Ipv4Addr::LOCALHOST, ports.first()).into());
    let _client = TcpStream::connect(("127.0.0.1", ports.first())).unwrap();
    listener.accept().unwrap();
    assert_eq!(sandbox.reserved(), [ports.first()], "while it listens it stays reserved");
    drop(listener);
}

#[test]
fn every_address_can_have_its_listener() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let registry = PortRegistry::at(sandbox.registry());
    for selection in [held(&ports), Selection::new().range(ports.first(), ports.last()).unwrap()] {
        let reserved = registry.reserve(&selection).unwrap();
        let (port, addresses) = (reserved.port().get(), reserved.reservation().addresses.clone());
        let listeners = reserved.into_listeners().unwrap();
        assert_eq!(listeners.len(), addresses.len());
        addresses.iter().for_each(|&address| drop(TcpStream::connect((address, port)).unwrap()));
    }
}

#[test]
fn several_guards_hold_one_port_each() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let registry = PortRegistry::at(sandbox.registry());
    let all = registry.reserve_many(&held(&ports), 3).unwrap();
    for reserved in all {
        let held = reserved.held().unwrap();
        assert_eq!((held.port, Guarantee::from(held.kind)), (reserved.port(), Guarantee::Exclusive));
        drop(reserved);
        assert!(registry.reservations().unwrap().len() < 3);
    }
}

#[test]
fn nobody_else_ends_the_hold_of_a_program() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let registry = PortRegistry::at(sandbox.registry());
    let _reserved = registry.reserve(&held(&ports)).unwrap();
    let refusal = sandbox.portkeeper(format!("release {}", ports.first())).exits(1);
    refusal.says(format!("process {} holds port {} itself", std::process::id(), ports.first()));
    assert_eq!(sandbox.reserved(), [ports.first()]);
}
