//! What tools of this kind promise that are published without tests: each promise that we make as well has a test, of our own.
//!
//! | tool | promise | test |
//! |---|---|---|
//! | get-port 7 | a preferred port that is taken falls back to another one; so does each of a list | [`a_preferred_port_that_is_taken_falls_back_to_a_good_one`], [`a_list_of_ports_is_tried_in_its_order`] |
//! | | `exclude`: those are never returned, whichever is left | [`what_is_excluded_is_never_picked`] |
//! | | calls in a row give different ports until the locks are cleared | [`calls_in_a_row_give_different_ports_until_they_are_released`] |
//! | | `host`: only that address counts; without one, all of the machine | [`an_address_that_is_not_of_this_machine_is_refused`], `addresses.rs` |
//! | | `reserve`: for as long as the process lives | `leases.rs` |
//! | | ports that are none are refused | [`port_0_is_no_port_and_what_to_ask_for_instead_is_said`], `bad_input.rs` |
//! | detect-port 2.1 | the port itself, or the next one that is free | [`the_next_port_is_given_where_one_is_taken_on_any_address`] |
//! | | `waitPort`: until a server listens, so many times | [`a_wait_looks_again_until_the_time_is_up`] |
//! | wait-on 9 | all resources, each once; those that are missing are named | [`each_of_several_targets_has_to_be_met_once`], [`only_what_is_missing_is_named`] |
//! | | an HTTP resource is asked until it answers well | [`a_server_that_is_not_well_yet_is_asked_again`] |
//! | | `--reverse`: until all are gone | [`in_reverse_all_of_them_have_to_go`] |
//! | | `localhost` is either family | [`localhost_is_found_on_either_family`] |
//! | | `--timeout`, `--interval`, with units; interrupted is no success | [`a_wait_looks_again_until_the_time_is_up`], `wait.rs` |
//! | port-for 1.0 | ports as numbers, ranges, lists and their mixtures, less `exclude_ports` | [`what_is_excluded_is_never_picked`], `pick.rs`, `port_for.rs` |

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use portkeeper_tests::{Ports, Run, Sandbox, ipv6_or_skip, listen_when_free};

use crate::sandbox;

fn wait<'a>(sandbox: &'a Sandbox, words: impl AsRef<str>) -> Run<'a> {
    sandbox.portkeeper("wait").words(words.as_ref())
}

fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

#[test]
fn a_preferred_port_that_is_taken_falls_back_to_a_good_one() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = |words: &str| sandbox.portkeeper(format!("port --preferred {} {words}", ports.first())).ok().port();
    assert_eq!(port(""), ports.first());
    let other = port("");
    assert_ne!(other, ports.first(), "reserved by now");
    let good = sandbox.portkeeper(format!("pick --why {other} --json")).exits(1).json();
    assert_eq!(good[0]["good"], true, "the only reason against it is that it is reserved: {good}");
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    let _listener = sandbox.listener("127.0.0.1", ports.first());
    let several = sandbox.portkeeper(format!("reserve --preferred {} --count 3", ports.first())).ok();
    assert!(!several.ports().contains(&ports.first()), "in use by now");
}

#[test]
fn a_list_of_ports_is_tried_in_its_order() {
    let (sandbox, ports) = (sandbox(), Ports::take(5));
    let list = [4, 0, 2].map(|index| ports.at(index).to_string()).join(",");
    let pick = || sandbox.portkeeper(format!("pick {list}"));
    assert_eq!(pick().ok().port(), ports.at(4));
    let _listener = sandbox.listener("0.0.0.0", ports.at(4));
    assert_eq!(pick().ok().port(), ports.at(0));
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.at(0))).ok();
    assert_eq!(pick().ok().port(), ports.at(2));
    let _other = sandbox.listener("127.0.0.2", ports.at(2));
    pick().refused(1).says("1 reserved, 2 in use");
}

