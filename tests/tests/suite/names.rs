//! Names on the command line: a port for each, the same one every time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use portkeeper_tests::{Namespace, Outcome, Own, Ports, Run, Sandbox, StandIn, all_at_once, program_or_skip};
use serde_json::json;

use crate::sandbox;

/// A directory that is the root of a worktree.
fn project(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.directory(format!("{name}/.git"));
    sandbox.work().join(name)
}

/// `port NAME` in the directory.
fn port<'a>(sandbox: &'a Sandbox, directory: &PathBuf, words: &str) -> Run<'a> {
    sandbox.portkeeper(format!("port {words}")).within(directory)
}

#[test]
fn a_name_gives_the_same_port_every_time_and_from_every_directory_of_its_project() {
    let sandbox = sandbox();
    let shop = project(&sandbox, "shop");
    let web = port(&sandbox, &shop, "web").ok().port();
    assert_eq!(port(&sandbox, &shop, "web").ok().port(), web);
    assert_eq!(port(&sandbox, &sandbox.directory("shop/src/deep"), "web").ok().port(), web);
    assert_eq!(sandbox.portkeeper("reserve web").within(&shop).ok().json()["port"], web);
    assert_ne!(port(&sandbox, &shop, "api").ok().port(), web);
    assert_eq!(sandbox.reserved().len(), 2);
}

#[test]
fn the_answer_names_name_and_project() {
    let sandbox = sandbox();
    let shop = project(&sandbox, "shop");
    let answer = sandbox.portkeeper("reserve web --owner me").within(&shop).ok().is_silent().json();
    let shop = shop.canonicalize().unwrap();
    assert_eq!(answer["lease"], json!({ "kind": "named" }));
    assert_eq!((&answer["name"], &answer["project"]), (&json!("web"), &json!(shop)));
    assert_eq!((&answer["owner"], &answer["guarantee"]), (&json!("me"), &json!("advisory")));
    assert_eq!((&answer["occupied_by"], &answer["moved_from"]), (&json!([]), &json!(null)));
}

#[test]
fn worktrees_of_one_repository_are_different_projects() {
    if program_or_skip("git").is_none() {
        return;
    }
    let sandbox = sandbox();
    let script = "git init -q shop && cd shop && git -c user.name=x -c user.email=x@x commit -q --allow-empty -m x \
                  && git worktree add -q ../feature 2>/dev/null && portkeeper port web && cd ../feature && portkeeper port web \
                  && mkdir src && cd src && portkeeper port web";
    let ports = sandbox.shell(script).ok().ports();
    assert_ne!(ports[0], ports[1]);
    assert_eq!(ports[1], ports[2]);
}

#[test]
fn a_directory_under_another_spelling_or_moved_keeps_its_names() {
    let sandbox = sandbox();
    let shop = project(&sandbox, "shop");
    let (web, api) = (port(&sandbox, &shop, "web").ok().port(), port(&sandbox, &shop, "api").ok().port());
    std::os::unix::fs::symlink(&shop, sandbox.work().join("link")).unwrap();
    assert_eq!(port(&sandbox, &sandbox.work().join("link"), "web").ok().port(), web);
    let moved = sandbox.work().join("moved");
    std::fs::rename(&shop, &moved).unwrap();
    assert_eq!(port(&sandbox, &moved, "web").ok().port(), web);
    assert_eq!(sandbox.portkeeper("gc").ok().json(), json!({ "released": [] }), "the other name moved along");
    assert_eq!(port(&sandbox, &moved, "api").ok().port(), api);
}

#[test]
fn a_directory_in_no_project_is_told_what_to_do() {
    let sandbox = sandbox();
    let run = sandbox.portkeeper("port web");
    run.refused(2).says("--project .").says("--global");
    assert!(!sandbox.registry().exists());
    let here = sandbox.portkeeper("port web --project .").ok().port();
    assert_eq!(sandbox.portkeeper("port web --project work").within(sandbox.root()).ok().port(), here);
    let global = sandbox.portkeeper("port web --global").ok().port();
    assert_ne!(global, here);
    assert_eq!(sandbox.portkeeper("port web --global").within(sandbox.root()).ok().port(), global);
    sandbox.portkeeper("port web --project nowhere").refused(3).says("nowhere");
}

