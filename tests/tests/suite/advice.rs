//! Advice is followed: in every situation each command that `explain`, `kill`, `release` or a refused `reserve` names works, and changes
//! the situation. None sends the user back to where they came from.

use std::path::PathBuf;

use portkeeper_tests::{HolderProcess, Ports, Run, Sandbox, Server, StandIn, skipped};
use serde_json::Value;

use crate::sandbox;

/// What has the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occupant {
    None,
    Server,
    ServerOfAnotherUser,
    Run(&'static str),
    RunWithoutServer,
    Hold,
    HoldOfAnotherRegistry,
}

/// Whose the reservation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    None,
    User,
    Project,
    OtherProject,
}

/// Where the one who asks is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Situation {
    occupant: Occupant,
    claim: Claim,
    /// Whether the occupant works in the asker's project.
    here: bool,
}

/// A situation as it is on the machine.
struct Scene {
    run: Option<Server>,
    _server: Option<StandIn>,
    port: u16,
    shop: PathBuf,
    sandbox: Sandbox,
    _ports: Ports,
}

impl Scene {
    fn of(situation: Situation) -> Self {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let port = ports.first();
        let project = |name: &str| sandbox.directory(format!("{name}/.git")).parent().unwrap().to_owned();
        let (shop, other) = (project("shop"), project("other"));
        let place = if situation.here { shop.clone() } else { other.clone() };
        let owner = if situation.claim == Claim::OtherProject { &other } else { &shop };
        let name = match situation.claim {
            Claim::Project | Claim::OtherProject => "web",
            Claim::None | Claim::User => "",
        };
        let held = if situation.occupant == Occupant::Hold { "--hold" } else { "" };
        let by_run = matches!(situation.occupant, Occupant::Run(_) | Occupant::RunWithoutServer);
        if !(situation.claim == Claim::None || by_run && name.is_empty()) {
            let words = format!("reserve {name} --port {port} {held}");
            let _ = sandbox.portkeeper(words).within(owner).ok();
        }
        let stand_in = sandbox.stand_in_path();
        let start = |words: String| Some(StandIn::start(sandbox.stand_in_run(&words).within(&place).command()));
        let (mut server, mut run) = (None, None);
        let under_run = |words: String| {
            let chosen = if name.is_empty() { format!("--port {port}") } else { name.to_owned() };
            Some(Server::start_in(&sandbox, owner, &format!("{chosen} {words}")))
        };
        match situation.occupant {
            Occupant::None | Occupant::Hold => {}
            Occupant::Server => server = start(format!("listen 127.0.0.1:{port}")),
            Occupant::ServerOfAnotherUser => server = start(format!("as 65534 listen 127.0.0.1:{port}")),
            Occupant::Run(rung) => {
                let mode = if rung == "fds" { "fds".to_owned() } else { format!("serve 127.0.0.1:{port}") };
                run = under_run(format!("--handover {rung} -- {stand_in} {mode}"));
                let _ = sandbox.portkeeper(format!("wait {port} -t 60s")).ok();
            }
            Occupant::RunWithoutServer => {
                // While the command begins, it has the sockets of the one that starts it for a moment.
                sandbox.write("wait.sh", format!("touch {}\nexec sleep 600\n", sandbox.work().join("begun").display()));
                run = under_run(format!("-- sh {}", sandbox.work().join("wait.sh").display()));
                let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
                while !sandbox.has("begun") {
                    assert!(std::time::Instant::now() < deadline, "the command does not begin");
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            }
            Occupant::HoldOfAnotherRegistry => {
                let registry = sandbox.root().join("tmp/registry.json");
                let _ = sandbox.portkeeper(format!("reserve --hold --port {port} --registry")).arg(registry).ok();
            }
        }
        Self { run, _server: server, port, shop, sandbox, _ports: ports }
    }

    fn ask(&self, words: &str) -> Run<'_> {
        self.sandbox.portkeeper(words.replace("PORT", &self.port.to_string())).within(&self.shop)
    }

    fn explained(&self) -> Value {
        self.ask("explain PORT --json").ok().json()
    }

    /// What matters of it: who has the port, and whose it is.
    fn state(&self) -> String {
        let explained = self.explained();
        let all = |list: &str| explained[list].as_array().cloned().unwrap_or_default();
        let pids: Vec<_> = all("sockets").iter().map(|socket| socket["process"]["pid"].clone()).collect();
        format!("{:?} {} {}", pids, all("reservations").len(), explained["verdict"])
    }
}

impl Drop for Scene {
    /// What a hold of a registry that the harness does not know keeps.
    fn drop(&mut self) {
        self.run.take();
        let registry = self.sandbox.root().join("tmp/registry.json");
        if registry.exists() {
            let _ = self.sandbox.portkeeper("release --all --yes --if-exists --registry").arg(registry).run();
        }
        let _ = self.sandbox.portkeeper("release --all --yes --if-exists").run();
    }
}

