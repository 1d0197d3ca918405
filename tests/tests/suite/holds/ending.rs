//! How holds end, on purpose and otherwise.

use portkeeper_tests::{HolderProcess, Ports, without_checksum};
use rustix::process::Signal;
use serde_json::json;

use super::{hold, is_bindable};
use crate::sandbox;

#[test]
fn release_returns_when_the_kernel_has_the_port_back() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    for _ in 0..20 {
        let (_, _) = hold(&sandbox, &format!("--hold --port {} --owner me", ports.first()));
        assert!(!is_bindable(&sandbox, ports.first()));
        let _ = sandbox.portkeeper("release --owner me").ok();
        assert!(is_bindable(&sandbox, ports.first()));
    }
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 0, "no files are left");
}

#[test]
fn a_holder_that_is_killed_leaves_the_port_to_the_next() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    holder.kill();
    let status = &sandbox.status()[0];
    assert_eq!(
        (&status["held"], &status["hold_lost"], &status["guarantee"]),
        (&json!(false), &json!(true), &json!("advisory"))
    );
    let stale = sandbox.portkeeper("gc --dry-run --format table").ok().stdout;
    assert!(stale.contains(&format!("its holder, process {}, has ended", holder.pid())), "{stale}");
    let _ = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first())).ok();
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 2, "the dead holder's files are gone");
}

#[test]
fn a_holder_ends_on_sigterm_and_leaves_no_file() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    holder.signal(Signal::TERM);
    holder.ends();
    assert!(is_bindable(&sandbox, ports.first()));
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 0);
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"][0]["port"], ports.first());
}

#[test]
fn a_hold_ends_with_its_time() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (answer, holder) = hold(&sandbox, &format!("--hold --ttl 300ms --port {}", ports.first()));
    assert_eq!(answer["lease"]["kind"], "timed");
    holder.ends();
    assert!(is_bindable(&sandbox, ports.first()));
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"][0]["port"], ports.first());
}

#[test]
fn a_held_timed_port_is_renewed_with_its_hold() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("--hold --port {} --owner me", ports.first());
    let (_, first) = hold(&sandbox, &format!("{words} --ttl 500ms"));
    let (_, second) = hold(&sandbox, &format!("{words} --ttl 1h"));
    first.ends();
    assert!(second.runs() && !is_bindable(&sandbox, ports.first()));
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"], json!([]));
}

#[test]
fn a_hold_ends_with_its_process() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let process = sandbox.process();
    let (answer, holder) = hold(&sandbox, &format!("--hold --port {} --for-pid {}", ports.first(), process.pid()));
    assert_eq!(answer["lease"]["pid"], process.pid());
    assert!(holder.runs());
    process.kill();
    holder.ends();
    assert!(is_bindable(&sandbox, ports.first()));
}

#[test]
fn a_holder_whose_file_is_deleted_ends() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    std::fs::remove_dir_all(sandbox.state()).unwrap();
    holder.ends();
}

#[test]
fn a_hold_is_found_when_the_registry_is_lost() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    let lose: [&dyn Fn(); 3] = [
        &|| {
            std::fs::remove_file(sandbox.registry()).unwrap();
            let _ = std::fs::remove_file(sandbox.registry().with_extension("json.prev"));
        },
        &|| {
            // The former state is from before the hold.
            let whole = std::fs::read(sandbox.registry()).unwrap();
            std::fs::write(sandbox.registry(), &whole[..whole.len() / 2]).unwrap();
            std::fs::write(sandbox.registry().with_extension("json.prev"), "{\"version\":2,\"reservations\":[]}")
                .unwrap();
        },
        &|| {
            std::fs::write(sandbox.registry(), "").unwrap();
            let _ = std::fs::remove_file(sandbox.registry().with_extension("json.prev"));
        },
    ];
    for (way, lose) in lose.iter().enumerate() {
        lose();
        if way < 2 {
            assert_eq!(sandbox.reserved(), [ports.first()], "way {way}");
            sandbox.portkeeper(format!("reserve --port {}", ports.first())).refused(1);
            let other = sandbox.portkeeper(format!("reserve --port {} --ttl 1h", ports.at(1))).ok();
            other.says("taken back from the hold files");
            let _ = sandbox.portkeeper(format!("release {}", ports.at(1))).ok();
        }
    }
    // Nothing helps the registry any more; the port comes back all the same.
    let release = sandbox.portkeeper(format!("release {}", ports.first())).exits(3);
    release.says("the holds have ended");
    assert!(release.stdout.contains(&ports.first().to_string()), "{release}");
    holder.ends();
    assert!(is_bindable(&sandbox, ports.first()));
}

