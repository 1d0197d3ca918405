//! Plugins that do harm, or try to. Each is one idea of an attacker, or one mistake of an honest author.

use crate::WatPlugin;
use crate::wat_plugin::data;

/// A plugin's file that must not get anywhere.
#[derive(Debug, Clone)]
pub struct Hostile {
    /// What it does.
    pub name: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
    /// A word of the message that the user gets.
    pub message: &'static str,
}

/// Files that are refused before anything of them runs. Those that are plugins would render `output_type`.
#[must_use]
pub fn refused(output_type: &str) -> Vec<Hostile> {
    let honest = WatPlugin::new(output_type).component();
    let mut flipped = honest.clone();
    flipped[4] = 0xff;
    let file = |name, bytes: &[u8], message| Hostile { name, bytes: bytes.to_vec(), message };
    vec![
        file("an empty file", b"", "not WebAssembly"),
        file("a script", b"#!/bin/sh\necho owned\n", "not WebAssembly"),
        file("random bytes", &(0..4096_u32).map(|n| (n * n / 7) as u8).collect::<Vec<_>>(), "not WebAssembly"),
        file("native code", b"\x7fELF\x02\x01\x01\0\0\0\0\0", "native code"),
        file("text format", b"(component)", "text format"),
        file("an unknown version", &flipped, "unknown version"),
        file("half a component", &honest[..honest.len() / 2], "broken"),
        file("its magic alone", &honest[..8], "does not export"),
        file("a core module without an interface", &text("(module)"), "does not export"),
        file("a component that is no plugin", &text("(component)"), "does not export"),
        file("a core module for WASI", &text(WASI_MODULE), "wasi_snapshot_preview1"),
        file("a component for WASI", &text(WASI_COMPONENT), "wasi:cli/environment@0.2.6"),
        file("an import of its own", &text("(component (import \"give-me-files\" (func)))"), "give-me-files"),
        file("a newer interface", &WatPlugin::new(output_type).interface("0.2.0").component(), "0.2.0"),
        file("an older interface", &WatPlugin::new(output_type).interface("0.0.9").component(), "0.0.9"),
        file("an interface of the same name", &text(OTHER_INTERFACE), "does not fit"),
        file("components that unfold", &text(&unfolding(30)), "composed of more components"),
        file("a memory of 64 bits", &text(MEMORY64), "broken"),
        file("a function of a megabyte", &with_function(output_type, &straight(1_000_000)), "one of its functions"),
        file(
            "functions without number",
            &with_function(output_type, &"(func)".repeat(90_000)),
            "functions, and a plugin may have",
        ),
        file("exports without number", &with_function(output_type, &exports(31_000)), "exports"),
        file(
            "a memory too large from the start",
            &WatPlugin::new(output_type).memory("2000").component(),
            "MiB of memory",
        ),
        file("a table too large from the start", &with_function(output_type, "(table 200000 funcref)"), "tables"),
        file("a function of many ways", &with_function(output_type, &branching(5_000, 2_000)), "one of its functions"),
    ]
}

