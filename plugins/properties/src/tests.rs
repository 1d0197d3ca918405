use proptest::prelude::*;

use super::*;

fn request(kind: &str, old: &str, map: &str) -> Request {
    let attrs = vec![("type".to_owned(), kind.to_owned())];
    Request { map: map.to_owned(), attrs, ..Request::new("conf").text(old) }
}

fn set(kind: &str, old: &str, map: &str) -> String {
    let new = Properties::render(&request(kind, old, map)).unwrap_or_else(|failure| panic!("{old:?}: {failure}"));
    let new = new.files.into_iter().next().unwrap().text;
    let again = Properties::render(&request(kind, &new, map)).unwrap().files.remove(0).text;
    assert_eq!(again, new, "a second run changes nothing");
    new
}

fn refused(kind: &str, old: &str, map: &str) -> Failure {
    Properties::render(&request(kind, old, map)).unwrap_err()
}

#[test]
fn a_java_value_is_replaced_where_it_stands_and_all_else_stays() {
    let old = "# Spring\n! too\n\nserver.port = 8080\r\nserver.address: ::1\nname\\ with\\:signs Hello\\u00e4\\\n    world\nempty\nspring.datasource.url=jdbc:postgresql://h:5432/a?b=c#d\n";
    let new = set(
        "properties",
        old,
        r#"{"server": {"port": 18431, "address": "127.0.0.1"}, "name with:signs": "x", "empty": "=y", "spring.datasource.url": "jdbc:postgresql://h:18531/a"}"#,
    );
    assert_eq!(
        new,
        "# Spring\n! too\n\nserver.port = 18431\r\nserver.address: 127.0.0.1\nname\\ with\\:signs x\nempty=\\=y\nspring.datasource.url=jdbc:postgresql://h:18531/a\n"
    );
}

