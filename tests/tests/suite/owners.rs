//! Whose configs are used: those of another user only after the user's word.

use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};

use portkeeper_tests::{Ports, Run, Sandbox, program_or_skip, skipped};
use serde_json::json;

use crate::sandbox;

/// A user who has nothing to do with the one who runs the tests.
const STRANGER: u32 = 4_001;

/// Writes a config that copies a secret of the environment into a file.
fn config(sandbox: &Sandbox, path: &str, ports: &Ports) -> PathBuf {
    let text = json!({
        "ports": [{ "key": "WEB_PORT", "range": [ports.first(), ports.last()] }],
        "outputs": [{ "type": "json", "path": "leak.json", "map": { "s": "${SECRET}" } }],
    });
    sandbox.write(path, text.to_string())
}

fn give(path: &Path, user: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(user)).unwrap();
}

/// Only root can give files away.
#[track_caller]
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped("root", "only root can give a file to another user");
    }
    root
}

fn prepare<'a>(sandbox: &'a Sandbox, words: &str, directory: &Path) -> Run<'a> {
    sandbox.portkeeper(format!("prepare {words}")).within(directory).env("SECRET", "topsecret")
}

/// A search must not use it, from its directory nor from below.
#[track_caller]
fn refuses(sandbox: &Sandbox, project: &Path, whose: &str) {
    let below = project.join("below");
    std::fs::create_dir_all(&below).unwrap();
    for directory in [project, &below] {
        let refused = prepare(sandbox, "", directory).refused(2);
        refused.says(format!("dubious ownership: {whose} belongs to user {STRANGER}, but this is user"));
        refused.says(format!("--config {}", project.join("pk.config.json").display()));
        refused.says(format!("export PORTKEEPER_TRUSTED_DIRECTORIES={}", project.display()));
    }
    assert!(!project.join("leak.json").exists() && sandbox.reserved().is_empty());
}

#[track_caller]
fn takes(sandbox: &Sandbox, run: &Run<'_>, project: &Path) {
    run.ok().is_silent();
    assert_eq!(std::fs::read_to_string(project.join("leak.json")).unwrap(), "{\n  \"s\": \"topsecret\"\n}\n");
    std::fs::remove_file(project.join("leak.json")).unwrap();
    let _ = sandbox.portkeeper("release --all").ok();
}

#[test]
fn the_config_of_a_stranger_is_no_trap_not_even_in_the_current_directory() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = config(&sandbox, "shared/pk.config.json", &ports);
    let shared = sandbox.work().join("shared");
    takes(&sandbox, &prepare(&sandbox, "", &shared), &shared);
    if is_root() {
        give(&config, STRANGER);
        refuses(&sandbox, &shared, "the config");
    }
}

#[test]
fn a_config_in_a_strangers_directory_is_theirs_to_swap() {
    if !is_root() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = config(&sandbox, "shared/pk.config.json", &ports);
    let shared = sandbox.work().join("shared");
    give(&shared, STRANGER);
    refuses(&sandbox, &shared, "its directory");
}

/// The stranger needs no file of their own for it: any config in a repository that the victim has cloned and never run will do.
#[test]
fn a_strangers_link_to_ones_own_config_is_refused() {
    if !is_root() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let cloned = config(&sandbox, "cloned/pk.config.json", &ports);
    let shared = sandbox.directory("shared");
    let link = shared.join("pk.config.json");
    symlink(&cloned, &link).unwrap();
    give(&link, STRANGER);
    refuses(&sandbox, &shared, "a link to it");
}

#[test]
fn ones_own_link_is_followed_as_far_as_all_of_it_is_ones_own() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let real = config(&sandbox, "dotfiles/shop/pk.config.json", &ports);
    let project = sandbox.directory("projects/shop");
    let link = project.join("pk.config.json");
    let aim = |to: &str| {
        let _ = std::fs::remove_file(&link);
        symlink(to, &link).unwrap();
    };
    symlink("dotfiles", sandbox.work().join("dots")).unwrap();
    symlink("pk.config.json", sandbox.work().join("dotfiles/shop/again")).unwrap();
    for to in ["../../dotfiles/shop/pk.config.json", "../../dots/shop/./again", real.to_str().unwrap()] {
        aim(to);
        takes(&sandbox, &prepare(&sandbox, "", &project), &project);
    }
    aim("pk.config.json");
    prepare(&sandbox, "", &project).refused(3).says("cannot be read");
    if !is_root() {
        return;
    }
    aim("../../dots/shop/pk.config.json");
    for (path, whose) in [
        ("dots", "a link to it"),
        ("dotfiles/shop", "the directory that its link leads to"),
        ("dotfiles/shop/pk.config.json", "the config"),
    ] {
        let path = sandbox.work().join(path);
        give(&path, STRANGER);
        refuses(&sandbox, &project, whose);
        give(&path, 0);
    }
    takes(&sandbox, &prepare(&sandbox, "", &project), &project);
}