/// Plugins that do harm as soon as they are asked to describe themselves.
#[must_use]
pub fn harmful_at_once(output_type: &str) -> Vec<Hostile> {
    let plugin = |name, plugin: &WatPlugin, message| Hostile { name, bytes: plugin.component(), message };
    let new = || WatPlugin::new(output_type);
    vec![
        plugin("loops when asked", &new().on_describe("(loop $for_ever (br $for_ever))"), "did not finish"),
        plugin("loops when started", &new().items("(func $main (loop $on (br $on))) (start $main)"), "did not finish"),
        plugin(
            "a name that is no text",
            &new().on_describe(
                "(i32.store8 (i32.const 1108) (i32.const 255)) (i32.store (i32.const 1024) (i32.const 1108))",
            ),
            "rules of the interface",
        ),
        plugin("a schema that is no JSON", &new().options_schema("{"), "options-schema"),
        plugin("a schema that is no object", &new().options_schema("true"), "options-schema"),
        plugin("a default path that leads out", &new().default_path("../../.bashrc"), "default path"),
        plugin("an absolute default path", &new().default_path("/etc/passwd"), "default path"),
        plugin("a schema that is too large", &new().memory("8").options_schema(&large_schema()), "larger than 256 KiB"),
        plugin("a schema that nests too deep", &new().options_schema(&nested_schema(40)), "more than 32 deep"),
        plugin("a schema of no end", &new().options_schema(&nested_schema(5_000)), "options-schema"),
        plugin(
            "a schema that wants to be fetched",
            &new().options_schema(r#"{"$ref": "http://127.0.0.1:9/schema.json"}"#),
            "nothing is ever fetched",
        ),
        plugin(
            "a schema with a slow expression",
            &new().options_schema(r#"{"properties": {"a": {"pattern": "(a{90}){90}"}}}"#),
            "a pattern that cannot be used",
        ),
        plugin(
            "a schema against itself",
            &new().options_schema(r#"{"properties": {"a": {"type": "string", "default": 1}}}"#),
            "refuses its own default",
        ),
        plugin(
            "a schema that never gets anywhere",
            &new().options_schema(r##"{"anyOf": [{"$ref": "#"}]}"##),
            "without end",
        ),
        plugin("a text that drives a terminal", &new().options_schema("{\"\\u001b[2J\": }"), "options-schema"),
    ]
}

/// Plugins that look honest until they render.
#[must_use]
pub fn harmful(output_type: &str) -> Vec<Hostile> {
    let plugin = |name, instructions: &str, items: &str, message| {
        let plugin = WatPlugin::new(output_type).on_render(instructions).items(items);
        Hostile { name, bytes: plugin.component(), message }
    };
    vec![
        plugin("loops", "(loop $for_ever (br $for_ever))", "", "did not finish"),
        plugin("crashes", "(unreachable)", "", "crashed"),
        plugin("reads beyond its memory", "(drop (i32.load (i32.const -4)))", "", "crashed"),
        plugin("reads beyond all addresses", "(drop (i32.load offset=4294967292 (i32.const -4)))", "", "crashed"),
        plugin(
            "writes right behind its memory",
            "(i32.store (i32.mul (memory.size) (i32.const 65536)) (i32.const 1))",
            "",
            "crashed",
        ),
        plugin("takes memory", "(loop $more (drop (memory.grow (i32.const 16))) (br $more))", "", "memory"),
        plugin("takes memory at one go", "(drop (memory.grow (i32.const 65000)))", "", "memory"),
        plugin(
            "takes table",
            "(loop $more (drop (table.grow $table (ref.null func) (i32.const 1000))) (br $more))",
            "(table $table 1 funcref)",
            "tables",
        ),
        plugin("recurses", "(call $deeper)", "(func $deeper (call $deeper) (call $deeper))", "stack"),
        plugin(
            "hands over a giant text",
            "(drop (memory.grow (i32.const 1000))) (drop (call $text (local.get $request)))
             (i32.store (i32.const 568) (i32.const 0)) (i32.store (i32.const 572) (i32.const 60000000)) (return (i32.const 512))",
            "",
            "16 MiB",
        ),
        plugin(
            "hands over millions of files",
            "(drop (memory.grow (i32.const 1000))) (drop (call $text (local.get $request)))
             (i32.store (i32.const 516) (i32.const 131072)) (i32.store (i32.const 520) (i32.const 3000000)) (return (i32.const 512))",
            "",
            "16 MiB",
        ),
        plugin(
            "floods the log",
            "(loop $more (call $log (i32.const 4096) (i32.const 4) (i32.const 4096) (i32.const 4)) (br $more))",
            &data(4096, b"info"),
            "logged",
        ),
        plugin(
            "logs one long line",
            "(drop (memory.grow (i32.const 40)))
             (call $log (i32.const 0) (i32.const 0) (i32.const 131072) (i32.const 2000000))",
            "",
            "logged",
        ),
        plugin(
            "writes what is no text",
            "(drop (call $text (local.get $request)))
             (i32.store (i32.const 568) (i32.const 4096)) (i32.store (i32.const 572) (i32.const 4)) (return (i32.const 512))",
            &data(4096, b"\xff\xfe\xc0\x80"),
            "rules of the interface",
        ),
        plugin(
            "answers from beyond its memory",
            "(drop (call $text (local.get $request)))
             (i32.store (i32.const 568) (i32.const -16)) (i32.store (i32.const 572) (i32.const 64)) (return (i32.const 512))",
            "",
            "rules of the interface",
        ),
        plugin("answers at no address", "(return (i32.const -4))", "", "rules of the interface"),
        plugin(
            "answers neither yes nor no",
            "(i32.store8 (i32.const 512) (i32.const 9)) (return (i32.const 512))",
            "",
            "rules of the interface",
        ),
        escaping(output_type, "writes above the project", "../.bashrc"),
        escaping(output_type, "writes to an absolute path", "/tmp/owned"),
        escaping(output_type, "writes through a detour", "a/../../owned"),
        escaping(output_type, "writes through backslashes", "..\\owned"),
        escaping(output_type, "writes to a drive", "C:owned"),
        escaping(output_type, "writes to nowhere", ""),
        plugin(
            "writes a file twice",
            "(drop (call $text (local.get $request))) (i32.store (i32.const 520) (i32.const 2))
             (memory.copy (i32.const 580) (i32.const 560) (i32.const 20)) (return (i32.const 512))",
            "",
            "twice",
        ),
    ]
}

/// A plugin with a further function in it.
fn with_function(output_type: &str, function: &str) -> Vec<u8> {
    WatPlugin::new(output_type).items(function).component()
}

/// A function under that many names.
fn exports(names: usize) -> String {
    format!("(func $f) {}", (0..names).map(|n| format!("(export \"{n}\" (func $f))")).collect::<String>())
}

/// A function of that many bytes, about.
fn straight(bytes: usize) -> String {
    format!("(func (local i32) {})", "(local.set 0 (i32.add (local.get 0) (i32.const 1)))".repeat(bytes / 7))
}

/// A function with that many variables, and that many places where a compiler has to ask about each of them.
fn branching(locals: usize, blocks: usize) -> String {
    let block =
        |n: usize| format!("(block (br_if 0 (local.get {})) (local.set {} (i32.const 1)))", n % locals, n * 7 % locals);
    format!("(func (local {}) {})", "i32 ".repeat(locals), (0..blocks).map(block).collect::<String>())
}

fn large_schema() -> String {
    format!("{{\"title\": \"{}\"}}", "x".repeat(300_000))
}

fn nested_schema(levels: usize) -> String {
    format!("{}true{}", "{\"not\":".repeat(levels), "}".repeat(levels))
}

/// A plugin that answers with a file at the path.
fn escaping(output_type: &str, name: &'static str, path: &str) -> Hostile {
    let instructions = format!(
        "(drop (call $text (local.get $request)))
         (i32.store (i32.const 560) (i32.const 4096)) (i32.store (i32.const 564) (i32.const {})) (return (i32.const 512))",
        path.len()
    );
    let plugin = WatPlugin::new(output_type).on_render(&instructions).items(&data(4096, path.as_bytes()));
    Hostile { name, bytes: plugin.component(), message: "not a plain relative path" }
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("valid WebAssembly text")
}

const WASI_MODULE: &str =
    r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#;

const WASI_COMPONENT: &str = r#"(component (import "wasi:cli/environment@0.2.6" (instance)))"#;

/// The right name with nothing behind it.
const OTHER_INTERFACE: &str =
    r#"(component (instance $empty) (export "portkeeper:output/plugin@0.1.0" (instance $empty)))"#;

const MEMORY64: &str = r#"(component
  (core module (memory i64 1))
  (instance $empty) (export "portkeeper:output/plugin@0.1.0" (instance $empty)))"#;

/// A component whose every level instantiates the one below twice: a few lines that unfold into 2^levels instances.
fn unfolding(levels: usize) -> String {
    let core = "(component $c (core module $m) (core instance (instantiate $m)))";
    let nested = (0..levels).fold(core.to_owned(), |inner, _| {
        format!("(component $c {inner} (instance (instantiate $c)) (instance (instantiate $c)))")
    });
    format!(
        "(component {nested} (instance (instantiate $c)) (instance $empty) (export \"portkeeper:output/plugin@0.1.0\" (instance $empty)))"
    )
}
