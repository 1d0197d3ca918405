//! What a prepare refuses: all of it or none of it.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use portkeeper_tests::{Ports, Sandbox, skipped};
use serde_json::{Value, json};

use crate::config::one_port;
use crate::sandbox;

/// Prepares and demands a refusal after which the user's files are as they were, and nothing is reserved.
#[track_caller]
fn assert_nothing_done(sandbox: &Sandbox, code: i32, needles: &[&str]) {
    let before = sandbox.all_but_registry();
    let outcome = sandbox.portkeeper("prepare").refused(code);
    for needle in needles {
        outcome.says(needle);
    }
    assert_eq!(sandbox.reserved(), [0; 0], "a reservation was left\n{outcome}");
    before.assert_unchanged(&outcome);
}

/// A directory with a config of one port and these outputs, and an `.env` to lose.
fn project(ports: &Ports, outputs: Value) -> Sandbox {
    let sandbox = sandbox();
    sandbox.write(".env", "KEEP=me\n");
    sandbox.write("pk.config.json", one_port(ports, outputs).to_string());
    sandbox
}

#[test]
fn config_errors_name_file_line_and_field() {
    let cases: &[(&str, &[&str])] = &[
        ("{\n  \"prots\": []\n}", &["pk.config.json:2", "prots", "`ports`"]),
        (
            "{\n  \"ports\": [\n    { \"key\": \"A\", \"prefered\": 1 }\n  ]\n}",
            &["pk.config.json:3", "ports[0]", "`preferred`"],
        ),
        (
            "{ \"ports\": [{ \"key\": \"A\",\n \"preferred\": 70000 }] }",
            &["pk.config.json:2", "ports[0].preferred", "1 to 65535"],
        ),
        ("{ \"ports\": [{ \"key\": \"A\", \"preferred\": 0 }] }", &["ports[0].preferred", "1 to 65535"]),
        ("{ \"ports\": [{ \"key\": \"A\", \"preferred\": \"x\" }] }", &["ports[0].preferred"]),
        ("{ \"ports\": [{ \"key\": \"A\", \"range\": [9, 8] }] }", &["ports[0].range", "8-9"]),
        ("{ \"ports\": [{ \"key\": \"A\", \"range\": [] }] }", &["ports[0].range"]),
        ("{ \"ports\": [{ \"key\": \"A\", \"range\": \"a-b\" }] }", &["ports[0].range", "a"]),
        ("{ \"ports\": [{ \"key\": \"BAD KEY=1\" }] }", &["ports[0].key", "BAD KEY=1"]),
        ("{ \"ports\": [{ \"key\": \"A\" },\n{ \"key\": \"A\" }] }", &["pk.config.json:2", "ports[1].key", "A"]),
        ("{ \"ports\": [{ \"key\": \"A\", \"protocol\": \"icmp\" }] }", &["ports[0].protocol", "tcp"]),
        ("{ \"ports\": [{ \"key\": \"A\", \"host\": \"a b\" }] }", &["ports[0].host", "a b"]),
        ("{ \"ports\": [{ \"range\": \"1-2\" }] }", &["ports[0]", "key"]),
        ("{ \"ports\": [{ \"key\": \"A\" }], \"outputs\": [{ \"path\": \"x\" }] }", &["outputs[0]", "type"]),
        ("{ \"ports\": [{ \"key\": \"A\" }]", &["pk.config.json:1"]),
        ("", &["pk.config.json"]),
        ("[]", &["pk.config.json"]),
        ("{ \"ports\": [{ \"key\": \"A\" }], \"ports\": [] }", &["ports"]),
    ];
    for (config, needles) in cases {
        let sandbox = sandbox();
        sandbox.write("pk.config.json", config);
        assert_nothing_done(&sandbox, 2, needles);
    }
}

#[test]
fn an_option_that_the_format_does_not_know_gets_a_suggestion() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, json!([{ "type": "env" }, { "type": "runtime_js", "globl": "APP" }]));
    assert_nothing_done(&sandbox, 2, &["pk.config.json:1", "outputs[1]", "globl", "global"]);
}

#[test]
fn an_output_type_that_is_unknown_lists_those_that_are_known_also_when_it_is_a_slip() {
    for wrong in ["inl", "jsonn", "ENV"] {
        let ports = Ports::take(1);
        let sandbox = project(&ports, json!([{ "type": "env" }, { "type": wrong }]));
        assert_nothing_done(
            &sandbox,
            2,
            &[wrong, "env", "json", "runtime_js", "docker-compose", "`properties`", "`ini`"],
        );
    }
}

