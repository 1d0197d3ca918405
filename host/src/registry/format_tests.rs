//! Whatever stands in the file, reading it is safe; whatever is reserved, reading gives back what was written.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::source::Source;
use super::super::{Snapshot, Transaction};
use super::{Decoded, VERSION, decode};
use crate::model::{
    Caller, Hold, HoldId, HoldKind, Host, Lease, LeaseName, NetworkNamespace, Place, Port, ProcessId, Project,
    Protocol, Reservation, ReservationId,
};

/// Whole numbers that JSON keeps exactly where serde reads them as a double: lengths of leases.
const EXACT: u64 = 1 << 53;
/// Twelve days: up to here a double is exact to the nanosecond, and serde_json's last digit is nowhere near.
const EXACT_TO_THE_NANOSECOND: u64 = 1 << 20;

/// A file that is written from nothing.
pub(super) fn encode(reservations: &[Reservation]) -> Vec<u8> {
    super::encode(reservations, None).concat()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        any::<String>(),
        Just("\u{0}\u{7f}\u{2028}\u{feff}\"\\\n".to_owned()),
        Just(String::new())
    ]
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let seconds = Timestamp::MIN.as_second() + 1..=Timestamp::MAX.as_second() - 1;
    (seconds, 0..1_000_000_000_i32).prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
}

fn length() -> impl Strategy<Value = Duration> {
    let fine = (0..EXACT_TO_THE_NANOSECOND, 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos));
    prop_oneof![(0..=EXACT).prop_map(Duration::from_secs), fine]
}

fn host() -> impl Strategy<Value = Host> {
    let address = any::<IpAddr>().prop_map(Host::from);
    let usual =
        prop_oneof!["127\\.0\\.0\\.1", "localhost", "0\\.0\\.0\\.0", "::1"].prop_map(|host| host.parse().unwrap());
    prop_oneof![usual, address, "[a-z][a-z0-9-]{0,20}(\\.[a-z]{1,9}){0,3}".prop_map(|name| name.parse().unwrap())]
}

prop_compose! {
    fn place()(
        machine in text(), boot in text(), inode in option::of(any::<u64>()), processes in any::<u64>(), time in option::of(any::<u64>()),
    ) -> Place {
        let network = inode.map_or(NetworkNamespace::Initial, NetworkNamespace::Inode);
        Place { machine, boot, network, processes, time }
    }
}

prop_compose! {
    fn project()(
        path in text(), device in any::<u64>(), inode in any::<u64>(), born in option::of(timestamp()), parent in any::<(u64, u64)>(),
    ) -> Project {
        Project { path: PathBuf::from(path), device, inode, born, parent }
    }
}

fn lease(projects: Vec<Arc<Project>>) -> impl Strategy<Value = Lease> {
    let process = any::<(u32, u64)>().prop_map(|(pid, started)| Lease::Process(ProcessId { pid, started }));
    let named = (text(), option::of(any::<Index>()), option::of(text()), any::<bool>());
    prop_oneof![
        process,
        length().prop_map(|length| Lease::Grace { length }),
        length().prop_map(|length| Lease::Timed { length }),
        named.prop_map(move |(name, project, config, provisional)| {
            let project = project.map(|index| Arc::clone(index.get(&projects)));
            Lease::Named(LeaseName { name, project, config, provisional })
        }),
    ]
}

prop_compose! {
    fn hold()(
        kind in prop_oneof![Just(HoldKind::Exclusive), Just(HoldKind::Gated), Just(HoldKind::Soft)],
        (pid, started) in any::<(u32, u64)>(),
        file in option::of(any::<u64>().prop_map(HoldId::new)),
    ) -> Hold {
        Hold { kind, holder: ProcessId { pid, started }, file }
    }
}

prop_compose! {
    fn reservation(places: Vec<Arc<Place>>, projects: Vec<Arc<Project>>)(
        id in any::<u64>().prop_map(ReservationId::new),
        host in host(),
        port in (1..=u16::MAX).prop_map(|port| Port::new(port).unwrap()),
        protocol in prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)],
        looked_up in option::of(vec(any::<IpAddr>(), 1..4)),
        owner in option::of(text()),
        lease in lease(projects),
        hold in option::of(hold()),
        place in any::<Index>().prop_map(move |index| Arc::clone(index.get(&places))),
        created in timestamp(),
        since_boot in any::<u64>().prop_map(Duration::from_millis),
        caller in option::of((any::<u32>(), text()).prop_map(|(pid, command)| Caller { pid, command })),
    ) -> Reservation {
        let lease = if hold.is_some() && caller.is_none() { Lease::Held } else { lease };
        let literal = || host.literal_addresses().unwrap_or_else(|| vec![IpAddr::from([192, 0, 2, 1])]);
        let addresses = looked_up.unwrap_or_else(literal);
        Reservation { id, host, port, protocol, addresses, owner, lease, hold, place, created, created_since_boot: since_boot, caller }
    }
}

