use portkeeper_plugin_sdk::{Plugin, Request, Severity};
use proptest::prelude::*;

use super::*;

fn text(request: &Request) -> String {
    Env::render(request).unwrap().files.remove(0).text
}

#[test]
fn every_entry_becomes_a_variable() {
    let request = Request::new(".env").entry("SERVICE_PORT", "8888").entry("URL", "http://localhost:8888/a b");
    assert_eq!(text(&request), "SERVICE_PORT=8888\nURL='http://localhost:8888/a b'\n");
}

#[test]
fn the_owners_file_stays_as_it_is() {
    let before = "# secrets\nTOKEN='x y'\n\nexport SERVICE_PORT=\"1\" # server\n";
    let request = Request::new(".env").text(before).entry("SERVICE_PORT", "8888");
    assert_eq!(text(&request), before.replace("\"1\"", "\"8888\""));
}

#[test]
fn a_key_that_is_no_name_is_a_failure_that_names_it() {
    let failure = Env::render(&Request::new(".env").entry("BAD KEY", "1")).unwrap_err();
    assert_eq!(failure.code, "bad-map");
    assert!(failure.message.contains("`BAD KEY`"));
}

#[test]
fn a_duplicate_is_told() {
    let response = Env::render(&Request::new(".env").text("A=1\nA=2\n").entry("A", "3")).unwrap();
    assert_eq!(response.files[0].text, "A=1\nA=3\n");
    assert_eq!(response.diagnostics[0].severity, Severity::Warning);
    assert_eq!(response.diagnostics[0].line, Some(1));
}

#[test]
fn the_schema_allows_no_options() {
    let schema: serde_json::Value = serde_json::from_str(&Env::describe().options_schema).unwrap();
    assert_eq!((&schema["properties"], &schema["additionalProperties"]), (&serde_json::json!({}), &false.into()));
}

proptest! {
    #[test]
    fn rendering_its_own_text_again_changes_nothing(
        old in "([AB#\"'`=x \\\\]{0,6}\r?\n){0,6}",
        a in "\\PC{0,8}",
        b in "[ -~]{0,8}",
    ) {
        let request = Request::new(".env").text(&old).entry("A", &a).entry("B", &b);
        if let Ok(response) = Env::render(&request) {
            let once = &response.files[0].text;
            prop_assert_eq!(&Env::render(&request.clone().text(once)).unwrap().files[0].text, once);
            prop_assert_eq!(&Env::render(&request).unwrap(), &response);
        }
    }

    #[test]
    fn no_text_makes_it_panic(old in any::<String>(), key in any::<String>(), value in any::<String>()) {
        let _ = Env::render(&Request::new(".env").text(&old).entry(&key, &value));
    }
}
