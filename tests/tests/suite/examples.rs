//! The documents' commands and the examples, run as they are written.

use std::path::{Path, PathBuf};

use portkeeper_tests::{Kind, Lan, Namespace, Own, Run, Sandbox, blocks_for_testing, program_or_skip, skipped};

use crate::sandbox;

#[test]
fn the_readme_is_true() {
    // One of its servers is Python's.
    if program_or_skip("python3").is_none() {
        return;
    }
    assert!(run_marked_blocks(&sandbox(), &read("README.md"), "README.md") >= 3, "it has lost its marks");
}

/// A chapter may build on what those before it have made, as its reader does.
#[test]
fn the_book_is_true() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let sandbox = sandbox();
    let run = chapters().iter().map(|chapter| run_marked_blocks(&sandbox, &read(chapter), chapter)).sum::<usize>();
    assert!(run >= 14, "the book has lost marks: {run} are left");
}

#[test]
fn the_book_has_every_chapter_and_its_links_lead_somewhere() {
    let mut listed = chapters();
    listed.sort();
    let mut there = Vec::new();
    markdown_below(&in_repository("docs/src"), &mut there);
    there.retain(|path| !path.ends_with("SUMMARY.md"));
    there.sort();
    let root = in_repository("");
    let named = |path: &PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
    assert_eq!(listed, there.iter().map(named).collect::<Vec<_>>());
    let documents = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/src/SUMMARY.md"].map(str::to_owned);
    for document in listed.into_iter().chain(documents) {
        for link in links(&read(&document)) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => in_repository(&document),
                _ => in_repository(&document).parent().unwrap().join(file),
            };
            assert!(target.exists(), "{document}: nothing is at {link}");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(target).unwrap();
                assert!(anchors(&text).any(|known| known == anchor), "{document}: no heading for {link}");
            }
        }
    }
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 150, "README.md has {lines} lines; the book has room for more");
}

#[test]
fn the_patterns_for_docker_are_true() {
    let sandbox = sandbox();
    let _ = sandbox.shell(&format!("cp -R '{}'/* .", in_repository("examples/docker").display())).ok();
    let document = "examples/docker/README.md";
    assert!(run_marked_blocks(&sandbox, &read(document), document) >= 4, "it has lost its marks");
}

#[test]
fn the_walk_through_the_command_line_gives_everything_back() {
    let script = std::fs::read_to_string(in_repository("examples/cli_walkthrough.sh")).unwrap();
    let outcome = sandbox().shell(&script).ok();
    assert!(outcome.stdout.trim_end().ends_with("[]"), "{outcome}");
}

#[test]
fn the_example_server_answers_on_its_reserved_port() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let sandbox = sandbox();
    let script = std::fs::read_to_string(in_repository("examples/run_server.sh")).unwrap();
    let network = own_network();
    let outcome = in_network(sandbox.shell(&script), network.as_ref()).ok();
    assert!(outcome.stdout.contains("says: served on a reserved port"), "{outcome}");
    assert!(sandbox.reserved().is_empty(), "{outcome}");
}

#[test]
fn the_example_of_run_serves_on_every_port_and_gives_all_of_them_back() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let script = std::fs::read_to_string(in_repository("examples/run.sh")).unwrap();
    let (sandbox, network) = (sandbox(), own_network());
    let outcome = in_network(sandbox.shell(&script), network.as_ref()).ok();
    let served = outcome.stdout.lines().filter(|line| line.ends_with("/ says: served"));
    let ports: Vec<_> = served.filter_map(|line| line.strip_prefix("http://127.0.0.1:")?.split('/').next()).collect();
    let [_, api, web, reported] = ports[..] else { panic!("{outcome}") };
    assert!(outcome.stdout.contains(&format!("API_PORT={api}\nWEB_PORT={web}\n")), "{outcome}");
    let report = outcome.stdout.lines().find(|line| line.starts_with("{\"pid\":")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
    assert_eq!(report["ports"][0]["port"].to_string(), reported, "{outcome}");
    assert!(outcome.stdout.trim_end().ends_with("[]"), "{outcome}");
}

#[test]
fn the_rust_example_writes_its_files_and_gives_its_port_back() {
    let sandbox = sandbox();
    let outcome = sandbox.shell(&format!("'{}'", env!("CARGO_BIN_EXE_example-basic-reserve"))).ok();
    let port = outcome.stdout.trim().rsplit(':').next().unwrap().to_owned();
    assert_eq!(sandbox.read(".env"), format!("PORT={port}\n"));
    assert!(sandbox.read("config.json").contains(&format!("\"port\": {port}")), "{outcome}");
    assert!(sandbox.reserved().is_empty(), "{outcome}");
}

