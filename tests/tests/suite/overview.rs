//! `status` and `gc`: what is reserved, and what is stale.

use portkeeper_tests::Ports;
use serde_json::json;

use crate::sandbox;

#[test]
fn status_of_nothing_is_an_empty_array_and_makes_no_file() {
    let sandbox = sandbox();
    assert_eq!(sandbox.portkeeper("status").ok().is_silent().stdout.trim_end(), "[]");
    assert!(!sandbox.registry().exists());
}

#[test]
fn status_without_a_terminal_is_a_json_array_with_all_that_is_known() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {} --owner me --write-env", ports.first())).ok();
    let answer = sandbox.portkeeper("status").ok().json();
    let entry = &answer[0];
    let expected = [
        ("host", json!("127.0.0.1")),
        ("port", json!(ports.first())),
        ("protocol", json!("tcp")),
        ("owner", json!("me")),
        ("name", json!("PORT")),
    ];
    for (field, value) in expected {
        assert_eq!(entry[field], value, "{field} in {entry}");
    }
    assert_eq!(entry["lease"]["kind"], "named");
    for field in ["project", "age_seconds", "listening"] {
        assert!(entry.get(field).is_some(), "{field} in {entry}");
    }
}

#[test]
fn status_tells_what_listens_there_now() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --count 2 --range {ports}")).ok();
    let listener = sandbox.listener("127.0.0.1", ports.at(1));
    let status = sandbox.status();
    assert_eq!(status[0]["listening"], json!([]));
    let found = &status[1]["listening"][0];
    assert_eq!((&found["command"], &found["pid"]), (&json!("stand-in"), &json!(listener.pid())), "{found}");
}

#[test]
fn status_as_a_table_is_aligned_and_clean() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    for (position, owner) in [(0, "a"), (1, "a-much-longer-owner")] {
        let _ = sandbox.portkeeper(format!("reserve --port {} --owner {owner}", ports.at(position))).ok();
    }
    let table = sandbox.portkeeper("status --format table").ok().stdout;
    let column = |line: &str| line.find("tcp");
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert!(column(rows[0]).is_some() && column(rows[0]) == column(rows[1]), "{table}");
    assert!(!table.contains('\u{1b}'), "no colour without a terminal\n{table}");
    assert!(table.lines().all(|line| line == line.trim_end()), "no trailing blanks\n{table:?}");
}

#[test]
fn an_owner_cannot_write_to_the_terminal() {
    let sandbox = sandbox();
    let _ = sandbox.portkeeper("reserve --owner").arg("\u{1b}[31mred\u{7}\r\nx\u{202e}").run();
    let table = sandbox.portkeeper("status --format table").ok().stdout;
    assert!(!table.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{table:?}");
}

#[test]
fn json_lines_are_one_object_a_line() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --count 2 --range {ports}")).ok();
    let lines = sandbox.portkeeper("status --format jsonl").ok().stdout;
    let parsed: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(parsed.len(), 2);
    assert_eq!(parsed[0]["port"], ports.first());
}

#[test]
fn gc_says_which_and_why() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let process = sandbox.process();
    let _ = sandbox.portkeeper(format!("reserve --port {} --for-pid {}", ports.at(1), process.pid())).ok();
    let _ = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.at(0))).ok();
    let pid = process.pid().to_string();
    process.kill();
    let answer = sandbox.portkeeper("gc --json").ok().json();
    let released = answer["released"].as_array().unwrap();
    let mut seen: Vec<(u64, &str)> = released
        .iter()
        .inspect(|each| assert_eq!(each["host"], "127.0.0.1"))
        .map(|each| (each["port"].as_u64().unwrap(), each["reason"].as_str().unwrap()))
        .collect();
    seen.sort_unstable();
    assert_eq!([seen[0].0, seen[1].0], [u64::from(ports.at(0)), u64::from(ports.at(1))]);
    assert!(seen[1].1.contains(&pid), "{answer}");
    assert_ne!(seen[0].1, seen[1].1);
}

#[test]
fn a_dry_gc_changes_nothing() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.first())).ok();
    let before = sandbox.everything();
    let answer = sandbox.portkeeper("gc --dry-run --json").ok().json();
    assert_eq!(answer["released"][0]["port"], ports.first(), "{answer}");
    before.assert_unchanged("this");
    assert_eq!(sandbox.portkeeper("gc --json").ok().json(), answer, "the dry run foretold it");
}

#[test]
fn gc_of_nothing_changes_nothing() {
    let sandbox = sandbox();
    let _ = sandbox.portkeeper("reserve").ok();
    let before = sandbox.everything();
    assert_eq!(sandbox.portkeeper("gc --json").ok().json(), json!({ "released": [] }));
    before.assert_unchanged("this");
}