#[test]
fn what_is_excluded_is_never_picked() {
    let (sandbox, ports) = (sandbox(), Ports::take(6));
    let excluded = format!("--exclude {}-{} --exclude {}", ports.at(0), ports.at(1), ports.at(3));
    let left = BTreeSet::from([ports.at(2), ports.at(4), ports.at(5)]);
    let random = sandbox.portkeeper(format!("pick --random -n 3 {ports} {excluded}")).ok().ports();
    assert_eq!(BTreeSet::from_iter(random), left);
    for among in [format!("{} {}-{}", ports.at(5), ports.at(0), ports.at(4)), format!("{ports} {ports}")] {
        let all = sandbox.portkeeper(format!("pick -n 3 {among} {excluded}")).ok().ports();
        assert_eq!(BTreeSet::from_iter(all), left, "{among}");
        let more = sandbox.portkeeper(format!("pick -n 4 {among} {excluded}")).refused(1);
        more.says("4 ports were asked for, and 3 of");
    }
    // Of the good ports as well, whichever they are.
    let good = sandbox.portkeeper("pick").ok().port();
    let others = sandbox.portkeeper(format!("pick -n 500 --exclude 1-{good}")).ok().ports();
    assert!(others.iter().all(|&port| port > good), "{others:?}");
    sandbox.portkeeper(format!("pick {ports} --exclude {ports}")).refused(1).says("0 of");
}

#[test]
fn calls_in_a_row_give_different_ports_until_they_are_released() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let next = || sandbox.portkeeper(format!("port --range {ports}"));
    let given: Vec<_> = (0..3).map(|_| next().ok().port()).collect();
    assert_eq!(given, ports.all());
    let _ = next().refused(1);
    let _ = sandbox.portkeeper("release --all --yes").ok();
    assert_eq!(next().ok().port(), ports.first(), "as if nothing had been asked for");
    // What is only picked keeps no program away.
    let pick = || sandbox.portkeeper(format!("pick {ports}")).ok().port();
    assert_eq!((pick(), pick()), (ports.at(1), ports.at(1)));
}

#[test]
fn an_address_that_is_not_of_this_machine_is_refused() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    // TEST-NET-1 (RFC 5737) belongs to no machine.
    for command in ["reserve", "port", "pick"] {
        let among = if command == "pick" { ports.to_string() } else { format!("--range {ports}") };
        let refusal = sandbox.portkeeper(format!("{command} {among} --host 192.0.2.1")).run();
        assert_ne!(refusal.code(), Some(0), "{refusal}");
        refusal.is_one_clear_error().says("192.0.2.1");
    }
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn port_0_is_no_port_and_what_to_ask_for_instead_is_said() {
    let sandbox = sandbox();
    for words in ["reserve --port 0", "port --preferred 0", "port web --global --port 0", "pick 0", "pick --why 0"] {
        sandbox.portkeeper(words).refused(2).says("1 to 65535");
    }
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn the_next_port_is_given_where_one_is_taken_on_any_address() {
    if !ipv6_or_skip() {
        return;
    }
    for address in ["127.0.0.1", "::1", "0.0.0.0", "::", "127.0.0.3"] {
        let (sandbox, ports) = (sandbox(), Ports::take(2));
        let detect = || {
            let words = format!("--preferred {} --range {ports} --grace 0s", ports.first());
            let port = sandbox.portkeeper(format!("port {words}")).ok().port();
            let _ = sandbox.portkeeper(format!("release {port} --if-exists")).ok();
            port
        };
        assert_eq!(detect(), ports.first(), "{address}: the port itself");
        let listener = sandbox.listener(address, ports.first());
        assert_eq!(detect(), ports.at(1), "{address}: the next one");
        listener.kill();
        assert_eq!(detect(), ports.first(), "{address}: and the port itself again");
    }
}

#[test]
fn a_wait_looks_again_until_the_time_is_up() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    for words in ["-t 300ms --interval 1ms", "--timeout 0.3 --interval 10s", "--timeout 0m"] {
        let late = wait(&sandbox, format!("{} {words}", ports.first())).exits(1);
        late.says(format!("Port {} not bound on localhost.", ports.first()));
    }
    // However long it is between two looks, the first ones follow each other faster.
    let waiting = wait(&sandbox, format!("{} -t 2m --interval 500ms", ports.at(1))).start();
    let _listener = sandbox.listener("127.0.0.1", ports.at(1));
    waiting.finish().expect_code(0).is_silent();
}

