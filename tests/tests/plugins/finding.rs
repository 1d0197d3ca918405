//! Which plugin a type means, and who may decide that.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use portkeeper::model::Digest;
use portkeeper::plugins::{Catalogue, ExplicitPlugin, Origin, Plugin, PluginError, Sources};
use portkeeper_tests::WatPlugin;

use super::{Home, nobody};

/// A home with a project in it.
fn project(home: &Home) -> PathBuf {
    let project = home.plugins().with_file_name("project");
    std::fs::create_dir_all(project.join(".portkeeper/plugins")).unwrap();
    project
}

fn put_in_project(home: &Home, output_type: &str, bytes: &[u8]) -> PathBuf {
    let path = project(home).join(".portkeeper/plugins").join(format!("{output_type}.wasm"));
    std::fs::write(&path, bytes).unwrap();
    path.canonicalize().unwrap()
}

fn explicit(output_type: &str, path: &Path, sha256: Option<&str>) -> Sources {
    let plugin = ExplicitPlugin { path: path.to_owned(), sha256: sha256.map(str::to_owned) };
    Sources { explicit: [(output_type.to_owned(), plugin)].into_iter().collect(), ..Sources::default() }
}

#[test]
fn an_unknown_type_lists_what_there_is() {
    let home = Home::new();
    home.put("sparkle", &WatPlugin::new("sparkle").component());
    home.put("not.a.type", b"");
    let Err(PluginError::Unknown { name, nearest, types, .. }) = home.find("sparkel") else { panic!("unknown") };
    assert_eq!((name.as_str(), nearest.as_deref()), ("sparkel", Some("sparkle")));
    assert!(types.iter().any(|info| info.name == "sparkle" && matches!(info.origin, Origin::User(_))));
    assert!(!types.iter().any(|info| info.name.contains("not")));
}

#[test]
fn a_type_never_leads_out_of_the_directory() {
    let home = Home::new();
    std::fs::write(home.plugins().with_file_name("x.wasm"), WatPlugin::new("x").component()).unwrap();
    for name in ["../x", "..", "", "/etc/x", "a/b", "x.wasm", "plugins\\x"] {
        assert!(matches!(home.find(name), Err(PluginError::Unknown { .. })), "{name}");
    }
}

#[test]
fn a_plugin_must_say_that_it_renders_the_type() {
    let home = Home::new();
    home.put("liar", &WatPlugin::new("honest").component());
    let error = home.find("liar").unwrap_err();
    assert!(matches!(&error, PluginError::OtherTypes { serves, .. } if serves == &["honest"]), "{error:?}");
    assert!(error.to_string().ends_with("does not render `liar`: it renders `honest`"), "{error}");
}

#[test]
fn a_projects_plugin_runs_only_when_it_is_trusted_as_it_is() {
    let home = Home::new();
    let bytes = WatPlugin::new("x").component();
    let path = put_in_project(&home, "x", &bytes);
    let engine = home.engine();
    let sources = Sources { project: Some(project(&home)), ..home.sources() };
    let error = Catalogue::new(&engine, sources.clone(), &nobody).find("x").unwrap_err();
    assert_eq!(error.help().unwrap(), format!("if you know where it comes from: portkeeper trust {}", path.display()));
    let trusted = |asked: &Path, digest: &Digest| asked == path && *digest == Digest::of(&bytes);
    let catalogue = Catalogue::new(&engine, sources, &trusted);
    assert!(matches!(catalogue.find("x").unwrap().origin(), Origin::Project(_)));
    put_in_project(&home, "x", &WatPlugin::new("x").named("changed").component());
    assert!(matches!(catalogue.find("x"), Err(PluginError::NotTrusted { .. })));
}

#[test]
fn the_project_comes_before_the_user() {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").component());
    put_in_project(&home, "x", &WatPlugin::new("x").component());
    let (engine, sources) = (home.engine(), Sources { project: Some(project(&home)), ..home.sources() });
    let everyone = |_: &Path, _: &Digest| true;
    let catalogue = Catalogue::new(&engine, sources, &everyone);
    assert!(matches!(catalogue.find("x").unwrap().origin(), Origin::Project(_)));
    let infos = catalogue.types().into_iter().filter(|info| info.name == "x").collect::<Vec<_>>();
    assert_eq!(infos.len(), 1);
}