/// The commands of portkeeper in a text that end something.
fn commands(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .split("portkeeper ")
        .skip(1)
        .map(|rest| {
            let end = rest.find(['`', ';', ',', ')', '\n']).unwrap_or(rest.len());
            let words = rest[..end].split_whitespace();
            // The words of the sentence around it.
            let is_word = |word: &&str| !["ends", "gives", "releases", "tells"].contains(word);
            words.take_while(is_word).collect::<Vec<_>>().join(" ")
        })
        .filter(|command| command.starts_with("kill") || command.starts_with("release"))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Everything that portkeeper says in the situation: who says it, and what.
fn said(scene: &Scene) -> Vec<(&'static str, String)> {
    let refusal = |words: &str| {
        let outcome = scene.ask(words).run();
        if outcome.code() == Some(0) { String::new() } else { outcome.stderr }
    };
    let explained = scene.explained();
    let mut all = vec![("explain", explained["advice"].as_str().unwrap_or_default().to_owned())];
    // A reserve that works changes the situation: only where the port is taken.
    if explained["verdict"] != "free" && explained["verdict"] != "lingering" {
        all.push(("reserve", refusal("reserve --port PORT")));
        all.push(("pick", refusal("pick PORT")));
    }
    all
}

/// What the commands that end something say when they refuse. Each needs a scene of its own, because it may not refuse.
fn said_by_refusal(situation: Situation) -> Vec<(&'static str, String)> {
    ["kill PORT --yes", "release PORT"]
        .into_iter()
        .map(|words| {
            let scene = Scene::of(situation);
            let outcome = scene.ask(words).run();
            (words, if outcome.code() == Some(0) { String::new() } else { outcome.stderr })
        })
        .collect()
}

fn follow(situation: Situation) {
    let mut texts = said(&Scene::of(situation));
    texts.extend(said_by_refusal(situation));
    let explained = texts[0].1.clone();
    let mut followed: Vec<String> = Vec::new();
    for (speaker, text) in &texts {
        for command in commands(text) {
            let scene = Scene::of(situation);
            let command = command.replace(&first_number(&command), "PORT");
            if followed.contains(&command) {
                continue;
            }
            let before = scene.state();
            let yes = if command.starts_with("kill") { " --yes" } else { "" };
            let outcome = scene.ask(&format!("{command}{yes}")).run();
            let context = format!("{situation:?}: {speaker} said {text:?}\nexplain said {explained:?}\n{outcome}");
            assert_eq!(outcome.code(), Some(0), "the advice does not work\n{context}");
            assert_ne!(scene.state(), before, "the advice changes nothing\n{context}");
            followed.push(command);
        }
    }
    // Something has the port, and it is this user's, or root asks: there is always a way.
    let has_a_way = situation.occupant != Occupant::None || matches!(situation.claim, Claim::User | Claim::Project);
    assert!(!has_a_way || !commands(&explained).is_empty(), "{situation:?}: no way in {explained:?}");
}

fn first_number(command: &str) -> String {
    command.split(' ').find(|word| word.parse::<u16>().is_ok()).unwrap_or("PORT").to_owned()
}

fn all(occupant: Occupant, claims: &[Claim]) -> Vec<Situation> {
    let places = match occupant {
        Occupant::Server | Occupant::ServerOfAnotherUser => &[true, false][..],
        _ => &[true][..],
    };
    places.iter().flat_map(|&here| claims.iter().map(move |&claim| Situation { occupant, claim, here })).collect()
}

const CLAIMS: [Claim; 4] = [Claim::None, Claim::User, Claim::Project, Claim::OtherProject];

#[test]
fn advice_about_servers_works() {
    all(Occupant::Server, &CLAIMS).into_iter().for_each(follow);
}

#[test]
fn advice_about_servers_of_other_users_works_for_root() {
    if !rustix::process::geteuid().is_root() {
        skipped("ROOT", "only root can start processes of other users");
        return;
    }
    all(Occupant::ServerOfAnotherUser, &CLAIMS).into_iter().for_each(follow);
}

#[test]
fn advice_about_reservations_and_holds_works() {
    for occupant in [Occupant::None, Occupant::Hold] {
        all(occupant, &CLAIMS[1..]).into_iter().for_each(follow);
    }
    all(Occupant::HoldOfAnotherRegistry, &CLAIMS[..1]).into_iter().for_each(follow);
}

#[test]
fn advice_about_servers_under_run_works_on_every_rung() {
    for rung in ["auto", "fds", "gated", "release"] {
        all(Occupant::Run(rung), &CLAIMS[1..]).into_iter().for_each(follow);
    }
}

#[test]
fn advice_about_a_run_without_a_server_works() {
    all(Occupant::RunWithoutServer, &CLAIMS[1..]).into_iter().for_each(follow);
}

/// A user who cannot end it is sent to root, and root is sent nowhere else.
#[test]
fn another_user_is_sent_to_root_and_root_can() {
    if !rustix::process::geteuid().is_root() {
        skipped("ROOT", "only root can start processes of other users");
        return;
    }
    for occupant in [Occupant::Server, Occupant::Run("auto"), Occupant::RunWithoutServer, Occupant::Hold] {
        let claim = if occupant == Occupant::Server { Claim::None } else { Claim::User };
        let scene = Scene::of(Situation { occupant, claim, here: true });
        let as_other = |words: &str| {
            let words = words.replace("PORT", &scene.port.to_string());
            scene.sandbox.portkeeper(words).env("XDG_STATE_HOME", "/nonexistent").within("/").without_root()
        };
        let explained = as_other("explain PORT --json").ok().json();
        let advice = explained["advice"].as_str().unwrap();
        assert!(advice.contains(&format!("sudo portkeeper explain {}", scene.port)), "{occupant:?}: {advice}");
        assert!(commands(advice).is_empty(), "{occupant:?}: {advice}");
        for words in ["kill PORT --yes", "kill PORT --yes --force"] {
            as_other(words).refused(1).says("root can see and end it");
        }
        // Root has another registry, and knows nothing of the reservation.
        let as_root = |words: &str| {
            let registry = scene.sandbox.root().join("tmp/root.json");
            let words = words.replace("PORT", &scene.port.to_string());
            scene.sandbox.portkeeper(words).words("--registry").arg(registry).within("/")
        };
        let advice = as_root("explain PORT --json").ok().json()["advice"].as_str().unwrap().to_owned();
        let found = commands(&advice);
        assert_eq!(found, [format!("kill {} --force", scene.port)], "{occupant:?}: {advice}");
        as_root("release PORT").exits(1).says("is not reserved").says(&found[0]);
        let _ = as_root(&format!("{} --yes", found[0])).ok();
        let after = as_root("explain PORT --json").ok().json();
        assert_eq!(after["sockets"], serde_json::json!([]), "{occupant:?}: {after}");
    }
}

/// A hold whose holder was killed: the reservation is still there, and nothing keeps it.
#[test]
fn advice_about_a_hold_that_is_lost_works() {
    let situation = Situation { occupant: Occupant::Hold, claim: Claim::Project, here: true };
    let scene = Scene::of(situation);
    let holder = scene.explained()["reservations"][0]["holder"].as_u64().expect("a holder");
    let holder = HolderProcess::with_pid(u32::try_from(holder).unwrap()).expect("a holder");
    holder.signal(rustix::process::Signal::KILL);
    holder.ends();
    let explained = scene.explained();
    let found = commands(explained["advice"].as_str().unwrap());
    assert_eq!(found, [format!("release {}", scene.port)], "{explained}");
    let _ = scene.ask(&found[0]).ok();
    assert_eq!(scene.explained()["reservations"], serde_json::json!([]));
}

/// A command whose portkeeper was killed before it has bound its port: the port stays reserved for it while it runs.
#[test]
fn advice_about_a_command_without_its_portkeeper_works() {
    for way in ["kill", "release"] {
        let situation = Situation { occupant: Occupant::RunWithoutServer, claim: Claim::User, here: true };
        let mut scene = Scene::of(situation);
        let run = scene.run.as_ref().expect("a run");
        let command = u32::try_from(run.report()["pid"].as_u64().expect("a pid")).unwrap();
        let command = HolderProcess::with_pid(command).expect("a command");
        let keeper = HolderProcess::with_pid(run.pid()).expect("portkeeper");
        keeper.signal(rustix::process::Signal::KILL);
        keeper.ends();
        let refusal = scene.ask("reserve --port PORT").refused(1);
        let explained = scene.explained();
        assert_eq!(explained["verdict"], "reserved-for-you", "{explained}");
        let advice = explained["advice"].as_str().unwrap();
        refusal.says(advice);
        // Another run does not get it either, and gc does not collect it.
        let _ = scene.ask("gc").ok();
        let other = scene.ask("run --port PORT -- true").run();
        assert_eq!(other.code(), Some(125), "{other}");
        assert!(command.runs());
        if way == "kill" {
            let advised = format!("kill {}", command.pid());
            assert!(advice.contains(&advised), "{advice}");
            let _ = scene.sandbox.shell(&advised).ok();
            command.ends();
        } else {
            assert_eq!(commands(advice), [format!("release {}", scene.port)], "{advice}");
            let _ = scene.ask("release PORT").ok();
        }
        let _ = scene.ask("reserve --port PORT").ok();
        scene.run.take();
        command.kill();
    }
}
