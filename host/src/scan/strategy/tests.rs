//! The strategy on simulated networks.

use super::simulation::{Manner, Outcome, Simulated, Simulation, address, on_link};
use super::*;
use crate::scan::PortState;

pub(super) const PORTS: [u16; 51] = {
    let mut ports = [0; 51];
    let mut index = 0;
    while index < ports.len() {
        ports[index] = 8000 + index as u16;
        index += 1;
    }
    ports
};

pub(super) fn scan_link(simulation: &mut Simulation, addresses: u32, pace: Pace) -> Outcome {
    simulation.scan((1..=addresses).map(on_link).collect(), &PORTS, pace, None)
}

#[test]
fn every_manner_of_host_is_told_apart() {
    let silent = Simulated { open: [].into(), echo: false, ..Simulated::new(Manner::Drop) };
    let hosts = [Simulated::new(Manner::Rst), Simulated::new(Manner::Reject), Simulated::new(Manner::Drop), silent];
    let mut simulation = Simulation::new((1..).zip(hosts), 1);
    let found = scan_link(&mut simulation, 254, Pace::Normal);
    assert_eq!(found.hosts.len(), 4);
    for (number, open, state) in [
        (1, 1, PortState::Closed),
        (2, 1, PortState::Rejected),
        (3, 1, PortState::Filtered),
        (4, 0, PortState::Filtered),
    ] {
        assert_eq!(found.count(number, PortState::Open), open, "{number}");
        assert_eq!(found.count(number, state), PORTS.len() - open, "{number}");
    }
    assert!(found.hosts[&address(4)].contains(UpBy::NEIGHBOUR) && !found.hosts[&address(4)].contains(UpBy::TCP));
}

#[test]
fn nobody_waits_longer_than_for_one_late_answer() {
    for (pace, most) in [(Pace::Fast, 400), (Pace::Normal, 1_300), (Pace::Thorough, 2_400)] {
        let mut simulation = Simulation::new([(7, Simulated::new(Manner::Rst))], 1);
        let found = scan_link(&mut simulation, 254, pace);
        assert!(found.took < Duration::from_millis(most), "{pace:?}: {:?}", found.took);
    }
    // All hosts are there: nothing to wait for.
    let mut simulation = Simulation::new((1..=254).map(|number| (number, Simulated::new(Manner::Rst))), 1);
    let found = scan_link(&mut simulation, 254, Pace::Normal);
    assert_eq!(found.ports.len(), 254 * PORTS.len());
    assert!(found.took < Duration::from_millis(500), "{:?}", found.took);
}

#[test]
fn where_everybody_is_near_nobody_far_away_is_waited_for() {
    let far = |millis| Simulated { rtt: Duration::from_millis(millis), ..Simulated::new(Manner::Rst) };
    for (pace, least, most) in [(Pace::Fast, 180, 300), (Pace::Normal, 1_050, 1_200)] {
        // Half of the addresses are absent, and the last question goes out some milliseconds after the first.
        let mut took = [far(0), far(150)].map(|slowest| {
            let near = (2..=120).map(|number| (number, Simulated::new(Manner::Rst)));
            let mut simulation = Simulation::new(near.chain([(1, slowest)]), 1);
            let found = scan_link(&mut simulation, 254, pace);
            assert_eq!((found.hosts.len(), found.count(1, PortState::Closed)), (120, PORTS.len() - 1), "{pace:?}");
            found.took.as_millis()
        });
        took.iter_mut().for_each(|millis| *millis = millis.saturating_sub(20));
        assert!(took[0] < least && took[1] + 20 >= most && took[1] < most + 600, "{pace:?}: {took:?}");
    }
}

#[test]
fn a_limit_on_rsts_costs_time_and_no_port() {
    let limited = Simulated { rst_limit: Some(250), ..Simulated::new(Manner::Rst) };
    let mut simulation = Simulation::new([(1, limited)], 1);
    let ports: Vec<u16> = (8000..10_000).collect();
    let found = simulation.scan(vec![on_link(1)], &ports, Pace::Normal, None);
    assert_eq!(found.count(1, PortState::Closed), 1_999);
    assert!(found.took < Duration::from_secs(60), "{:?}", found.took);
}

#[test]
fn a_packet_filter_is_not_taken_for_a_limit() {
    // Every fiftieth port is refused, the others are dropped.
    let refused = (1..=5_000).filter(|port| port % 50 == 0).collect();
    let mut simulation = Simulation::new([(1, Simulated { refused, ..Simulated::new(Manner::Drop) })], 1);
    let ports: Vec<u16> = (1..=5_000).collect();
    let found = simulation.scan(vec![on_link(1)], &ports, Pace::Normal, None);
    assert_eq!((found.count(1, PortState::Closed), found.count(1, PortState::Filtered)), (100, 4_900));
    assert!(found.took < Duration::from_secs(60), "{:?}", found.took);
}

