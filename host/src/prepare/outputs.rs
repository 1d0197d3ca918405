//! The outputs of a job: first which plugin and which file each means, then, when the ports are known, what goes into it.

use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};

use serde_json::{Map, Value};

use super::context::{self, Files};
use super::proposals::{line_for_inputs, why_no_path, withheld_inputs};
use super::{Job, OutputReport, PrepareContext, PrepareError, options};
use crate::config::Output;
use crate::document::FieldPath;
use crate::model::Protocols;
use crate::os;
use crate::output::{FileSet, Handling, Root, Target, Variables, entries, expand_map};
use crate::plugins::{
    Broken, Catalogue, Diagnostic, Plugin, PluginError, RenderError, Rendered, Request, ReservedPort, Severity,
    TextFile,
};
use crate::reserve::Granted;
use crate::threads::{parallel_map, spawn_detached};

/// All outputs of a job, in its order.
pub(super) struct Outputs {
    /// The project's directory.
    root: Root,
    list: Vec<Resolved>,
}

/// An output whose plugin and files are known.
pub(super) struct Resolved {
    plugin: Plugin,
    target: Target,
    inputs: Vec<Target>,
    /// Files that a built-in format looks at besides, by their paths.
    context: Vec<(String, Option<Target>)>,
    /// The files that the config lets it write beside the target.
    further: Vec<Target>,
    /// The files that a plugin of others proposes as inputs, and that the config says nothing about.
    withheld: Vec<Target>,
    /// With every default filled in.
    options: Map<String, Value>,
}

/// Finds the plugin and the files of each output, and begins to load the plugins.
pub(super) fn resolve(job: &Job<'_>, around: &PrepareContext<'_>) -> Result<Outputs, PrepareError> {
    let is_trusted = |path: &std::path::Path, digest: &crate::model::Digest| around.trust.trusts_plugin(path, digest);
    let catalogue = Catalogue::new(around.engine, job.sources(around)?, &is_trusted);
    let plugins = plugins(job, &catalogue)?;
    let root = job.open_root()?;
    let resolve = |(index, (output, plugin)): (usize, (&Output, Plugin))| {
        let wrong = |field: &str, problem: &dyn std::fmt::Display| {
            job.wrong("outputs", index, &FieldPath::root().key(field), problem)
        };
        let options = options::complete(job, index, output, &plugin)?;
        let locate = |path: &str| root.target(path, &|real| around.trust.trusts_target(job.directory(), real));
        let writable = |field: &str, path: &str| {
            let target = locate(path).map_err(|error| wrong(field, &error))?;
            match job.is_off_limits(&target, root.path()) {
                true => Err(wrong(field, &format_args!("{OFF_LIMITS}: `{path}`"))),
                false => Ok(target),
            }
        };
        let path = output.path.clone().or_else(|| context::default_path(&plugin, job.directory()));
        let path = path.ok_or_else(|| wrong("path", &why_no_path(&plugin, &output.format)))?;
        let inputs: Vec<_> = match &output.inputs {
            Some(inputs) => inputs.iter().map(|input| locate(input)).collect::<Result<_, _>>(),
            None => context::default_inputs(&plugin, &path, &locate),
        }
        .map_err(|error| wrong("inputs", &error))?;
        let context = context::context_files(&plugin, &path).into_iter().map(|path| {
            let target = locate(&path).ok();
            (path, target)
        });
        Ok(Resolved {
            target: writable("path", &path)?,
            further: output.files.iter().map(|file| writable("files", file)).collect::<Result<_, _>>()?,
            inputs,
            context: context.collect(),
            withheld: withheld_inputs(&plugin, output, &locate),
            plugin,
            options,
        })
    };
    let list = job.outputs().iter().zip(plugins).enumerate().map(resolve).collect::<Result<_, PrepareError>>()?;
    Ok(Outputs { root, list })
}

/// Why some files are no output's.
const OFF_LIMITS: &str = "no output may change what portkeeper itself goes by";

/// All plugins in parallel, so that those that are not compiled yet are compiled side by side. What is wrong with which, is found out one
/// by one.
fn plugins(job: &Job<'_>, catalogue: &Catalogue<'_>) -> Result<Vec<Plugin>, PrepareError> {
    let formats: Vec<_> = job.outputs().iter().map(|output| output.format.as_str()).collect();
    let loader = Loader::default();
    if let Ok(plugins) = catalogue.find_all(&formats, &|plugin| loader.load(plugin)) {
        return Ok(plugins);
    }
    let explain = |index: usize, error: PluginError| match error {
        PluginError::Unknown { .. } => {
            let help = error.help().unwrap_or_default();
            job.wrong("outputs", index, &FieldPath::root().key("type"), format_args!("{error}; {help}"))
        }
        error => PrepareError::Plugin(error),
    };
    // None is compiled before all may run: a refusal leaves nothing behind.
    for (index, format) in formats.iter().enumerate() {
        catalogue.permits(format).map_err(|error| explain(index, error))?;
    }
    let find = |(index, format): (usize, &&str)| catalogue.find(format).map_err(|error| explain(index, error));
    formats.iter().enumerate().map(find).collect()
}

