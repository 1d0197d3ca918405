use portkeeper_plugin_sdk::{Reservation, TextFile};
use proptest::prelude::*;

use super::*;

const BEGIN: &str = "# portkeeper:begin needs Docker Compose 2.24.4 or newer; what you change in here is lost";
const WEB: &str = r#"{"services": {"web": {"SERVICE_PORT": 80}}}"#;

fn request(old: &str, options: &str) -> Request {
    let dns =
        Reservation { protocol: "udp".to_owned(), host: Some("::1".to_owned()), ..Reservation::tcp("DNS_PORT", 5300) };
    Request {
        reservations: vec![Reservation::tcp("SERVICE_PORT", 8888), dns, Reservation::tcp("TLS_PORT", 8443)],
        options: options.to_owned(),
        ..Request::new("compose.override.yaml").text(old)
    }
}

fn with_base(base: &str, options: &str) -> Request {
    let missing = TextFile { path: "compose.yaml".to_owned(), text: None };
    let there = TextFile { path: "compose.yml".to_owned(), text: Some(base.to_owned()) };
    let ignored = TextFile { path: "docker-compose.yml".to_owned(), text: Some("}".to_owned()) };
    Request { inputs: vec![missing, there, ignored], ..request("", options) }
}

fn render(request: &Request) -> String {
    DockerCompose::render(request).unwrap().files.remove(0).text
}

fn block(indent: &str, ports: &[&str]) -> String {
    let ports: String = ports.iter().map(|port| format!("{indent}  - \"{port}\"\n")).collect();
    format!("{indent}{BEGIN}\n{indent}ports: !override\n{ports}{indent}# portkeeper:end\n")
}

#[test]
fn a_new_file_maps_services_to_reserved_ports() {
    let options = r#"{"services": {"web": {"SERVICE_PORT": 80, "TLS_PORT": 443}, "dns": {"DNS_PORT": 53}}}"#;
    let expected = format!(
        "services:\n  dns:\n{}  web:\n{}",
        block("    ", &["[::1]:5300:53/udp"]),
        block("    ", &["127.0.0.1:8888:80", "127.0.0.1:8443:443"])
    );
    let response = DockerCompose::render(&request("", options)).unwrap();
    assert_eq!(response.files[0].text, expected);
    assert!(response.diagnostics[0].message.contains("could not be checked"));
    assert_eq!(render(&request(&expected, options)), expected);
}

#[test]
fn what_else_stands_in_the_file_stays() {
    let old = "# mine\nservices:\n    # the database\n    db:\n        image: pg\n    web: &web\n        # code\n        volumes:\n            - .:/x\nvolumes:\n    data:";
    let expected = old.replace("web: &web\n", &format!("web: &web\n{}", block("        ", &["127.0.0.1:8888:80"])));
    assert_eq!(render(&request(old, WEB)), expected);
    assert_eq!(render(&request(&expected, WEB)), expected);
}

#[test]
fn a_service_that_is_not_there_yet_comes_first() {
    let old = "services:\r\n  db:\r\n    image: pg\r\n";
    let inserted = format!("services:\n  web:\n{}  db:\n    image: pg\n", block("    ", &["127.0.0.1:8888:80"]))
        .replace('\n', "\r\n");
    assert_eq!(render(&request(old, WEB)), inserted);
    let appended = format!("volumes:\n  data:\nservices:\n  web:\n{}", block("    ", &["127.0.0.1:8888:80"]));
    assert_eq!(render(&request("volumes:\n  data:", WEB)), appended);
}