#[test]
fn two_outputs_of_one_file_that_do_not_go_together_are_both_named() {
    let ports = Ports::take(1);
    let outputs = json!([{ "type": "env", "path": "out" }, { "type": "yaml" }, { "type": "json", "path": "./out" }]);
    let sandbox = project(&ports, outputs);
    assert_nothing_done(&sandbox, 2, &["outputs[2].path", "outputs[0] (env) and outputs[2] (json) both write ./out"]);
    // Formats that go together share a file.
    let outputs = json!([{ "type": "env", "path": "out" }, { "type": "env", "path": "./out", "map": { "A": "1" } }]);
    sandbox.write("pk.config.json", one_port(&ports, outputs).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    assert!(sandbox.read("out").ends_with("A=1\n"));
}

#[test]
fn a_variable_that_is_nowhere_names_its_output() {
    for (value, needles) in
        [("${NOWHERE}", ["NOWHERE", "outputs[1]"]), ("${NOWHERE:?say where}", ["say where", "outputs[1]"])]
    {
        let ports = Ports::take(1);
        let sandbox = project(&ports, json!([{ "type": "env" }, { "type": "json", "map": { "a": value } }]));
        assert_nothing_done(&sandbox, 2, &needles);
    }
}

#[test]
fn configs_that_cannot_be_read_as_text() {
    let sandbox = sandbox();
    sandbox.write("pk.config.json", b"{ \"owner\": \"M\xfcller\" }");
    assert_nothing_done(&sandbox, 2, &["pk.config.json", "UTF-8"]);
    std::fs::remove_file(sandbox.work().join("pk.config.json")).unwrap();
    sandbox.directory("pk.config.json");
    assert_nothing_done(&sandbox, 2, &["pk.config.json"]);
    sandbox.portkeeper("prepare -c missing.json").refused(2).says("missing.json");
    sandbox.portkeeper("prepare -c /dev/zero").refused(2).says("/dev/zero");
}

#[test]
fn a_project_whose_name_is_no_unicode_is_refused_with_the_reason() {
    use std::os::unix::ffi::OsStrExt;
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let directory = sandbox.work().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("pk.config.json"), one_port(&ports, json!([{ "type": "env" }])).to_string()).unwrap();
    sandbox.portkeeper("prepare").within(&directory).refused(3).says("Unicode");
    assert!(sandbox.reserved().is_empty());
    assert!(!directory.join(".env").exists());
}

#[test]
fn without_a_config_it_says_what_it_looked_for() {
    sandbox().portkeeper("prepare").refused(2).says("pk.config.json").says(".yaml");
}

#[test]
fn a_yaml_bomb_is_refused_soon() {
    let levels = (1..12).map(|level| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{aliases}]\n")
    });
    let bomb = format!("a0: &a0 [lol, lol]\n{}ports: *a11\n", levels.collect::<String>());
    let sandbox = sandbox();
    sandbox.write("pk.config.yaml", bomb);
    let start = std::time::Instant::now();
    // 256 MiB of address space would not do for 10^11 elements.
    assert_nothing_done(&sandbox, 2, &["pk.config.yaml"]);
    assert!(start.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn deep_nesting_is_refused_and_no_crash() {
    for (name, open, close) in
        [("pk.config.json", "[", "]"), ("pk.config.yaml", "[", "]"), ("pk.config.json", "{\"a\":", "}")]
    {
        let sandbox = sandbox();
        sandbox.write(name, format!("{}1{}", open.repeat(100_000), close.repeat(100_000)));
        assert_nothing_done(&sandbox, 2, &[name]);
    }
}

#[test]
fn targets_outside_the_project_or_under_git_are_refused() {
    for path in [
        "../outside.env",
        "/tmp/portkeeper-outside.env",
        ".git/config",
        ".git/hooks/post-checkout",
        "a/../../x",
        "sub/.git/config",
        "",
    ] {
        let ports = Ports::take(1);
        let sandbox = project(&ports, json!([{ "type": "json" }, { "type": "env", "path": path }]));
        sandbox.write(".git/config", "[core]\n");
        assert_nothing_done(&sandbox, 2, &["outputs[1]"]);
        assert!(!std::path::Path::new("/tmp/portkeeper-outside.env").exists());
    }
}

#[test]
fn a_link_that_leads_out_is_refused_until_the_user_trusts_it() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, json!([{ "type": "env", "path": "shell.env" }]));
    let profile = sandbox.root().join("home/.bashrc");
    std::fs::write(&profile, "# mine\n").unwrap();
    symlink(&profile, sandbox.work().join("shell.env")).unwrap();
    assert_nothing_done(&sandbox, 2, &["shell.env", ".bashrc", "portkeeper trust"]);
    let _ = sandbox.portkeeper("trust").arg(&profile).ok();
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(std::fs::read_to_string(&profile).unwrap(), format!("# mine\nSERVICE_PORT={}\n", ports.first()));
}