/// Reservations that share a few places and projects, as those of a registry do.
pub(super) fn reservations() -> impl Strategy<Value = Vec<Reservation>> {
    (vec(place().prop_map(Arc::new), 1..4), vec(project().prop_map(Arc::new), 1..4))
        .prop_flat_map(|(places, projects)| vec(reservation(places, projects), 0..8))
}

/// One thing that can happen to a file.
#[derive(Debug, Clone)]
enum Damage {
    Truncated(Index),
    Flipped(Index, u8),
    Cut(Index, Index),
    /// A piece of it stands somewhere else as well: what is well-formed in the wrong place.
    Repeated(Index, Index, Index),
    Inserted(Index, Vec<u8>),
    /// Another digit in the place of one, so that mostly the JSON stays JSON: indices that point nowhere, ports that are none.
    Miscounted(Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    let bytes = prop_oneof![vec(any::<u8>(), 1..9), "[-\\[\\]{}:,\"0-9eE.nul]{1,9}".prop_map(String::into_bytes)];
    prop_oneof![
        index().prop_map(Damage::Truncated),
        (index(), 0..8_u8).prop_map(|(at, bit)| Damage::Flipped(at, bit)),
        (index(), index()).prop_map(|(a, b)| Damage::Cut(a, b)),
        (index(), index(), index()).prop_map(|(a, b, to)| Damage::Repeated(a, b, to)),
        (index(), bytes).prop_map(|(at, bytes)| Damage::Inserted(at, bytes)),
        (index(), b'0'..=b'9').prop_map(|(which, digit)| Damage::Miscounted(which, digit)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let at = |index: &Index| index.index(bytes.len() + 1);
    let piece = |a: &Index, b: &Index| at(a).min(at(b))..at(a).max(at(b));
    match damage {
        Damage::Truncated(index) => bytes.truncate(at(index)),
        Damage::Flipped(index, bit) => {
            let place = at(index);
            bytes.get_mut(place).into_iter().for_each(|byte| *byte ^= 1 << bit);
        }
        Damage::Cut(a, b) => drop(bytes.drain(piece(a, b))),
        Damage::Repeated(a, b, to) => {
            let (copy, place) = (bytes[piece(a, b)].to_vec(), at(to));
            drop(bytes.splice(place..place, copy));
        }
        Damage::Inserted(index, more) => {
            let place = at(index);
            drop(bytes.splice(place..place, more.iter().copied()));
        }
        Damage::Miscounted(which, digit) => {
            let mut digits: Vec<_> = bytes.iter_mut().filter(|byte| byte.is_ascii_digit()).collect();
            if !digits.is_empty() {
                let count = digits.len();
                *digits[which.index(count)] = *digit;
            }
        }
    }
    bytes
}

/// Reads the file, and demands of what was understood that it can be written and read again.
fn read(bytes: &[u8]) -> Result<(), TestCaseError> {
    match decode(bytes) {
        Ok(Decoded::Whole { reservations, .. }) => {
            let again = match decode(&encode(&reservations)) {
                Ok(Decoded::Whole { reservations, .. }) => Some(reservations.len()),
                _ => None,
            };
            prop_assert_eq!(again, Some(reservations.len()));
        }
        Ok(Decoded::Newer { version, .. }) => prop_assert!(version > VERSION),
        Err(problem) => prop_assert!(!problem.is_empty()),
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_was_written_is_read(reservations in reservations()) {
        match decode(&encode(&reservations)) {
            Ok(Decoded::Whole { reservations: again, layout }) => {
                prop_assert_eq!(again, reservations);
                prop_assert!(layout.is_some(), "our own layout is not recognised");
            }
            Ok(Decoded::Newer { version, .. }) => prop_assert!(false, "version {}", version),
            Err(problem) => prop_assert!(false, "{}", problem),
        }
    }

    #[test]
    fn what_was_written_stands_on_a_line_for_each(reservations in reservations()) {
        let text = String::from_utf8(encode(&reservations)).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("{\"port\":")).count();
        prop_assert_eq!(lines, reservations.len());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        read(&bytes)?;
    }

    #[test]
    fn a_damaged_file_is_read_or_refused(reservations in reservations(), damages in vec(damage(), 1..4)) {
        read(&damages.iter().fold(encode(&reservations), damaged))?;
    }

    #[test]
    fn a_newer_file_is_read_as_far_as_it_is_understood(
        reservations in reservations(), version in VERSION + 1.., damages in vec(damage(), 0..3),
    ) {
        let written = String::from_utf8(encode(&reservations)).unwrap();
        let newer = written.replacen(&format!("\"version\":{VERSION}"), &format!("\"version\":{version}"), 1);
        let newer = without_sum(&newer);
        match decode(newer.as_bytes()) {
            Ok(Decoded::Newer { version: found, reservations: understood, not_understood }) => {
                prop_assert_eq!((found, understood, not_understood), (version, reservations, 0));
            }
            _ => prop_assert!(false, "not seen as a newer one"),
        }
        read(&damages.iter().fold(newer.into_bytes(), damaged))?;
    }

    #[test]
    fn what_did_not_change_is_written_as_it_stood(
        before in reservations(), more in reservations(), leaving in vec(any::<bool>(), 8), replaced in vec(any::<bool>(), 8),
    ) {
        let Ok(Decoded::Whole { reservations, layout: Some(layout) }) = decode(&encode(&before)) else {
            return Err(TestCaseError::fail("our own layout is not recognised"));
        };
        let source = Source::new(encode(&before), layout);
        let mut transaction = Transaction::new(Snapshot { reservations, notices: Vec::new(), source: Some(source) });
        let mut expected = before;
        let mut next = leaving.iter();
        transaction.remove(|_| *next.next().unwrap());
        let mut next = leaving.iter();
        expected.retain(|_| !*next.next().unwrap());
        let count = expected.len().min(more.len());
        for index in (0..count).filter(|&index| replaced[index]) {
            transaction.replace(index, more[index].clone());
            expected[index] = more[index].clone();
        }
        for reservation in more {
            transaction.insert(reservation.clone());
            expected.push(reservation);
        }
        let written = super::encode(transaction.reservations(), transaction.snapshot.source.as_ref()).concat();
        match decode(&written) {
            Ok(Decoded::Whole { reservations, .. }) => prop_assert_eq!(reservations, expected),
            _ => prop_assert!(false, "{}", String::from_utf8_lossy(&written)),
        }
        let rows = |text: &[u8]| text.iter().filter(|&&byte| byte == b'\n').count();
        prop_assert_eq!(rows(&written), rows(&encode(transaction.reservations())), "rows that nobody points to are gone");
    }
}

/// The same file, as if it had been edited by hand: without its checksum.
fn without_sum(text: &str) -> String {
    let end = text.rfind(",\n\"crc32\"").unwrap();
    format!("{}}}\n", &text[..end])
}

/// A reservation like nearly all others.
fn of_port(port: u16) -> Reservation {
    let place =
        Place { machine: "m".into(), boot: "b".into(), network: NetworkNamespace::Initial, processes: 1, time: None };
    Reservation {
        id: ReservationId::new(port.into()),
        host: Host::default(),
        port: Port::new(port).unwrap(),
        protocol: Protocol::Tcp,
        addresses: Host::default().literal_addresses().unwrap(),
        owner: None,
        lease: Lease::Grace { length: Duration::from_secs(60) },
        hold: None,
        place: Arc::new(place),
        created: Timestamp::UNIX_EPOCH,
        created_since_boot: Duration::ZERO,
        caller: None,
    }
}

/// As many as a large registry has.
fn many() -> Vec<Reservation> {
    (1..=3_001).map(of_port).collect()
}

#[test]
fn a_large_file_is_read_in_its_order() {
    match decode(&encode(&many())) {
        Ok(Decoded::Whole { reservations, layout: Some(_) }) => assert!(reservations == many()),
        _ => panic!("not read, or not as it stands"),
    }
}

#[test]
fn a_fault_anywhere_in_a_large_file_is_found() {
    let text = String::from_utf8(encode(&many())).unwrap();
    for port in [1, 1_500, 3_001] {
        let damaged = text.replacen(&format!("\"port\":{port},"), "\"port\":0,", 1);
        assert_ne!(text, damaged);
        assert!(matches!(decode(damaged.as_bytes()), Err(why) if why.contains("checksum")), "{port}");
        assert!(matches!(decode(without_sum(&damaged).as_bytes()), Err(why) if why.contains("a port")), "{port}");
    }
    let joined = without_sum(&text).replacen(",\n", ",", 2);
    assert!(matches!(decode(joined.as_bytes()), Ok(Decoded::Whole { reservations, .. }) if reservations == many()));
}

#[test]
fn what_version_2_wrote_is_read() {
    let text = r#"{"version":2,
"places":[
{"machine":"m","boot":"b","network":"initial","processes":1}],
"projects":[],
"reservations":[
{"host":"127.0.0.1","port":8000,"protocol":"tcp","lease":{"timed":{"until":"1970-01-01T00:02:00Z","seconds":120}},"place":0,"created":"1970-01-01T00:00:00Z","since_boot":0},
{"host":"::1","port":8001,"protocol":"udp","lease":{"grace":{"seconds":60}},"place":0,"created":"1970-01-01T00:00:00Z","since_boot":0}]}
"#;
    let Ok(Decoded::Whole { reservations, layout: None }) = decode(text.as_bytes()) else {
        panic!("not read, or to be written as it stands");
    };
    let Ok(Decoded::Whole { reservations: again, .. }) = decode(text.as_bytes()) else { panic!("not read again") };
    assert_eq!(again, reservations, "each keeps the identity that it got");
    let timed = Reservation { lease: Lease::Timed { length: Duration::from_secs(120) }, ..of_port(8_000) };
    let host: Host = "::1".parse().unwrap();
    let addresses = host.literal_addresses().unwrap();
    let other = Reservation { host, addresses, protocol: Protocol::Udp, ..of_port(8_001) };
    let ids: Vec<_> = reservations.iter().map(|one| one.id).collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(reservations, [Reservation { id: ids[0], ..timed }, Reservation { id: ids[1], ..other }]);
}
