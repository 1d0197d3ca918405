//! How a scan is shown.

use portkeeper_tests::{Kind, Lan, Terminal, left_on_screen};
use serde_json::{Value, json};

use crate::sandbox;

#[test]
fn the_table_is_for_people() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[22, 80]);
    lan.host(2, Kind::Silent, &[]);
    let outcome = sandbox.portkeeper("scan --ports 22,80-82 --format table").inside(lan.scanner()).ok();
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{outcome}");
    assert!(lines[0].starts_with("ADDRESS"), "{outcome}");
    let normal = ["10.77.0.1 ", "neighbor icmp tcp", " ms", "22 ssh, 80 http", "81-82"];
    let silent = ["10.77.0.2 ", "neighbor", "4 filtered"];
    let own = ["10.77.0.253", "own", "22, 80-82"];
    for (line, words) in lines[1..].iter().zip([&normal[..], &silent, &own]) {
        words.iter().for_each(|word| assert!(line.contains(word), "{word}\n{outcome}"));
    }
    outcome.says("3 hosts at 254 addresses, ports 22,80-82");
}

#[test]
fn a_stream_tells_each_thing_once_and_ends_with_a_summary() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    let outcome = sandbox.portkeeper("scan --ports 8004-8006 --stream").inside(lan.scanner()).ok();
    let events: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_host = |event: &&Value| event["address"] == "10.77.0.1";
    let mut ports: Vec<_> = events.iter().filter(of_host).filter(|event| event["event"] == "port").collect();
    ports.sort_by_key(|event| event["port"].as_u64());
    let states: Vec<_> = ports.iter().map(|event| (&event["port"], &event["state"])).collect();
    let (open, closed) = (json!("open"), json!("closed"));
    assert_eq!(states, [(&json!(8004), &closed), (&json!(8005), &open), (&json!(8006), &closed)], "{outcome}");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["complete"]), (&json!("finished"), &json!(true)), "{outcome}");
    assert_eq!(last["scanned"]["networks"], json!(["10.77.0.0/24"]), "{outcome}");
}

#[test]
fn only_open_or_only_free_ports_can_be_shown() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    lan.host(2, Kind::Filtered, &[8006]);
    lan.host(3, Kind::Silent, &[]);
    let shown = |option: &str| {
        let outcome = sandbox.portkeeper(format!("scan --ports 8005-8006 {option}")).inside(lan.scanner()).ok();
        let answer = outcome.json();
        let hosts = answer["hosts"].as_array().unwrap().clone();
        hosts.iter().map(|host| format!("{} {} {}", host["address"], host["open"], host["closed"])).collect::<Vec<_>>()
    };
    assert_eq!(shown("--open"), ["\"10.77.0.1\" [8005] []", "\"10.77.0.2\" [8006] []"]);
    assert_eq!(shown("--free"), ["\"10.77.0.1\" [] [\"8006\"]", "\"10.77.0.253\" [] [\"8005-8006\"]"]);
}

#[test]
fn hosts_have_the_names_of_the_hosts_file() {
    use portkeeper_tests::{Namespace, Own};
    let Some(there) = Namespace::or_skip(Own::Mounts) else { return };
    let sandbox = sandbox();
    let hosts = sandbox.write("hosts", "127.0.0.1 me.example other\n");
    let _ = sandbox.program("mount").words("--bind").arg(&hosts).arg("/etc/hosts").inside(&there).ok();
    let outcome = sandbox.portkeeper("scan --host 127.0.0.1 --ports 8000").inside(&there).ok();
    assert_eq!(outcome.json()["hosts"][0]["name"], "me.example", "{outcome}");
}

#[test]
fn json_lines_are_hosts() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    let outcome = sandbox.portkeeper("scan --ports 8005 --format jsonl").inside(lan.scanner()).ok();
    let addresses: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["address"].clone())
        .collect();
    assert_eq!(addresses, [json!("10.77.0.1"), json!("10.77.0.253")], "{outcome}");
}

#[test]
fn a_scan_that_takes_long_shows_a_terminal_how_far_it_is() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    // It takes a second of asking again to be sure of the silence.
    lan.host(2, Kind::Silent, &[]);
    let run = sandbox.portkeeper("scan --range 8000-8050 --open --format table").env("TERM", "xterm");
    let run = run.inside(lan.scanner());
    let (status, shown) = Terminal::start(&run).ends();
    assert!(status.success(), "{shown}");
    let bar = ["█", "254/254 addresses, ", "3 hosts, ", " probes, ", "/s, ", " s left"];
    bar.iter().for_each(|part| assert!(shown.contains(part), "{part} was never shown:\n{shown}"));
    let left = left_on_screen(&shown);
    assert_eq!(left.len(), 3, "the heading, a host and the summary: {left:#?}");
    for (line, start) in left.iter().zip(["ADDRESS ", "10.77.0.1 ", "1 host at 254 addresses, "]) {
        assert!(line.starts_with(start), "{start} {left:#?}");
    }

    let piped = run.ok();
    assert_eq!(piped.stdout.lines().count(), 2, "{piped}");
    assert!(piped.stderr.starts_with("1 host at") && piped.stderr.lines().count() == 1, "{piped}");
}
