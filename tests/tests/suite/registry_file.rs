//! The registry file: damage, other versions, other users, links, locks and full disks.

use std::fs::{File, Permissions, create_dir_all, hard_link, read, remove_file, rename, set_permissions, write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use portkeeper_tests::{Namespace, Own, Ports, Sandbox, program_or_skip, skipped, without_checksum};
use serde_json::json;

use crate::sandbox;

/// A registry that was written twice, so that a former state stands beside it. Returns the ports.
fn used_twice() -> (Sandbox, [u16; 2]) {
    let sandbox = sandbox();
    let reserve = || sandbox.portkeeper("port --ttl 1h").ok().port();
    let ports = [reserve(), reserve()];
    (sandbox, ports)
}

fn previous(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.state().join("registry.json.prev")
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

#[test]
fn it_is_the_same_from_every_directory() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let reserve =
        |directory: &str| sandbox.portkeeper(format!("port --range {ports}")).within(sandbox.directory(directory));
    assert_eq!([reserve("a").ok().port(), reserve("b/c").ok().port()], [ports.at(0), ports.at(1)]);
    assert!(sandbox.registry().is_file());
}

#[test]
fn another_file_can_be_chosen() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("port --range {ports}"));
    let _ = reserve.clone().words("--registry other.json").ok();
    let _ = reserve.clone().env("PORTKEEPER_REGISTRY", sandbox.work().join("third.json")).ok();
    assert!(sandbox.has("other.json") && sandbox.has("third.json") && !sandbox.registry().exists());
    let lock = sandbox.work().join("my.lock");
    let _ = reserve.env("PORTKEEPER_LOCK", &lock).ok();
    assert!(lock.is_file() && !sandbox.lock().exists());
}

#[test]
fn a_truncated_file_is_recovered_from_the_former_one_and_kept() {
    let (sandbox, ports) = used_twice();
    let whole = read(sandbox.registry()).unwrap();
    for length in [whole.len() - 2, whole.len() / 2, 1, 0] {
        write(sandbox.registry(), &whole[..length]).unwrap();
        let former = read(previous(&sandbox)).unwrap();
        let status = sandbox.portkeeper("status").ok();
        status.says("registry.json");
        assert_eq!(status.ports(), ports[..1], "{length}");
        assert_eq!(read(sandbox.registry()).unwrap(), whole[..length], "reading changes nothing");
        assert_eq!(read(previous(&sandbox)).unwrap(), former);
    }
    let reserve = sandbox.portkeeper("port --ttl 1h").ok();
    reserve.says("damaged");
    assert_eq!(sandbox.reserved().len(), 2, "the recovered one and the new one");
    let kept = std::fs::read_dir(sandbox.state()).unwrap().map(|entry| entry.unwrap().path());
    assert!(kept.into_iter().any(|path| path.to_string_lossy().contains("damaged")), "the damaged file is kept aside");
    sandbox.portkeeper("status").ok().is_silent();
}

#[test]
fn every_command_that_goes_by_a_recovered_registry_says_so() {
    let (damaged, gone) = ("was damaged: using its former state", "is gone: using its former state");
    for words in ["gc", "gc --dry-run", "release --owner nobody --if-exists", "reserve", "status", "list --global"] {
        let (sandbox, _) = used_twice();
        let whole = read(sandbox.registry()).unwrap();
        write(sandbox.registry(), &whole[..whole.len() / 2]).unwrap();
        sandbox.portkeeper(words).ok().says(damaged);
        let (sandbox, _) = used_twice();
        remove_file(sandbox.registry()).unwrap();
        sandbox.portkeeper(words).ok().says(gone);
    }
}

#[test]
fn the_damaged_bytes_are_kept_to_the_last_one() {
    let (sandbox, _) = used_twice();
    let garbage = b"\x00\xff{\"version\": 1, oh no";
    write(sandbox.registry(), garbage).unwrap();
    let _ = sandbox.portkeeper("reserve").ok();
    let paths = std::fs::read_dir(sandbox.state()).unwrap().map(|entry| entry.unwrap().path());
    assert!(paths.into_iter().any(|path| read(path).unwrap() == garbage));
}

