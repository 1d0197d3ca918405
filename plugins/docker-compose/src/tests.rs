use portkeeper_plugin_sdk::{Reservation, TextFile};
use proptest::prelude::*;

use super::*;

const BEGIN: &str = "# portkeeper:begin needs Docker Compose 2.24.4 or newer; what you change in here is lost";
const WEB: &str = r#"{"services": {"web": {"SERVICE_PORT": 80}}}"#;

fn request(old: &str, options: &str) -> Request {
    let dns =
        Reservation { protocol: "udp".to_owned(), host: Some("::1".to_owned()), ..Reservation::tcp("DNS_PORT", 5300) };
    let mut request = Request {
        reservations: vec![Reservation::tcp("SERVICE_PORT", 8888), dns, Reservation::tcp("TLS_PORT", 8443)],
        options: options.to_owned(),
        ..Request::new("compose.override.yaml")
    };
    request.target.text = (!old.is_empty()).then(|| old.to_owned());
    request
}

/// A request as the host makes it, with these files in the project.
fn in_project(target: &str, files: &[(&str, &str)], options: &str) -> Request {
    let text = |path: &str| files.iter().find(|(known, _)| *known == path).map(|(_, text)| (*text).to_owned());
    let base = |path: &&str| text(path).map(|text| TextFile { path: (*path).to_owned(), text: Some(text) });
    let mut request = request("", options);
    request.target = TextFile { path: target.to_owned(), text: text(target) };
    request.inputs = BASES.iter().filter_map(base).collect();
    request.attrs = vec![("project-id".to_owned(), "0a1b2c3d".to_owned()), ("given".to_owned(), "path".to_owned())];
    for path in [".env"].into_iter().chain(OVERRIDES) {
        show(&mut request, path, text(path));
    }
    request
}

fn show(request: &mut Request, path: &str, text: Option<String>) {
    request.attrs.push(match text {
        Some(text) => (format!("file:{path}"), text),
        None => (format!("missing-file:{path}"), String::new()),
    });
}

