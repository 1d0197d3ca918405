//! Files and answers that no author thought of: whatever they are, there is an answer or a reason, and never a crash.

use std::cell::Cell;
use std::path::Path;

use portkeeper::plugins::{Engine, PluginError, RenderError, Rendered, Request};
use portkeeper_tests::{WatPlugin, builtin};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Home, request};

/// What happens to a file.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index),
    Remove(Index, u8),
    Repeat(Index, u8),
    Insert(Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        6 => (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        1 => at().prop_map(Damage::Cut),
        2 => (at(), 1..64_u8).prop_map(|(at, length)| Damage::Remove(at, length)),
        2 => (at(), 1..64_u8).prop_map(|(at, length)| Damage::Repeat(at, length)),
        2 => (at(), vec(any::<u8>(), 1..16)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

/// What comes before the first byte that is damaged stays, so that the magic number does not catch everything.
fn damaged(mut bytes: Vec<u8>, all: &[Damage]) -> Vec<u8> {
    for damage in all {
        if bytes.len() <= 8 {
            break;
        }
        let place = |index: &Index| 8 + index.index(bytes.len() - 8);
        match damage {
            Damage::Flip(at, bit) => {
                let at = place(at);
                bytes[at] ^= 1 << bit;
            }
            Damage::Set(at, byte) => {
                let at = place(at);
                bytes[at] = *byte;
            }
            Damage::Cut(at) => bytes.truncate(place(at)),
            Damage::Remove(at, length) => {
                let at = place(at);
                bytes.drain(at..bytes.len().min(at + usize::from(*length)));
            }
            Damage::Repeat(at, length) => {
                let at = place(at);
                let piece = bytes[at..bytes.len().min(at + usize::from(*length))].to_vec();
                bytes.splice(at..at, piece);
            }
            Damage::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
        }
    }
    bytes
}

fn is_clean(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
}

/// Loads the bytes and lets what is a plugin after all render.
fn survives(engine: &Engine, bytes: Vec<u8>) -> Result<(), TestCaseError> {
    match engine.examine_bytes(bytes, Path::new("x.wasm")) {
        Ok(examined) => rendered_is_sound(examined.plugin.render(&request())),
        Err(error) => {
            prop_assert!(matches!(error, PluginError::Unusable { .. }), "{error:?}");
            prop_assert!(is_clean(&error.to_string()), "{error:?}");
            Ok(())
        }
    }
}

fn rendered_is_sound(rendered: Result<Rendered, RenderError>) -> Result<(), TestCaseError> {
    match rendered {
        Ok(rendered) => {
            for file in &rendered.files {
                let below =
                    !file.path.starts_with('/') && file.path.split('/').all(|part| !matches!(part, "" | "." | ".."));
                prop_assert!(below && is_clean(&file.path) && !file.path.contains(['\\', ':']), "{:?}", file.path);
            }
            for diagnostic in &rendered.diagnostics {
                prop_assert!(is_clean(&diagnostic.message), "{diagnostic:?}");
                prop_assert!(diagnostic.path.as_deref().is_none_or(is_clean), "{diagnostic:?}");
            }
        }
        Err(RenderError::Failed(failure)) => {
            prop_assert!(is_clean(&failure.code) && is_clean(&failure.message), "{failure:?}");
            prop_assert!(failure.help.as_deref().is_none_or(is_clean), "{failure:?}");
        }
        Err(error) => prop_assert!(is_clean(&error.to_string()), "{error:?}"),
    }
    Ok(())
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 50, ..ProptestConfig::default() }
}

/// A 32-bit word as answers are made of: tags, lengths, and addresses in and beyond memory.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => 0..4_u32,
        3 => 4..64_u32,
        4 => 512..1_200_u32,
        2 => 4_096..4_200_u32,
        1 => 65_500..65_600_u32,
        1 => 131_000..131_100_u32,
        1 => any::<u32>(),
        1 => Just(u32::MAX),
    ]
}

/// The address and length of a text of the puppet's.
fn text() -> impl Strategy<Value = [u32; 2]> {
    (4_096..4_200_u32, 0..10_u32).prop_map(|(at, length)| [at, length])
}

fn optional(words: impl Strategy<Value = Vec<u32>>) -> impl Strategy<Value = Vec<u32>> {
    (0..2_u32, words).prop_map(|(tag, words)| [vec![tag], words].concat())
}