#[test]
fn when_no_former_state_helps_nothing_is_chosen() {
    let (sandbox, _) = used_twice();
    for damage in ["", "null", "[]", "not json", "{\"version\":1,\"reservations\":[{}]}", "{\"version\":\"x\"}"] {
        write(sandbox.registry(), damage).unwrap();
        write(previous(&sandbox), "damaged as well").unwrap();
        let before = sandbox.everything();
        for words in ["reserve", "port", "release 8000", "gc", "status"] {
            sandbox.portkeeper(words).refused(3).says("registry.json");
        }
        before.assert_unchanged(damage);
    }
}

#[test]
fn a_way_to_start_over_is_one_that_can_be_followed() {
    for missing in [false, true] {
        let (sandbox, _) = used_twice();
        write(sandbox.registry(), "damaged").unwrap();
        write(previous(&sandbox), "damaged as well").unwrap();
        if missing {
            remove_file(sandbox.registry()).unwrap();
        }
        let refused = sandbox.portkeeper("status").refused(3);
        let ways = refused.stderr.trim().rsplit("To start over: ").next().unwrap().to_owned();
        let doctor = sandbox.portkeeper("doctor --json").exits(1).json();
        assert!(doctor.to_string().contains(&format!("to start over: {ways}")), "{doctor}");
        let _ = sandbox.shell(&format!("set -e; {}", ways.lines().next().unwrap())).ok();
        let _ = sandbox.portkeeper("reserve").ok();
    }
}

#[test]
fn a_directory_that_is_made_for_a_named_registry_is_named() {
    let sandbox = sandbox();
    let path = sandbox.work().join("mistyped/deep/r.json");
    let reserve = sandbox.portkeeper("reserve --registry").arg(&path);
    let made = path.parent().unwrap().display().to_string();
    reserve.ok().says(format!("{made} was not there: made for the registry"));
    reserve.ok().is_silent();
    sandbox.portkeeper("reserve").ok().is_silent();
}

#[test]
fn a_newer_format_is_read_and_never_written() {
    let (sandbox, ports) = used_twice();
    let text = std::fs::read_to_string(sandbox.registry()).unwrap();
    let newer = text.replacen("\"version\":4", "\"version\":999,\"new\":{\"thing\":[1]}", 1);
    let newer = without_checksum(&newer);
    assert_ne!(text, newer);
    write(sandbox.registry(), &newer).unwrap();
    let mut sorted = ports;
    sorted.sort_unstable();
    assert_eq!(sandbox.reserved(), sorted);
    for words in ["reserve", "release 8000", "release --all", "gc"] {
        sandbox.portkeeper(words).refused(3).says("999");
    }
    assert_eq!(std::fs::read_to_string(sandbox.registry()).unwrap(), newer);
}

