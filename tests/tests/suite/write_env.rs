//! `--write-env`: a port that is reserved and written, or neither.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use portkeeper_tests::Ports;

use crate::sandbox;

#[test]
fn the_key_is_the_profiles_or_the_one_that_was_given() {
    let sandbox = sandbox();
    for (flags, key) in [
        ("--write-env", "PORT"),
        ("--write-env --profile default --env-path default.env", "PORT"),
        ("--profile service --write-env", "SERVICE_PORT"),
        ("--profile frontend --write-env", "FRONTEND_PORT"),
        ("--write-env=API_PORT", "API_PORT"),
        ("--write-env DB_PORT", "DB_PORT"),
    ] {
        let port = sandbox.portkeeper(format!("port {flags}")).ok().port();
        let path = if flags.contains("env-path") { "default.env" } else { ".env" };
        assert!(sandbox.read(path).lines().any(|line| line == format!("{key}={port}")), "{flags}");
    }
}

#[test]
fn nothing_is_written_unless_asked() {
    let sandbox = sandbox();
    for words in ["reserve", "port --profile service", "status", "gc"] {
        let _ = sandbox.portkeeper(words).ok();
    }
    assert_eq!(std::fs::read_dir(sandbox.work()).unwrap().count(), 0);
}

#[test]
fn what_stands_in_the_file_stays() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let before = "# my settings\n\nexport A='1'  # why\nPORT=1\nA=again\r\nNAME=\"x y\"";
    sandbox.write(".env", before);
    let _ = sandbox.portkeeper(format!("port --range {ports} --write-env")).ok();
    assert_eq!(sandbox.read(".env"), before.replace("PORT=1", &format!("PORT={}", ports.first())));
}

#[test]
fn the_mode_and_a_symbolic_link_stay() {
    let sandbox = sandbox();
    let target = sandbox.write("settings/real.env", "A=1\n");
    std::fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
    symlink("settings/real.env", sandbox.work().join(".env")).unwrap();
    let port = sandbox.portkeeper("port --write-env").ok().port();
    assert!(sandbox.work().join(".env").is_symlink());
    assert_eq!(sandbox.read("settings/real.env"), format!("A=1\nPORT={port}\n"));
    assert_eq!(target.metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn asking_again_gives_the_same_port_also_while_the_server_runs() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let reserve = sandbox.portkeeper(format!("port --range {ports} --write-env"));
    let port = reserve.ok().port();
    let before = sandbox.work().join(".env").metadata().unwrap();
    assert_eq!(reserve.ok().port(), port);
    let _server = sandbox.listener("127.0.0.1", port);
    assert_eq!(reserve.ok().port(), port);
    let after = sandbox.work().join(".env").metadata().unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()), "nothing to rewrite");
    assert_eq!(sandbox.reserved(), [port]);
}

#[test]
fn a_file_that_cannot_be_written_leaves_no_reservation() {
    let sandbox = sandbox();
    sandbox.directory("a-directory");
    sandbox.write("a-file", "");
    let latin1 = b"NAME=M\xfcller\n";
    sandbox.write("latin1.env", latin1);
    let before = sandbox.all_but_registry();
    for path in ["a-directory", "a-file/.env", "latin1.env", "/dev/null", "/proc/.env"] {
        let outcome = sandbox.portkeeper(format!("reserve --write-env --env-path {path}")).run();
        assert!(matches!(outcome.code(), Some(2 | 3)), "{outcome}");
        outcome.is_one_clear_error().says(path);
        assert!(sandbox.reserved().is_empty(), "{outcome}");
    }
    before.assert_unchanged("that");
}

#[test]
fn a_file_without_rights_leaves_no_reservation() {
    let sandbox = sandbox();
    let path = sandbox.write(".env", "SECRET=1\n");
    for (place, mode) in [(&path, 0o000), (&sandbox.work(), 0o500)] {
        let usual = place.metadata().unwrap().permissions();
        std::fs::set_permissions(place, Permissions::from_mode(mode)).unwrap();
        sandbox.portkeeper("reserve --write-env").without_powers().refused(3).says(".env").says("permission denied");
        std::fs::set_permissions(place, usual).unwrap();
    }
    assert_eq!(sandbox.read(".env"), "SECRET=1\n");
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn a_full_disk_leaves_no_reservation_and_the_old_file() {
    let sandbox = sandbox();
    let before = format!("A=1\n# {}\n", "x".repeat(200_000));
    sandbox.write(".env", &before);
    // 64 KiB: enough for the registry, too little for this file.
    sandbox.portkeeper("reserve --write-env").with_largest_file(64 << 10).refused(3).says(".env");
    assert_eq!(sandbox.read(".env"), before);
    assert!(sandbox.reserved().is_empty());
    assert_eq!(std::fs::read_dir(sandbox.work()).unwrap().count(), 1, "no half-written file is left");
}

#[test]
fn two_projects_have_ports_of_their_own_for_the_same_name() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let port = |project: &str| {
        let directory = sandbox.directory(format!("{project}/.git")).parent().unwrap().to_owned();
        sandbox.portkeeper(format!("port --range {ports} --write-env")).within(directory).ok().port()
    };
    assert_eq!([port("one"), port("two")], [ports.at(0), ports.at(1)]);
    assert_eq!([port("two"), port("one")], [ports.at(1), ports.at(0)]);
}