#[test]
fn each_of_several_targets_has_to_be_met_once() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let _ = sandbox.portkeeper(format!("port web --global --port {}", ports.at(1))).ok();
    let (first, last) = (listen_when_free(loopback(ports.at(0))), ports.at(2));
    let words = format!("{} web http://localhost:{last}/ -t 2m", ports.at(0));
    let waiting = wait(&sandbox, words).start();
    // The first has been met when its listener has a client, and goes before the others come.
    drop(first.accept().unwrap());
    drop(first);
    let _web = sandbox.listener("127.0.0.1", ports.at(1));
    let server = listen_when_free(loopback(last));
    let answering = thread::spawn(move || answer(&server, &["200 OK"]));
    waiting.finish().expect_code(0).is_silent();
    assert_eq!(answering.join().unwrap(), 1);
}

#[test]
fn only_what_is_missing_is_named() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let _there = sandbox.listener("127.0.0.1", ports.at(1));
    let all = ports.all().iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
    let late = wait(&sandbox, format!("{all} -t 200ms")).exits(1);
    let line = |index: u16| format!("Port {} not bound on localhost.\n", ports.at(index));
    assert_eq!(late.stderr, format!("{}{}", line(0), line(2)));
}

/// Answers one request on each connection, with these statuses one after the other; says how many that were.
fn answer(server: &TcpListener, statuses: &[&str]) -> usize {
    let mut answered = 0;
    while answered < statuses.len() {
        let (mut client, _) = server.accept().unwrap();
        let mut request = String::new();
        // A client that only looks whether there is a server asks nothing.
        if BufReader::new(&client).read_line(&mut request).is_ok_and(|read| read > 0) {
            let answer = format!("HTTP/1.1 {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", statuses[answered]);
            client.write_all(answer.as_bytes()).unwrap();
            answered += 1;
        }
    }
    answered
}

#[test]
fn a_server_that_is_not_well_yet_is_asked_again() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = listen_when_free(loopback(ports.first()));
    let statuses = ["503 Service Unavailable", "404 Not Found", "500 Internal Server Error", "204 No Content"];
    let answering = thread::spawn(move || answer(&server, &statuses));
    let words = format!("http://127.0.0.1:{}/ready -t 2m --interval 10ms", ports.first());
    wait(&sandbox, words).ok().is_silent();
    assert_eq!(answering.join().unwrap(), 4, "until the one that is well, and no more");
}

#[test]
fn in_reverse_all_of_them_have_to_go() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let [first, second] = [0, 1].map(|index| sandbox.listener("127.0.0.1", ports.at(index)));
    let all = ports.all().iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
    first.kill();
    let late = wait(&sandbox, format!("{all} --free -t 200ms")).exits(1);
    assert_eq!(late.stderr, format!("Port {} not free on localhost.\n", ports.at(1)));
    let waiting = wait(&sandbox, format!("{all} --free -t 2m")).start();
    second.kill();
    waiting.finish().expect_code(0).is_silent();
}

#[test]
fn localhost_is_found_on_either_family() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _servers = [sandbox.listener("::1", ports.at(0)), sandbox.listener("127.0.0.1", ports.at(1))];
    wait(&sandbox, format!("localhost:{} {} -t 1m", ports.at(0), ports.at(1))).ok().is_silent();
    let late = wait(&sandbox, format!("127.0.0.1:{} [::1]:{} -t 0", ports.at(0), ports.at(1))).exits(1);
    late.says(format!("Port {} not bound on 127.0.0.1.", ports.at(0)));
    late.says(format!("Port {} not bound on ::1.", ports.at(1)));
}
