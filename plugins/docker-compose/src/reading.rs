//! Which files Compose reads for this project, and whether the target is one of them.
//!
//! Without `-f`, Compose takes the files that `COMPOSE_FILE` names; else the first base file that is there, and beside it the first override
//! (compose-go, `cli/options.go`). What is written to any other file changes nothing, or switches the owner's own override off, so it is
//! refused. Where the config names `inputs`, they are the files that `-f` is given, in their order, and the target comes after them.

use portkeeper_plugin_sdk::context::ContextFile;
use portkeeper_plugin_sdk::{Diagnostic, Failure, Request, TextFile};

use crate::environment::{self, Set};
use crate::paths;

/// The base files, in Compose's order of preference.
pub(crate) const BASES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The overrides, in Compose's order of preference. It reads one of them.
pub(crate) const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// A file that Compose reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ComposeFile<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
}

/// The files that Compose reads beside the target.
#[derive(Debug, Default)]
pub(crate) struct Reading<'a> {
    /// Those that the target overrides.
    pub(crate) before: Vec<ComposeFile<'a>>,
    /// Those that override the target.
    pub(crate) after: Vec<ComposeFile<'a>>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The directory of the first file, which the paths in all of them are relative to.
    directory: String,
}

impl<'a> Reading<'a> {
    /// What the paths in the files are relative to.
    pub(crate) fn directory(&self) -> &str {
        &self.directory
    }

    /// Finds them.
    pub(crate) fn find(request: &'a Request) -> Result<Self, Failure> {
        if request.is_given("inputs") {
            return Ok(Self::of_inputs(request));
        }
        let directory = paths::directory(&request.target.path);
        match environment::variable(request, directory, "COMPOSE_FILE")? {
            Some(files) => Self::of_variable(request, directory, &files),
            None => Self::of_directory(request, directory),
        }
    }

    fn of_inputs(request: &'a Request) -> Self {
        let first = request.inputs.first().map_or("", |input| paths::directory(&input.path));
        let mut reading = Self { directory: first.to_owned(), ..Self::default() };
        for input in request.inputs.iter().filter(|input| input.path != request.target.path) {
            match &input.text {
                Some(text) => reading.before.push(ComposeFile { path: &input.path, text }),
                None => reading.diagnostics.push(Diagnostic::warning(format!(
                    "`inputs` names `{}`, which is not there, so what it publishes is not known",
                    input.path
                ))),
            }
        }
        reading
    }

    fn of_variable(request: &'a Request, directory: &str, files: &Set) -> Result<Self, Failure> {
        let target = request.target.path.as_str();
        let default = if request.fact("platform") == Some("windows") { ";" } else { ":" };
        let separator = environment::variable(request, directory, "COMPOSE_PATH_SEPARATOR")?;
        let separator = separator.as_ref().map_or(default, |set| set.value.as_str());
        let listed: Vec<String> =
            files.value.split(separator).map(|file| paths::join(directory, file.trim())).collect();
        let Some(at) = listed.iter().position(|path| path == target) else {
            return Err(Failure::bad_target(format!(
                "Compose does not read it: {} sets COMPOSE_FILE to `{}`",
                files.by, files.value
            ))
            .help(format!(
                "Add `{separator}{}` to the end of COMPOSE_FILE, or set \"path\" to the last file that it names; or, if Compose gets its \
                 files by -f, name the others in \"inputs\".",
                &target[directory.len()..]
            )));
        };
        request.need_context_files(listed.iter().map(String::as_str))?;
        let first = listed.first().map_or("", |path| paths::directory(path));
        let mut reading = Self { directory: first.to_owned(), ..Self::default() };
        for (index, path) in listed.iter().enumerate().filter(|&(index, _)| index != at) {
            let Some(file) = shown(request, path)? else {
                reading.diagnostics.push(Diagnostic::warning(format!(
                    "{} sets COMPOSE_FILE to `{}`, but `{path}` cannot be read, so what it publishes is not known",
                    files.by, files.value
                )));
                continue;
            };
            if index < at { reading.before.push(file) } else { reading.after.push(file) }
        }
        Ok(reading)
    }

    fn of_directory(request: &'a Request, directory: &str) -> Result<Self, Failure> {
        let mut reading = Self { directory: directory.to_owned(), ..Self::default() };
        let base = request.inputs.iter().find_map(present);
        let Some(base) = base else {
            reading.diagnostics.push(Diagnostic::info(
                "no Compose file was found, so the services and what they publish could not be checked",
            ));
            return Ok(reading);
        };
        check_target(request, directory, base.path, &mut reading.diagnostics)?;
        reading.before.push(base);
        Ok(reading)
    }
}

fn present(input: &TextFile) -> Option<ComposeFile<'_>> {
    input.text.as_deref().map(|text| ComposeFile { path: &input.path, text })
}

/// A file that the host has shown, as Compose would read it.
fn shown<'a>(request: &'a Request, path: &str) -> Result<Option<ComposeFile<'a>>, Failure> {
    let text = match request.context_file(path)? {
        ContextFile::Text(text) => text,
        ContextFile::Missing | ContextFile::Hidden(_) => return Ok(None),
    };
    let name = request.attrs.iter().find_map(|(name, _)| name.strip_prefix("file:").filter(|shown| *shown == path));
    Ok(name.map(|path| ComposeFile { path, text }))
}

/// Refuses a target that Compose does not read beside this base, or that would keep it from reading the owner's override.
fn check_target(
    request: &Request,
    directory: &str,
    base: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), Failure> {
    let target = request.target.path.as_str();
    let name = paths::name(target);
    let rank = OVERRIDES.iter().position(|known| *known == name).filter(|_| paths::directory(base) == directory);
    let mut others = Vec::new();
    for (other, known) in OVERRIDES.iter().enumerate().filter(|(_, known)| **known != name) {
        let path = format!("{}{known}", paths::directory(base));
        if request.context_file(&path)? != ContextFile::Missing {
            others.push((other, path));
        }
    }
    let Some(rank) = rank else {
        let read = others.first().map_or(String::new(), |(_, path)| format!(" and `{path}`"));
        return Err(Failure::bad_target(format!("Compose does not read it: here it reads `{base}`{read}")).help(
            "Leave \"path\" out; or add the file to COMPOSE_FILE in `.env`; or, if Compose gets its files by -f, name the others in \
             \"inputs\".",
        ));
    };
    let Some((other, path)) = others.first() else { return Ok(()) };
    if *other < rank {
        return Err(Failure::bad_target(format!(
            "Compose does not read it: of several overrides it reads `{path}` only"
        ))
        .help(format!("Leave \"path\" out and remove this file, or set \"path\" to `{path}`.")));
    }
    if request.target.text.is_none() {
        return Err(Failure::bad_target(format!(
            "with this file there, Compose would no longer read `{path}`: of several overrides it reads one"
        ))
        .help(format!("Leave \"path\" out, or set it to `{path}`: what stands there stays.")));
    }
    let lost = format!("Compose reads `{target}` and not `{path}`: of several overrides it reads one");
    diagnostics.push(Diagnostic::warning(format!(
        "{lost}. Remove the one that you do not need; portkeeper writes into the other"
    )));
    Ok(())
}
