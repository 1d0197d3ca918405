//! What a second user of the machine gets to see of a prepare, at every step of it and after it was killed there: nothing that is private.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use portkeeper_tests::{Ports, Sandbox, WatPlugin, program_or_skip, skipped, tell};
use serde_json::json;

use crate::sandbox;

/// Who looks.
const SECOND: u32 = 4_001;
/// Whose project root prepares.
const OWNER: u32 = 4_002;

/// What a prepare does to files: it is killed before the first of each, before the second, and so on.
const STEPS: &str = "write,fchmod,fchown,fsync,sync_file_range,flock,mkdirat,linkat,renameat,renameat2,unlinkat";

/// A project in git with a private `.env` that every user may walk to.
fn project(sandbox: &Sandbox, ports: &Ports) {
    let config = json!({
        "ports": [{ "key": "WEB_PORT", "range": [ports.first(), ports.last()] }],
        "outputs": [
            { "type": "env", "path": ".env", "backup": true },
            { "type": "json", "path": "sub/settings.json", "map": { "port": "${WEB_PORT}", "secret": "${SECRET}" } },
        ],
    });
    sandbox.write("pk.config.json", config.to_string());
    sandbox.write(".gitignore", ".env\n.env.bak\nsub/settings.json\n");
    sandbox.write(".env", "TOKEN=topsecret\n");
    sandbox.write("sub/settings.json", "{ \"old\": \"topsecret\" }\n");
    for private in [".env", "sub/settings.json"] {
        fs::set_permissions(sandbox.work().join(private), Permissions::from_mode(0o600)).unwrap();
    }
    // What an earlier one has left when it was killed.
    sandbox.write(".portkeeper-tmp.0/1-1", "TOKEN=topsecret\n");
    sandbox.write(".portkeeper-tmp.0/.gitignore", "*\n");
    fs::set_permissions(sandbox.work().join(".portkeeper-tmp.0"), Permissions::from_mode(0o700)).unwrap();
    for directory in ["", "work", "work/sub"] {
        fs::set_permissions(sandbox.root().join(directory), Permissions::from_mode(0o755)).unwrap();
    }
    let _ = sandbox.program("git").words("init -q").ok();
    let _ = sandbox.program("git").words("add -A").ok();
}

/// The files that hold the secret and that the second user can read; and what git would add.
#[track_caller]
fn is_private(sandbox: &Sandbox, when: &str) {
    let second = format!("--reuid={SECOND} --regid={SECOND} --clear-groups grep -rls topsecret");
    let seen = sandbox.program("setpriv").words(&second).arg(sandbox.root()).run();
    assert_eq!(seen.stdout, "", "{when}: in the second user's reach");
    let added = sandbox.program("git").words("add -A --dry-run").ok();
    assert_eq!(added.stdout, "", "{when}: git would add it");
}

#[track_caller]
fn tools() -> bool {
    if !rustix::process::geteuid().is_root() {
        skipped("root", "only root can become another user");
        return false;
    }
    ["setpriv", "git", "strace"].into_iter().all(|program| program_or_skip(program).is_some())
}

#[test]
fn no_step_of_a_prepare_shows_a_secret_and_what_a_killed_one_leaves_is_private_and_goes_with_the_next() {
    if !tools() {
        return;
    }
    let mut points = 0;
    for step in STEPS.split(',') {
        for count in 1.. {
            let (sandbox, ports) = (sandbox(), Ports::take(1));
            project(&sandbox, &ports);
            let kill = format!("-f -qq -o /dev/null -e trace={step} -e inject={step}:signal=KILL:when={count}");
            let run = sandbox.program("strace").words(&kill).arg(sandbox.portkeeper_path()).words("prepare");
            let outcome = run.env("SECRET", "topsecret").run();
            let when = format!("killed before {step} {count}");
            is_private(&sandbox, &when);
            let (env, was_killed) = (sandbox.read(".env"), outcome.code() != Some(0));
            assert!(env.contains("TOKEN=topsecret"), "{when}: {env}");
            let _ = sandbox.portkeeper("prepare").env("SECRET", "topsecret").ok();
            is_private(&sandbox, &format!("{when}, and the next one"));
            assert_eq!(sandbox.read(".env"), format!("TOKEN=topsecret\nWEB_PORT={}\n", ports.first()), "{when}");
            assert_eq!(leftovers(&sandbox.work()), Vec::<String>::new(), "{when}");
            assert_eq!(leftovers(&sandbox.work().join("sub")), Vec::<String>::new(), "{when}");
            if !was_killed {
                break;
            }
            points += 1;
        }
    }
    tell(format_args!("killed at {points} points"));
    assert!(points > 20, "{points} points: has strace killed it at all?");
}

/// What a prepare has no use for any more.
fn leftovers(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".portkeeper") || name.ends_with(".tmp")).collect()
}

#[test]
fn roots_prepare_leaves_a_users_files_the_users_and_gives_no_file_another_users_powers() {
    if !tools() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    project(&sandbox, &ports);
    let files = [".env", "sub/settings.json"].map(|file| sandbox.work().join(file));
    for file in &files {
        chown(file, Some(OWNER), Some(OWNER)).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o6640)).unwrap();
    }
    let _ = sandbox.portkeeper("prepare").env("SECRET", "topsecret").ok();
    for file in &files {
        let found = fs::metadata(file).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (OWNER, OWNER, 0o640), "{}", file.display());
    }
    let backup = fs::metadata(sandbox.work().join(".env.bak")).unwrap();
    assert_eq!((backup.uid(), backup.mode() & 0o7777), (OWNER, 0o640));
    is_private(&sandbox, "after root's prepare");
}

/// A report, a lockfile or a component that root replaces is no secret, but it was another user's.
#[test]
fn roots_report_leaves_a_users_file_the_users() {
    if !tools() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let report = sandbox.write("report.json", "{}");
    chown(&report, Some(OWNER), Some(OWNER)).unwrap();
    fs::set_permissions(&report, Permissions::from_mode(0o4644)).unwrap();
    let run = format!("run --range {}-{} --report report.json -- true", ports.first(), ports.last());
    let _ = sandbox.portkeeper(run).ok();
    let found = fs::metadata(&report).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (OWNER, OWNER, 0o644));
    assert!(sandbox.read("report.json").contains("guarantee"));
}

/// The lock of a project's plugins lies in the user's own state: a user who may read the project cannot hold it.
#[test]
fn a_locked_directory_keeps_no_project_from_its_plugins() {
    let sandbox = sandbox();
    let project = fs::File::open(sandbox.work()).unwrap();
    rustix::fs::flock(&project, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let plugin = sandbox.write("made.wasm", WatPlugin::new("made").component());
    for words in ["plugin add --project --lock-timeout 0s", "plugin remove --project --lock-timeout 0s"] {
        let what = if words.contains("add") { plugin.display().to_string() } else { "made".to_owned() };
        let _ = sandbox.portkeeper(words).arg(what).ok();
    }
}
