//! Targets of machines that are made up.

use super::*;
use crate::model::Host;
use crate::scan::ScanError;

fn link(name: &str, interface: u32, address: &str) -> Link {
    let network: IpNet = address.parse().unwrap();
    let own = network.addr();
    let is_loopback = own.is_loopback();
    Link {
        name: name.to_owned(),
        interface,
        own,
        network: network.trunc(),
        has_neighbours: !is_loopback && !name.starts_with("tun"),
        is_loopback,
        is_up: true,
    }
}

fn targets(wanted: &Wanted, links: &[(&str, u32, &str)]) -> Result<Targets, ScanError> {
    let links = links.iter().map(|(name, interface, address)| link(name, *interface, address)).collect();
    wanted.resolve(links, |host: &Host| Ok(vec![host.as_str().parse().expect("an address")]))
}

fn networks(targets: &Targets) -> Vec<String> {
    targets.networks().iter().map(ToString::to_string).collect()
}

const LO: (&str, u32, &str) = ("lo", 1, "127.0.0.1/8");

#[test]
fn a_look_around_leaves_out_loopback_tunnels_and_containers() {
    let links = [LO, ("eth0", 2, "192.0.2.7/24"), ("docker0", 3, "172.17.0.1/16"), ("tun0", 4, "10.8.0.2/24")];
    let targets = targets(&Wanted::default(), &links).unwrap();
    assert_eq!(networks(&targets), ["192.0.2.0/24"]);
    assert_eq!(targets.len(), 254);
    assert_eq!(targets.others().count(), 253, "our own address is not asked over the network");
    assert_eq!(targets.own().map(|own| own.to_string()).collect::<Vec<_>>(), ["192.0.2.7"]);
    assert!(targets.notes()[0].contains("docker0, tun0"), "{:?}", targets.notes());
}

#[test]
fn an_interface_that_is_named_is_taken_in_and_nothing_else() {
    let links = [LO, ("eth0", 2, "192.0.2.7/24"), ("docker0", 3, "172.17.0.1/24")];
    let wanted = Wanted { interfaces: vec!["docker0".to_owned()], ..Wanted::default() };
    let targets = targets(&wanted, &links).unwrap();
    assert_eq!(networks(&targets), ["172.17.0.0/24"]);
    assert!(targets.others().all(|target| target.interface == 3 && target.address.zone == 3 && target.on_link));
}

#[test]
fn a_large_network_is_narrowed_unless_it_is_wanted() {
    let links = [LO, ("eth0", 2, "10.1.2.3/16")];
    let narrowed = targets(&Wanted::default(), &links).unwrap();
    assert_eq!(networks(&narrowed), ["10.1.2.0/24"]);
    assert!(narrowed.notes()[0].contains("--yes"), "{:?}", narrowed.notes());
    let known = |ip: &str| narrowed.known_neighbour(Address::routed(ip.parse().unwrap()));
    assert!(known("10.1.77.7").is_some() && known("10.2.0.1").is_none());

    let all = targets(&Wanted { everything: true, ..Wanted::default() }, &links).unwrap();
    assert_eq!(networks(&all), ["10.1.0.0/16"]);
    assert!(all.notes()[0].contains("65536 addresses"), "{:?}", all.notes());

    let wanted = Wanted { networks: vec!["10.0.0.0/8".parse().unwrap()], ..Wanted::default() };
    assert!(matches!(targets(&wanted, &links), Err(ScanError::TooLarge { .. })));
}

#[test]
fn overlapping_networks_are_asked_once() {
    let links = [LO, ("eth0", 2, "10.0.0.1/23"), ("eth1", 3, "10.0.1.1/24")];
    let targets = targets(&Wanted::default(), &links).unwrap();
    assert_eq!(networks(&targets), ["10.0.0.0/23"]);
    assert_eq!(targets.own().count(), 2);
    assert!(targets.notes()[0].contains("overlap"), "{:?}", targets.notes());
}

#[test]
fn in_ipv6_there_are_low_addresses_and_those_of_cards() {
    let links = [LO, ("eth0", 2, "2001:db8::fd/64"), ("eth0", 2, "fe80::1234/64")];
    let targets = targets(&Wanted::default(), &links).unwrap();
    assert_eq!(networks(&targets), ["2001:db8::/64", "fe80::/64"], "IPv6, since there is nothing else");
    assert_eq!(targets.len(), 255);
    assert_eq!(targets.others().count(), 254);
    let card = Mac([2, 0, 0x5e, 0, 0x53, 1]);
    let of_card: Vec<_> = targets.of_card(card, 2).iter().map(|target| target.address.to_string()).collect();
    assert_eq!(of_card, ["2001:db8::5eff:fe00:5301", "fe80::5eff:fe00:5301%2"]);
    assert_eq!(targets.callers().count(), 2);
}

#[test]
fn a_version_can_be_chosen() {
    let links = [LO, ("eth0", 2, "192.0.2.7/24"), ("eth0", 2, "2001:db8::fd/64")];
    let of = |families: &[Family]| {
        let wanted = Wanted { families: families.to_vec(), ..Wanted::default() };
        networks(&targets(&wanted, &links).unwrap())
    };
    assert_eq!(of(&[]), ["192.0.2.0/24"]);
    assert_eq!(of(&[Family::V6]), ["2001:db8::/64"]);
    assert_eq!(of(&[Family::V4, Family::V6]), ["192.0.2.0/24", "2001:db8::/64"]);
}

#[test]
fn what_is_not_there_is_refused() {
    let alone = targets(&Wanted::default(), &[LO]).unwrap_err();
    assert!(alone.to_string().contains("only the loopback interface"), "{alone}");
    let wanted = Wanted { interfaces: vec!["eth7".to_owned()], ..Wanted::default() };
    let unknown = targets(&wanted, &[LO, ("eth0", 2, "192.0.2.7/24")]).unwrap_err();
    assert!(unknown.to_string().contains("eth0, lo"), "{unknown}");
}

#[test]
fn a_host_may_be_anywhere() {
    let hosts = ["192.0.2.9", "198.51.100.1", "127.0.0.1", "192.0.2.7"];
    let wanted = Wanted { hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(), ..Wanted::default() };
    let targets = targets(&wanted, &[LO, ("eth0", 2, "192.0.2.7/24")]).unwrap();
    let others: Vec<_> = targets.others().map(|target| (target.address.to_string(), target.on_link)).collect();
    assert_eq!(others, [("192.0.2.9".to_owned(), true), ("198.51.100.1".to_owned(), false)]);
    assert_eq!(targets.own().map(|own| own.to_string()).collect::<Vec<_>>(), ["127.0.0.1", "192.0.2.7"]);
}