/// Loads the code of plugins, beside all that has to be done before they can render: the other plugins and the files are looked up, and the
/// ports are reserved. What it has not loaded when it is wanted is loaded then.
#[derive(Default)]
struct Loader(OnceLock<Sender<Plugin>>);

impl Loader {
    /// The thread starts with the first plugin. Had it to wait for one, the message would wake it on the sender's own processor, and the
    /// two would take turns there.
    fn load(&self, plugin: &Plugin) {
        let _ = self.0.get_or_init(Self::start).send(plugin.clone());
    }

    /// A thread that ends when it has loaded all that was sent.
    fn start() -> Sender<Plugin> {
        let (sender, plugins) = mpsc::channel::<Plugin>();
        // It is no loss if the system has no thread.
        let _ = spawn_detached("plugin-loader", move || plugins.iter().for_each(|plugin| plugin.get_ready()));
        sender
    }
}

/// Renders all outputs into the set, in their order: one that shares its file with an earlier one goes on from its text. Those that have
/// nothing to do with each other are rendered in parallel.
pub(super) fn render(
    job: &Job<'_>,
    around: &PrepareContext<'_>,
    Outputs { root, list: outputs }: &Outputs,
    granted: &[Granted],
    files: &mut FileSet,
) -> Result<Vec<OutputReport>, PrepareError> {
    let port = |granted: &Granted| granted.reservation.port.to_string();
    let keys: Vec<_> =
        job.ports().iter().zip(granted).map(|(wanted, granted)| (wanted.name.clone(), port(granted))).collect();
    let reservations = reservations(job, granted);
    let variables = Variables::new(&keys, around.environment);
    let project = root.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let project_id = context::project_id(root.path());
    let is_trusted = |real: &std::path::Path| around.trust.trusts_target(job.directory(), real);
    let context = Files { root, is_trusted: &is_trusted };
    let (mut reports, mut batch) = (Vec::new(), Vec::<Rendering<'_>>::new());
    for (index, (output, resolved)) in job.outputs().iter().zip(outputs).enumerate() {
        if batch.iter().any(|earlier| resolved.reads_what_is_written_by(earlier.resolved)) {
            reports.extend(render_batch(job, outputs, std::mem::take(&mut batch), &context, files)?);
        }
        let map = match &output.map {
            Some(map) if !job.has_variables() => map.clone(),
            Some(map) => expand_map(map, &variables).map_err(|error| {
                job.wrong("outputs", index, &FieldPath::root().key("map").join(&error.path), error.problem)
            })?,
            // Without a map: every key.
            None => reservations.iter().map(|port| (port.name.clone(), port.port.into())).collect(),
        };
        let mut request = Request {
            project: project.clone(),
            reservations: reservations.clone(),
            entries: entries(&map),
            map: json(&map),
            target: read(&resolved.target, files)?,
            inputs: resolved.inputs.iter().map(|input| read(input, files)).collect::<Result<_, _>>()?,
            options: json(&resolved.options),
            attrs: context::facts(&resolved.plugin, output, &project_id, around.environment),
        };
        for (path, target) in &resolved.context {
            request.attrs.push(match target {
                Some(target) => context::shown_at(path, target, files),
                None => context.shown(path, files),
            });
        }
        batch.push(Rendering { index, output, resolved, request });
    }
    reports.extend(render_batch(job, outputs, batch, &context, files)?);
    Ok(reports)
}

/// An output that is about to be rendered.
struct Rendering<'a> {
    index: usize,
    output: &'a Output,
    resolved: &'a Resolved,
    request: Request,
}

impl Resolved {
    fn reads_what_is_written_by(&self, earlier: &Self) -> bool {
        let context = self.context.iter().filter_map(|(_, target)| target.as_ref());
        let mut read = std::iter::once(&self.target).chain(&self.inputs).chain(context);
        read.any(|target| earlier.writes(target))
    }

    fn writes(&self, target: &Target) -> bool {
        self.target.is_same_file(target) || self.further.iter().any(|file| file.is_same_file(target))
    }
}

fn render_batch(
    job: &Job<'_>,
    all: &[Resolved],
    batch: Vec<Rendering<'_>>,
    context: &Files<'_>,
    files: &mut FileSet,
) -> Result<Vec<OutputReport>, PrepareError> {
    let rendered = parallel_map(os::processors(), batch.iter(), |one| one.resolved.plugin.render(&one.request));
    let mut reports = Vec::new();
    for (Rendering { index, output, resolved, mut request }, rendered) in batch.into_iter().zip(rendered) {
        let rendered = context.render_on(&resolved.plugin, &mut request, rendered, files)?;
        let rendered = rendered.map_err(|error| explain(job, index, all, error))?;
        reports.extend(put(output, resolved, rendered, files)?);
    }
    Ok(reports)
}