#[test]
fn the_rust_example_of_a_server_answers_on_its_reserved_port() {
    let sandbox = sandbox();
    let network = own_network();
    let run = sandbox.shell(&format!("'{}'", env!("CARGO_BIN_EXE_example-run-server")));
    let outcome = in_network(run, network.as_ref()).ok();
    assert!(outcome.stdout.contains("says: served on a reserved port"), "{outcome}");
    assert!(sandbox.reserved().is_empty(), "{outcome}");
}

#[test]
fn the_examples_of_the_network_find_its_hosts_and_a_port() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    let rust = sandbox.program(env!("CARGO_BIN_EXE_example-network-scan")).inside(lan.scanner()).ok();
    assert!(rust.stdout.contains("10.77.0.1: open [\"8005\"], free 8000-8004,8006-8050"), "{rust}");
    assert!(rust.stdout.contains("reserved 10.77.0.253:8000"), "{rust}");
    let script = std::fs::read_to_string(in_repository("examples/bash/port_scan.sh")).unwrap();
    let bash = sandbox.shell(&script).inside(lan.scanner()).ok();
    assert!(bash.stdout.contains("open: {\"event\":\"port\",\"address\":\"10.77.0.1\",\"port\":8005"), "{bash}");
    assert!(bash.stdout.lines().any(|line| line.starts_with("{\"host\":\"10.77.0.253\"")), "{bash}");
}

/// Examples take ports of the profiles, and their servers bind them a moment later: in the network of all tests, others with a registry
/// of their own may be trying the same port just then. Where no network can be made they have to take their chance.
fn own_network() -> Option<Namespace> {
    Namespace::or_skip(Own::Network)
}

fn in_network<'a>(run: Run<'a>, network: Option<&'a Namespace>) -> Run<'a> {
    match network {
        Some(network) => run.inside(network),
        None => run,
    }
}

/// The book's transcripts are what the script prints, word for word.
#[test]
fn the_transcripts_in_the_book_are_what_is_printed() {
    let needed = ["python3", "ip", "unshare"].map(|program| program_or_skip(program).is_some());
    if needed.contains(&false) {
        return;
    }
    let sandbox = sandbox();
    let namespaces = "--net --mount --pid --fork --mount-proc true";
    let made = |user: &str| sandbox.program("unshare").words(&format!("{user} {namespaces}")).run().status.success();
    if !made("") && !made("--map-root-user") {
        skipped("NETNS", &format!("`unshare {namespaces}` does not work here"));
        return;
    }
    let script = in_repository("examples/transcripts.sh");
    let printed = sandbox.shell(&format!("sh '{}'", script.display())).ok().stdout;
    let book: String = chapters().iter().map(|chapter| read(chapter)).collect();
    let transcripts: Vec<String> = printed.split("$ ").skip(1).map(|text| format!("$ {text}")).collect();
    assert_eq!(transcripts.len(), 4, "{printed}");
    for transcript in transcripts {
        assert!(book.contains(&format!("```console\n{transcript}```")), "the book lacks\n{transcript}");
    }
}

fn read(document: &str) -> String {
    std::fs::read_to_string(in_repository(document)).unwrap()
}

/// The chapters that the summary of the book lists, in its order.
fn chapters() -> Vec<String> {
    let chapters: Vec<String> =
        links(&read("docs/src/SUMMARY.md")).into_iter().map(|link| format!("docs/src/{link}")).collect();
    assert!(chapters.len() > 10, "{chapters:?}");
    chapters
}

/// Where the links of a document lead, but for those to the web.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(link, _)| link.to_owned()).filter(|link| !link.contains("://")).collect()
}

/// The anchors of a document's headings, as mdBook and code forges make them.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
    })
}

fn markdown_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Runs what the document marks for it, in its order.
fn run_marked_blocks(sandbox: &Sandbox, text: &str, document: &str) -> usize {
    let blocks = blocks_for_testing(text);
    let count = blocks.len();
    let network = own_network();
    for block in blocks {
        let outcome = in_network(sandbox.shell(&block.script), network.as_ref()).run();
        assert!(outcome.status.success(), "{document}, line {}\n{outcome}", block.line);
    }
    count
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
