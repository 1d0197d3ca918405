//! The faults of the Python tool, each as a test that it would fail, under its number in our list of them.
//!
//! 1 to 3: the `concurrency` tests and [`f03_two_directories_coordinate`]. 4 and 20 to 22 are about the holder, `run` and the scan,
//! which come later.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

use portkeeper_tests::{Ports, Run, ipv6_or_skip};
use serde_json::json;

use crate::config::one_port;
use crate::sandbox;

#[test]
fn f03_two_directories_coordinate() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let given: Vec<u16> = ["one", "two"]
        .map(|directory| {
            sandbox.portkeeper(format!("port --range {ports}")).within(sandbox.directory(directory)).ok().port()
        })
        .into();
    assert_eq!(given, ports.all());
}

#[test]
fn f05_two_reserves_in_a_row_give_two_ports_and_a_range_does_not_leak() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let reserve = sandbox.portkeeper(format!("port --range {ports} --grace 0s"));
    let held = sandbox.portkeeper(format!("port --range {ports}"));
    assert_ne!(held.ok().port(), held.ok().port());
    let _ = sandbox.portkeeper("release --all").ok();
    for _ in 0..5 {
        // Nothing ever listened and nothing released: the range is there again all the same.
        assert_eq!(reserve.ok().port(), ports.first());
    }
}

#[test]
fn f06_ports_that_others_use_in_unusual_ways_are_not_free() {
    if !ipv6_or_skip() {
        return;
    }
    for (mode, address, protocol) in [
        ("udp", "127.0.0.1", "udp"),
        ("udp", "::1", "udp"),
        ("udp", "0.0.0.0", "udp"),
        ("listen", "::1", "tcp"),
        ("listen", "::", "tcp"),
        ("listen", "0.0.0.0", "tcp"),
        ("bind", "127.0.0.1", "tcp"),
        ("bind", "::1", "tcp"),
        ("bind", "0.0.0.0", "tcp"),
    ] {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let _other = sandbox.stand_in(mode, address, ports.first());
        let reserve = format!("reserve --port {} --protocol {protocol}", ports.first());
        let outcome = sandbox.portkeeper(reserve).run();
        assert_eq!(outcome.code(), Some(1), "{mode} on {address}\n{outcome}");
        outcome.is_one_clear_error();
    }
}

#[test]
fn f07_names_of_this_machine_do_not_share_a_port() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let given = ["localhost", "127.0.0.1", "0.0.0.0"]
        .map(|host| sandbox.portkeeper(format!("port --range {ports} --host {host}")).ok().port());
    assert_eq!(given.as_slice(), ports.all());
}

#[test]
fn f08_two_keys_in_one_range_get_two_ports() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let range = ports.to_string();
    let config = json!({ "ports": [{ "key": "A", "range": range }, { "key": "B", "range": range }], "outputs": [] });
    sandbox.write("pk.config.json", config.to_string());
    let reserved = sandbox.portkeeper("prepare").ok().json()["reserved"].clone();
    assert_eq!(reserved, json!({ "A": ports.at(0), "B": ports.at(1) }));
}

#[test]
fn f09_when_the_second_port_fails_the_first_is_not_kept() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _listener = sandbox.listener("127.0.0.1", ports.at(1));
    let second = format!("{0}-{0}", ports.at(1));
    let config = json!({ "ports": [{ "key": "A", "preferred": ports.at(0) }, { "key": "B", "range": second }],
        "outputs": [{ "type": "env" }] });
    sandbox.write("pk.config.json", config.to_string());
    sandbox.portkeeper("prepare").refused(1).says("B").says(second);
    assert_eq!(sandbox.reserved(), [0; 0]);
    assert!(!sandbox.has(".env"));
}

#[test]
fn f10_a_merge_into_env_keeps_comments_order_mode_and_link() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let before = "# comment\n\nB=2\nA='x'\nB=3\n  # last";
    let real = sandbox.write("real.env", before);
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
    symlink("real.env", sandbox.work().join(".env")).unwrap();
    let config = one_port(&ports, json!([{ "type": "env", "path": ".env" }]));
    sandbox.write("pk.config.json", config.to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(sandbox.read(".env"), format!("{before}\nSERVICE_PORT={}", ports.first()));
    assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(sandbox.work().join(".env").is_symlink());
}

