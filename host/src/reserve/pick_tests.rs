use std::collections::BTreeSet;

use super::super::simulation::{Memory, Simulation, grace, port, request};
use super::super::{PortSelector, reserve};
use super::*;
use crate::model::Host;
use crate::registry::Store;

/// Picks from the specification, in a world where 8001 is taken, 8002 lingers and 8003 is reserved.
fn picked(among: &str, count: usize, random: bool, except: &str) -> Result<Vec<u16>, PickError> {
    let (store, world) = (Memory::default(), Simulation::new());
    world.set(8001, PortState::Taken);
    world.set(8002, PortState::Lingering);
    reserve(&store, &world, &[request(PortSelector::exactly(port(8003)), grace(60))]).unwrap();
    let except = if except.is_empty() { PortSpec::none() } else { except.parse().unwrap() };
    let among = among.parse().unwrap();
    let addresses = Host::default().literal_addresses().unwrap();
    let wish = Pick {
        count,
        among: &among,
        except: &except,
        random,
        protocols: Protocols::Tcp,
        addresses: &addresses,
        everywhere: false,
    };
    let ports = pick(&store.snapshot().unwrap(), &world, &wish)?;
    assert_eq!(store.ports(), [8003], "nothing is reserved");
    Ok(ports.into_iter().map(Port::get).collect())
}

#[test]
fn ports_come_in_the_order_in_which_they_are_written() {
    assert_eq!(picked("8000-8009", 3, false, "").unwrap(), [8000, 8004, 8005]);
    assert_eq!(picked("8009,8000-8005", 2, false, "").unwrap(), [8009, 8000]);
    assert_eq!(picked("-1", 2, false, "").unwrap(), [20_000, 20_001]);
}

#[test]
fn what_lingers_comes_last_and_what_is_excluded_never() {
    assert_eq!(picked("8000-8004", 3, false, "").unwrap(), [8000, 8004, 8002]);
    assert_eq!(picked("8000-8009", 2, false, "8000,8004-8006").unwrap(), [8007, 8008]);
}

#[test]
fn a_random_pick_reaches_all_that_are_free_and_only_those() {
    let seen: BTreeSet<u16> = (0..200).map(|_| picked("8000-8005", 1, true, "8005").unwrap()[0]).collect();
    assert_eq!(seen, BTreeSet::from([8000, 8004]));
}

#[test]
fn too_few_is_an_error_with_the_numbers() {
    let error = picked("8000-8004", 4, false, "").unwrap_err().to_string();
    assert_eq!(error, "4 ports were asked for, and 3 of 8000-8004 are free: 1 reserved, 1 in use");
    assert!(picked("8003", 1, false, "").unwrap_err().to_string().starts_with("port 8003 is not free: reserved"));
    assert!(picked("8001", 1, false, "").unwrap_err().to_string().starts_with("port 8001 is not free: "));
    assert!(matches!(picked("8000", 1, false, "8000"), Err(PickError::TooFew { found: 0, .. })));
}
