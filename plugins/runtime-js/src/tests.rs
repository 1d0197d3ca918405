use proptest::prelude::*;

use super::*;

const BEGIN: &str = "// portkeeper:begin written by portkeeper; what you change in here is lost\n";
const END: &str = "// portkeeper:end\n";
const MAP: &str = r#"{"PORT": "8888", "api": {"tls": false, "ports": [1, 2]}}"#;
const LINE: &str = "window.RUNTIME = {\"PORT\": \"8888\", \"api\": {\"tls\": false, \"ports\": [1, 2]}};\n";

fn request(old: &str, map: &str) -> Request {
    Request { map: map.to_owned(), ..Request::new("runtime-config.js").text(old) }
}

fn render(old: &str, map: &str) -> String {
    RuntimeJs::render(&request(old, map)).unwrap().files.remove(0).text
}

#[test]
fn a_new_file_is_a_block_with_nesting_and_types_of_the_map() {
    let expected = format!("{BEGIN}{LINE}{END}");
    assert_eq!(render("", MAP), expected);
    assert_eq!(render(" \n", MAP), expected);
}

#[test]
fn text_around_the_block_stays() {
    let around = |inner: &str| format!("\u{feff}// mine\n{BEGIN}{inner}{END}console.log(window.RUNTIME == 1)");
    assert_eq!(render(&around("old\nlines\n"), MAP), around(LINE));
    let windows = "a()\r\n// portkeeper:begin\r\n// portkeeper:end";
    assert_eq!(render(windows, MAP), format!("a()\n{BEGIN}{LINE}{}", END.trim_end()).replace('\n', "\r\n"));
}

#[test]
fn the_line_of_the_python_tool_is_taken_over() {
    let response = RuntimeJs::render(&request("window.RUNTIME = {\"PORT\": \"1\", \"OLD\": \"2\"};\n", MAP)).unwrap();
    assert_eq!(response.files[0].text, format!("{BEGIN}{LINE}{END}"));
    assert!(response.diagnostics[0].message.contains("`OLD`"));
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    for (old, line) in [
        ("console.log(1)\n", None),
        ("// mine\nwindow.RUNTIME={};\n", Some(2)),
        ("window.RUNTIME = {}; boot();\n", Some(1)),
        ("window.RUNTIME = {\n  a: 1 };\n", Some(1)),
        ("// portkeeper:begin\n// portkeeper:end\nwindow.RUNTIME = {};\n", Some(3)),
    ] {
        let failure = RuntimeJs::render(&request(old, MAP)).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.line), ("bad-target", line), "{old}");
    }
}

#[test]
fn nothing_in_a_value_ends_the_script() {
    let text = render("", "{\"a\": \"</script><!--]]>\u{2028}\u{2029}\\\"\\n\", \"__proto__\": {\"x\": 1}}");
    assert!(
        text.contains(r#"{"a": "\u003c/script>\u003c!--]]\u003e\u2028\u2029\"\n", ["__proto__"]: {"x": 1}}"#),
        "{text}"
    );
}

#[test]
fn the_global_is_a_path_of_names_and_nothing_else() {
    let with = |global: &str| {
        let options = serde_json::json!({ "global": global }).to_string();
        RuntimeJs::render(&Request { options, ..request("", "{}") })
    };
    assert!(with("globalThis.app.$config_1").unwrap().files[0].text.contains("globalThis.app.$config_1 = {};"));
    for global in
        ["", "window", "window.", "window..A", "a.1b", "alert(1);window.A", "a.b\nc", "a.b = 1; c.d", "a.\u{e4}"]
    {
        let failure = with(global).unwrap_err();
        assert_eq!(failure.code, "bad-options");
        assert!(failure.message.starts_with("option `global`"), "{}", failure.message);
    }
}

#[test]
fn the_schema_is_json() {
    let schema: serde_json::Value = serde_json::from_str(&RuntimeJs::describe().options_schema).unwrap();
    assert_eq!(schema["properties"]["global"]["default"], Global::default().to_string());
}

proptest! {
    #[test]
    fn rendering_again_changes_nothing_and_foreign_text_stays(before in "([a-z(); ]{0,8}\r?\n){0,3}", after in "[a-z;\n]{0,8}", value in "\\PC{0,10}") {
        let old = format!("{before}// portkeeper:begin\n// portkeeper:end\n{after}");
        let map = serde_json::json!({ "k": value }).to_string();
        let once = render(&old, &map);
        prop_assert_eq!(render(&once, &map), &once[..]);
        prop_assert!(once.starts_with(&before) && once.ends_with(&after));
        prop_assert!(!once.contains('<'));
    }

    #[test]
    fn no_text_makes_it_panic(old in any::<String>(), map in any::<String>(), options in any::<String>()) {
        let _ = RuntimeJs::render(&request(&old, "{}"));
        let _ = RuntimeJs::render(&Request { options, ..request("", &map) });
    }
}