#[test]
fn an_explicit_plugin_needs_trust_unless_it_is_the_users_own() {
    let home = Home::new();
    home.put("x", &WatPlugin::new("x").component());
    let own = home.plugins().join("x.wasm");
    let elsewhere = home.plugins().with_file_name("x.wasm");
    std::fs::copy(&own, &elsewhere).unwrap();
    let engine = home.engine();
    let find = |path: &Path| {
        let sources = Sources { user: Some(home.plugins()), ..explicit("x", path, None) };
        Catalogue::new(&engine, sources, &nobody).find("x").map(|plugin| plugin.origin().clone())
    };
    assert_eq!(find(&own).unwrap(), Origin::Explicit(own.clone()));
    assert!(matches!(find(&elsewhere), Err(PluginError::NotTrusted { .. })));
}

#[test]
fn an_explicit_plugin_must_be_the_one_that_is_meant() {
    let home = Home::new();
    let bytes = WatPlugin::new("x").component();
    home.put("x", &bytes);
    let (engine, path) = (home.engine(), home.plugins().join("x.wasm"));
    let everyone = |_: &Path, _: &Digest| true;
    let find = |sha256: &str| Catalogue::new(&engine, explicit("x", &path, Some(sha256)), &everyone).find("x");
    find(&Digest::of(&bytes).to_string()).unwrap();
    find(&format!("sha256:{}", Digest::of(&bytes)).to_uppercase().replace("SHA", "sha")).unwrap();
    for wrong in [&Digest::of(b"").to_string(), "", "abc"] {
        let error = find(wrong).unwrap_err();
        assert!(matches!(error, PluginError::WrongDigest { .. }), "{error:?}");
    }
    let missing = Catalogue::new(&engine, explicit("x", Path::new("/nowhere/x.wasm"), None), &everyone).find("x");
    assert!(matches!(missing, Err(PluginError::Unreadable { .. })));
}

#[test]
fn a_built_in_name_is_taken_over_explicitly_or_not_at_all() {
    let home = Home::new();
    let impostor = WatPlugin::new("env").component();
    home.put("env", &impostor);
    put_in_project(&home, "env", &impostor);
    let everyone = |_: &Path, _: &Digest| true;
    let engine = home.engine();
    let sources = Sources { project: Some(project(&home)), ..home.sources() };
    let found = Catalogue::new(&engine, sources, &everyone).find("env").unwrap();
    assert_eq!(found.origin(), &Origin::BuiltIn("env"));
    let path = home.plugins().join("env.wasm");
    let found = Catalogue::new(&engine, explicit("env", &path, None), &everyone).find("env").unwrap();
    assert_eq!(found.origin(), &Origin::Explicit(path));
}

#[test]
fn a_directory_or_pipe_in_a_plugins_place_is_an_error() {
    let home = Home::new();
    std::fs::create_dir(home.plugins().join("x.wasm")).unwrap();
    assert!(matches!(home.find("x"), Err(PluginError::Unreadable { .. })));
}

#[test]
fn several_are_found_in_their_order_or_not_at_all() {
    let home = Home::new();
    for output_type in ["a", "b"] {
        home.put(output_type, &WatPlugin::new(output_type).component());
    }
    let engine = home.engine();
    let catalogue = Catalogue::new(&engine, home.sources(), &nobody);
    let name = |plugin: &Plugin| plugin.metadata().name.clone();
    let told = Mutex::new(Vec::new());
    let found = catalogue.find_all(&["b", "a", "b"], &|plugin| told.lock().unwrap().push(name(plugin))).unwrap();
    assert_eq!(found.iter().map(name).collect::<Vec<_>>(), ["b", "a", "b"]);
    let mut told = told.into_inner().unwrap();
    told.sort();
    assert_eq!(told, ["a", "b"], "each once, in whatever order they are ready");
    assert!(matches!(catalogue.find_all(&["a", "c"], &|_| ()), Err(PluginError::Unknown { name, .. }) if name == "c"));
}
