use portkeeper_plugin_sdk::Severity;
use proptest::prelude::*;

use super::*;

const BEGIN: &str = "# portkeeper:begin written by portkeeper; what you change in here is lost\n";
const END: &str = "# portkeeper:end\n";

fn request(path: &str) -> Request {
    Request::new(path).entry("SERVICE_PORT", "8888").entry("TITLE", "it's \\ \"me\" $HOME `x`")
}

fn text(request: &Request) -> String {
    Shell::render(request).unwrap().files.remove(0).text
}

#[test]
fn the_name_of_the_file_says_which_shell_reads_it() {
    let sh = "export SERVICE_PORT=8888\nexport TITLE='it'\\''s \\ \"me\" $HOME `x`'\n";
    for path in [".envrc", "ports.sh", "scripts/env.bash", "no-end"] {
        assert_eq!(text(&request(path)), format!("{BEGIN}{sh}{END}"), "{path}");
    }
    let fish = "set -gx SERVICE_PORT 8888\nset -gx TITLE 'it\\'s \\\\ \"me\" $HOME `x`'\n";
    assert_eq!(text(&request("conf.d/ports.fish")), format!("{BEGIN}{fish}{END}"));
    let powershell = "$env:SERVICE_PORT = '8888'\n$env:TITLE = 'it''s \\ \"me\" $HOME `x`'\n";
    assert_eq!(text(&request("Ports.PS1")), format!("{BEGIN}{powershell}{END}"));
}

#[test]
fn the_option_has_the_last_word() {
    let options = r#"{"dialect": "fish"}"#.to_owned();
    assert!(text(&Request { options, ..request("x.sh") }).contains("set -gx SERVICE_PORT 8888"));
    let options = r#"{"dialect": "csh"}"#.to_owned();
    let failure = Shell::render(&Request { options, ..request("x") }).unwrap_err();
    assert!(failure.message.starts_with("option `dialect`"), "{}", failure.message);
}

#[test]
fn the_owners_script_stays_around_the_block() {
    let old = format!("use flake\r\n{}A=1\r\n{}layout node", BEGIN.replace('\n', "\r\n"), END.replace('\n', "\r\n"));
    let new = text(&Request::new(".envrc").entry("A", "2").text(&old));
    assert_eq!(new, old.replace("A=1", "export A=2"));
    let appended = text(&Request::new(".envrc").entry("A", "2").text("use flake"));
    assert_eq!(appended, format!("use flake\n{BEGIN}export A=2\n{}", END.trim_end()));
}

#[test]
fn what_sets_a_variable_again_after_the_block_is_told() {
    for (path, line) in [("x.sh", "  export A=1"), ("x.sh", "A=1"), ("x.fish", "set -gx A 1"), ("x.ps1", "$Env:a = 1")]
    {
        let old = format!("# mine\n{line}\n{BEGIN}{END}echo hi\n{line}\n");
        let response = Shell::render(&Request::new(path).entry("A", "2").text(&old)).unwrap();
        assert_eq!(response.diagnostics.len(), 1, "{path}: the one before the block does no harm");
        assert_eq!((response.diagnostics[0].severity, response.diagnostics[0].line), (Severity::Warning, Some(7)));
    }
    let others = format!("{BEGIN}{END}AB=1\necho A=1\n");
    assert!(Shell::render(&Request::new("x.sh").entry("A", "2").text(&others)).unwrap().diagnostics.is_empty());
}

#[test]
fn a_block_that_never_runs_is_reported() {
    let warnings = |path: &str, old: &str| {
        let response = Shell::render(&Request::new(path).entry("A", "2").text(old)).unwrap();
        response.diagnostics.into_iter().map(|warning| (warning.line, warning.message)).collect::<Vec<_>>()
    };
    for (path, line) in [
        ("x.sh", "return"),
        ("x.sh", "exit 0; # done"),
        ("x.sh", "exec zsh -l"),
        ("x.fish", "exec \"$SHELL\""),
        ("x.ps1", "Return"),
    ] {
        let found = warnings(path, &format!("use flake\n{line}\n"));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert_eq!(found[0].0, Some(2), "{line}");
        assert!(warnings(path, &format!("{BEGIN}{END}{line}\n")).is_empty(), "below the block {line} does no harm");
    }
    for line in ["exec 2>&1", "exec >log", "  return", "returned=1", "# exit", "exit_code=1"] {
        assert!(warnings("x.sh", &format!("{line}\n")).is_empty(), "{line}");
    }
}

#[test]
fn windows_line_ends_are_reported_where_they_do_harm() {
    for (path, count) in [(".envrc", 1), ("x.ps1", 0), ("x.fish", 0)] {
        let response = Shell::render(&Request::new(path).entry("A", "2").text("# a\r\n# b\r\n")).unwrap();
        assert_eq!(response.diagnostics.len(), count, "{path}");
    }
}

#[test]
fn what_no_line_of_a_script_can_hold_is_refused() {
    for (key, value) in
        [("1A", "x"), ("A B", "x"), ("A;id", "x"), ("", "x"), ("A", "x\ny"), ("A", "x\ry"), ("A", "x\0y")]
    {
        let failure = Shell::render(&Request::new("x.sh").entry(key, value)).unwrap_err();
        assert_eq!(failure.code, "bad-map", "{key:?} {value:?}");
    }
    assert!(Shell::render(&Request::new("x").entry("A", "1").entry("A", "2")).unwrap_err().message.contains("twice"));
}

#[test]
fn the_schema_lists_the_shells() {
    let schema: serde_json::Value = serde_json::from_str(&Shell::describe().options_schema).unwrap();
    for shell in schema["properties"]["dialect"]["enum"].as_array().unwrap() {
        let options = serde_json::json!({ "dialect": shell }).to_string();
        assert!(Shell::render(&Request { options, ..request("x") }).is_ok(), "{shell}");
    }
}

proptest! {
    #[test]
    fn rendering_again_changes_nothing_and_foreign_text_stays(
        before in "([a-z=#\"' ]{0,8}\r?\n){0,3}",
        after in "([a-z=#\"' ]{0,8}\r?\n){0,2}[a-z]{0,3}",
        path in "x(\\.fish|\\.ps1|)",
        value in "\\PC{0,12}",
    ) {
        let old = format!("{before}# portkeeper:begin\n# portkeeper:end\n{after}");
        let request = Request::new(&path).entry("A", &value).text(&old);
        let once = text(&request);
        prop_assert_eq!(&text(&request.clone().text(&once)), &once);
        prop_assert!(once.starts_with(&before) && once.ends_with(&after));
        prop_assert_eq!(text(&request), once);
    }

    #[test]
    fn no_text_makes_it_panic(old in any::<String>(), key in any::<String>(), value in any::<String>(), options in any::<String>()) {
        let _ = Shell::render(&Request { options, ..Request::new("x").entry(&key, &value) });
        let _ = Shell::render(&Request::new("x.fish").text(&old).entry("A", &value));
    }
}
