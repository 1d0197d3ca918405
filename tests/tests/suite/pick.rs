//! `pick`: free ports that stay free, and why others are passed over.

use std::collections::BTreeSet;

use portkeeper_tests::{Namespace, Own, Ports, ipv6_or_skip};
use serde_json::json;

use crate::sandbox;

#[test]
fn a_pick_is_a_bare_number_and_reserves_nothing() {
    let sandbox = sandbox();
    let picked = sandbox.portkeeper("pick").ok();
    picked.is_silent();
    assert!(picked.port() > 1023);
    assert!(!sandbox.registry().exists());
}

#[test]
fn every_form_of_a_specification_works() {
    let (sandbox, ports) = (sandbox(), Ports::take(6));
    let pick = |words: &str| sandbox.portkeeper(format!("pick {words}")).ok().ports();
    let [first, second, last] = [0, 1, 5].map(|index| ports.at(index));
    assert_eq!(pick(&first.to_string()), [first]);
    assert_eq!(pick(&ports.to_string()), [first]);
    assert_eq!(pick(&format!("{last},{first}-{second} -n 3")), [last, first, second]);
    assert_eq!(pick(&format!("{last} {first}-{second} -n 3")), [last, first, second]);
    assert_eq!(pick(&format!("{ports} -n 6")), ports.all());
    assert_eq!(
        pick(&format!("{ports} --exclude {first},{second} --exclude {} -n 3", ports.at(3))),
        [ports.at(2), ports.at(4), last]
    );
    assert_eq!(pick("-1").len(), 1);
    let good = pick("-1 -n 20");
    assert_eq!(BTreeSet::from_iter(&good).len(), 20);
}

#[test]
fn random_is_any_of_them() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let seen: BTreeSet<u16> =
        (0..40).map(|_| sandbox.portkeeper(format!("pick --random {ports}")).ok().port()).collect();
    // The chance that one of three is never among forty is below one in a million.
    assert_eq!(Vec::from_iter(seen), ports.all());
    let picked = sandbox.portkeeper(format!("pick --random -n 3 {ports}")).ok().ports();
    assert_eq!(BTreeSet::from_iter(picked).len(), 3);
}

#[test]
fn what_is_reserved_or_used_is_passed_over() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(7));
    let _ = sandbox.portkeeper(format!("reserve --port {} --owner alice", ports.at(0))).ok();
    let _stand_ins = [
        sandbox.listener("127.0.0.1", ports.at(1)),
        sandbox.listener("::1", ports.at(2)),
        sandbox.listener("0.0.0.0", ports.at(3)),
        sandbox.stand_in("bind", "127.0.0.1", ports.at(4)),
    ];
    let _udp = sandbox.stand_in("udp", "127.0.0.1", ports.at(5));
    let pick = |words: &str| sandbox.portkeeper(format!("pick {ports} {words}"));
    assert_eq!(pick("-n 2").ok().ports(), [ports.at(5), ports.at(6)]);
    assert_eq!(pick("-n 6 --protocol udp").ok().ports().len(), 6);
    pick("-n 3").refused(1).says("3 ports were asked for, and 2 of").says("1 reserved, 4 in use");
    sandbox.portkeeper(format!("pick {}", ports.at(0))).refused(1).says("alice");
    sandbox.portkeeper(format!("pick {}", ports.at(1))).refused(1).says("stand-in");
}

#[test]
fn a_stale_reservation_is_in_nobodys_way() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.first())).ok();
    assert_eq!(sandbox.portkeeper(format!("pick {}", ports.first())).ok().port(), ports.first());
}

#[test]
fn a_thousand_ports_at_once_are_all_different_and_good() {
    let sandbox = sandbox();
    let picked = sandbox.portkeeper("pick -n 1000 --random").ok().ports();
    assert_eq!(BTreeSet::from_iter(&picked).len(), 1_000);
    let why =
        picked.iter().take(20).fold(sandbox.portkeeper("pick --json --why"), |run, port| run.arg(port.to_string()));
    // Another process may have taken one since; none may be a bad one.
    let verdicts = why.run().json();
    assert!(verdicts.as_array().unwrap().iter().all(|verdict| verdict["good"] == true), "{verdicts}");
}

#[test]
fn json_is_an_array_of_numbers() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let pick = |words: &str| sandbox.portkeeper(format!("pick {ports} {words}")).ok();
    assert_eq!(pick("-n 2 --json").json(), json!(ports.all()));
    assert_eq!(pick("--json").json(), json!([ports.first()]));
    assert_eq!(pick("-n 2 --format jsonl").stdout, format!("{}\n{}\n", ports.at(0), ports.at(1)));
}

#[test]
fn nonsense_is_refused_in_words() {
    let sandbox = sandbox();
    for words in [
        "0",
        "70000",
        "http",
        "8010-8000",
        "1,,2",
        "-2",
        "-1 8000",
        "-n 0",
        "-n x",
        "--why",
        "--why x",
        "--why 80 -n 2",
    ] {
        let _ = sandbox.portkeeper(format!("pick {words}")).refused(2);
    }
    sandbox.portkeeper("pick 8010-8000").refused(2).says("did you mean 8000-8010?");
}

#[test]
fn why_says_everything_that_speaks_against_a_port() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let why = |port: u16| sandbox.portkeeper(format!("pick --why {port}")).run();
    assert!(why(6000).stdout.contains("browsers refuse") && why(6000).stdout.contains("x11"));
    assert!(why(8080).stdout.contains("http-alt"));
    let _ = sandbox.portkeeper(format!("reserve --port {} --owner alice", ports.first())).ok();
    let _listener = sandbox.listener("127.0.0.1", ports.first());
    let answer = why(ports.first());
    answer.expect_code(1);
    for text in ["not free", "reserved for alice", "stand-in (pid ", "is listening on 127.0.0.1"] {
        assert!(answer.stdout.contains(text), "{text}\n{answer}");
    }
    let json = sandbox.portkeeper(format!("pick --json --why {} 8080", ports.at(1))).exits(1).json();
    assert_eq!((&json[0]["free"], &json[1]["good"]), (&json!(true), &json!(false)), "{json}");
    assert_eq!(json[1]["not_good"][0], "IANA has assigned it to a service: http-alt");

    let good = sandbox.portkeeper("pick").ok().port();
    let praise = sandbox.portkeeper(format!("pick --why {good}")).ok();
    assert_eq!(praise.stdout, format!("{good} is a good port, and free\n"));
}

#[test]
fn what_the_kernel_has_set_aside_is_not_chosen_and_can_be_asked_for() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let sandbox = sandbox();
    let set = |value: &str| {
        let script = format!("echo {value} > /proc/sys/net/ipv4/ip_local_reserved_ports");
        sandbox.program("sh").words("-c").arg(script).inside(&there).run()
    };
    if set("29000-31999,40000").code() != Some(0) {
        return portkeeper_tests::skipped("NETNS", "the namespace's settings cannot be written");
    }
    let inside = |words: &str| sandbox.portkeeper(words).inside(&there);
    let why = inside("pick --why 29500").exits(1);
    assert!(
        why.stdout.contains("29000-31999 is set aside on this machine (net.ipv4.ip_local_reserved_ports)"),
        "{why}"
    );
    let most = inside("pick -n 5000").ok().ports();
    assert!(most.iter().all(|port| !(29_000..=31_999).contains(port)));
    let reserved = inside("reserve --count 100").ok().ports();
    assert!(reserved.iter().all(|port| !(28_997..=32_002).contains(port)), "{reserved:?}");
    assert_eq!(inside("port --range 29500-29600").ok().port(), 29_500, "whoever asks for it gets it");
}