#[test]
fn a_config_that_is_named_is_used_and_whose_it_is_is_said() {
    if !is_root() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = config(&sandbox, "shared/pk.config.json", &ports);
    let shared = sandbox.work().join("shared");
    let said = |run: Run<'_>, whose: &str| {
        let outcome = run.ok();
        assert_eq!(outcome.stderr.trim_end(), format!("using pk.config.json: {whose} belongs to user {STRANGER}"));
        std::fs::remove_file(shared.join("leak.json")).unwrap();
    };
    let run = || sandbox.portkeeper("run -q -c pk.config.json -- true").within(&shared).env("SECRET", "topsecret");
    give(&config, STRANGER);
    said(prepare(&sandbox, "-c pk.config.json", &shared), "the config");
    assert!(run().ok().stderr.is_empty(), "with --quiet nothing is said");
    give(&config, 0);
    give(&shared, STRANGER);
    said(prepare(&sandbox, "-c pk.config.json", &shared), "its directory");
}

#[test]
fn directories_that_the_user_trusts_are_taken_as_ones_own() {
    if !is_root() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = config(&sandbox, "builds/shop/pk.config.json", &ports);
    let (builds, shop) = (sandbox.work().join("builds"), sandbox.work().join("builds/shop"));
    give(&config, STRANGER);
    give(&shop, STRANGER);
    let trusting = |list: &str| prepare(&sandbox, "", &shop).env("PORTKEEPER_TRUSTED_DIRECTORIES", list);
    let (builds, own) = (builds.display(), shop.display());
    for list in [format!("{own}"), format!("/nowhere:{own}/"), format!("{builds}/*"), "*".to_owned()] {
        takes(&sandbox, &trusting(&list), &shop);
    }
    for list in [String::new(), format!("{builds}"), format!("{own}/*"), ".".to_owned(), format!("{own}-2")] {
        trusting(&list).refused(2).says("dubious ownership");
    }
}

/// `sudo portkeeper prepare` in one's own project.
#[test]
fn the_user_who_became_root_by_sudo_owns_files_too_and_no_other_user_can_say_so() {
    if !is_root() || program_or_skip("setpriv").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = config(&sandbox, "shop/pk.config.json", &ports);
    let shop = sandbox.work().join("shop");
    give(&config, STRANGER);
    give(&shop, STRANGER);
    takes(&sandbox, &prepare(&sandbox, "", &shop).env("SUDO_UID", STRANGER.to_string()), &shop);
    prepare(&sandbox, "", &shop).env("SUDO_UID", "4002").refused(2).says("dubious ownership");

    let _ = sandbox.program("chown").words("-R 65534:65534").arg(sandbox.root()).ok();
    chown(&config, Some(STRANGER), None).unwrap();
    let as_other = prepare(&sandbox, "", &shop).env("SUDO_UID", STRANGER.to_string()).without_root();
    as_other.refused(2).says("dubious ownership");
}

#[test]
fn names_do_not_belong_to_a_strangers_project_unless_it_is_named() {
    if !is_root() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = config(&sandbox, "shared/pk.config.json", &ports);
    let (shared, mine) = (sandbox.work().join("shared"), sandbox.directory("shared/mine"));
    give(&config, STRANGER);
    for words in ["port web", "reserve web", "list", "release web"] {
        let refused = sandbox.portkeeper(words).within(&mine).refused(2);
        refused.says("dubious ownership").says(format!("--project {}", shared.display()));
    }
    let port = format!("port web --project . --range {}-{}", ports.first(), ports.last());
    assert_eq!(sandbox.portkeeper(port).within(&shared).ok().is_silent().port(), ports.first());
    for words in ["explain api", "kill api --yes", "wait api --timeout 1"] {
        let refused = sandbox.portkeeper(words).within(&mine).refused(2);
        refused.says("`api` is no port").says("dubious ownership");
        refused.says(format!("portkeeper port api --project {}", shared.display()));
    }
    let doctor = sandbox.portkeeper("doctor --json").within(&mine).exits(1).json();
    let finding = doctor["findings"].as_array().unwrap().iter().find(|finding| finding["about"] == "config").unwrap();
    assert!(finding["severity"] == "problem" && finding["summary"].as_str().unwrap().contains("dubious ownership"));
    assert!(finding["advice"].as_str().unwrap().contains("PORTKEEPER_TRUSTED_DIRECTORIES="), "{finding}");
    sandbox.portkeeper("plugin list").within(&mine).ok().says("dubious ownership");
    sandbox.portkeeper("trust out.txt").within(&mine).refused(2).says("dubious ownership");
}
