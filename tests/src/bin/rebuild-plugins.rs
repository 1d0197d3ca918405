//! Builds the built-in formats to components, and puts them and their digests where the host embeds them.
//!
//! `cargo run -p portkeeper-tests --bin rebuild-plugins [--check] [FORMAT...]`; with `--check` it changes nothing and compares what
//! it built with what is committed. Without a format: all of them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool of the repository, not a part of the product")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use portkeeper_tests::builtin::{self, Digest, FORMATS};
use wasmparser::{Parser, Payload};

const TARGET: &str = "wasm32-unknown-unknown";

/// All that a plugin may import, and the types that its exports need.
const ALLOWED_IMPORTS: [&str; 2] = ["portkeeper:output/log@0.1.0", "portkeeper:output/types@0.1.0"];

fn main() -> ExitCode {
    let (check, formats): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument == "--check");
    let formats = if formats.is_empty() { FORMATS.map(str::to_owned).to_vec() } else { formats };
    match run(!check.is_empty(), &formats) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rebuild-plugins: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the formats; false when a committed component is not what its sources give.
fn run(check: bool, formats: &[String]) -> Result<bool, Box<dyn Error>> {
    let root = builtin::root();
    let toolchain = Toolchain::find(&root)?;
    let rustc = toolchain.version()?;
    println!("building with {rustc}");
    // All together, whichever are asked for: what several of them have in common is compiled by what all of them need.
    let directory = toolchain.build(&root, &FORMATS.map(str::to_owned))?;
    let mut same = true;
    for format in formats {
        let module = std::fs::read(directory.join(format!("portkeeper_plugin_{}.wasm", format.replace('-', "_"))))?;
        let component = encode(&module).map_err(|error| format!("{format}: {error}"))?;
        let digest = Digest {
            sources: builtin::sources(&root, format)?,
            component: builtin::sha256(&component),
            rustc: rustc.clone(),
        };
        let size = component.len();
        if check {
            same &= compare(&root, format, &digest)?;
        } else {
            std::fs::create_dir_all(root.join("host/builtin"))?;
            std::fs::write(builtin::component_path(&root, format), component)?;
            std::fs::write(builtin::digest_path(&root, format), digest.to_string())?;
            println!("{format}: {size} bytes");
        }
    }
    Ok(same)
}

/// Says whether what is committed is what was just built.
fn compare(root: &Path, format: &str, built: &Digest) -> Result<bool, Box<dyn Error>> {
    let text = std::fs::read_to_string(builtin::digest_path(root, format))?;
    let committed = Digest::read(&text).ok_or_else(|| format!("{format}.digest is incomplete"))?;
    let found = builtin::sha256(&std::fs::read(builtin::component_path(root, format))?);
    if committed.rustc != built.rustc {
        eprintln!("{format}: NOT COMPARED: it was built with {}, and here is {}", committed.rustc, built.rustc);
        return Ok(true);
    }
    let same = found == built.component;
    println!(
        "{format}: {}",
        if same { "the committed component is what its sources give" } else { "DIFFERS: rebuild it" }
    );
    Ok(same)
}

/// Makes a component of a core module, and checks that it can reach nothing but the log.
fn encode(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let component = wit_component::ComponentEncoder::default().module(module)?.validate(true).encode()?;
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(&component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    let name = import?.name.name;
                    if !ALLOWED_IMPORTS.contains(&name) {
                        return Err(format!("it imports {name}").into());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(component)
}

/// A compiler for WebAssembly.
///
/// It builds the standard library too, from its source: for size, and without what reports a panic. A plugin that panics traps in either
/// case, and the message would not be read. With the one that comes compiled, the components are a fifth larger.
struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// None where the compiler brings its own, as all but Debian's do.
    linker: Option<&'static str>,
}

impl Toolchain {
    /// The usual toolchain when it has the standard library's source, else Debian's.
    fn find(root: &Path) -> Result<Self, Box<dyn Error>> {
        for directory in ["", "/usr/bin/"] {
            let [cargo, rustc] = ["cargo", "rustc"].map(|name| PathBuf::from(format!("{directory}{name}")));
            let mut toolchain = Self { cargo, rustc, linker: None };
            // One that is not installed cannot be asked.
            let sysroot = toolchain.ask(root, &["--print", "sysroot"]).unwrap_or_default();
            if Path::new(&sysroot).join("lib/rustlib/src/rust/library/std").is_dir() {
                toolchain.linker = (sysroot == "/usr").then(linker);
                return Ok(toolchain);
            }
        }
        Err("there is no source of Rust's standard library here. Add it with `rustup component add rust-src`, or on Debian and \
             Ubuntu with `apt-get install rustc-web cargo-web rust-web-src lld-19`"
            .into())
    }

    fn version(&self) -> Result<String, Box<dyn Error>> {
        self.ask(&builtin::root(), &["--version"])
    }

    fn ask(&self, directory: &Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let output = Command::new(&self.rustc).args(arguments).current_dir(directory).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Builds the formats, and says where their core modules are.
    fn build(&self, root: &Path, formats: &[String]) -> Result<PathBuf, Box<dyn Error>> {
        let target_directory = root.join("target/plugins");
        let mut cargo = Command::new(&self.cargo);
        cargo.current_dir(root).args(["build", "--locked", "--profile", "plugin", "--target", TARGET]);
        for format in formats {
            cargo.args(["--package", &format!("portkeeper-plugin-{format}")]);
        }
        // To build the standard library is not stable yet, so a stable compiler needs an explicit request.
        cargo
            .args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"])
            .env("RUSTC_BOOTSTRAP", "1");
        if let Some(linker) = self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        let flags = self.flags(root)?.join("\x1f");
        cargo
            .env("CARGO_ENCODED_RUSTFLAGS", flags)
            .env("CARGO_TARGET_DIR", &target_directory)
            .env("RUSTC", &self.rustc);
        for inherited in ["RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_INCREMENTAL"] {
            cargo.env_remove(inherited);
        }
        if !cargo.status()?.success() {
            return Err("the plugins could not be built".into());
        }
        Ok(target_directory.join(TARGET).join("plugin"))
    }

    /// What makes the bytes the same on every machine: no path of this one in them.
    fn flags(&self, root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
        let mut flags = vec![remap(root, "")];
        let sysroot = PathBuf::from(self.ask(root, &["--print", "sysroot"])?);
        flags.push(remap(&sysroot.join("lib/rustlib/src/rust"), "/rust"));
        for registry in std::fs::read_dir(cargo_home().join("registry/src"))? {
            flags.push(remap(&registry?.path(), "/crates"));
        }
        let without_messages = ["-Zunstable-options", "-Cpanic=immediate-abort", "-Zlocation-detail=none"];
        flags.extend(without_messages.map(str::to_owned));
        Ok(flags)
    }
}

fn remap(from: &Path, to: &str) -> String {
    format!("--remap-path-prefix={}={to}", from.display())
}

/// The linker: Rust's own where it is, else LLVM's under the name that Debian gives it.
fn linker() -> &'static str {
    ["/usr/bin/rust-lld", "/usr/bin/wasm-ld"].into_iter().find(|path| Path::new(path).exists()).unwrap_or("wasm-ld-19")
}

fn cargo_home() -> PathBuf {
    let home = || std::env::home_dir().unwrap_or_default().join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}