#[test]
fn a_service_that_is_no_longer_asked_for_goes_away() {
    let both = render(&request(
        "services:\n  db:\n    image: pg\n",
        r#"{"services": {"db": {"TLS_PORT": 1}, "web": {"SERVICE_PORT": 80}}}"#,
    ));
    let only_db = format!("services:\n  db:\n{}    image: pg\n", block("    ", &["127.0.0.1:8443:1"]));
    assert_eq!(render(&request(&both, r#"{"services": {"db": {"TLS_PORT": 1}}}"#)), only_db);
}

#[test]
fn ports_written_by_hand_are_not_taken_over() {
    let failure = DockerCompose::render(&request("services:\n  web:\n    ports:\n      - 80\n", WEB)).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.line), ("bad-target", Some(4)));
    let merged = "x-a: &a\n  ports: [80]\nservices:\n  web:\n    <<: *a\n";
    assert!(DockerCompose::render(&request(merged, WEB)).unwrap_err().message.contains("did not write"));
}

#[test]
fn a_file_that_has_no_place_for_a_block_is_refused() {
    for old in [
        "services: {web: {image: x}}\n",
        "services:\n  web: {image: x}\n",
        "x: &a\n  b: 1\nservices:\n  web: *a\n",
        "- a\n",
        "text",
        "{}\n",
        "a: 1\n---\nb: 1\n",
        "a: [\n",
        "a: 1\n...\n",
    ] {
        let failure = DockerCompose::render(&request(old, WEB)).unwrap_err();
        assert_eq!(failure.code, "bad-target", "{old}");
    }
}

#[test]
fn a_published_port_is_not_dropped_silently() {
    let base = "services:\n  web:\n    image: x\n    ports:\n      - \"8080:80\"\n      - target: 443\n        published: \"8443\"\n";
    let failure = DockerCompose::render(&with_base(base, WEB)).unwrap_err();
    assert!(failure.message.contains("`web` publishes its port 443/tcp (`compose.yml` line 6)"), "{failure}");
    render(&with_base(base, r#"{"services": {"web": {"SERVICE_PORT": 80}}, "drop_unmapped": true}"#));
    render(&with_base(base, r#"{"services": {"web": {"SERVICE_PORT": 80, "TLS_PORT": 443}}}"#));
    let udp = "services:\n  web:\n    ports: [\"80:80/udp\"]\n";
    assert!(DockerCompose::render(&with_base(udp, WEB)).unwrap_err().message.contains("80/udp"));
}

#[test]
fn ports_are_found_through_aliases_merges_and_extends() {
    for base in [
        "x: &p [443]\nservices:\n  web:\n    ports: *p\n",
        "x: &s\n  ports: [443]\nservices:\n  web:\n    <<: [*s]\n",
        "services:\n  tls:\n    ports: [443]\n  web:\n    extends: tls\n",
        "services:\n  tls:\n    ports: [443]\n  web:\n    extends: {service: tls}\n    ports: [80]\n",
    ] {
        assert!(DockerCompose::render(&with_base(base, WEB)).unwrap_err().message.contains("port 443"), "{base}");
    }
}

#[test]
fn ports_that_can_not_be_understood_are_not_guessed() {
    for base in [
        "services:\n  web:\n    ports: [\"80:${PORT}\"]\n",
        "services:\n  web:\n    ports: ${PORTS}\n",
        "services:\n  web:\n    extends: {file: other.yaml, service: web}\n",
        "services:\n  web:\n    extends: web\n",
    ] {
        DockerCompose::render(&with_base(base, WEB)).unwrap_err();
    }
}

#[test]
fn names_that_do_not_exist_get_a_suggestion() {
    let wrong = |request: &Request| DockerCompose::render(request).unwrap_err();
    let service = wrong(&with_base("services:\n  wep:\n    image: x\n", WEB));
    assert_eq!((service.code.as_str(), service.help.as_deref()), ("bad-options", Some("Did you mean `wep`?")));
    let reservation = wrong(&request("", r#"{"services": {"web": {"SERVICE_PROT": 80}}}"#));
    assert_eq!(reservation.help.as_deref(), Some("Did you mean `SERVICE_PORT`?"));
}

#[test]
fn options_that_can_not_be_meant_are_refused() {
    for options in [
        "{}",
        r#"{"services": {}}"#,
        r#"{"services": {"web": {}}}"#,
        r#"{"services": {"web": {"SERVICE_PORT": 0}}}"#,
        r#"{"services": {"web": {"SERVICE_PORT": 70000}}}"#,
        r#"{"services": {"a b": {"SERVICE_PORT": 1}}}"#,
        r#"{"services": {"a": {"SERVICE_PORT": 1}, "b": {"SERVICE_PORT": 1}}}"#,
    ] {
        assert_eq!(DockerCompose::render(&request("", options)).unwrap_err().code, "bad-options", "{options}");
    }
}

#[test]
fn docker_publishes_on_addresses() {
    let mut on_name = request("", WEB);
    on_name.reservations[0].host = Some("example.org".to_owned());
    assert_eq!(DockerCompose::render(&on_name).unwrap_err().code, "bad-host");
    on_name.reservations[0].host = Some("0.0.0.0".to_owned());
    assert!(render(&on_name).contains("\"0.0.0.0:8888:80\""));
}

#[test]
fn a_name_that_yaml_takes_for_something_else_is_quoted() {
    assert!(render(&request("", r#"{"services": {"on": {"SERVICE_PORT": 80}}}"#)).contains("\n  \"on\":\n"));
}

#[test]
fn a_bomb_of_anchors_or_levels_is_no_trouble() {
    let mut bomb = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..60 {
        bomb.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}]\n", level - 1));
    }
    let base = format!("{bomb}services:\n  web:\n    image: x\n    deploy: *a59\n");
    render(&with_base(&base, WEB));
    render(&request(&bomb, WEB));
    let cycle = "x: &x\n  <<: *x\nservices:\n  web: *x\n";
    let _ = DockerCompose::render(&with_base(cycle, WEB));
    for deep in ["[".repeat(10_000), "{a: ".repeat(10_000), "- ".repeat(10_000)] {
        assert!(DockerCompose::render(&request(&deep, WEB)).is_err());
    }
}

#[test]
fn the_schema_is_json() {
    assert!(serde_json::from_str::<serde_json::Value>(&DockerCompose::describe().options_schema).unwrap().is_object());
}

fn override_file() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "services:",
        "  web:",
        "  db:",
        "  web: # c",
        "    image: x",
        "    volumes:",
        "      - a",
        "# c",
        "    # c",
        "",
        "volumes:",
        "  x: \\|",
        "    text",
        "  web: \\{\\}",
    ];
    proptest::collection::vec((line, prop_oneof!["\n", "\r\n"]), 0..9)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + &end).collect())
}

proptest! {
    #[test]
    fn rendering_again_changes_nothing_and_every_line_stays(old in override_file()) {
        if let Ok(response) = DockerCompose::render(&request(&old, WEB)) {
            let once = &response.files[0].text;
            prop_assert_eq!(&render(&request(once, WEB)), once);
            let mut lines = once.lines();
            for line in old.lines() {
                prop_assert!(lines.any(|found| found == line), "{:?} is lost", line);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(old in "[a:\\-\\[\\]{}&*!|>#'\"% \n\t]{0,30}", ports in "\\PC{0,12}") {
        let _ = DockerCompose::render(&request(&old, WEB));
        let _ = DockerCompose::render(&with_base(&old, WEB));
        let _ = DockerCompose::render(&with_base(&format!("services:\n  web:\n    ports: [{ports}]\n"), WEB));
        let _ = DockerCompose::render(&with_base(&format!("services:\n  web:\n    ports:\n      - {ports}\n"), WEB));
    }
}