#[test]
fn a_directory_that_is_a_link_leads_no_further_than_a_file() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, json!([{ "type": "env", "path": "out/new.env" }]));
    symlink(sandbox.root().join("home"), sandbox.work().join("out")).unwrap();
    assert_nothing_done(&sandbox, 2, &["out/new.env"]);
}

#[test]
fn a_link_inside_the_project_is_written_through() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, json!([{ "type": "env", "path": "link.env" }]));
    symlink(".env", sandbox.work().join("link.env")).unwrap();
    let _ = sandbox.portkeeper("prepare").ok();
    assert!(sandbox.work().join("link.env").is_symlink());
    assert_eq!(sandbox.read(".env"), format!("KEEP=me\nSERVICE_PORT={}\n", ports.first()));
}

#[test]
fn targets_that_cannot_be_read_stop_it_before_anything_is_written() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, json!([{ "type": "env" }, { "type": "json", "path": "x.json" }]));
    sandbox.write("x.json", b"{\"a\": \"M\xfcller\"}");
    assert_nothing_done(&sandbox, 2, &["x.json", "UTF-8"]);
    sandbox.write("x.json", "[1, 2]");
    assert_nothing_done(&sandbox, 2, &["x.json"]);
    sandbox.write("x.json", "{\"a\": ");
    assert_nothing_done(&sandbox, 2, &["x.json"]);
    std::fs::remove_file(sandbox.work().join("x.json")).unwrap();
    sandbox.directory("x.json");
    let outcome = sandbox.portkeeper("prepare").run();
    assert!(matches!(outcome.code(), Some(2 | 3)), "{outcome}");
    outcome.is_one_clear_error().says("x.json");
    assert_eq!(sandbox.read(".env"), "KEEP=me\n");
}

#[test]
fn a_script_of_somebody_else_is_not_taken_over() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, json!([{ "type": "env" }, { "type": "runtime_js", "path": "app.js" }]));
    sandbox.write("app.js", "console.log('mine');\n");
    assert_nothing_done(&sandbox, 2, &["app.js"]);
}

#[test]
fn a_published_port_that_is_left_unmapped_is_refused() {
    let ports = Ports::take(1);
    let services = json!({ "web": { "SERVICE_PORT": 80 } });
    let mut output = json!({ "type": "docker-compose", "path": "compose.override.yaml", "services": services });
    let sandbox = project(&ports, json!([output]));
    sandbox.write("compose.yaml", "services:\n  web:\n    ports: [\"80:80\", \"443:443\"]\n");
    assert_nothing_done(&sandbox, 2, &["443", "drop_unmapped"]);
    output["drop_unmapped"] = json!(true);
    sandbox.write("pk.config.json", one_port(&ports, json!([output])).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
}

#[test]
fn a_write_that_fails_in_the_middle_puts_the_earlier_files_back() {
    let ports = Ports::take(1);
    let outputs = json!([
        { "type": "env" },
        { "type": "env", "path": "new.env" },
        { "type": "env", "path": "large.env" },
        { "type": "env", "path": "never.env" },
    ]);
    let sandbox = project(&ports, outputs);
    sandbox.write("large.env", format!("# {}\n", "x".repeat(200_000)));
    let before = sandbox.all_but_registry();
    // 64 KiB: enough for all but the third.
    sandbox.portkeeper("prepare").with_largest_file(64 << 10).refused(3).says("large.env");
    before.assert_unchanged("that");
    assert!(sandbox.reserved().is_empty());
    let _ = sandbox.portkeeper("prepare").ok();
}

#[test]
fn a_directory_that_is_read_only_puts_the_earlier_files_back() {
    let ports = Ports::take(1);
    let sandbox = project(
        &ports,
        json!([{ "type": "env" }, { "type": "env", "path": "new.env" }, { "type": "json", "path": "locked/x.json" }]),
    );
    let directory = sandbox.directory("locked");
    let before = sandbox.all_but_registry();
    std::fs::set_permissions(&directory, Permissions::from_mode(0o500)).unwrap();
    sandbox.portkeeper("prepare").without_powers().refused(3).says("locked").says("permission denied");
    before.assert_unchanged("that");
    assert!(sandbox.reserved().is_empty());
    std::fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    let _ = sandbox.portkeeper("prepare").ok();
}

#[test]
fn files_that_may_not_be_read_stop_it() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, json!([{ "type": "env" }]));
    for name in [".env", "pk.config.json"] {
        let path = sandbox.work().join(name);
        let usual = path.metadata().unwrap().permissions();
        std::fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
        sandbox.portkeeper("prepare").without_powers().refused(3).says(name).says("permission denied");
        std::fs::set_permissions(&path, usual).unwrap();
    }
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn a_prepare_that_fails_keeps_what_an_earlier_one_reserved() {
    let ports = Ports::take(2);
    let sandbox = project(&ports, json!([{ "type": "env" }]));
    let _ = sandbox.portkeeper("prepare").ok();
    sandbox.write("x.json", "[]");
    let outputs = json!([{ "type": "env" }, { "type": "json", "path": "x.json" }]);
    sandbox.write("pk.config.json", one_port(&ports, outputs).to_string());
    let _ = sandbox.portkeeper("prepare").refused(2);
    assert_eq!(sandbox.reserved(), [ports.first()]);
}

