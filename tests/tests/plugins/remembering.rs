//! The cache of compiled plugins: what is wrong with it costs time and nothing else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use portkeeper::model::Digest;
use portkeeper::plugins::{Catalogue, Engine, Limits};
use portkeeper_tests::WatPlugin;

use super::{Home, nobody, request};

/// A home whose cache knows the plugin `x`.
fn warm() -> Home {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").component());
    home.find("x").unwrap();
    home
}

fn entry(home: &Home) -> PathBuf {
    let mut entries = fs::read_dir(home.cache()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The plugin works, and the entry is what it was when it was good.
fn assert_recovers(home: &Home, good: &[u8], what: &str) {
    home.find("x").unwrap_or_else(|error| panic!("{what}: {error}")).render(&request()).unwrap();
    let path = entry(home);
    assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{what}");
    assert_eq!((mode(&path), fs::read(&path).unwrap() == good), (0o600, true), "{what}");
}

#[test]
fn a_plugin_is_compiled_once() {
    let home = warm();
    let (path, written) = (entry(&home), fs::metadata(entry(&home)).unwrap().modified().unwrap());
    assert_eq!((mode(&home.cache()), mode(&path)), (0o700, 0o600));
    home.find("x").unwrap().render(&request()).unwrap();
    assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), written, "read, not written again");
}

#[test]
fn the_entry_is_what_runs_the_second_time() {
    let home = warm();
    // Were it compiled again, there would not be time enough.
    let hurry = Limits { compiling: std::time::Duration::ZERO, ..Limits::default() };
    let engine = Engine::new(Some(home.cache_place()), hurry.clone());
    let find = |engine: &Engine| Catalogue::new(engine, home.sources(), &nobody).find("x");
    find(&engine).unwrap().render(&request()).unwrap();
    fs::remove_file(entry(&home)).unwrap();
    find(&Engine::new(Some(home.cache_place()), hurry)).unwrap_err();
}

#[test]
fn an_entry_under_another_name_is_not_run() {
    let home = warm();
    let x = entry(&home);
    let y = WatPlugin::new("x").named("y").component();
    let name = x.file_name().unwrap().to_str().unwrap();
    let old = Digest::of(&fs::read(home.plugins().join("x.wasm")).unwrap()).to_string();
    fs::rename(&x, x.with_file_name(name.replace(&old, &Digest::of(&y).to_string()))).unwrap();
    home.put("x", &y);
    assert_eq!(home.find("x").unwrap().metadata().name, "y");
}

#[test]
fn an_entry_that_was_made_with_another_key_is_not_run() {
    // Who can write into the cache, and nothing else, has an own key and an own version of the plugin: here that is called "forged".
    let (home, attacker) = (warm(), Home::new());
    let good = fs::read(entry(&home)).unwrap();
    attacker.put("x", &WatPlugin::new("x").named("forged").component());
    attacker.find("x").unwrap();
    fs::copy(entry(&attacker), entry(&home)).unwrap();
    assert_eq!(home.find("x").unwrap().metadata().name, "x");
    assert_recovers(&home, &good, "another plugin's entry");

    attacker.put("x", &fs::read(home.plugins().join("x.wasm")).unwrap());
    fs::remove_file(entry(&attacker)).unwrap();
    attacker.find("x").unwrap();
    fs::copy(entry(&attacker), entry(&home)).unwrap();
    assert_recovers(&home, &good, "an entry of the same plugin with another key");
    assert_eq!(mode(&home.key()), 0o600);
}

#[test]
fn without_a_key_that_can_be_kept_nothing_is_kept() {
    let home = warm();
    fs::remove_file(entry(&home)).unwrap();
    let state = home.key().parent().unwrap().to_owned();
    fs::remove_dir_all(&state).unwrap();
    fs::write(&state, "a file").unwrap();
    home.find("x").unwrap().render(&request()).unwrap();
    assert_eq!(fs::read_dir(home.cache()).unwrap().count(), 0);
    fs::remove_file(&state).unwrap();
    let engine = Engine::new(Some(home.cache_place().without_new_key()), Limits::default());
    Catalogue::new(&engine, home.sources(), &nobody).find("x").unwrap().render(&request()).unwrap();
    assert!(!state.exists() && fs::read_dir(home.cache()).unwrap().count() == 0);
    home.find("x").unwrap();
    assert!(home.key().is_file() && entry(&home).is_file());
}