/// Renders as the host does: files that are ordered are shown.
fn render_in(target: &str, files: &[(&str, &str)], options: &str) -> Result<Response, Failure> {
    let mut request = in_project(target, files, options);
    loop {
        let answer = DockerCompose::render(&request);
        let order =
            answer.as_ref().err().filter(|failure| failure.needs_files()).map(|failure| failure.message.clone());
        let Some(order) = order else { return answer };
        for path in order.lines() {
            let text = files.iter().find(|(known, _)| *known == path).map(|(_, text)| (*text).to_owned());
            show(&mut request, path, text);
        }
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
fn a_port_that_is_reserved_for_both_protocols_is_published_for_both() {
    let mut request = request("", r#"{"services": {"dns": {"SERVICE_PORT": 53}}}"#);
    request.reservations[0].attrs.push(("protocols".to_owned(), "tcp,udp".to_owned()));
    let expected = format!("services:\n  dns:\n{}", block("    ", &["127.0.0.1:8888:53", "127.0.0.1:8888:53/udp"]));
    assert_eq!(render(&request), expected);
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

const PUBLISHES_80: &str = "services:\n  web:\n    image: nginx\n    ports: [\"8080:80\"]\n";
const PUBLISHES_81: &str = "services:\n  web:\n    ports: [\"8081:81\"]\n";
const MINE: &str = "services:\n  web:\n    environment: {MINE: \"1\"}\n";

#[test]
fn a_file_that_compose_does_not_read_is_refused_with_what_helps() {
    let base = ("compose.yml", PUBLISHES_80);
    for (target, files, message, help) in [
        (
            "compose.override.yaml",
            vec![base, ("compose.override.yml", MINE)],
            "of several overrides it reads `compose.override.yml` only",
            "set \"path\" to `compose.override.yml`",
        ),
        (
            "compose.override.yaml",
            vec![base, ("docker-compose.override.yml", MINE)],
            "Compose would no longer read `docker-compose.override.yml`",
            "what stands there stays",
        ),
        ("ports.yaml", vec![base], "here it reads `compose.yml`", "\"inputs\""),
        (
            "deploy/compose.override.yaml",
            vec![base, ("deploy/.env", "")],
            "here it reads `compose.yml`",
            "COMPOSE_FILE",
        ),
        (
            "compose.override.yaml",
            vec![base, (".env", "COMPOSE_FILE=compose.yml:dev.yaml\n")],
            "`.env` sets COMPOSE_FILE to `compose.yml:dev.yaml`",
            "Add `:compose.override.yaml` to the end",
        ),
    ] {
        let failure = render_in(target, &files, WEB).unwrap_err();
        assert_eq!(failure.code, "bad-target", "{failure}");
        assert!(failure.message.contains(message) && failure.help.as_ref().unwrap().contains(help), "{failure}");
    }
}

#[test]
fn the_owners_override_is_merged_into_and_one_too_many_is_shown() {
    let base = ("compose.yml", PUBLISHES_80);
    let response =
        render_in("docker-compose.override.yml", &[base, ("docker-compose.override.yml", MINE)], WEB).unwrap();
    assert!(response.files[0].text.contains("MINE") && response.diagnostics.is_empty());
    let both = [base, ("docker-compose.override.yml", MINE), ("compose.override.yaml", MINE)];
    let warning = render_in("compose.override.yaml", &both, WEB).unwrap().diagnostics.remove(0);
    assert!(warning.message.contains("and not `docker-compose.override.yml`"), "{}", warning.message);
}

#[test]
fn a_service_of_the_owners_override_is_one_and_what_portkeeper_left_there_is_none() {
    let base = ("compose.yaml", "services:\n  db: {image: pg}\n");
    let target = "compose.override.yaml";
    let own = render_in(target, &[base, (target, MINE)], WEB).unwrap().files.remove(0).text;
    assert!(own.contains("127.0.0.1:8888:80"), "{own}");
    let left = format!("services:\n  web:\n{}", block("    ", &["127.0.0.1:8888:80"]));
    assert!(render_in(target, &[base, (target, &left)], WEB).unwrap_err().message.contains("no service `web`"));
    let with_ports = render_in(target, &[base, (target, PUBLISHES_80)], WEB).unwrap_err();
    assert!(with_ports.message.contains("did not write"), "{with_ports}");
}

#[test]
fn the_files_of_compose_file_are_read_in_their_order() {
    let files =
        |list: &'static str, dev: &'static str| vec![("compose.yml", PUBLISHES_80), ("dev.yaml", dev), (".env", list)];
    let message = |list, dev| render_in("ports.yaml", &files(list, dev), WEB).unwrap_err().message;
    let last = "COMPOSE_FILE=compose.yml:dev.yaml:ports.yaml";
    render_in("ports.yaml", &files(last, MINE), WEB).unwrap();
    assert!(message(last, PUBLISHES_81).contains("port 81/tcp (`dev.yaml` line 3)"));
    let replaced = "services:\n  web:\n    ports: !override [\"1:80\"]\n";
    render_in("ports.yaml", &files("COMPOSE_FILE=dev.yaml:compose.yml:ports.yaml", PUBLISHES_81), WEB).unwrap_err();
    render_in("ports.yaml", &files(last, replaced), WEB).unwrap();
    let not_last = "COMPOSE_FILE=compose.yml:ports.yaml:dev.yaml";
    assert!(message(not_last, PUBLISHES_81).contains("Compose reads `dev.yaml` after it"));
    render_in("ports.yaml", &files(not_last, MINE), WEB).unwrap();
    let separated = "COMPOSE_PATH_SEPARATOR=;\nCOMPOSE_FILE=compose.yml;ports.yaml\n";
    render_in("ports.yaml", &files(separated, MINE), WEB).unwrap();
}

#[test]
fn included_and_extended_files_are_followed() {
    let include =
        "include:\n  - sub/web.yaml\n  - path: [\"sub/a.yaml\", \"sub/b.yaml\"]\nservices:\n  db:\n    image: pg\n";
    let files = |web: &'static str| {
        vec![
            ("compose.yaml", include),
            ("sub/web.yaml", web),
            ("sub/a.yaml", "services: {}\n"),
            ("sub/b.yaml", "include: [c.yaml]\n"),
            ("sub/c.yaml", "services:\n  cache:\n    ports: [6379]\n"),
        ]
    };
    let target = "compose.override.yaml";
    render_in(target, &files(PUBLISHES_80), WEB).unwrap();
    assert!(render_in(target, &files(PUBLISHES_81), WEB).unwrap_err().message.contains("(`sub/web.yaml` line 3)"));
    render_in(target, &files(PUBLISHES_80), r#"{"services": {"cache": {"SERVICE_PORT": 6379}}}"#).unwrap();
    let extends = "services:\n  web:\n    extends: {file: sub/web.yaml, service: web}\n    ports: [80]\n";
    let extended = [("compose.yaml", extends), ("sub/web.yaml", PUBLISHES_81)];
    assert!(render_in(target, &extended, WEB).unwrap_err().message.contains("port 81/tcp (`sub/web.yaml`"));
}

#[test]
fn what_can_not_be_seen_is_a_refusal_that_the_option_lifts() {
    let lenient = r#"{"services": {"web": {"SERVICE_PORT": 80}}, "drop_unmapped": true}"#;
    let target = "compose.override.yaml";
    for base in [
        "include: [\"oci://example.org/stack\"]\nservices:\n  db: {image: pg}\n",
        "include: [\"${DIR}/web.yaml\"]\nservices:\n  db: {image: pg}\n",
        "include: [missing.yaml]\nservices:\n  db: {image: pg}\n",
        "services:\n  web:\n    extends: {file: missing.yaml, service: web}\n",
        "services:\n  web: {image: [}\n",
    ] {
        let failure = render_in(target, &[("compose.yaml", base)], WEB).unwrap_err();
        assert!(failure.help.as_ref().unwrap().contains("drop_unmapped"), "{base}: {failure}");
        let response = render_in(target, &[("compose.yaml", base)], lenient).unwrap();
        assert!(!response.diagnostics.is_empty(), "{base}");
    }
    let cycle = [("compose.yaml", "include: [a.yaml]\n"), ("a.yaml", "include: [compose.yaml]\n")];
    assert!(render_in(target, &cycle, WEB).unwrap_err().message.contains("includes itself"));
}

#[test]
fn the_project_gets_a_name_that_compose_takes() {
    let named = r#"{"services": {"web": {"SERVICE_PORT": 80}}, "project_name": true}"#;
    let target = "compose.override.yaml";
    let render = |files: &[(&str, &str)]| render_in(target, files, named);
    let mut named_project = in_project(target, &[("compose.yaml", PUBLISHES_80)], named);
    named_project.project = "_My Shop".to_owned();
    let text = DockerCompose::render(&named_project).unwrap().files.remove(0).text;
    let expected = format!(
        "{BEGIN}\nname: myshop-0a1b2c3d\n# portkeeper:end\nservices:\n  web:\n{}",
        block("    ", &["127.0.0.1:8888:80"])
    );
    let expected =
        expected.replacen(BEGIN, &format!("# portkeeper:begin {}", &BEGIN["# portkeeper:begin ".len()..]), 1);
    assert_eq!(text, expected);
    let again = render(&[("compose.yaml", PUBLISHES_80), (target, &text)]).unwrap().files.remove(0).text;
    assert_eq!(again.replace("project-0a1b2c3d", "myshop-0a1b2c3d"), text);
    let without =
        render_in(target, &[("compose.yaml", PUBLISHES_80), (target, &text)], WEB).unwrap().files.remove(0).text;
    assert!(!without.contains("name:"), "{without}");
    let set = render(&[("compose.yaml", PUBLISHES_80), (".env", "COMPOSE_PROJECT_NAME=shop")]).unwrap_err();
    assert!(set.message.contains("`.env` sets COMPOSE_PROJECT_NAME to `shop`"), "{set}");
    let own = render(&[("compose.yaml", PUBLISHES_80), (target, "# c\nname: mine\n")]).unwrap_err();
    assert_eq!((own.code.as_str(), own.line), ("bad-target", Some(2)));
    let clashing = "services:\n  web:\n    container_name: web\nvolumes:\n  a: {name: a}\n  b: {name: b, external: true}\n  c: {name: \"${X}\"}\n";
    let warnings = render(&[("compose.yaml", clashing)]).unwrap().diagnostics;
    assert_eq!(warnings.iter().map(|warning| warning.line).collect::<Vec<_>>(), [Some(3), Some(5)]);
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
