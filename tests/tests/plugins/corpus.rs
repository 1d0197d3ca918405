//! What hostile plugins try, and what comes of it.

use std::time::{Duration, Instant};

use portkeeper::plugins::{Catalogue, Engine, Limits, PluginError, RenderError};
use portkeeper_tests::{WatPlugin, hostile};

use super::{Home, nobody, request};

/// The longest that any of them may take, on a loaded machine: the fuel of these tests lasts for a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Every control character that could reach a terminal.
fn assert_is_clean(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
}

#[test]
fn an_honest_plugin_renders() {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").component());
    let plugin = home.find("x").unwrap();
    assert_eq!((plugin.metadata().name.as_str(), plugin.metadata().version.as_str()), ("x", "1.0.0"));
    let rendered = plugin.render(&request()).unwrap();
    assert_eq!(rendered.files.len(), 1);
    assert_eq!((rendered.files[0].path.as_str(), rendered.files[0].text.as_str()), ("out.json", r#"{"PORT":8080}"#));
}

#[test]
fn a_core_module_that_says_its_interface_is_a_plugin_too() {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").module());
    assert_eq!(home.find("x").unwrap().render(&request()).unwrap().files[0].text, r#"{"PORT":8080}"#);
}

#[test]
fn what_cannot_run_or_does_harm_at_once_is_refused_with_its_reason() {
    let home = Home::new();
    for hostile in hostile::refused("x").into_iter().chain(hostile::harmful_at_once("x")) {
        home.put("x", &hostile.bytes);
        let start = Instant::now();
        let error = home.find("x").expect_err(hostile.name);
        assert!(start.elapsed() < PATIENCE, "{}: {:?}", hostile.name, start.elapsed());
        assert!(matches!(error, PluginError::Unusable { .. }), "{}: {error:?}", hostile.name);
        assert!(error.to_string().contains(hostile.message), "{}: {error}", hostile.name);
        assert_is_clean(&error.to_string());
    }
}

/// A JavaScript engine has 20,000 to 30,000 functions, and must go on working.
#[test]
fn a_plugin_with_as_many_functions_as_a_javascript_engine_is_used() {
    let home = Home::new();
    home.put("x", &portkeeper_tests::WatPlugin::new("x").items(&"(func)".repeat(30_000)).component());
    home.find("x").unwrap().render(&super::request()).unwrap();
}

#[test]
fn what_does_harm_when_it_renders_is_stopped_with_its_reason() {
    let home = Home::new();
    for hostile in hostile::harmful("x") {
        home.put("x", &hostile.bytes);
        let plugin = home.find("x").unwrap_or_else(|error| panic!("{}: {error}", hostile.name));
        let start = Instant::now();
        let error = plugin.render(&request()).expect_err(hostile.name);
        assert!(start.elapsed() < PATIENCE, "{}: {:?}", hostile.name, start.elapsed());
        assert!(!matches!(error, RenderError::Failed(_)), "{}: {error:?}", hostile.name);
        assert!(error.to_string().contains(hostile.message), "{}: {error}", hostile.name);
        assert_is_clean(&error.to_string());
    }
}

#[test]
fn a_harmful_plugin_leaves_an_honest_one_alone() {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").component());
    let honest = home.find("x").unwrap();
    for hostile in hostile::harmful("bad") {
        home.put("bad", &hostile.bytes);
        let bad = home.find("bad").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| bad.render(&request()).expect_err(hostile.name));
            assert!(honest.render(&request()).is_ok(), "beside: {}", hostile.name);
        });
        assert!(honest.render(&request()).is_ok(), "after: {}", hostile.name);
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_compiled() {
    let home = Home::new();
    home.put("x", b"\0asm\x0d\0\x01\0");
    let file = std::fs::OpenOptions::new().write(true).open(home.plugins().join("x.wasm")).unwrap();
    file.set_len(32 * 1024 * 1024 + 1).unwrap();
    let error = home.find("x").unwrap_err();
    assert!(error.to_string().contains("larger than 32 MiB"), "{error}");
}

#[test]
fn a_plugin_that_takes_too_long_to_compile_is_given_up() {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").items(&"(func)".repeat(20_000)).component());
    let engine =
        Engine::new(Some(home.cache_place()), Limits { compiling: Duration::from_millis(1), ..Limits::default() });
    let start = Instant::now();
    let error = Catalogue::new(&engine, home.sources(), &nobody).find("x").unwrap_err();
    assert!(error.to_string().contains("to compile"), "{error}");
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn no_instance_remembers_the_one_before() {
    let home = Home::new();
    let counting = WatPlugin::new("x")
        .items("(global $calls (mut i32) (i32.const 0))")
        .on_render("(if (global.get $calls) (then (unreachable))) (global.set $calls (i32.const 1)) (return (call $text (local.get $request)))");
    home.put("x", &counting.component());
    let plugin = home.find("x").unwrap();
    for _ in 0..3 {
        plugin.render(&request()).unwrap();
    }
}

#[test]
fn a_plugins_own_no_is_passed_on_and_cleaned() {
    let home = Home::new();
    let no = WatPlugin::new("x")
        .on_render(
            "(i32.store8 (i32.const 512) (i32.const 1))
             (i32.store (i32.const 516) (i32.const 4096)) (i32.store (i32.const 520) (i32.const 7))
             (i32.store (i32.const 524) (i32.const 4103)) (i32.store (i32.const 528) (i32.const 12)) (return (i32.const 512))",
        )
        .items(r#"(data (i32.const 4096) "bad-map\1b[31mno map\r")"#);
    home.put("x", &no.component());
    let Err(RenderError::Failed(failure)) = home.find("x").unwrap().render(&request()) else { panic!("a failure") };
    assert_eq!(failure.code, "bad-map");
    assert_eq!(failure.message, "\u{fffd}[31mno map\u{fffd}");
    assert_eq!((failure.help, failure.line), (None, None));
}

#[test]
fn what_a_plugin_logs_is_handed_on_and_cleaned() {
    let home = Home::new();
    let call = "(call $log (i32.const 4096) (i32.const 4) (i32.const 4100) (i32.const 8))";
    let logging = |then: &str| {
        WatPlugin::new("x")
            .on_render(&format!("{call} {then}"))
            .items(r#"(data (i32.const 4096) "info\1b]0;hi!\07")"#)
            .component()
    };
    home.put("x", &logging("(return (call $text (local.get $request)))"));
    let rendered = home.find("x").unwrap().render(&request()).unwrap();
    assert_eq!((rendered.log[0].level.as_str(), rendered.log[0].message.as_str()), ("info", "\u{fffd}]0;hi!\u{fffd}"));
    home.put("x", &logging("(unreachable)"));
    let Err(RenderError::Broken(broken)) = home.find("x").unwrap().render(&request()) else { panic!("broken") };
    assert_eq!(broken.log.len(), 1, "what came before the crash helps to find its cause");
}