#[test]
fn the_names_of_a_config_are_reached_by_the_same_command() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let config = json!({
        "owner": "shop",
        "ports": [{ "key": "SERVICE_PORT", "range": [ports.first(), ports.last()] }],
        "outputs": [{ "type": "env" }],
    });
    sandbox.write("shop/pk.config.json", config.to_string());
    let shop = sandbox.work().join("shop");
    let prepare = sandbox.portkeeper("prepare").within(&shop);
    let _ = prepare.ok();
    let before = sandbox.everything();
    assert_eq!(port(&sandbox, &sandbox.directory("shop/src"), "SERVICE_PORT").ok().port(), ports.first());
    std::fs::remove_dir(shop.join("src")).unwrap();
    before.assert_unchanged("asking for a config's name");
    let list = sandbox.portkeeper("list --json").within(&shop).ok().json();
    assert_eq!((&list[0]["config"], &list[0]["owner"]), (&json!("pk.config.json"), &json!("shop")));

    // A name that only the command line knows is not the config's to release.
    let web = port(&sandbox, &shop, "web").ok().port();
    let _ = prepare.ok();
    assert_eq!(port(&sandbox, &shop, "web").ok().port(), web);
}

#[test]
fn case_and_odd_signs_matter() {
    let sandbox = sandbox();
    let names = ["web", "Web", "WEB", "#1", "#2", "a=b", "a=c", "example.com/apache", "größe", "端口", "a:b"];
    let port = |name: &str| sandbox.portkeeper("port --global").arg(name).ok().port();
    let first: Vec<u16> = names.iter().map(|name| port(name)).collect();
    assert_eq!(BTreeSet::from_iter(&first).len(), names.len());
    assert_eq!(names.iter().map(|name| port(name)).collect::<Vec<_>>(), first);
    assert_eq!(sandbox.portkeeper("port --global -- -x").ok().ports().len(), 1);
}

#[test]
fn what_is_no_name_is_refused_with_the_reason() {
    let sandbox = sandbox();
    for command in ["port", "reserve"] {
        sandbox.portkeeper(format!("{command} 8080")).refused(2).says("looks like a port");
        sandbox.portkeeper(format!("{command} localhost:8080")).refused(2).says("looks like an address");
        for name in ["", "a b", "a\nb", "a\u{1b}b", "a\u{202e}b"] {
            let _ = sandbox.portkeeper(command).arg(name).refused(2);
        }
    }
    assert!(!sandbox.registry().exists());
}

#[test]
fn options_that_do_not_go_with_names_are_refused() {
    let sandbox = sandbox();
    let refused = |words: &str| sandbox.portkeeper(words).refused(2);
    refused("port web --global --count 2").says("--count");
    for option in ["--ttl 1h", "--grace 5s", "--for-pid 1", "--write-env=KEY"] {
        refused(&format!("reserve web --global {option}")).says("a name lasts until it is released");
    }
    refused("port web web --global").says("twice");
    refused("port web api --global --port 9000").says("--port is one port");
    refused("port --global").says("NAME");
    refused("port --move");
    refused("port --require-free");
    refused("port web --global --move --port 9000");
    refused("port web --global --project .");
    assert!(!sandbox.registry().exists());
}

#[test]
fn several_names_are_answered_in_their_order_all_or_none() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let named = sandbox.portkeeper(format!("port --global api web --range {ports}")).ok().ports();
    assert_eq!(named, ports.all());
    let json = sandbox.portkeeper("reserve --global web api").ok();
    assert_eq!(json.ports(), [ports.at(1), ports.at(0)]);
    sandbox.portkeeper(format!("port --global web third --range {ports}")).refused(1).says("third");
    assert_eq!(sandbox.reserved(), ports.all());
}

