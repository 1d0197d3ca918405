//! Any network whatever: no port is ever called closed that did not say so, and time and traffic are bounded.

use std::time::Duration;

use proptest::prelude::*;

use super::host::FIRST_TRIES;
use super::pace::Pace;
use super::simulation::{Manner, Simulated, Simulation};
use super::tests::{PORTS, scan_link};
use crate::scan::PortState;

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![Just(Manner::Rst), Just(Manner::Reject), Just(Manner::Drop)]
}

fn any_host() -> impl Strategy<Value = Simulated> {
    let millis = |most: u64| (0..=most).prop_map(Duration::from_millis);
    let limit = proptest::option::of(20..500_u32);
    (manner(), any::<bool>(), millis(400), millis(200), 0.0..0.4_f64, limit, 8000..8051_u16).prop_map(
        |(manner, echo, rtt, jitter, loss, rst_limit, open)| Simulated {
            manner,
            open: [open].into(),
            refused: [].into(),
            echo,
            rtt,
            jitter,
            loss,
            rst_limit,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_network_does_no_port_is_called_closed_without_an_rst(
        hosts in proptest::collection::vec(any_host(), 1..12),
        pace in prop_oneof![Just(Pace::Fast), Just(Pace::Normal), Just(Pace::Thorough)],
        room in 16..200_usize,
        sees_neighbours: bool,
        seed: u64,
    ) {
        let count = hosts.len() as u64;
        let mut simulation = Simulation::new((1..).zip(hosts.clone()), seed);
        (simulation.room, simulation.sees_neighbours) = (room, sees_neighbours);
        let found = scan_link(&mut simulation, 40, pace);
        for ((address, port), state) in &found.ports {
            let host = &simulation.hosts[address];
            let right = match state {
                PortState::Open => host.open.contains(port),
                PortState::Closed => host.manner == Manner::Rst && !host.open.contains(port),
                PortState::Rejected => host.manner == Manner::Reject && !host.open.contains(port),
                _ => true,
            };
            prop_assert!(right, "{address}:{port} {state:?} {host:?}");
        }
        for address in found.hosts.keys() {
            let told = found.ports.keys().filter(|(host, _)| host == address).count();
            prop_assert_eq!(told, PORTS.len());
        }
        // Every attempt at most five times, every host asked and greeted once.
        prop_assert!(found.probes <= 40 * 2 + 40 * 5 * FIRST_TRIES as u64 + count * 5 * PORTS.len() as u64);
        prop_assert!(found.took < Duration::from_secs(600), "{:?}", found.took);
    }
}
