//! Compiles the built-in formats to native code, so that the first prepare on a machine does not have to.

#[cfg(feature = "plugins")]
#[path = "src/plugins/compiler.rs"]
#[expect(dead_code, reason = "not every process has the address space that this code asks for")]
mod compiler;
#[cfg(feature = "plugins")]
#[path = "src/plugins/limits.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the compiler needs two of the limits, and nobody sees this program's insides"
)]
mod limits;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "plugins")]
    built_in_formats::compile();
}

#[cfg(feature = "plugins")]
mod built_in_formats {
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    use wasmtime::{Engine, OptLevel, Result};

    use super::compiler::{self, Fence, Meter};

    /// Writes for each component in `builtin/` three files to `OUT_DIR`: `FORMAT.component`, deflated; `FORMAT.digest`, its SHA-256
    /// in digits; and `FORMAT.code`, what it compiles to, deflated. Where this build's code generator does not know the target's
    /// processor the last is empty, and the host compiles the format when it is first used.
    pub(crate) fn compile() {
        for source in ["builtin", "src/plugins/compiler.rs", "src/plugins/limits.rs"] {
            println!("cargo::rerun-if-changed={source}");
        }
        let engine = engine();
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        for entry in fs::read_dir("builtin").expect("the components stand in builtin/") {
            let component = entry.expect("builtin/ can be listed").path();
            if component.extension().is_some_and(|extension| extension == "wasm") {
                let bytes = fs::read(&component).expect("the component can be read");
                let name = Path::new(component.file_name().expect("it has a name"));
                let write = |extension, content: &[u8]| {
                    fs::write(out.join(name.with_extension(extension)), content).expect("OUT_DIR can be written");
                };
                let compile = |engine: &Engine| deflate(&precompile(engine, &bytes, name));
                write("component", &deflate(&bytes));
                write("digest", digest_of(&component).as_bytes());
                write("code", &engine.as_ref().map_or_else(|_| Vec::new(), compile));
            }
        }
    }

    /// For the target's processor family and nothing that only some of its members have: the code must run wherever the program does.
    /// Here it may take its time, so it is made small. Where address space is short, the host compiles the formats itself.
    fn engine() -> Result<Engine> {
        let target = env::var("TARGET").expect("cargo sets TARGET");
        let for_windows = env::var_os("CARGO_CFG_WINDOWS").is_some();
        let mut config = compiler::config(for_windows, Fence::AddressSpace, Meter::Fuel);
        Engine::new(config.target(&target)?.cranelift_opt_level(OptLevel::SpeedAndSize))
    }

    fn precompile(engine: &Engine, bytes: &[u8], name: &Path) -> Vec<u8> {
        engine.precompile_component(bytes).unwrap_or_else(|error| panic!("{}: {error:#}", name.display()))
    }

    /// As small as it gets.
    fn deflate(bytes: &[u8]) -> Vec<u8> {
        miniz_oxide::deflate::compress_to_vec(bytes, 10)
    }

    /// What is written beside the component of the one that it was built as. A test looks whether it is true.
    fn digest_of(component: &Path) -> String {
        let text = fs::read_to_string(component.with_extension("digest")).expect("beside each component is its digest");
        let digest = text.lines().find_map(|line| line.strip_prefix("component: "));
        digest.expect("one of its lines says it").to_owned()
    }
}