#[test]
fn a_hold_that_only_the_former_state_still_has_is_over() {
    for (words, again) in
        [("port web api --global", "port web --global --hold"), ("reserve --count 2", "reserve --hold --port PORT")]
    {
        let (sandbox, ports) = (sandbox(), Ports::take(2));
        let held = sandbox.portkeeper(format!("{words} --hold --range {ports}")).ok();
        let _ = sandbox.portkeeper(format!("release {}", ports.at(0))).ok();
        // Its former state is from before the release, and the holder lives: it has the other port.
        std::fs::remove_file(sandbox.registry()).unwrap();
        let status = sandbox.portkeeper("status --json").ok().json();
        let holds = status.as_array().unwrap().iter().filter(|each| each["held"] == true).map(|each| &each["port"]);
        assert_eq!(holds.collect::<Vec<_>>(), [ports.at(1)], "{held}: {status}");
        let _ = sandbox.portkeeper(again.replace("PORT", &ports.at(0).to_string())).ok();
        assert!(!is_bindable(&sandbox, ports.at(0)), "{words}");
        let _ = sandbox.portkeeper("release --all").ok();
    }
}

#[test]
fn a_holder_that_is_stuck_is_ended() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    holder.signal(Signal::STOP);
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    holder.ends();
    assert!(is_bindable(&sandbox, ports.first()));
}

#[test]
fn a_process_that_is_not_the_holder_is_never_touched() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    let bystander = sandbox.process();
    // The registry names another process, and the holder cannot be called.
    for file in std::fs::read_dir(sandbox.holds()).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|kind| kind == "sock") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let text = std::fs::read_to_string(sandbox.registry()).unwrap();
    let forged = without_checksum(&text)
        .replace(&format!("\"pid\":{},", holder.pid()), &format!("\"pid\":{},", bystander.pid()));
    assert_ne!(text, forged);
    std::fs::write(sandbox.registry(), forged).unwrap();
    let refusal = sandbox.portkeeper(format!("release {}", ports.first())).exits(3);
    refusal.says(format!("process {}, does not answer", bystander.pid())).says("kill");
    assert!(HolderProcess::with_pid(bystander.pid()).unwrap().runs());
    assert!(holder.runs() && !is_bindable(&sandbox, ports.first()));
    assert_eq!(sandbox.reserved(), [ports.first()], "it is still held, so it is still reserved");
    // Undone, the proof is there.
    std::fs::write(sandbox.registry(), text).unwrap();
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    holder.ends();
}

#[test]
fn a_hold_that_passed_to_a_run_ends_with_it_and_that_is_said() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    for kind in ["exclusive", "gated", "soft"] {
        let held = sandbox.portkeeper(format!("reserve web --project . --hold={kind} --port {}", ports.first())).ok();
        if kind != "soft" {
            held.says("`portkeeper run --port");
        }
        let run = sandbox.portkeeper(format!("run --port {} -- true", ports.first())).ok();
        let option = if kind == "exclusive" { "--hold".to_owned() } else { format!("--hold={kind}") };
        run.says(format!("{} (web) is no longer held", ports.first()));
        run.says(format!("portkeeper reserve web {option} holds it again"));
        assert_eq!(sandbox.status()[0]["held"], false);
        let _ = sandbox.portkeeper("release web --project .").ok();
    }
    let _ = sandbox.portkeeper(format!("reserve --hold --port {}", ports.at(1))).ok();
    let run = sandbox.portkeeper(format!("run --port {} -- true", ports.at(1))).ok();
    run.says(format!("{} is released: its hold had passed to this run", ports.at(1)));
    // What was only held to be handed over is no news.
    assert!(!sandbox.portkeeper("run -- true").ok().stderr.contains("held"));
}

#[test]
fn what_holds_a_named_port_says_how_a_server_gets_it() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.directory(".git");
    let port = ports.first();
    sandbox.portkeeper(format!("reserve web --hold --port {port}")).ok().says("`portkeeper run web -- COMMAND`");
    let advice = sandbox.portkeeper("explain web --json").ok().json()["advice"].to_string();
    let expected =
        format!("portkeeper run web -- COMMAND starts a server on it; portkeeper release {port} gives it back");
    assert!(advice.contains(&expected), "{advice}");
    sandbox.portkeeper(format!("reserve --port {port}")).exits(1).says("hint: portkeeper run web -- COMMAND");
    let _ = sandbox.portkeeper("run web -- true").ok();
    let _ = sandbox.portkeeper("release web").ok();
    let global = sandbox.portkeeper(format!("reserve db --global --hold --port {port}")).ok();
    global.says("`portkeeper run db --global -- COMMAND`");
    let _ = sandbox.portkeeper("run db --global -- true").ok();
}

#[test]
fn a_name_whose_holder_was_killed_is_listed_without_a_hold() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let held = sandbox.portkeeper(format!("reserve web --global --hold --port {}", ports.first())).ok().json();
    let listed = || sandbox.portkeeper("list --global --json").ok().json()[0].clone();
    assert_eq!((&listed()["held"], &listed()["holder"]), (&json!(true), &held["holder"]));
    let holder = HolderProcess::of(&held);
    holder.kill();
    holder.ends();
    let after = listed();
    assert_eq!(
        (&after["held"], &after["holder"], &after["guarantee"]),
        (&json!(false), &json!(null), &json!("advisory"))
    );
}