#[test]
fn a_chosen_port_is_bound_and_another_one_moves_the_name() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let web = |words: String| sandbox.portkeeper(format!("reserve web --global {words}"));
    let bind = |at: u16| web(format!("--port {}", ports.at(at)));
    assert_eq!(bind(0).ok().port(), ports.at(0));
    bind(0).ok().is_silent();
    let moved = bind(1).ok();
    moved.says(format!("web moved from {} to {}", ports.at(0), ports.at(1)));
    assert_eq!(moved.json()["moved_from"], ports.at(0));
    assert_eq!(sandbox.reserved(), [ports.at(1)]);

    let _ = sandbox.portkeeper(format!("reserve --port {} --owner alice --ttl 1h", ports.at(2))).ok();
    bind(2).refused(1).says("alice");
    assert_eq!(web(String::new()).ok().port(), ports.at(1), "the name keeps what it had");
}

#[test]
fn a_name_keeps_its_port_whoever_listens() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let (shop, other) = (project(&sandbox, "shop"), project(&sandbox, "other"));
    let web = |words: &str| sandbox.portkeeper(format!("reserve web {words}")).within(&shop);
    let listen = format!("listen 127.0.0.1:{}", ports.first());
    let _ = web(&format!("--range {ports}")).ok();
    let listener = StandIn::start(sandbox.stand_in_run(&listen).within(&other).command());
    let answer = web("").ok();
    answer.says(format!("(pid {})", listener.pid()));
    assert_eq!(answer.port(), ports.first());
    assert_eq!(answer.json()["occupied_by"][0]["pid"], listener.pid());

    web("--require-free").refused(1).says("stand-in");
    let moved = web(&format!("--move --range {ports}")).ok();
    assert_eq!(moved.port(), ports.at(1));
    moved.says(format!("web moved from {} to {}", ports.at(0), ports.at(1)));
    let _ = web("--require-free").ok();
}

#[test]
fn the_hint_is_about_the_protocol_that_is_in_use() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let both = format!("port web --global --protocol tcp,udp --port {}", ports.first());
    let _ = sandbox.portkeeper(&both).ok();
    let _udp = sandbox.stand_in("udp", "127.0.0.1", ports.first());
    let refused = sandbox.portkeeper("port web --global --require-free").refused(1);
    refused
        .says("not free for udp: stand-in")
        .says(format!("portkeeper kill {}", ports.first()))
        .says("--protocol udp");
    assert!(!refused.stderr.contains("start your server"), "{refused}");
}

#[test]
fn the_projects_own_server_on_its_name_needs_no_word() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = json!({ "ports": [{ "key": "WEB", "preferred": ports.first() }], "outputs": [{ "type": "env" }] });
    sandbox.write("shop/pk.config.json", config.to_string());
    let shop = sandbox.work().join("shop");
    let prepare = sandbox.portkeeper("prepare").within(&shop);
    prepare.ok().is_silent();
    let listen = format!("listen 127.0.0.1:{}", ports.first());
    let server = StandIn::start(sandbox.stand_in_run(&listen).within(&shop).command());
    prepare.ok().is_silent();
    port(&sandbox, &shop, "WEB").ok().is_silent();
    let answer = sandbox.portkeeper("reserve WEB").within(&shop).ok();
    assert_eq!(answer.is_silent().json()["occupied_by"][0]["pid"], server.pid());
}

#[test]
fn what_a_command_collects_on_the_way_is_not_said() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.at(0))).ok();
    for words in [format!("reserve --port {}", ports.at(1)), "port web --global".to_owned()] {
        sandbox.portkeeper(words).ok().is_silent();
    }
    assert!(!sandbox.reserved().contains(&ports.at(0)), "it was collected all the same");
}

#[test]
fn a_port_that_a_server_has_already_can_be_named() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let listener = sandbox.listener("127.0.0.1", ports.first());
    let bind = format!("port web --global --port {}", ports.first());
    sandbox.portkeeper(format!("{bind} --require-free")).refused(1).says("stand-in");
    assert!(sandbox.reserved().is_empty());
    let answer = sandbox.portkeeper(&bind).ok();
    answer.says(format!("web has {}, and stand-in (pid {}) is listening", ports.first(), listener.pid()));
    assert_eq!(sandbox.reserved(), [ports.first()]);
}

