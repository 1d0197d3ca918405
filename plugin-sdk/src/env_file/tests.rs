use proptest::prelude::*;

use super::*;

fn set(text: &str, key: &str, value: &str) -> String {
    let mut file = EnvFile::parse(text).unwrap();
    file.set(key, value).unwrap();
    file.to_string()
}

#[test]
fn a_new_key_goes_to_the_end() {
    assert_eq!(set("", "A", "1"), "A=1\n");
    assert_eq!(set("B=2\n\n", "A", "1"), "B=2\n\nA=1\n");
    assert_eq!(set("B=2\r\nC=3\r\n", "A", "1"), "B=2\r\nC=3\r\nA=1\r\n");
    assert_eq!(set("B=2", "A", "1"), "B=2\nA=1", "no final line end before, none after");
    assert_eq!(set("#A=0\n", "A", "1"), "#A=0\nA=1\n", "a comment is no assignment");
}

#[test]
fn all_around_the_value_stays() {
    for (before, after) in [
        ("A=0\n", "A=1\n"),
        ("A=0", "A=1"),
        ("\u{feff}A=0\r\n", "\u{feff}A=1\r\n"),
        ("  export\tA=0 # why\n", "  export\tA=1 # why\n"),
        ("A = 0\n", "A = 1\n"),
        ("A='0' # why\n", "A='1' # why\n"),
        ("A=\"0\"#why\n", "A=\"1\"#why\n"),
        ("A=`0`\n", "A='1'\n"),
        ("A=0#not a comment # why\n", "A=1 # why\n"),
        ("A=\n", "A=1\n"),
        ("A=   # why\n", "A=1   # why\n"),
        ("A=\"x\"y # why\n", "A=1 # why\n".replace("=1", "=\"1\"").as_str()),
        ("export A\n", "export A=1\n"),
        ("A # why\n", "A=1 # why\n"),
        ("a=0\nAB=0\n", "a=0\nAB=0\nA=1\n"),
    ] {
        assert_eq!(set(before, "A", "1"), after, "{before:?}");
    }
}

#[test]
fn a_tab_behind_the_value_does_not_become_a_part_of_it() {
    for (before, after) in [
        ("A=0\t# why\n", "A=\"1\"\t# why\n"),
        ("A=0 \t# why\n", "A=\"1\" \t# why\n"),
        ("A=\t# why\n", "A=\"1\"\t# why\n"),
        ("export A\t# why\n", "export A=\"1\"\t# why\n"),
        ("A=1\t# right already, but not for each reader\n", "A=\"1\"\t# right already, but not for each reader\n"),
        ("A=0\t\n", "A=\"1\"\t\n"),
        ("A='0'\t# why\n", "A='1'\t# why\n"),
    ] {
        assert_eq!(set(before, "A", "1"), after, "{before:?}");
        assert_eq!(set(after, "A", "1"), after, "a fixed point");
    }
}

#[test]
fn the_last_of_several_is_the_one_that_readers_take() {
    let before = "A=1\nB=2\nA=3\n";
    assert_eq!(set(before, "A", "9"), "A=1\nB=2\nA=9\n");
    let file = EnvFile::parse(before).unwrap();
    let repeated = file.repeated();
    assert_eq!((repeated.len(), &repeated["A"][..]), (1, &[1, 3][..]));
}

#[test]
fn a_value_of_several_lines_is_kept_whole() {
    let before = "KEY=\"-----BEGIN\nA=0\n-----END\"\nA=1\nX='a\nA=7\n' # why\n";
    assert_eq!(set(before, "A", "2"), before.replace("A=1", "A=2"));
    assert_eq!(set(before, "KEY", "k"), "KEY=\"k\"\nA=1\nX='a\nA=7\n' # why\n");
    let before = format!("{before}A=1\n");
    assert_eq!(EnvFile::parse(&before).unwrap().repeated()["A"], [4, 8]);
}