#[test]
fn a_java_value_that_says_the_same_keeps_its_escapes() {
    let old = "a = caf\\u00e9 \\\n  bar\nb:\\  x\n";
    assert_eq!(set("properties", old, r#"{"a": "café bar", "b": "  x"}"#), old);
}

#[test]
fn new_java_keys_look_like_the_old_ones_and_lists_have_indices() {
    assert_eq!(
        set("properties", "# c\na: 1\n# end", r#"{"hosts": ["x", "y"], "über": "ß 😀", "t": "\t\\"}"#),
        "# c\na: 1\nhosts[0]: x\nhosts[1]: y\n\\u00FCber: \\u00DF \\uD83D\\uDE00\nt: \\t\\\\\n# end"
    );
    assert_eq!(set("properties", "", r#"{"a": null, " b": " c"}"#), "a=\n\\ b=\\ c\n");
    assert_eq!(set("properties", "a=1", r#"{"b": true}"#), "a=1\nb=true");
}

#[test]
fn only_the_first_document_of_spring_is_changed() {
    let old = "server.port=1\n#---\nspring.config.activate.on-profile=dev\nserver.port=2\n";
    let response = Properties::render(&request("properties", old, r#"{"server.port": 9, "new": 1}"#)).unwrap();
    assert_eq!(response.files[0].text, old.replace("port=1\n", "port=9\nnew=1\n"));
    assert_eq!(response.diagnostics[0].line, Some(4));
}

#[test]
fn the_last_of_several_java_lines_counts() {
    let response = Properties::render(&request("properties", "a=1\nb=2\na=3\n", r#"{"a": 9}"#)).unwrap();
    assert_eq!(response.files[0].text, "a=1\nb=2\na=9\n");
    assert_eq!((response.diagnostics[0].line, response.diagnostics.len()), (Some(1), 1));
}

#[test]
fn an_ini_value_is_replaced_where_it_stands_and_all_else_stays() {
    let old = "; php\n[PHP]\nengine = On\n\n[opcache]\nopcache.enable=0 ; why\nopcache.file = \"/tmp/a b\"\n[Session]\r\nsession.save_path: tcp://h:6379\r\n";
    let new = set(
        "ini",
        old,
        r#"{"opcache": {"opcache.enable": 1, "opcache.file": "/tmp/c d"}, "Session.session.save_path": "tcp://h:18431", "PHP.engine": "Off"}"#,
    );
    assert_eq!(
        new,
        "; php\n[PHP]\nengine = Off\n\n[opcache]\nopcache.enable=1 ; why\nopcache.file = \"/tmp/c d\"\n[Session]\r\nsession.save_path: tcp://h:18431\r\n"
    );
}

#[test]
fn new_ini_keys_go_to_the_end_of_their_section_and_new_sections_to_the_end() {
    let old = "# about\n\n# of web\n[web]\n  port = 1\n\n[db]\nhost = x\n";
    assert_eq!(
        set("ini", old, r#"{"web.name": "n", "debug": true, "cache": {"a": 1, "b": 2}, "web": {"x": 1}}"#),
        "# about\n\ndebug = true\n# of web\n[web]\n  port = 1\n  name = n\n  x = 1\n\n[db]\nhost = x\n\n[cache]\na = 1\nb = 2\n"
    );
    assert_eq!(
        set("ini", "", r#"{"Service.Environment": "PORT=1", "top": 2}"#),
        "top=2\n\n[Service]\nEnvironment=PORT=1\n"
    );
    assert_eq!(set("ini", "[a]\nb=1", r#"{"a.c": 2}"#), "[a]\nb=1\nc=2");
    assert_eq!(
        set("ini", "[logger.root]\nlevel=1\n", r#"{"logger.root.level": 2, "logger.root.qualname": "q"}"#),
        "[logger.root]\nlevel=2\nqualname=q\n"
    );
}

#[test]
fn repeated_keys_of_systemd_are_a_list() {
    let old = "[Service]\nExecStart=\nExecStart=/bin/a\nEnvironment=A=1\nEnvironment=\"B=2 3\"\n# end\n";
    let list = |items: &str| set("ini", old, &format!(r#"{{"Service": {{"Environment": [{items}]}}}}"#));
    assert_eq!(list(r#""A=9", "B=2 3""#), old.replace("A=1", "A=9"));
    assert_eq!(list(r#""A=1", "B=2 3", "C=3""#), old.replace("2 3\"\n", "2 3\"\nEnvironment=C=3\n"));
    assert_eq!(list(r#""A=9""#), old.replace("A=1", "A=9").replace("Environment=\"B=2 3\"\n", ""));
    assert_eq!(set("ini", old, r#"{"Service.ExecStart": "/bin/b"}"#), old.replace("/bin/a", "/bin/b"));
    let single = refused("ini", old, r#"{"Service.Environment": "A=9"}"#);
    assert_eq!((single.code.as_str(), single.line), ("bad-target", Some(5)));
    assert!(refused("ini", old, r#"{"Service.Environment": []}"#).message.contains("empty list"));
}

#[test]
fn what_ini_readers_take_differently_is_refused() {
    for (old, map, line) in [
        ("[a]\nb = 1 \\\n  2\n", r#"{"a.b": 3}"#, Some(2)),
        ("[a]\nb = 1\n  c = 2\n", r#"{"a.b": 3}"#, Some(2)),
        ("[a]\nb = 1\n  more\n", r#"{"a.b": 3}"#, Some(2)),
        ("[a]\nb = 1\n", r#"{"a.b": "x ; y"}"#, Some(2)),
        ("[a]\nb = 'x'\n", r#"{"a.b": "it's # 1"}"#, Some(2)),
        ("[a]\n", r#"{"a.b": "x\ny"}"#, None),
        ("[a]\n", r#"{"a.b": " x"}"#, None),
        ("[a]\n", r#"{"a": {"b=c": 1}}"#, None),
        ("[a]\n", r#"{"a": {"b": {"c]": {"d": 1}}}}"#, None),
        ("[a\nb=1\n", r#"{"a.b": 1}"#, Some(1)),
        ("[a]\nb.c = 1\n[a.b]\nc = 2\n", r#"{"a.b.c": 3}"#, None),
    ] {
        let failure = refused("ini", old, map);
        assert_eq!(failure.line, line, "{old:?} {map}: {failure}");
    }
}

#[test]
fn a_sign_that_some_readers_end_a_value_at_is_new_to_no_key() {
    for value in ["a;b", "a#b", "it's"] {
        let map = |value: &str| format!(r#"{{"s": {{"port": "{}"}}}}"#, value.replace('"', "\\\""));
        refused("ini", "[s]\nport = 80\n", &map(value));
        refused("ini", "[s]\n", &map(value));
        // The old value shows what this file's readers take, and double quotes keep it together for all that know quotes.
        let old = format!("[s]\nport = x{value}\n");
        assert_eq!(set("ini", &old, &map(value)), format!("[s]\nport = {value}\n"));
        let quoted = format!("\"{value}\"");
        assert_eq!(set("ini", "[s]\nport = \"80\"\n", &map(value)), format!("[s]\nport = {quoted}\n"));
        assert_eq!(set("ini", "[s]\nport = 80\n", &map(&quoted)), format!("[s]\nport = {quoted}\n"));
        // What stands between quotes shows nothing of what stands outside.
        refused("ini", &format!("[s]\nport = x {quoted}\n"), &map(value));
    }
}

#[test]
fn a_quote_that_is_open_is_no_comments_end_and_nothing_is_written_into_it() {
    // PHP's text goes on to the next quote, to git it is an error, and systemd and configparser read lines.
    let old = "[a]\nb = \"x ; y\nc = 1\n[d]\ne = z\"\nf = 2\n";
    for (map, line) in [
        (r#"{"a.b": "w"}"#, 2),
        (r#"{"a.c": 2}"#, 2),
        (r#"{"a.new": 2}"#, 2),
        (r#"{"d.e": 2}"#, 2),
        (r#"{"d.f": "5\" disk"}"#, 6),
        (r#"{"d.f": "'tis"}"#, 6),
    ] {
        let failure = refused("ini", old, map);
        assert_eq!(failure.line, Some(line), "{map}: {failure}");
    }
    assert_eq!(set("ini", old, r#"{"a.b": "\"x ; y", "d.f": 3, "d.g": 4}"#), old.replace("f = 2\n", "f = 3\ng = 4\n"));
    // No quote closes it: its lines are lines.
    let old = "b = \"x\nc = 1\n";
    assert_eq!(set("ini", old, r#"{"c": 2}"#), "b = \"x\nc = 2\n");
    assert_eq!(refused("ini", old, r#"{"b": 2}"#).line, Some(1));
    // An apostrophe is no quote, and what stands between quotes is no comment.
    let old = "b = it's ; c\nExec=sh -c \"a ; b\" # d\n";
    assert_eq!(set("ini", old, r#"{"b": "x", "Exec": "sh -c \"a ; b\""}"#), old.replace("it's", "x"));
    assert_eq!(set("ini", old, r#"{"Exec": "sh"}"#), "b = it's ; c\nExec=sh # d\n");
}

#[test]
fn flags_and_gits_indentation_are_read() {
    let git = "[core]\n\tbare\n\teditor = vim\n[remote \"origin\"]\n\turl = https://h:1/x.git\n";
    assert_eq!(
        set("ini", git, r#"{"remote \"origin\"": {"url": "https://h:2/x.git"}, "core": {"pager": "less"}}"#),
        git.replace("h:1", "h:2").replace("= vim\n", "= vim\n\tpager = less\n")
    );
    assert_eq!(
        set("ini", "[mysqld]\nskip-networking\nport=1\n", r#"{"mysqld.skip-networking": 1}"#),
        "[mysqld]\nskip-networking=1\nport=1\n"
    );
}

#[test]
fn without_the_hosts_word_the_files_name_decides() {
    let of = |path: &str| {
        let request = Request { map: r#"{"a.b": 1}"#.to_owned(), ..Request::new(path) };
        Properties::render(&request).unwrap().files.remove(0).text
    };
    assert_eq!(of("application.properties"), "a.b=1\n");
    assert_eq!(of("my.cnf"), "[a]\nb=1\n");
}

#[test]
fn a_thousand_keys_are_one_reading() {
    let keys: Vec<_> = (0..1000).map(|n| format!(r#""k{n}": {n}"#)).collect();
    let old: String = (0..20_000).map(|n| format!("k{}=x\n", n * 7)).collect();
    for kind in ["properties", "ini"] {
        let started = std::time::Instant::now();
        set(kind, &old, &format!("{{{}}}", keys.join(",")));
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    }
}

fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-c]{1,2} ?[=:] ?[a-z0-9\"';# \\\\]{0,8}",
        "\\[[ab. ]{1,3}\\]",
        "[#;!] ?[a-z]{0,4}",
        "[ \t]{1,2}[ab]{1,2}=?[0-9]{0,2}",
        "#---",
        "[a-c]{1,2}",
        "",
    ];
    proptest::collection::vec((line, prop_oneof!["\n", "\r\n"]), 0..12)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + &end).collect())
}

/// The lines of a text that are comments: a line that a backslash joins to the one before belongs to a value, whatever it begins with.
fn comments(text: &str, java: bool) -> Vec<&str> {
    let mut is_joined = false;
    let mut comments = Vec::new();
    for line in text.lines() {
        let is_comment = !is_joined && line.trim_start().starts_with(['#', ';', '!']);
        // Java has them in pairs for one that is meant.
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        is_joined = !is_comment && backslashes > 0 && (!java || backslashes % 2 == 1);
        comments.extend(is_comment.then_some(line));
    }
    comments
}

#[test]
fn a_line_that_begins_a_list_anew_stays_and_what_it_ended_stays_ended() {
    let unit = "[Service]\nExecStart=a\nExecStart=\n";
    let once = set("ini", unit, r#"{"Service.ExecStart": "b"}"#);
    assert_eq!(once, "[Service]\nExecStart=a\nExecStart=\nExecStart=b\n");
    assert_eq!(set("ini", &once, r#"{"Service.ExecStart": "b"}"#), once);
    assert_eq!(set("ini", unit, r#"{"Service.ExecStart": ""}"#), unit);
    let failure = Properties::render(&request("ini", unit, r#"{"Service.ExecStart": ["b", ""]}"#)).unwrap_err();
    assert!(failure.message.contains("begin the list anew"), "{failure:?}");
    let switch = Properties::render(&request("ini", "b=a\n b\n", r#"{"b": "c"}"#)).unwrap_err();
    assert!(switch.message.contains("stands here 2 times"), "{switch:?}");
}

proptest! {
    #[test]
    fn only_the_meant_places_change(old in text(), value in "[a-z0-9 :=;#\"'\\\\äß]{0,6}", key in "[abc]{1,2}(\\.[abc]{1,2})?", java in any::<bool>()) {
        let (kind, read): (_, Reader) =
            if java { ("properties", java::meaning) } else { ("ini", ini::meaning) };
        let map = format!("{{{}: {}}}", portkeeper_plugin_sdk::json::Value::from(&*key), portkeeper_plugin_sdk::json::Value::from(&*value));
        if let Ok(response) = Properties::render(&request(kind, &old, &map)) {
            let new = &response.files[0].text;
            let (before, after) = (read(&old).unwrap(), read(new).unwrap());
            let changed = before.iter().filter(|(place, values)| after.get(*place) != Some(*values)).count()
                + after.keys().filter(|place| !before.contains_key(*place)).count();
            prop_assert!(changed <= 1, "{:?} -> {:?}", old, new);
            let again = Properties::render(&request(kind, new, &map)).unwrap();
            prop_assert_eq!(&again.files[0].text, new);
            prop_assert_eq!(comments(&old, java), comments(new, java));
        }
    }

    #[test]
    fn no_text_makes_it_panic(old in "[a=:\\[\\]#;!\"'\\\\ \n\r\tuäx0]{0,30}", value in "\\PC{0,8}") {
        for kind in ["properties", "ini"] {
            let value = portkeeper_plugin_sdk::json::Value::from(&*value);
            let _ = Properties::render(&request(kind, &old, &format!("{{\"a\": {value}, \"x.y\": [1, {value}]}}")));
        }
    }
}