#[test]
fn an_older_format_is_read_and_becomes_this_one() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let old = r#"{"host":"127.0.0.1","port":8000,"protocol":"tcp","lease":{"timed":{"until":"1970-01-01T00:02:00Z","seconds":120}},"place":0,"created":"1970-01-01T00:00:00Z","since_boot":0}"#;
    let place = r#"{"machine":"another","boot":"b","network":"initial","processes":1}"#;
    let text = format!("{{\"version\":2,\n\"places\":[\n{place}],\n\"projects\":[],\n\"reservations\":[\n{old}]}}\n");
    create_dir_all(sandbox.state()).unwrap();
    write(sandbox.registry(), text).unwrap();
    let listed = sandbox.portkeeper("status").ok().json();
    assert_eq!(listed[0]["lease"]["until"], "1970-01-01T00:02:00Z");
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    let now = std::fs::read_to_string(sandbox.registry()).unwrap();
    assert!(now.starts_with("{\"version\":4,") && now.contains(r#"{"port":8000,"id":""#), "{now}");
    assert!(sandbox.reserved().contains(&8000) && sandbox.reserved().contains(&ports.first()));
}

#[test]
fn links_in_place_of_the_registry_or_its_lock_are_refused() {
    for name in ["registry.json", "registry.json.lock"] {
        let (sandbox, _) = used_twice();
        let target = sandbox.write("precious", "precious");
        let path = sandbox.state().join(name);
        remove_file(&path).unwrap();
        symlink(&target, &path).unwrap();
        sandbox.portkeeper("reserve").refused(3).says(name).says("symbolic link");
        assert_eq!(sandbox.read("precious"), "precious");
        assert!(path.is_symlink());
    }
}

#[test]
fn a_link_to_nowhere_is_not_followed_either() {
    let sandbox = sandbox();
    let _ = sandbox.portkeeper("reserve").ok();
    let path = sandbox.lock();
    remove_file(&path).unwrap();
    symlink(sandbox.work().join("made-by-an-attacker"), &path).unwrap();
    let _ = sandbox.portkeeper("reserve").refused(3);
    assert!(!sandbox.has("made-by-an-attacker"));
}

#[test]
fn files_and_directories_are_the_users_alone() {
    let (sandbox, _) = used_twice();
    assert_eq!(mode(&sandbox.state()), 0o700);
    for path in [sandbox.registry(), sandbox.lock(), previous(&sandbox)] {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_generous_umask_changes_nothing_about_that() {
    let sandbox = sandbox();
    let _ = sandbox.shell("umask 000; portkeeper reserve; portkeeper reserve").ok();
    assert_eq!((mode(&sandbox.state()), mode(&sandbox.registry()), mode(&sandbox.lock())), (0o700, 0o600, 0o600));
}

#[test]
fn a_state_directory_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return skipped("ROOT", "only root can give a directory to another user");
    }
    let (sandbox, _) = used_twice();
    let nobody = 65534;
    chown(sandbox.state(), Some(nobody), Some(nobody)).unwrap();
    let before = sandbox.everything();
    sandbox.portkeeper("reserve").refused(3).says(sandbox.state().to_string_lossy()).says("HOME");
    before.assert_unchanged("this");
}

#[test]
fn missing_rights_are_an_error_of_the_environment() {
    let (sandbox, _) = used_twice();
    for (path, mode, commands) in [
        (sandbox.registry(), 0o000, &["reserve", "status"] as &[_]),
        (sandbox.lock(), 0o000, &["reserve"]),
        (sandbox.state(), 0o500, &["reserve", "release --all"]),
        (sandbox.state(), 0o000, &["reserve", "status"]),
        (sandbox.root().join("state"), 0o000, &["reserve", "status"]),
    ] {
        let usual = path.metadata().unwrap().permissions();
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        for words in commands {
            sandbox.portkeeper(words).without_powers().refused(3).says("state").says("permission denied");
        }
        set_permissions(&path, usual).unwrap();
    }
    assert_eq!(sandbox.reserved().len(), 2);
}

#[test]
fn a_directory_in_place_of_the_registry_is_an_error_of_the_environment() {
    let (sandbox, _) = used_twice();
    remove_file(sandbox.registry()).unwrap();
    std::fs::create_dir(sandbox.registry()).unwrap();
    for words in ["reserve", "status"] {
        sandbox.portkeeper(words).refused(3).says("registry.json");
    }
}

#[test]
fn a_lock_that_is_never_let_go_names_the_file_and_the_option() {
    let (sandbox, _) = used_twice();
    let lock = File::open(sandbox.lock()).unwrap();
    lock.lock().unwrap();
    let before = sandbox.everything();
    let outcome = sandbox.portkeeper("reserve --lock-timeout 0.2s").refused(3);
    outcome.says("registry.json.lock").says("--lock-timeout");
    before.assert_unchanged("this");
    assert_eq!(sandbox.reserved().len(), 2, "reading needs no lock");
}

#[test]
fn a_lock_that_is_let_go_is_waited_for() {
    let (sandbox, _) = used_twice();
    let lock = File::open(sandbox.lock()).unwrap();
    lock.lock().unwrap();
    let waiter = sandbox.portkeeper("reserve --ttl 1h").start();
    lock.unlock().unwrap();
    waiter.finish().expect_code(0);
    assert_eq!(sandbox.reserved().len(), 3);
}

#[test]
fn a_full_disk_loses_nothing() {
    let (sandbox, _) = used_twice();
    let _ = sandbox.portkeeper("reserve --count 40 --ttl 1h").ok();
    let before = sandbox.everything();
    sandbox.portkeeper("reserve").with_largest_file(1024).refused(3).says("registry.json");
    before.assert_unchanged("this");
}

#[test]
fn a_file_system_without_room_loses_nothing() {
    let Some(namespace) = Namespace::or_skip(Own::Mounts) else { return };
    let sandbox = sandbox();
    let state = sandbox.root().join("state");
    std::fs::create_dir(&state).unwrap();
    let state = state.display();
    let script = format!(
        "mount -t tmpfs -o size=64k,mode=700 none {state}
         portkeeper reserve --ttl 1h --count 5 > before
         cp {state}/portkeeper/registry.json saved
         cat /dev/zero > {state}/portkeeper/filler 2> /dev/null || true
         code=0; portkeeper reserve --count 50 > answer 2> error || code=$?
         cmp {state}/portkeeper/registry.json saved
         rm {state}/portkeeper/filler
         portkeeper status > after
         ls {state}/portkeeper > names
         echo $code"
    );
    let outcome = sandbox.shell(&script).inside(&namespace).ok();
    assert_eq!(outcome.stdout.trim(), "3", "{}\n{outcome}", sandbox.read("error"));
    assert_eq!(sandbox.read("answer"), "");
    assert!(sandbox.read("error").contains("no space left"), "{}", sandbox.read("error"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&sandbox.read("after")).unwrap().as_array().unwrap().len(), 5);
    assert!(sandbox.read("names").lines().all(|name| name.starts_with("registry.json")), "{}", sandbox.read("names"));
}

#[test]
fn a_crash_between_keeping_and_replacing_is_harmless() {
    // At that instant both names are of one file.
    let (sandbox, ports) = used_twice();
    remove_file(previous(&sandbox)).unwrap();
    hard_link(sandbox.registry(), previous(&sandbox)).unwrap();
    let _ = sandbox.portkeeper("release").words(&ports[0].to_string()).ok();
    assert_eq!(sandbox.reserved(), [ports[1]]);
    // And a moment before, there is no former state at all.
    rename(previous(&sandbox), sandbox.work().join("moved")).unwrap();
    let _ = sandbox.portkeeper("reserve --ttl 1h").ok();
    assert_eq!(sandbox.reserved().len(), 2);
}

#[test]
fn an_entry_of_another_machine_is_listed_and_left_alone() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --range {ports} --grace 0s")).ok();
    let text = std::fs::read_to_string(sandbox.registry()).unwrap();
    let mut registry: serde_json::Value = serde_json::from_str(&text).unwrap();
    for place in registry["places"].as_array_mut().unwrap() {
        place["machine"] = json!("0123456789abcdef0123456789abcdef");
        place["boot"] = json!("00000000-0000-4000-8000-000000000000");
    }
    registry.as_object_mut().unwrap().remove("crc32");
    write(sandbox.registry(), registry.to_string()).unwrap();
    assert_eq!(sandbox.portkeeper("gc --json").ok().json()["released"], json!([]));
    assert_eq!(sandbox.reserved(), [ports.first()]);
    assert_eq!(sandbox.portkeeper("status --here").ok().json(), json!([]));
    let _ = sandbox.portkeeper(format!("reserve --range {ports}")).ok();
    assert_eq!(sandbox.reserved(), [ports.first(), ports.first()], "its port is not ours");
}

