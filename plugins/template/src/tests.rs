use portkeeper_plugin_sdk::{Reservation, TextFile};
use proptest::prelude::*;

use super::*;

/// A server block of nginx, as people keep them in their repositories.
const NGINX: &str = "# portkeeper:generated from nginx.conf.j2
upstream app {
{% for name, port in apps %}
    server {{ host | default('127.0.0.1') }}:{{ port }};  # {{ name | upper }}
{% endfor %}
}
server {
    listen {{ PROXY_PORT }};
    {% if tls %}
    ssl on;
    {% endif %}
    location / { proxy_set_header Host \"$host\"; proxy_pass http://app; }
}
";

fn request(template: &str, map: &str) -> Request {
    let input = TextFile { path: "nginx.conf.j2".to_owned(), text: Some(template.to_owned()) };
    Request { map: map.to_owned(), inputs: vec![input], ..Request::new("nginx.conf") }
}

fn overwriting(template: &str, map: &str) -> Request {
    Request { options: r#"{"overwrite": true}"#.to_owned(), ..request(template, map) }
}

fn text(request: &Request) -> String {
    let response = Template::render(request);
    response.unwrap_or_else(|failure| panic!("{failure}")).files.remove(0).text
}

fn failure(request: &Request) -> Failure {
    Template::render(request).unwrap_err()
}

#[test]
fn a_template_of_nginx_becomes_its_configuration() {
    let map = r#"{"PROXY_PORT": "8080", "apps": [["api", 9100], ["web", 9101]], "tls": false}"#;
    let expected = "# portkeeper:generated from nginx.conf.j2
upstream app {
    server 127.0.0.1:9100;  # API
    server 127.0.0.1:9101;  # WEB
}
server {
    listen 8080;
    location / { proxy_set_header Host \"$host\"; proxy_pass http://app; }
}
";
    assert_eq!(text(&request(NGINX, map)), expected);
}

#[test]
fn only_a_line_of_nothing_but_tags_loses_its_end() {
    for (template, expected) in [
        ("A={% if yes %}{{ port }}{% endif %}\nB=2\n", "A=8080\nB=2\n"),
        ("listen {{ port }}{% if yes %} ssl{% endif %}\nserver x\n", "listen 8080 ssl\nserver x\n"),
        ("a {# why #}\nb\n", "a \nb\n"),
        ("a {% if yes %}\r\nb{% endif %}\r\nc\n", "a \r\nb\r\nc\n"),
        ("  {% if yes %}{# why #}{% if yes %}\n  x\n  {% endif %}\n{% endif %}\ny\n", "  x\ny\n"),
        ("a{% if '%}' == 'x' %}\n{% endif -%}\n  b\n", "ab\n"),
        ("x {% raw %}\n{% if %}\n{% endraw %}\ny\n", "x \n{% if %}\ny\n"),
        ("{{ port }}{% if yes -%}\n  b{% endif %}\nc", "8080b\nc"),
    ] {
        assert_eq!(text(&overwriting(template, r#"{"port": "8080", "yes": true}"#)), expected, "{template}");
    }
}

#[test]
fn a_port_of_the_map_can_be_counted_with() {
    let map = r#"{"port": "8080", "empty": "", "word": "x"}"#;
    let template = "{{ port | int + 1 }} {{ empty | default('e', true) }} {{ empty | default('e') }} {{ none | default('n', true) }} {{ word | int(7) }}";
    assert_eq!(text(&overwriting(template, map)), "8081 e  n 7");
    assert!(failure(&overwriting("{{ word | int }}", map)).message.contains("`x` is not a number"));
}

#[test]
fn reservations_and_project_can_be_asked_for() {
    let template = "{{ project }}{% for r in reservations %} {{ r.name }}={{ r.host }}:{{ r.port }}/{{ r.protocol }}{% endfor +%}\n";
    let mut request = overwriting(template, "{}");
    request.project = "shop".to_owned();
    request.reservations =
        vec![Reservation::tcp("WEB", 8080), Reservation { host: Some("::1".to_owned()), ..Reservation::tcp("API", 1) }];
    assert_eq!(text(&request), "shop WEB=localhost:8080/tcp API=::1:1/tcp\n");
    assert_eq!(text(&Request { map: r#"{"project": "mine"}"#.to_owned(), ..request }).split(' ').next(), Some("mine"));
}

#[test]
fn values_come_as_they_are() {
    let map = r#"{"a": "<b> & \"c\" 'd'\n", "n": null, "t": true, "f": 1.5, "o": {"p": [1, 2]}}"#;
    assert_eq!(
        text(&overwriting("{{ a }}|{{ t }}|{{ f }}|{{ o.p | join('-') }}|{{ o.p[0] }}", map)),
        "<b> & \"c\" 'd'\n|true|1.5|1-2|1"
    );
    assert_eq!(text(&overwriting("{{ a }}", "{\"a\": \"{{ b }}\"}")), "{{ b }}", "a value is no template");
}

#[test]
fn what_is_wrong_in_the_template_is_told_with_its_line() {
    for (template, words) in [
        ("x\n{{ PRT }}\n", &["`nginx.conf.j2` line 2", "does not exist"][..]),
        ("{{ o.p.q }}", &["line 1", "does not exist"]),
        ("\n\n{% if %}\n", &["line 3"]),
        ("{{ PORT | nope }}", &["line 1", "nope"]),
        ("{% include 'x' %}", &["line 1"]),
        ("{% for a in 1 %}{% endfor %}", &["line 1"]),
    ] {
        let failure = failure(&request(template, r#"{"PORT": 1, "o": {}}"#));
        assert_eq!(failure.code, "bad-input", "{template}");
        assert!(words.iter().all(|word| failure.message.contains(word)), "{template}: {failure}");
    }
}

#[test]
fn a_file_that_somebody_wrote_is_not_overwritten() {
    let (marked, map) = ("# portkeeper:generated\n{{ P }}\n", r#"{"P": 1}"#);
    let new = "# portkeeper:generated\n1\n";
    for old in ["", "\n", new, "# portkeeper:generated\nother\n"] {
        assert_eq!(text(&request(marked, map).text(old)), new, "{old:?}");
    }
    let refused = failure(&request(marked, map).text("mine\n"));
    assert_eq!(refused.code, "bad-target");
    assert!(refused.help.unwrap().contains("\"overwrite\": true"));
    assert_eq!(text(&overwriting(marked, map).text("mine\n")), new);
}

#[test]
fn a_template_without_a_mark_is_refused_before_its_first_file() {
    let refused = failure(&request("{{ P }}\n", r#"{"P": 1}"#));
    assert_eq!(refused.code, "bad-input");
    assert!(refused.help.unwrap().contains("portkeeper:generated"));
}

#[test]
fn there_is_one_template() {
    let mut request = overwriting("x", "{}");
    request.inputs.push(TextFile::default());
    assert!(failure(&request).message.contains("second"));
    request.inputs.truncate(0);
    assert!(failure(&request).help.unwrap().contains("inputs"));
    request.inputs.push(TextFile { path: "a.j2".to_owned(), text: None });
    assert!(failure(&request).message.contains("`a.j2` is not there"));
}

#[test]
fn the_schema_is_what_the_options_say() {
    let derived: serde_json::Value =
        serde_json::from_str(&portkeeper_plugin_sdk::options::schema::<Options>()).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(SCHEMA).unwrap(), derived);
}

proptest! {
    #[test]
    fn the_same_request_gives_the_same_text_whatever_was_there(old in any::<String>(), value in any::<String>()) {
        let map = serde_json::json!({ "a": value, "b": { "c": value } }).to_string();
        let request = overwriting("{{ a }}{% for key in b %}{{ key }}={{ b[key] }}{% endfor +%}\n", &map);
        let once = text(&request);
        prop_assert_eq!(&once, &format!("{value}c={value}\n"));
        prop_assert_eq!(&text(&request.clone().text(&old)), &once);
        prop_assert_eq!(&text(&request.text(&once)), &once);
    }

    #[test]
    fn no_text_makes_it_panic(template in any::<String>(), jinja in "(\\{\\{|\\}\\}|\\{%|%\\}|if|for|in|a|[|.()'\" \n-]){0,20}", options in any::<String>()) {
        let _ = Template::render(&overwriting(&template, "{}"));
        let _ = Template::render(&overwriting(&jinja, r#"{"a": [1]}"#));
        let _ = Template::render(&Request { options, ..request("x", "{}") });
    }
}