fn reservations(job: &Job<'_>, granted: &[Granted]) -> Vec<ReservedPort> {
    let reserved = job.ports().iter().zip(granted).map(|(wanted, granted)| ReservedPort {
        name: wanted.name.clone(),
        port: granted.reservation.port.get(),
        protocol: wanted.protocols.first().to_string(),
        host: wanted.host.as_ref().map(ToString::to_string),
        attrs: protocols_attribute(wanted.protocols),
    });
    reserved.collect()
}

/// All protocols of a port that has several. `protocol`, which plugins of all versions know, is the first of them.
fn protocols_attribute(protocols: Protocols) -> Vec<(String, String)> {
    let several = protocols == Protocols::Both;
    several.then(|| ("protocols".to_owned(), protocols.to_string())).into_iter().collect()
}

fn json(map: &Map<String, Value>) -> String {
    serde_json::to_string(map).unwrap_or_default()
}

fn read(target: &Target, files: &mut FileSet) -> Result<TextFile, PrepareError> {
    Ok(TextFile { path: target.shown().to_owned(), text: files.text(target)?.map(str::to_owned) })
}

/// Puts what the plugin gave into the set: a report for the target, and one for each further file.
fn put(
    output: &Output,
    resolved: &Resolved,
    rendered: Rendered,
    files: &mut FileSet,
) -> Result<Vec<OutputReport>, PrepareError> {
    let report = |target: &Target| OutputReport {
        format: output.format.clone(),
        path: target.shown().to_owned(),
        changed: false,
        diagnostics: Vec::new(),
    };
    let withheld = line_for_inputs(&resolved.withheld).map(note);
    let diagnostics = rendered.diagnostics.into_iter().chain(withheld).collect();
    let mut reports = vec![OutputReport { diagnostics, ..report(&resolved.target) }];
    for file in rendered.files {
        let handling = Handling { backup: output.backup, sensitive: file.sensitive };
        if file.path == resolved.target.shown() {
            reports[0].changed |= files.put(&resolved.target, file.text, handling)?;
        } else if let Some(target) = resolved.further.iter().find(|target| target.shown() == file.path) {
            let changed = files.put(target, file.text, handling)?;
            reports.push(OutputReport { changed, ..report(target) });
        } else {
            let reason = format!(
                "it wants to write `{0}` beside its output `{1}`, which the config does not allow; to allow it, add to the output: \
                 \"files\": [\"{0}\"]",
                file.path,
                resolved.target.shown()
            );
            return Err(Broken { origin: resolved.plugin.origin().clone(), reason, log: rendered.log }.into());
        }
    }
    Ok(reports)
}

fn note(message: String) -> Diagnostic {
    Diagnostic { severity: Severity::Info, message, path: None, line: None }
}

/// A plugin's own no is about the config or about the file that it was to render; either way the user can mend it.
fn explain(job: &Job<'_>, index: usize, all: &[Resolved], error: RenderError) -> PrepareError {
    let resolved = &all[index];
    let failure = match error {
        RenderError::Broken(broken) => return broken.into(),
        RenderError::OverLimit(over) => return over.into(),
        RenderError::Failed(failure) => failure,
    };
    let shared = || all[..index].iter().position(|earlier| earlier.writes(&resolved.target));
    if failure.code == "bad-target"
        && let Some(earlier) = shared()
    {
        return share_a_file(job, earlier, index, &resolved.target, &failure.message);
    }
    let place = match failure.line {
        Some(line) => format!("{}:{line}: ", resolved.target.shown()),
        None if failure.code == "bad-target" => format!("{}: ", resolved.target.shown()),
        None => String::new(),
    };
    let help = failure.help.into_iter().chain(line_for_inputs(&resolved.withheld));
    let help: String = help.map(|help| format!(". {help}")).collect();
    let field = match failure.code.as_str() {
        "bad-map" => FieldPath::root().key("map"),
        "bad-input" => FieldPath::root().key("inputs"),
        "bad-target" => FieldPath::root().key("path"),
        _ => FieldPath::root(),
    };
    job.wrong("outputs", index, &field, format_args!("{place}{}{help}", failure.message))
}

/// The file is what an earlier output has made of it, so it is the config that is wrong.
fn share_a_file(job: &Job<'_>, earlier: usize, index: usize, target: &Target, problem: &str) -> PrepareError {
    let format = |index: usize| &job.outputs()[index].format;
    let message = format_args!(
        "outputs[{earlier}] ({}) and outputs[{index}] ({}) both write {}, and the second cannot continue what the first has written: \
         {problem}. Give each a `path` of its own",
        format(earlier),
        format(index),
        target.shown(),
    );
    job.wrong("outputs", index, &FieldPath::root().key("path"), message)
}
