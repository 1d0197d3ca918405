//! `import`: what the Python tools have recorded.

use portkeeper_tests::Ports;
use serde_json::json;

use crate::sandbox;

#[test]
fn names_of_port_for_become_global_names() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let text = format!("[DEFAULT]\nfoo = {}\nexample.com/apache = {}\n", ports.at(0), ports.at(1));
    let file = sandbox.write("port-for.conf", &text);
    let import = sandbox.portkeeper("import --port-for port-for.conf");
    let answer = import.ok().is_silent().json();
    let imported = &answer["imported"][0];
    assert_eq!((&imported["name"], &imported["port"]), (&json!("foo"), &json!(ports.at(0))));
    assert_eq!((&imported["host"], &imported["owner"]), (&json!("127.0.0.1"), &json!(null)));
    assert_eq!(answer["skipped"], json!([]));
    assert_eq!(sandbox.portkeeper("port --global foo").ok().port(), ports.at(0));
    assert_eq!(sandbox.portkeeper("port --global example.com/apache").ok().port(), ports.at(1));

    let again = import.ok();
    again.says("line 2: it is here already");
    assert_eq!(again.json()["imported"], json!([]));
    assert_eq!(std::fs::read_to_string(file).unwrap(), text, "the file is only read");
}

#[test]
fn ports_that_nobody_may_bind_or_that_somebody_uses_keep_their_names() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _listener = sandbox.listener("127.0.0.1", ports.first());
    sandbox.write("port-for.conf", format!("[DEFAULT]\nroot = 80\nbusy = {}\n", ports.first()));
    let answer = sandbox.portkeeper("import --port-for port-for.conf").ok();
    answer.says(format!("busy has {}, and stand-in", ports.first()));
    assert_eq!(sandbox.portkeeper("list --global").ok().stdout, format!("busy: {}\nroot: 80\n", ports.first()));
}

#[test]
fn faults_are_reported_with_their_lines_and_stop_nothing() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let _ = sandbox.portkeeper(format!("port --global kept --port {}", ports.at(0))).ok();
    let text = format!(
        "[DEFAULT]\nbad = abc\nfoo = {}\n8080 = 1\nkept = {}\nsame = {}\n#lost = 4711\n",
        ports.at(1),
        ports.at(2),
        ports.at(1)
    );
    sandbox.write("port-for.conf", text);
    let answer = sandbox.portkeeper("import --port-for port-for.conf").exits(1);
    answer
        .says("port-for.conf: line 2: `bad`: `abc` is not a port")
        .says("line 4: `8080` cannot be a name")
        .says(format!("line 5: `kept` has port {} here, and keeps it", ports.at(0)))
        .says(format!("line 6: port {} is reserved here as foo, a global name", ports.at(1)))
        .says("line 7: ")
        .says("'#lost'");
    assert_eq!(answer.json()["skipped"].as_array().unwrap().len(), 4);
    assert_eq!(
        sandbox.portkeeper("list --global").ok().stdout,
        format!("foo: {}\nkept: {}\n", ports.at(1), ports.at(0))
    );
}

#[test]
fn a_file_that_is_missing_or_no_registry_is_an_error() {
    let sandbox = sandbox();
    sandbox.portkeeper("import --port-for nowhere.conf").refused(3).says("nowhere.conf");
    sandbox.portkeeper("import --portkeeper").refused(3).says(".port_registry.json");
    sandbox.write(".port_registry.json", "{\"127.0.0.1:80");
    sandbox.portkeeper("import --portkeeper").refused(2).says("not a registry of the Python portkeeper");
    sandbox.portkeeper("import").refused(2);
    sandbox.portkeeper("import --port-for x --portkeeper y").refused(2);
    assert!(!sandbox.registry().exists());
}

#[test]
fn reservations_of_the_python_tool_live_on_while_they_are_used() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let entry = |port: u16, host: &str, owner: &str| {
        (format!("{host}:{port}"), json!({ "host": host, "port": port, "owner": owner, "timestamp": 1_700_000_000.5 }))
    };
    let registry: serde_json::Map<_, _> = [
        entry(ports.at(0), "127.0.0.1", "me"),
        entry(ports.at(1), "localhost", "taken"),
        entry(ports.at(2), "198.51.100.7", "elsewhere"),
    ]
    .into_iter()
    .collect();
    sandbox.write(".port_registry.json", serde_json::to_string(&registry).unwrap());
    let _ = sandbox.portkeeper(format!("reserve --port {} --owner alice", ports.at(1))).ok();
    let answer = sandbox.portkeeper("import --portkeeper").exits(1);
    answer.says("alice").says("198.51.100.7 is not an address of this machine");
    assert_eq!(sandbox.reserved(), [ports.at(0), ports.at(1)]);
    let status = sandbox.status();
    let entry = status.iter().find(|entry| entry["port"] == ports.at(0)).unwrap();
    assert_eq!((&entry["owner"], &entry["lease"]), (&json!("me"), &json!({ "kind": "grace", "seconds": 60 })));

    let _ = sandbox.portkeeper("release --all").ok();
    let _ = sandbox.portkeeper("import --portkeeper --ttl 2h").exits(1);
    let kinds: Vec<_> = sandbox.status().iter().map(|entry| entry["lease"]["kind"].clone()).collect();
    assert_eq!(kinds, ["timed", "timed"]);
}