#[test]
fn host_protocol_and_owner_stay_unless_something_else_is_asked_for() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let web = |words: &str| sandbox.portkeeper(format!("reserve web --global {words}"));
    let _ = web(&format!("--range {ports} --host 127.0.0.2 --owner me")).ok();
    let again = web("").env("PORTKEEPER_HOST", "127.0.0.3").ok().json();
    assert_eq!((&again["host"], &again["owner"]), (&json!("127.0.0.2"), &json!("me")));
    assert_eq!(web("--owner you").ok().json()["owner"], "you");
    let udp = sandbox.portkeeper(format!("reserve dns --global --protocol udp --range {ports}")).ok().json();
    assert_eq!(sandbox.portkeeper("reserve dns --global").ok().json(), udp);
}

#[test]
fn list_prints_name_and_port_as_port_for_does() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let (shop, blog) = (project(&sandbox, "shop"), project(&sandbox, "blog"));
    for (directory, name, index) in [(&shop, "web", 1), (&shop, "api", 0), (&blog, "web", 2)] {
        let _ = port(&sandbox, directory, &format!("{name} --port {}", ports.at(index))).ok();
    }
    let _ = sandbox.portkeeper("reserve --owner no-name").ok();
    let list = |words: &str, directory: &PathBuf| sandbox.portkeeper(format!("list {words}")).within(directory).ok();
    assert_eq!(list("", &shop).stdout, format!("api: {}\nweb: {}\n", ports.at(0), ports.at(1)));
    assert_eq!(list("--project shop", &sandbox.work()).stdout, list("", &shop).stdout);
    assert_eq!(list("--global", &shop).stdout, "");
    let outside = list("", &sandbox.work());
    assert_eq!(outside.stdout, "");
    outside.says("--all");

    let all = list("--all", &sandbox.work()).stdout;
    assert_eq!(all.lines().count(), 3);
    assert!(all.starts_with(&format!("web: {}  (", ports.at(2))) && all.contains("/blog)\n"), "{all}");
    let json = list("--json", &blog).json();
    let blog = blog.canonicalize().unwrap();
    let entry = json!({ "name": "web", "port": ports.at(2), "host": "127.0.0.1", "protocol": "tcp", "owner": null,
                        "project": blog, "config": null, "here": true });
    let [found] = json.as_array().unwrap().as_slice() else { panic!("{json}") };
    assert!(entry.as_object().unwrap().iter().all(|(key, value)| found[key] == *value), "{json}");
}

#[test]
fn release_takes_names_and_ports_mixed() {
    let sandbox = sandbox();
    let shop = project(&sandbox, "shop");
    let (web, api) = (port(&sandbox, &shop, "web").ok().port(), port(&sandbox, &shop, "api").ok().port());
    let _ = sandbox.portkeeper("port web --global").ok();
    let answer = sandbox.portkeeper(format!("release web {api}")).within(&shop).ok();
    let released =
        answer.json()["released"].as_array().unwrap().iter().map(|one| one["port"].clone()).collect::<Vec<_>>();
    assert_eq!(released, [json!(web), json!(api)]);
    assert_eq!(sandbox.reserved().len(), 1, "the global name of the same spelling stays");

    let missing = sandbox.portkeeper("release web").within(&shop).exits(1);
    missing.says("no name `web` of").says("--global");
    let _ = sandbox.portkeeper("release web --if-exists").within(&shop).ok();
    sandbox.portkeeper("release web").refused(2).says("--global");
    let _ = sandbox.portkeeper("release web --global").ok();
    assert!(sandbox.reserved().is_empty());
    sandbox.portkeeper("release 1:2").refused(2);
    sandbox.portkeeper("release --all --global").refused(2).says("NAME");
}