#[test]
fn losses_are_made_good() {
    let lossy = Simulated { loss: 0.05, ..Simulated::new(Manner::Rst) };
    let mut simulation = Simulation::new((1..=20).map(|number| (number, lossy.clone())), 3);
    let found = scan_link(&mut simulation, 20, Pace::Thorough);
    let known = found.ports.values().filter(|state| matches!(state, PortState::Open | PortState::Closed)).count();
    assert!(known >= 20 * PORTS.len() - 2, "{known}");
}

#[test]
fn the_neighbour_table_keeps_room_for_others() {
    let mut simulation = Simulation::new([(2_000, Simulated::new(Manner::Rst))], 1);
    let found = scan_link(&mut simulation, 2_046, Pace::Normal);
    assert_eq!(found.hosts.len(), 1);
    assert!(simulation.most_unresolved <= 768, "{}", simulation.most_unresolved);
    assert!(found.took < Duration::from_secs(9), "{:?}", found.took);
}

#[test]
fn silence_is_asked_20000_times_a_second_at_most() {
    let hosts = (1..=254).map(|number| (number, Simulated::new(Manner::Drop)));
    let mut simulation = Simulation::new(hosts, 1);
    let _ = scan_link(&mut simulation, 254, Pace::Normal);
    let ticks: Vec<_> = simulation.sent.iter().collect();
    let most = ticks.windows(50).map(|some| some.iter().map(|(_, count)| **count).sum::<usize>()).max().unwrap();
    // In 50 ms: 1,000, the first burst, and the questions and echoes, of which all are answered.
    assert!(most <= 1_000 + 256 + 254 * 3, "{most}");
}

#[test]
fn a_rate_is_kept() {
    let hosts = (1..=20).map(|number| (number, Simulated::new(Manner::Rst)));
    let mut simulation = Simulation::new(hosts, 1);
    let found = simulation.scan((1..=20).map(on_link).collect(), &PORTS, Pace::Normal, Some(500));
    assert_eq!(found.ports.len(), 20 * PORTS.len());
    let rate = found.probes as f64 / found.took.as_secs_f64();
    assert!(rate <= 510.0, "{rate}");
}

#[test]
fn few_sockets_are_enough() {
    let hosts = (1..=20).map(|number| (number, Simulated::new(Manner::Rst)));
    let mut simulation = Simulation::new(hosts, 1);
    simulation.room = 3;
    let found = scan_link(&mut simulation, 254, Pace::Normal);
    assert_eq!(found.ports.len(), 20 * PORTS.len());
    assert!(simulation.most_attempts <= 3);
}

#[test]
fn without_neighbours_hosts_are_found_by_echo_and_tcp_and_absent_ones_are_left_alone() {
    let quiet = Simulated { echo: false, ..Simulated::new(Manner::Rst) };
    let mut simulation = Simulation::new([(3, Simulated::new(Manner::Drop)), (9, quiet)], 1);
    simulation.sees_neighbours = false;
    let found = scan_link(&mut simulation, 254, Pace::Normal);
    assert_eq!(found.hosts.len(), 2, "{:?}", found.hosts);
    assert_eq!(found.ports.len(), 2 * PORTS.len());
    let absent = 252 * (1 + host::FIRST_TRIES as u64 * 3);
    assert!(found.probes <= absent + 2 * 4 * PORTS.len() as u64, "{}", found.probes);
}

#[test]
fn a_cached_neighbour_is_only_a_claim() {
    let mut simulation = Simulation::new([(1, Simulated::new(Manner::Rst))], 1);
    let ports: Arc<[Port]> = PORTS.iter().filter_map(|&port| Port::new(port)).collect();
    let mut strategy = Strategy::new((1..=2).map(on_link), ports, Pace::Normal, None);
    for number in [1, 2] {
        strategy.hear(Signal::Cached(address(number), None), Duration::ZERO);
    }
    let found = simulation.run(strategy);
    assert!(found.hosts[&address(1)].is_proven());
    assert_eq!(found.hosts[&address(2)], UpBy::CACHED);
    assert_eq!(found.count(2, PortState::Filtered), PORTS.len());
}

#[test]
fn what_was_named_and_does_not_answer_is_told() {
    let mut simulation = Simulation::new([], 1);
    let routed = Target { on_link: false, named: true, ..on_link(5) };
    let near = Target { named: true, ..on_link(6) };
    let found = simulation.scan(vec![routed, near], &PORTS, Pace::Fast, None);
    assert!(found.hosts.is_empty() && found.ports.is_empty());
    assert_eq!(found.unanswered, [address(5), address(6)]);
}

#[test]
fn a_lost_link_ends_the_scan_and_no_port_is_invented() {
    let mut simulation = Simulation::new([], 1);
    let ports: Arc<[Port]> = PORTS.iter().filter_map(|&port| Port::new(port)).collect();
    let mut strategy = Strategy::new((1..=254).map(on_link), ports, Pace::Thorough, None);
    strategy.hear(Signal::Cached(address(1), None), Duration::ZERO);
    assert!(strategy.act(&mut simulation, Duration::ZERO).is_some());
    strategy.hear(Signal::LinkLost(2), Duration::ZERO);
    let found = simulation.run(strategy);
    assert!(found.took < Duration::from_secs(3), "{:?}", found.took);
    assert!(found.ports.values().all(|state| *state == PortState::Filtered));
}