#[test]
fn a_damaged_entry_is_compiled_anew() {
    let home = warm();
    let path = entry(&home);
    let good = fs::read(&path).unwrap();
    // In the compiled code; in the note; in the code of the first, the note's length and the code of all.
    let in_the_end = [100, 69, 68, 37, 36, 33, 32, 1].map(|before| good.len() - before);
    let flips = (0..good.len()).step_by(good.len() / 7).chain(in_the_end);
    for at in flips {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        assert_recovers(&home, &good, &format!("a bit of byte {at} flipped"));
    }
    for length in [0, 1, 67, 68, 69, good.len() / 2, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        assert_recovers(&home, &good, &format!("cut to {length} bytes"));
    }
    fs::write(&path, [&good[..], b"x"].concat()).unwrap();
    assert_recovers(&home, &good, "a byte too long");
}

#[test]
fn an_entry_that_others_could_have_written_is_not_run() {
    let home = warm();
    let path = entry(&home);
    let good = fs::read(&path).unwrap();
    for mode in [0o620, 0o602, 0o666, 0o777] {
        set_mode(&path, mode);
        assert_recovers(&home, &good, &format!("mode {mode:o}"));
    }
    let elsewhere = home.cache().with_file_name("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_recovers(&home, &good, "a symbolic link");
    assert_eq!(fs::read(&elsewhere).unwrap(), good, "what the link named is untouched");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    home.find("x").unwrap().render(&request()).unwrap();
}

#[test]
fn what_belongs_to_another_user_is_not_run() {
    if !rustix::process::geteuid().is_root() {
        return portkeeper_tests::skipped("root", "only root can give a file away");
    }
    let stranger = Some(12_345);
    let home = warm();
    let (path, good) = (entry(&home), fs::read(entry(&home)).unwrap());
    std::os::unix::fs::chown(&path, stranger, None).unwrap();
    assert_recovers(&home, &good, "another user's entry");

    fs::remove_file(entry(&home)).unwrap();
    std::os::unix::fs::chown(home.cache(), stranger, None).unwrap();
    home.find("x").unwrap().render(&request()).unwrap();
    assert_eq!(fs::read_dir(home.cache()).unwrap().count(), 0, "another user's directory");
}

#[test]
fn a_directory_that_others_can_write_to_is_not_used() {
    for mode in [0o770, 0o707, 0o777] {
        let home = warm();
        fs::remove_file(entry(&home)).unwrap();
        set_mode(&home.cache(), mode);
        home.find("x").unwrap().render(&request()).unwrap();
        assert_eq!(fs::read_dir(home.cache()).unwrap().count(), 0, "{mode:o}");
    }
}

#[test]
fn a_linked_missing_or_unwritable_directory_does_no_harm() {
    let home = warm();
    let elsewhere = home.cache().with_file_name("elsewhere");
    fs::remove_dir_all(home.cache()).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, home.cache()).unwrap();
    home.find("x").unwrap().render(&request()).unwrap();
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "not written through a link");
    fs::remove_file(home.cache()).unwrap();
    fs::write(home.cache(), "a file").unwrap();
    home.find("x").unwrap().render(&request()).unwrap();
}

#[test]
fn what_was_refused_is_never_remembered() {
    let home = Home::new();
    for hostile in portkeeper_tests::hostile::refused("x") {
        home.put("x", &hostile.bytes);
        home.find("x").unwrap_err();
        home.find("x").expect_err(hostile.name);
    }
}

#[test]
fn old_entries_go_and_other_files_stay() {
    let home = warm();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 24 * 60 * 60);
    let put = |name: &str| {
        let file = fs::File::create(home.cache().join(name)).unwrap();
        file.set_modified(old).unwrap();
    };
    put("0123.compiled");
    put("notes.txt");
    home.put("x", &WatPlugin::new("x").named("another").component());
    home.find("x").unwrap();
    assert!(!home.cache().join("0123.compiled").exists() && home.cache().join("notes.txt").exists());
}

#[test]
fn compiled_code_in_a_plugins_place_is_refused() {
    let home = Home::new();
    let engine = wasmtime::Engine::default();
    home.put("x", &engine.precompile_component(&WatPlugin::new("x").component()).unwrap());
    let error = home.find("x").unwrap_err();
    assert!(error.to_string().contains("native code"), "{error}");
}
