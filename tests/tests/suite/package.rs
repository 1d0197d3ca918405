//! What `.ci/package` makes, unpacked into a directory of its own and started there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portkeeper_tests::builtin::root;
use portkeeper_tests::{program_or_skip, skipped};

use crate::{portkeeper, sandbox};

/// Runs it to its end.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every file below a directory, with its mode.
fn files(directory: &Path) -> BTreeSet<String> {
    let list = output(Command::new("find").arg(directory).args(["-type", "f", "-printf", "%P %m\n"]));
    list.lines().map(str::to_owned).collect()
}

#[test]
fn the_packages_hold_a_program_that_runs_and_what_belongs_to_it() {
    if program_or_skip("dpkg-deb").is_none() || program_or_skip("objdump").is_none() {
        return;
    }
    let sandbox = sandbox();
    // Names of functions and lines of the source are five sixths of a debug build.
    let program = sandbox.work().join("program");
    let _ = output(Command::new("strip").arg("-o").arg(&program).arg(portkeeper()));
    let make = |out: &str| {
        let out = sandbox.directory(out);
        let made = output(
            Command::new(root().join(".ci/package"))
                .arg("--program")
                .arg(&program)
                .arg("--out")
                .arg(&out)
                .env("SOURCE_DATE_EPOCH", "1"),
        );
        made.lines().map(PathBuf::from).collect::<Vec<_>>()
    };
    let packages = make("one");
    let [tarball, debian] = packages.as_slice() else { panic!("{packages:?}") };
    let again = make("two");
    assert!(fs::read(tarball).unwrap() == fs::read(&again[0]).unwrap(), "the tarball differs when it is made again");

    let (installed, unpacked) = (sandbox.directory("installed"), sandbox.directory("unpacked"));
    let _ = output(Command::new("dpkg-deb").arg("-x").arg(debian).arg(&installed));
    let _ = output(Command::new("tar").arg("-xzf").arg(tarball).arg("-C").arg(&unpacked));
    let version = env!("CARGO_PKG_VERSION");
    let all = files(&installed.join("usr"));
    assert_eq!(all, files(&unpacked.join(format!("portkeeper-{version}"))));
    for file in [
        "bin/portkeeper 755",
        "share/man/man1/portkeeper.1.gz 644",
        "share/man/man1/portkeeper-plugin-add.1.gz 644",
        "share/man/man5/portkeeper.config.5.gz 644",
        "share/bash-completion/completions/portkeeper 644",
        "share/zsh/vendor-completions/_portkeeper 644",
        "share/fish/vendor_completions.d/portkeeper.fish 644",
        "share/doc/portkeeper/copyright 644",
        "share/doc/portkeeper/README.md 644",
    ] {
        assert!(all.contains(file), "{file} is not in {all:?}");
    }
    let fields = output(Command::new("dpkg-deb").arg("--field").arg(debian));
    assert!(fields.contains(&format!("Version: {version}\n")) && fields.contains("Depends: libc6 (>= 2."), "{fields}");
    let page = installed.join("usr/share/man/man1/portkeeper.1.gz");
    assert!(output(Command::new("gzip").arg("-dc").arg(page)).contains("PORTKEEPER"));

    let port = sandbox.portkeeper("port").ok().port();
    let answer = Command::new(installed.join("usr/bin/portkeeper"))
        .args(["status", "--json"])
        .env_clear()
        .env("HOME", sandbox.root())
        .env("PORTKEEPER_REGISTRY", sandbox.registry())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&answer.stdout).contains(&port.to_string()), "{answer:?}");
    runs_in_a_root_of_its_own(&installed);
}

/// Starts it where there is nothing but the package and the libraries that it depends on.
fn runs_in_a_root_of_its_own(installed: &Path) {
    let program = installed.join("usr/bin/portkeeper");
    for word in output(Command::new("ldd").arg(&program)).split_whitespace().filter(|word| word.starts_with('/')) {
        let place = installed.join(word.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(word, place).unwrap();
    }
    let run = |arguments: &str| {
        let mut command = Command::new("chroot");
        command
            .arg(installed)
            .arg("/usr/bin/portkeeper")
            .args(arguments.split(' '))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    };
    if !Command::new("chroot")
        .arg(installed)
        .arg("/usr/bin/portkeeper")
        .arg("--version")
        .output()
        .is_ok_and(|it| it.status.success())
    {
        return skipped("chroot", "this user may not change the root directory");
    }
    assert!(output(&mut run("--version")).starts_with("portkeeper "));
    assert!(output(run("schema --built-in").env("HOME", "/root")).contains("\"outputs\""));
    let port = output(run("port").env("HOME", "/root").env("PORTKEEPER_REGISTRY", "/registry.json"));
    assert!(port.trim().parse::<u16>().is_ok(), "{port}");
}