/// An answer in the canonical ABI's layout, from address 512 on: a response with up to three files and diagnostics, or a failure.
fn answer() -> impl Strategy<Value = Vec<u32>> {
    let file = (text(), text(), 0..2_u32).prop_map(|(path, text, sensitive)| [&path[..], &text, &[sensitive]].concat());
    let line = || optional(vec(any::<u32>(), 1));
    let diagnostic = (text(), text(), optional(text().prop_map(Into::into)), line())
        .prop_map(|(severity, message, path, line)| [&severity[..], &message, &path, &line].concat());
    let response = (vec(file, 0..4), vec(diagnostic, 0..4)).prop_map(|(files, diagnostics)| {
        let mut words = vec![0, 560, files.len() as u32, 640, diagnostics.len() as u32];
        words.resize((560 - 512) / 4, 0);
        words.extend(files.concat());
        words.resize((640 - 512) / 4, 0);
        words.extend(diagnostics.concat());
        words
    });
    let failure = (text(), text(), optional(text().prop_map(Into::into)), line())
        .prop_map(|(code, message, help, line)| [&[1][..], &code, &message, &help, &line].concat());
    prop_oneof![2 => response, 1 => failure]
}

/// A plugin that answers with the bytes that the map spells, each as two letters from A to P: whatever the tester wants.
fn puppet() -> WatPlugin {
    let text: String = (0..40).map(|n| ["out.json", "a/b", "../x", "\\1b[31m", "\\c3\\a9"][n % 5]).collect();
    WatPlugin::new("x").items(&format!("(data (i32.const 4096) \"{text}\")")).on_render(
        "(local $from i32) (local $end i32) (local $to i32)
         (local.set $from (i32.load (i32.add (local.get $request) (i32.const 24))))
         (local.set $end (i32.add (local.get $from) (i32.load (i32.add (local.get $request) (i32.const 28)))))
         (local.set $to (i32.const 512))
         (block $done (loop $next
           (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
           (i32.store8 (local.get $to) (i32.or
             (i32.shl (i32.sub (i32.load8_u (local.get $from)) (i32.const 65)) (i32.const 4))
             (i32.sub (i32.load8_u (i32.add (local.get $from) (i32.const 1))) (i32.const 65))))
           (local.set $from (i32.add (local.get $from) (i32.const 2)))
           (local.set $to (i32.add (local.get $to) (i32.const 1)))
           (br $next)))
         (return (i32.const 512))",
    )
}

fn spelled(bytes: &[u8]) -> String {
    let letter = |nibble: u8| char::from(b'A' + nibble);
    bytes.iter().flat_map(|byte| [letter(byte >> 4), letter(byte & 15)]).collect()
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_damaged_component_is_refused_or_runs(all in vec(damage(), 1..6)) {
        survives(&Home::new().engine(), damaged(WatPlugin::new("x").component(), &all))?;
    }

    #[test]
    fn a_damaged_module_is_refused_or_runs(all in vec(damage(), 1..6)) {
        survives(&Home::new().engine(), damaged(WatPlugin::new("x").module(), &all))?;
    }

    #[test]
    fn bytes_that_only_begin_like_webassembly_are_refused(layer in 0..3_u8, rest in vec(any::<u8>(), 0..200)) {
        let version: &[u8] = [&[1, 0, 0, 0][..], &[13, 0, 1, 0], &[]][usize::from(layer)];
        let bytes = [b"\0asm", version, &rest].concat();
        prop_assert!(Home::new().engine().examine_bytes(bytes, Path::new("x.wasm")).is_err());
    }
}

proptest! {
    // Most of these get as far as the compiler.
    #![proptest_config(cases(24))]

    #[test]
    fn a_damaged_plugin_of_ours_is_refused_or_runs(all in vec(damage(), 1..3)) {
        let bytes = std::fs::read(builtin::component_path(&builtin::root(), "env")).unwrap();
        survives(&Home::new().engine(), damaged(bytes, &all))?;
    }

    #[test]
    fn a_plugin_that_says_anything_about_itself_is_refused_or_sound(words in vec(word(), 16)) {
        let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let plugin = WatPlugin::new("x").items(&format!("(data (i32.const 1024) \"{escaped}\")"));
        survives(&Home::new().engine(), plugin.component())?;
    }
}

#[test]
fn whatever_a_plugin_answers_is_sound_or_its_fault() {
    let home = Home::new();
    home.put("x", &puppet().component());
    let plugin = home.find("x").unwrap();
    let sound = Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(cases(2_000));
    let answers = (answer(), vec((any::<Index>(), word()), 0..3));
    runner
        .run(&answers, |(mut words, changes)| {
            for (at, word) in changes {
                let at = at.index(words.len());
                words[at] = word;
            }
            let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let answer = plugin.render(&Request { map: spelled(&bytes), ..request() });
            sound.set(sound.get() + usize::from(matches!(answer, Ok(_) | Err(RenderError::Failed(_)))));
            rendered_is_sound(answer)
        })
        .unwrap();
    let sound = sound.get();
    assert!(
        sound > 200,
        "only {sound} of these answers got past the door: the test sees too little of what is behind it"
    );
}
