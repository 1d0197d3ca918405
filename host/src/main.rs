//! The `portkeeper` binary.

// The unwinder becomes a part of the program, instead of a library that each start has to load: a twentieth of a `reserve`. (Empty: it
// only says what to link.)
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[link(name = "gcc_eh", kind = "static", modifiers = "-bundle")]
#[expect(unsafe_code, reason = "an external block says what to link, and declares nothing")]
unsafe extern "C" {}

fn main() -> std::process::ExitCode {
    portkeeper::main()
}