#[test]
fn after_a_reboot_names_stay_and_the_rest_is_over() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let process = sandbox.process();
    let reserve = |flags: String| sandbox.portkeeper(format!("port {flags}")).ok().port();
    let named = reserve(format!("--port {} --write-env", ports.at(0)));
    let _ = reserve(format!("--port {} --grace 1h", ports.at(1)));
    let _ = reserve(format!("--port {} --for-pid {}", ports.at(2), process.pid()));
    let text = std::fs::read_to_string(sandbox.registry()).unwrap();
    if !text.contains(r#""network":"initial""#) {
        skipped("INITIAL_NETWORK", "no other network outlives a reboot, and this one is not the machine's first");
        return;
    }
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let rebooted = without_checksum(&text).replace(boot.trim(), "00000000-0000-4000-8000-000000000000");
    assert_ne!(text, rebooted);
    write(sandbox.registry(), rebooted).unwrap();
    let _ = sandbox.portkeeper("gc").ok();
    assert_eq!(sandbox.reserved(), [named], "neither a process nor a grace outlives its boot");
}

#[test]
fn a_registry_that_was_removed_is_recovered_from_its_former_state() {
    let (sandbox, ports) = used_twice();
    remove_file(sandbox.registry()).unwrap();
    let reserve = sandbox.portkeeper("port --ttl 1h").ok();
    reserve.says("registry.json is gone").says("registry.json.prev");
    assert_eq!(sandbox.reserved().len(), 2);
    assert!(sandbox.reserved().contains(&ports[0]));
}

