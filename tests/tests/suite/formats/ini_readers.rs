//! What `ini` writes, read by INI readers of other people before and after: no other key changes, and no value is cut.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use portkeeper::output::entries;
use portkeeper::plugins::{Catalogue, Engine, Limits, Request, Sources, TextFile};
use portkeeper_tests::{Sandbox, program_or_skip};
use serde_json::json;

use crate::sandbox;

/// Sections with their keys, as a reader sees them; none where it refuses the file.
type Sections = Option<BTreeMap<String, BTreeMap<String, String>>>;

const FILES: [&str; 6] = [
    "; head\n[a]\nx = 1\nport = 80\n\n[b]\ny = 2\n",
    "[a]\nx = \"1\"\nport = \"80\"\n[b]\ny = \"2\"\n",
    "[a]\nport = '80'\ny = 2\n[b]\nz = 3\n",
    "[a]\n\tport = 80 ; c\n\ty = 2\n",
    "[b]\ny = 2\n[a]\n",
    "[a]\nport = ab \"x#y;z\"\ny = 2\n",
];

const VALUES: [&str; 40] = [
    "18431",
    "a b",
    "a;b",
    "a ; b",
    "a#b",
    "a # b",
    ";a",
    "#a",
    "say \"hi\"",
    "\"q\"",
    "\"a;b\"",
    "it's",
    "'q'",
    "C:\\x",
    "a\\",
    "100%",
    "$x",
    "a=b",
    "a|b",
    "!a",
    "(a)",
    "on",
    "off",
    "null",
    "",
    " lead",
    "trail ",
    "é",
    "tcp://127.0.0.1:18431",
    "[x]",
    "{x}",
    "?x",
    "a,b",
    "`x`",
    "\"",
    "'",
    "\"a",
    "a\"",
    "a\tb",
    "a: b",
];

const CONFIGPARSER: &str = "
import configparser, json, sys
def read(text):
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.optionxform = str
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return {name: {key: value or '' for key, value in parser[name].items()} for name in parser.sections()}
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
";

const PHP: &str = "
$read = function ($text) {
    $ini = @parse_ini_string($text, true);
    return $ini === false ? null : array_map(fn($keys) => (object) $keys, $ini);
};
echo json_encode(array_map($read, json_decode(stream_get_contents(STDIN))));
";

/// What a program makes of all texts: it reads and prints JSON.
fn read_by(mut reader: Command, texts: &[String]) -> Vec<Sections> {
    let mut child = reader.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let texts_in_json = serde_json::to_vec(texts).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&texts_in_json));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let read: Vec<Sections> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read.len(), texts.len());
    read
}

fn read_by_git(sandbox: &Sandbox, texts: &[String]) -> Vec<Sections> {
    let read = |text: &String| {
        let path = sandbox.write("file", text);
        let list = Command::new("git").args(["config", "--list", "-z", "--file"]).arg(path).output().unwrap();
        list.status.success().then(|| {
            let mut sections = BTreeMap::<String, BTreeMap<_, _>>::new();
            for line in String::from_utf8(list.stdout).unwrap().split_terminator('\0') {
                let (name, value) = line.split_once('\n').unwrap_or((line, ""));
                let (section, key) = name.rsplit_once('.').unwrap();
                sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
            }
            sections
        })
    };
    texts.iter().map(read).collect()
}

/// The files with the values that are written into them, and what they were.
fn written() -> Vec<(&'static str, &'static str, String)> {
    let engine = Engine::new(None, Limits::default());
    let ini = Catalogue::new(&engine, Sources::default(), &|_, _| false).find("ini").unwrap();
    let map = |value: &str| json!({ "a": { "port": value } }).as_object().cloned().unwrap();
    let render = |old: &str, value: &str| {
        let request = Request {
            entries: entries(&map(value)),
            map: json!(map(value)).to_string(),
            attrs: vec![("type".to_owned(), "ini".to_owned())],
            target: TextFile { path: "file".to_owned(), text: Some(old.to_owned()) },
            options: "{}".to_owned(),
            ..Request::default()
        };
        Some(ini.measure(&request).0.ok()?.files.swap_remove(0).text)
    };
    let pairs = FILES.into_iter().flat_map(|old| VALUES.into_iter().map(move |value| (old, value)));
    pairs.filter_map(|(old, value)| Some((old, value, render(old, value)?))).collect()
}

#[test]
fn what_is_written_is_read_whole_and_no_other_key_changes() {
    let sandbox = sandbox();
    let written = written();
    assert!(written.len() > FILES.len() * VALUES.len() / 2, "{}", written.len());
    let old: Vec<_> = written.iter().map(|(old, ..)| (*old).to_owned()).collect();
    let new: Vec<_> = written.iter().map(|(.., new)| new.clone()).collect();
    let command = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words);
        command
    };
    let read_by_all = |texts: &[String]| -> BTreeMap<&str, Vec<Sections>> {
        let mut all = BTreeMap::new();
        if let Some(python) = program_or_skip("python3") {
            all.insert("configparser", read_by(command(&python, &["-c", CONFIGPARSER]), texts));
        }
        if let Some(php) = program_or_skip("php") {
            all.insert("php", read_by(command(&php, &["-n", "-r", PHP]), texts));
        }
        if program_or_skip("git").is_some() {
            all.insert("git", read_by_git(&sandbox, texts));
        }
        all
    };
    let (before, after) = (read_by_all(&old), read_by_all(&new));
    for (reader, before) in before {
        let mut compared = 0;
        for ((before, after), (_, value, new)) in before.iter().zip(&after[reader]).zip(&written) {
            // PHP has operators in values, and git a few escapes only: they say so.
            let (Some(mut before), Some(mut after)) = (before.clone(), after.clone()) else { continue };
            let port = |sections: &mut BTreeMap<String, BTreeMap<_, _>>| {
                let port = sections.get_mut("a").and_then(|keys| keys.remove("port"));
                sections.retain(|_, keys| !keys.is_empty());
                port
            };
            let (_, read): (_, Option<String>) = (port(&mut before), port(&mut after));
            assert_eq!(before, after, "{reader}, {value:?}: {new}");
            let read = read.unwrap_or_else(|| panic!("{reader}, {value:?}, no value: {new}"));
            let is_cut = read != *value && !read.is_empty() && value.starts_with(&read);
            assert!(!is_cut, "{reader}, {value:?} is read as {read:?}: {new}");
            compared += 1;
        }
        assert!(compared > written.len() / 2, "{reader}: {compared} of {}", written.len());
    }
}
