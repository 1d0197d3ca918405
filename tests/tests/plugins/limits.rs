//! What a plugin may take, and what is said when that is not enough.

use std::time::Duration;

use portkeeper::plugins::{
    Allowance, Catalogue, Cause, Engine, Limits, OverLimit, Plugin, RenderError, Request, Sources,
};
use portkeeper::plugins::{TextFile, Usage};
use portkeeper_tests::{WatPlugin, builtin};

use super::{Home, nobody, request};

const LOOP: &str = "(loop $for_ever (br $for_ever))";

fn rendering(fuel: u64, time: Duration) -> Limits {
    Limits { rendering: Allowance { fuel, time }, ..Limits::default() }
}

/// The plugin `x` under these limits.
fn found(home: &Home, limits: Limits) -> Plugin {
    Catalogue::new(&Engine::new(None, limits), home.sources(), &nobody).find("x").unwrap()
}

/// The built-in format under these limits.
fn built_in(format: &str, limits: Limits) -> Plugin {
    Catalogue::new(&Engine::new(None, limits), Sources::default(), &nobody).find(format).unwrap()
}

/// A request whose target has many lines, each with a key.
fn large(lines: usize) -> Request {
    let text = (0..lines).map(|line| format!("KEY_{line}=8080\n")).collect();
    Request { target: TextFile { path: "deploy/.env".into(), text: Some(text) }, ..request() }
}

fn over_limit(plugin: &Plugin, request: &Request) -> OverLimit {
    match plugin.render(request) {
        Err(RenderError::OverLimit(over)) => *over,
        other => panic!("{other:?}"),
    }
}

fn usage(plugin: &Plugin, request: &Request) -> Usage {
    let (rendered, usage) = plugin.measure(request);
    rendered.unwrap();
    usage
}

#[test]
fn a_file_that_takes_too_much_is_too_large_and_nothing_is_broken() {
    let over = over_limit(&built_in("env", rendering(1_000_000, Duration::from_secs(60))), &large(20_000));
    assert_eq!(over.cause(), Cause::Request);
    assert_eq!(
        over.to_string(),
        "`deploy/.env` (20,000 lines, 1 key) is too large for the built-in plugin `env`: it did not finish within 1 million \
         instructions, the limit"
    );
}

#[test]
fn a_small_file_is_never_too_large() {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").on_render(LOOP).component());
    let over = over_limit(&found(&home, rendering(10_000, Duration::from_secs(60))), &request());
    assert_eq!(over.cause(), Cause::Plugin);
    let told = over.to_string();
    assert!(
        told.contains("cannot render `out.json` (0 lines, 1 key)") && told.contains("10,000 instructions"),
        "{told}"
    );
}

#[test]
fn memory_that_is_not_there_is_named_with_what_was_needed() {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").on_render("(drop (memory.grow (i32.const 1600)))").component());
    let told = over_limit(&found(&home, Limits::default()), &large(20_000)).to_string();
    assert!(told.contains("(20,000 lines, 1 key) is too large for"), "{told}");
    assert!(told.contains("it needs 101 MiB of memory, more than the limit of 64 MiB"), "{told}");
}

#[test]
fn the_clock_ends_what_fuel_does_not() {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").on_render(LOOP).component());
    let over = over_limit(&found(&home, rendering(u64::MAX, Duration::from_millis(200))), &request());
    assert!(over.to_string().ends_with("it did not finish within 0.2 s, the limit"), "{over}");
}

/// Both before anything is known of the plugin: when it is asked to describe itself, and when its instance starts.
#[test]
fn a_description_has_limits_of_its_own() {
    let home = Home::new();
    let loops = [
        WatPlugin::new("x").on_describe(LOOP),
        WatPlugin::new("x").items("(func $main (loop $on (br $on))) (start $main)"),
    ];
    let limits = [
        (Allowance { fuel: 10_000, time: Duration::from_secs(60) }, "10,000 instructions"),
        (Allowance { fuel: u64::MAX, time: Duration::from_millis(200) }, "0.2 s"),
    ];
    for (plugin, (describing, words)) in loops.iter().flat_map(|plugin| limits.map(|limit| (plugin, limit))) {
        let engine = Engine::new(None, Limits { describing, ..Limits::default() });
        let path = home.plugins().join("x.wasm");
        home.put("x", &plugin.component());
        let told = engine.examine(&path).unwrap_err().to_string();
        assert!(told.contains("did not finish within") && told.contains(words), "{told}");
    }
}

/// What a call takes is what it may take: the same number decides in `prepare` and stands in the report of `plugin test`.
#[test]
fn a_rendering_passes_with_the_fuel_that_it_takes_and_not_with_half_of_it() {
    let (request, time) = (large(1_000), Duration::from_secs(60));
    let taken = usage(&built_in("env", Limits::default()), &request).fuel;
    assert_eq!(usage(&built_in("env", rendering(taken, time)), &request).fuel, taken);
    over_limit(&built_in("env", rendering(taken / 2, time)), &request);
}

/// The code that ships is made smaller than what is compiled here, and yet takes the same fuel.
#[test]
fn fuel_does_not_depend_on_who_compiled_the_plugin() {
    let shipped = usage(&built_in("env", Limits::default()), &large(100)).fuel;
    let engine = Engine::new(None, Limits::default());
    let compiled = engine.examine(&builtin::component_path(&builtin::root(), "env")).unwrap().plugin;
    assert_eq!(usage(&compiled, &large(100)).fuel, shipped);
}