#[test]
fn f11_a_merge_into_json_is_deep_and_keeps_comments() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("package.json", "{\n  \"name\": \"shop\",\n  \"scripts\": {\n    \"build\": \"tsc\"\n  }\n}\n");
    sandbox.write("settings.jsonc", "{\n  // why\n  \"port\": 1, // the port\n}\n");
    let outputs = json!([
        { "type": "package_json", "path": "package.json", "map": { "scripts": { "start": "serve -p ${SERVICE_PORT}" } } },
        { "type": "json", "path": "settings.jsonc", "map": { "port": "${SERVICE_PORT}" } },
    ]);
    sandbox.write("pk.config.json", one_port(&ports, outputs).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    let package: serde_json::Value = serde_json::from_str(&sandbox.read("package.json")).unwrap();
    assert_eq!(package["scripts"], json!({ "build": "tsc", "start": format!("serve -p {}", ports.first()) }));
    let expected = format!("{{\n  // why\n  \"port\": {}, // the port\n}}\n", ports.first());
    assert_eq!(sandbox.read("settings.jsonc"), expected);
}

#[test]
fn f12_a_backup_is_the_original_to_the_byte_and_is_kept() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let before = "{ \"a\":1,\r\n\t\"b\" : [1,2 ] }";
    sandbox.write("config.json", before);
    let config = |position| {
        let range = format!("{0}-{0}", ports.at(position));
        let map = json!({ "port": "${P}", "extra": position });
        json!({ "ports": [{ "key": "P", "range": range }],
            "outputs": [{ "type": "json", "path": "config.json", "backup": true, "map": map }] })
    };
    for position in [0, 1] {
        sandbox.write("pk.config.json", config(position).to_string());
        let _ = sandbox.portkeeper("prepare").ok();
        assert_eq!(sandbox.read("config.json.bak"), before, "run {position}");
    }
}

#[test]
fn f13_a_script_end_in_a_value_does_not_end_the_script() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let outputs = json!([{ "type": "runtime_js", "map": { "x": "</script><script>alert(1)//\u{2028}" } }]);
    sandbox.write("pk.config.json", one_port(&ports, outputs).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    let text = sandbox.read("runtime-config.js");
    assert!(!text.to_lowercase().contains("</script") && !text.contains('\u{2028}'), "{text}");
}

#[test]
fn f14_a_truncated_registry_is_not_taken_as_empty() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let reserve = sandbox.portkeeper(format!("port --range {ports}"));
    let (first, _) = (reserve.ok().port(), reserve.ok().port());
    let text = sandbox.read(sandbox.registry());
    std::fs::write(sandbox.registry(), &text[..text.len() / 2]).unwrap();
    let third = reserve.ok();
    third.says("registry.json");
    assert_ne!(third.port(), first);
    assert!(sandbox.reserved().contains(&first));
}

#[test]
fn f15_nonsense_is_refused_in_words() {
    let sandbox = sandbox();
    for arguments in [["--preferred", "70000"], ["--preferred", "0"], ["--write-env", "BAD KEY=1"]] {
        let run = arguments.iter().fold(sandbox.portkeeper("reserve"), Run::arg);
        let _ = run.refused(2);
        assert!(!sandbox.has(".env") && !sandbox.registry().exists());
    }
}

#[test]
fn f16_an_unknown_output_type_is_an_error_that_lists_the_known_ones() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let outputs = json!([{ "type": "env" }, { "type": "inx", "path": "x.inx" }]);
    sandbox.write("pk.config.json", one_port(&ports, outputs).to_string());
    let outcome = sandbox.portkeeper("prepare").refused(2);
    for known in ["properties", "toml", "env", "json", "runtime_js", "docker-compose"] {
        outcome.says(known);
    }
    assert!(!sandbox.has(".env") && !sandbox.registry().exists(), "before anything is reserved or written");
}

#[test]
fn f17_a_dry_run_changes_nothing_at_all() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }])).to_string());
    let before = sandbox.everything();
    let answer = sandbox.portkeeper("prepare --dry-run").ok().json();
    assert_eq!(answer["outputs"][0]["status"], "would-write");
    before.assert_unchanged("this");
}

#[test]
fn f18_releasing_what_was_never_reserved_is_no_success() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let outcome = sandbox.portkeeper(format!("release {}", ports.first())).exits(1);
    outcome.says(ports.first().to_string());
    assert_eq!(outcome.json(), json!({ "released": [] }));
}

#[test]
fn f19_two_thousand_entries_do_not_make_it_slow() {
    let sandbox = sandbox();
    let _ = sandbox.portkeeper("reserve --count 2000 --range 10000-14999 --ttl 1h").ok();
    let reserve = sandbox.portkeeper("reserve --range 10000-14999 --ttl 1h");
    let fastest = (0..3).map(|_| {
        let start = Instant::now();
        let _ = reserve.ok();
        start.elapsed()
    });
    // The Python tool takes 5.5 s. Even an unoptimized build on a busy machine stays far below one.
    assert!(fastest.min().unwrap() < Duration::from_secs(1));
}