#[test]
fn a_quote_that_is_never_closed_is_refused_with_its_line() {
    let failure = EnvFile::parse("A=1\nB=\"2\n").unwrap_err();
    assert_eq!((failure.code.as_str(), failure.line), ("bad-target", Some(2)));
    assert!(EnvFile::parse("A='x\nB='y z'\n").is_err(), "closed in the middle of another line");
}

#[test]
fn values_are_quoted_only_where_needed() {
    for (value, written) in [
        ("8888", "8888"),
        ("http://localhost:8888/a?b", "'http://localhost:8888/a?b'"),
        ("http://localhost:8888/a", "http://localhost:8888/a"),
        ("", ""),
        ("two words", "'two words'"),
        ("~/x", "'~/x'"),
        ("$HOME", "'$HOME'"),
        ("a#b", "'a#b'"),
        ("it's", "\"it's\""),
        ("say \"x\"", "'say \"x\"'"),
        ("C:\\dir", "'C:\\dir'"),
        ("größe", "'größe'"),
    ] {
        assert_eq!(set("", "A", value), format!("A={written}\n"));
    }
}

#[test]
fn a_value_that_readers_disagree_about_is_refused() {
    for value in ["a\nb", "a\rb", "\0", "${X}", "it's \"x\"", "it's $5", "dir\\", "a\\\\b", "\u{85}"] {
        let failure = EnvFile::parse("").unwrap().set("A", value).unwrap_err();
        assert_eq!(failure.code, "bad-map", "{value:?}");
        assert!(failure.message.contains("`A`"));
    }
}

#[test]
fn a_key_must_be_a_name() {
    for key in ["", "1A", "A-B", "a.b", "A B", "A=B", "Ä"] {
        assert!(check_key(key).unwrap_err().message.contains(&format!("`{key}`")));
    }
}

/// Text that looks like a `.env` file more often than not.
fn env_text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "(export )?[AB] ?= ?[\"'`]?[a-z$#\\\\ ]{0,4}[\"'`]?( #c)?",
        "#[ -~]{0,5}",
        "[AB \t\"'`=#x\\\\]{0,8}",
        "\\PC{0,6}",
    ];
    (any::<bool>(), proptest::collection::vec((line, prop_oneof!["\n", "\r\n"]), 0..8), "[AB=\"'x]{0,3}").prop_map(
        |(mark, lines, last)| {
            format!(
                "{}{}{last}",
                if mark { "\u{feff}" } else { "" },
                lines.into_iter().map(|(a, b)| a + &b).collect::<String>()
            )
        },
    )
}

proptest! {
    #[test]
    fn a_file_that_is_only_read_is_unchanged(text in env_text()) {
        if let Ok(file) = EnvFile::parse(&text) {
            prop_assert_eq!(file.to_string(), text);
        }
    }

    #[test]
    fn setting_again_changes_nothing(text in env_text(), value in "[ -~äß]{0,6}") {
        let Ok(mut file) = EnvFile::parse(&text) else { return Ok(()) };
        if file.set("A", &value).is_ok() {
            let once = file.to_string();
            let mut again = EnvFile::parse(&once).unwrap();
            again.set("A", &value).unwrap();
            prop_assert_eq!(again.to_string(), once);
        }
    }

    #[test]
    fn other_lines_and_comments_are_never_lost(text in env_text()) {
        let Ok(mut file) = EnvFile::parse(&text) else { return Ok(()) };
        let before = file.clone();
        file.set("A", "1").unwrap();
        let place = before.statements.iter().rposition(|statement| statement.key() == Some("A"));
        for (at, statement) in before.statements.iter().enumerate() {
            if Some(at) != place {
                prop_assert_eq!(text::without_end(statement.text()), text::without_end(file.statements[at].text()));
            }
        }
        prop_assert!(file.statements.len() == before.statements.len() + usize::from(place.is_none()));
    }
}