#[test]
fn one_name_asked_by_fifty_at_once_is_one_port() {
    let sandbox = sandbox();
    let shop = project(&sandbox, "shop");
    let ask = port(&sandbox, &shop, "web --lock-timeout 2m");
    let outcomes = all_at_once(std::iter::repeat_n(ask, 50));
    let ports: BTreeSet<u16> = outcomes.iter().map(|outcome| outcome.expect_code(0).port()).collect();
    assert_eq!(Vec::from_iter(ports), sandbox.reserved());
}

#[test]
fn fifty_names_at_once_are_fifty_ports() {
    let sandbox = sandbox();
    let shop = project(&sandbox, "shop");
    let ask = |number| port(&sandbox, &shop, &format!("name-{number} --lock-timeout 2m"));
    let outcomes = all_at_once((0..50).map(ask));
    let ports: BTreeSet<u16> = outcomes.iter().map(|outcome| outcome.expect_code(0).port()).collect();
    assert_eq!(ports.len(), 50);
    assert_eq!(Vec::from_iter(ports), sandbox.reserved());
    assert_eq!(sandbox.portkeeper("list").within(&shop).ok().stdout.lines().count(), 50);
}

#[test]
fn a_known_name_is_told_while_another_process_has_the_lock() {
    let sandbox = sandbox();
    let web = sandbox.portkeeper("port web --global").ok().port();
    let lock = std::fs::File::options().write(true).open(sandbox.lock()).unwrap();
    lock.lock().unwrap();
    assert_eq!(sandbox.portkeeper("port web --global --lock-timeout 0s").ok().port(), web);
    sandbox.portkeeper("port other --global --lock-timeout 0s").refused(3);
}

#[test]
fn names_of_another_network_are_other_ports() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let bind = sandbox.portkeeper(format!("port web --global --port {}", ports.first()));
    let (here, there) = (bind.ok(), bind.clone().inside(&there).ok());
    assert_eq!(here.port(), there.port());
    assert_eq!(sandbox.portkeeper("list --global").ok().stdout.lines().count(), 1);
    assert_eq!(sandbox.portkeeper("list --all").ok().stdout.lines().count(), 2);
}

/// 100 projects with 100 names each, in a range that has room for them and none of the ports that other tests use.
fn crowded(sandbox: &Sandbox) -> Vec<Outcome> {
    let names: String = (0..100).map(|number| format!(" name-{number}")).collect();
    let ask = |number: u8| {
        let project = project(sandbox, &format!("disk-{}/project-{number}", number % 3));
        sandbox.portkeeper(format!("port{names} --range 2000-19999 --lock-timeout 5m")).within(project)
    };
    (0..100)
        .collect::<Vec<_>>()
        .chunks(10)
        .flat_map(|some| all_at_once(some.iter().map(|&number| ask(number))))
        .collect()
}

#[test]
fn ten_thousand_names_of_a_hundred_projects_never_collide_and_end_with_their_directories() {
    let sandbox = sandbox();
    let mut ports = BTreeSet::new();
    for outcome in crowded(&sandbox) {
        for port in outcome.expect_code(0).ports() {
            assert!(ports.insert(port), "{port} was given twice");
        }
    }
    assert_eq!(ports.len(), 10_000);
    let gc = || sandbox.portkeeper("gc").without_powers().ok().json()["released"].as_array().unwrap().len();
    assert_eq!(gc(), 0);

    // A directory that is gone: exactly its names are collected.
    std::fs::remove_dir_all(sandbox.work().join("disk-0/project-0")).unwrap();
    // An unmounted disk: another directory is in its place. An unreadable one: there is no way to find out.
    std::fs::rename(sandbox.work().join("disk-1"), sandbox.work().join("unmounted")).unwrap();
    sandbox.directory("disk-1");
    let closed = sandbox.work().join("disk-2");
    set_mode(&closed, 0o000);
    let released = gc();
    set_mode(&closed, 0o755);
    assert_eq!(released, 100);
    assert_eq!(sandbox.reserved().len(), 9_900);
}

fn set_mode(path: &PathBuf, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
