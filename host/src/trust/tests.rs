use std::time::Duration;

use tempfile::TempDir;

use super::*;

const PATIENCE: LockOptions<'static> = LockOptions { timeout: Duration::from_secs(10), announce: &|_| {} };

/// A user's state with a project beside it.
struct World {
    directory: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(world.at("project")).unwrap();
        std::fs::write(world.at("project/x.wasm"), "x").unwrap();
        world
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn trust(&self) -> Trust {
        Trust::load(&self.at("state/trust.json")).unwrap()
    }
}

#[test]
fn a_plugin_is_trusted_by_path_and_content() {
    let (world, digest) = (World::new(), Digest::of(b"x"));
    let plugin = world.at("project/x.wasm");
    assert!(!world.trust().trusts_plugin(&plugin, &digest));
    world.trust().add_plugin(&plugin, &digest, &PATIENCE).unwrap();
    assert!(world.trust().trusts_plugin(&plugin, &digest));
    assert!(!world.trust().trusts_plugin(&plugin, &Digest::of(b"changed")));
    assert!(!world.trust().trusts_plugin(&world.at("project/y.wasm"), &digest), "a copy elsewhere");
}

#[test]
fn trusting_a_changed_plugin_ends_the_trust_in_the_old_one() {
    let (world, old, new) = (World::new(), Digest::of(b"old"), Digest::of(b"new"));
    let plugin = world.at("project/x.wasm");
    for digest in [&old, &new, &new] {
        world.trust().add_plugin(&plugin, digest, &PATIENCE).unwrap();
    }
    assert!(world.trust().trusts_plugin(&plugin, &new) && !world.trust().trusts_plugin(&plugin, &old));
    assert_eq!(world.trust().list().plugins.len(), 1);
}

#[test]
fn a_target_is_trusted_for_one_project() {
    let world = World::new();
    std::fs::create_dir(world.at("other")).unwrap();
    let target = world.at("outside.env");
    world.trust().add_target(&world.at("project"), &target, &PATIENCE).unwrap();
    assert!(world.trust().trusts_target(&world.at("project"), &target));
    assert!(!world.trust().trusts_target(&world.at("other"), &target));
    assert!(!world.trust().trusts_target(&world.at("project"), &world.at("other.env")));
}

#[test]
fn what_is_trusted_no_more_is_gone() {
    let (world, digest) = (World::new(), Digest::of(b"x"));
    let plugin = world.at("project/x.wasm");
    world.trust().add_plugin(&plugin, &digest, &PATIENCE).unwrap();
    assert!(world.trust().remove(&plugin, &PATIENCE).unwrap());
    assert!(!world.trust().remove(&plugin, &PATIENCE).unwrap());
    assert!(!world.trust().trusts_plugin(&plugin, &digest));
}

#[cfg(unix)]
#[test]
fn links_are_followed_when_trusting_and_when_asking() {
    let (world, digest) = (World::new(), Digest::of(b"x"));
    std::os::unix::fs::symlink(world.at("project"), world.at("link")).unwrap();
    world.trust().add_plugin(&world.at("link/x.wasm"), &digest, &PATIENCE).unwrap();
    assert!(world.trust().trusts_plugin(&world.at("project/x.wasm"), &digest));
    assert!(world.trust().trusts_plugin(&world.at("link/x.wasm"), &digest));
}

#[cfg(unix)]
#[test]
fn the_file_is_the_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.trust().add_plugin(&world.at("project/x.wasm"), &Digest::of(b"x"), &PATIENCE).unwrap();
    let mode = |path| std::fs::metadata(world.at(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("state"), mode("state/trust.json")), (0o700, 0o600));
}

#[test]
fn a_damaged_or_newer_file_is_neither_empty_nor_overwritten() {
    let world = World::new();
    std::fs::create_dir(world.at("state")).unwrap();
    let mut trust = world.trust();
    for (text, word) in [
        ("", "damaged"),
        ("{\"format\":1,\"plugins\":[{\"path\":\"/x\"", "damaged"),
        ("{\"format\":1,\"plugins\":[{\"path\":\"/x\",\"sha256\":\"no\"}]}", "damaged"),
        ("{\"format\":2,\"people\":[]}", "format 2"),
    ] {
        std::fs::write(world.at("state/trust.json"), text).unwrap();
        let error = Trust::load(&world.at("state/trust.json")).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        trust.add_plugin(&world.at("project/x.wasm"), &Digest::of(b"x"), &PATIENCE).unwrap_err();
        assert_eq!(std::fs::read_to_string(world.at("state/trust.json")).unwrap(), text);
    }
}

#[test]
fn what_several_add_at_once_is_all_there() {
    let world = World::new();
    let plugins = (0..8).map(|n| world.at(&format!("project/{n}.wasm"))).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        for plugin in &plugins {
            let mut trust = world.trust();
            scope.spawn(move || trust.add_plugin(plugin, &Digest::of(b"x"), &PATIENCE).unwrap());
        }
    });
    assert!(plugins.iter().all(|plugin| world.trust().trusts_plugin(plugin, &Digest::of(b"x"))));
}