#[test]
fn a_registry_of_the_python_tool_is_named_and_never_written() {
    let sandbox = sandbox();
    let theirs = r#"{"127.0.0.1:8000": {"host": "127.0.0.1", "port": 8000, "owner": "me", "timestamp": 1.5}}"#;
    for text in [theirs, "{}"] {
        let path = sandbox.write("python.json", text);
        for words in ["reserve", "status", "gc", "release 8000"] {
            let refused = sandbox.portkeeper(words).env("PORTKEEPER_REGISTRY", &path).refused(3);
            refused.says("Python").says(format!("portkeeper import --portkeeper {}", path.display()));
        }
        assert_eq!(sandbox.read("python.json"), text);
    }
    let _ = sandbox.write("python.json", theirs);
    let _ = sandbox.portkeeper("import --portkeeper python.json").ok();
    assert_eq!(sandbox.reserved(), [8000]);
}

#[test]
fn a_reservation_keeps_its_identity() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let ids = || {
        let registry: serde_json::Value = serde_json::from_str(&sandbox.read(sandbox.registry())).unwrap();
        registry["reservations"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    let reserve = sandbox.portkeeper(format!("reserve --port {} --ttl 1h --owner me", ports.first()));
    let _ = reserve.ok();
    let first = ids();
    let _ = reserve.ok();
    assert_eq!((first.len(), ids()), (1, first.clone()), "renewed");
    let _ = sandbox.portkeeper("port --ttl 1h").ok();
    assert!(ids().len() == 2 && ids()[0] == first[0] && ids()[1] != first[0]);
}

/// `strace` makes the read of one file fail, as it does when there are too many open files.
#[test]
fn a_read_that_fails_ends_no_hold_and_gives_no_port_twice() {
    let Some(strace) = program_or_skip("strace") else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first())).ok();
    for file in ["/proc/sys/kernel/random/boot_id", "/etc/machine-id"] {
        for error in ["EMFILE", "ENFILE", "EIO"] {
            for words in ["gc", "reserve --ttl 1h", "port web"] {
                let before = sandbox.reserved();
                let failing = sandbox.program(&strace).words(&format!(
                    "-f -qq -o /dev/null -P {file} -e inject=openat:error={error} {}",
                    sandbox.portkeeper_path()
                ));
                let outcome = failing.words(words).run();
                assert_eq!(outcome.code(), Some(3), "{file} {error} {words}\n{outcome}");
                outcome.says(file);
                assert_eq!(sandbox.reserved(), before);
            }
        }
    }
    assert_eq!(sandbox.portkeeper("status").ok().json()[0]["held"], true);
    sandbox.portkeeper(format!("reserve --port {}", ports.first())).refused(1);
    let _ = sandbox.portkeeper("release --all").ok();
}

/// A sandbox hides what distinguishes machines and boots: what is unknown may be the same.
#[test]
fn with_hidden_identities_three_reserves_give_three_ports() {
    let Some(strace) = program_or_skip("strace") else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let reserve = |hidden: &str| {
        let run =
            sandbox.program(&strace).words(&format!("-f -qq -o /dev/null {hidden} -e inject=openat:error=EACCES"));
        run.words(sandbox.portkeeper_path()).words(&format!("port --ttl 1h --range {ports}")).ok().port()
    };
    let (boot, machine) = ("-P /proc/sys/kernel/random/boot_id", "-P /etc/machine-id");
    let given = [reserve(boot), reserve(machine), reserve(&format!("{boot} {machine}"))];
    assert_eq!(given.as_slice(), ports.all());
}