#[test]
fn killed_in_the_middle_it_leaves_what_the_next_run_puts_right() {
    let ports = Ports::take(20);
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let outputs = (0..8).map(|number| json!({ "type": "env", "path": format!("{number}.env") }));
    let sandbox = project(&ports, outputs.collect());
    for _ in 0..12 {
        let mut running = sandbox.portkeeper("prepare").start();
        // Not waiting for anything: this is what scatters the kills over the run.
        std::thread::sleep(std::time::Duration::from_micros(random.u64(..30_000)));
        running.kill();
        let _ = running.finish();
        for number in 0..8 {
            let name = format!("{number}.env");
            if sandbox.has(&name) {
                let text = sandbox.read(&name);
                let whole = text.strip_prefix("SERVICE_PORT=").and_then(|rest| rest.strip_suffix('\n'));
                assert!(whole.is_some_and(|port| port.parse::<u16>().is_ok()), "seed {seed}: {name}: {text:?}");
            }
        }
        assert!(sandbox.reserved().len() <= 1, "seed {seed}: a name has one port: {:?}", sandbox.reserved());
    }
    let port = &sandbox.portkeeper("prepare").ok().json()["reserved"]["SERVICE_PORT"];
    for number in 0..8 {
        assert_eq!(sandbox.read(format!("{number}.env")), format!("SERVICE_PORT={port}\n"), "seed {seed}");
    }
    assert_eq!(sandbox.reserved().len(), 1, "seed {seed}");
}

/// What is in the place of the directory for temporary files is to blame, and not the project's directory.
#[test]
fn what_is_in_the_place_of_the_directory_for_temporary_files_is_named() {
    let ports = Ports::take(1);
    let staging = format!(".portkeeper-tmp.{}", rustix::process::geteuid().as_raw());
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped("root", "only root can give a directory to another user");
    }
    for (kind, reason) in [("file", "a file is"), ("link", "a symbolic link is"), ("foreign", "belongs to user 4001")] {
        let sandbox = project(&ports, json!([{ "type": "env" }]));
        let path = sandbox.work().join(&staging);
        match kind {
            "file" => std::fs::write(&path, "mine").unwrap(),
            "link" => symlink(sandbox.root(), &path).unwrap(),
            _ if root => {
                std::fs::create_dir(&path).unwrap();
                std::os::unix::fs::chown(&path, Some(4001), None).unwrap();
            }
            _ => continue,
        }
        let said = format!("{}: ", path.display());
        assert_nothing_done(&sandbox, 3, &["cannot be written", &said, reason, "remove it"]);
        assert!(path.symlink_metadata().is_ok(), "it is left as it is");
    }
}

#[test]
fn what_no_config_may_write_cannot_be_trusted() {
    let sandbox = project(&Ports::take(1), json!([{ "type": "env" }]));
    for path in ["pk.config.json", "portkeeper.lock", ".portkeeper", ".portkeeper-tmp.0/x"] {
        sandbox.directory(".portkeeper-tmp.0");
        sandbox.portkeeper(format!("trust {path}")).refused(2).says("what portkeeper itself goes by");
    }
    for path in [".", "/tmp"] {
        sandbox.portkeeper(format!("trust {path}")).refused(2).says("is a directory").says("name the file");
    }
    assert_eq!(sandbox.portkeeper("trust --list --json").ok().json()["targets"], json!([]));
}
