//! The `portkeeper` binary.

// The unwinder becomes a part of the program, instead of a library that each start has to load: a twentieth of a `reserve`. (Empty: it
// only says what to link.)
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[link(name = "gcc_eh", kind = "static", modifiers = "-bundle")]
#[expect(unsafe_code, reason = "an external block says what to link, and declares nothing")]
unsafe extern "C" {}

/// The only function of the C library's mathematics that anything here calls, for the average in a progress bar. That library would be
/// loaded at each start, which takes a thirtieth of a `reserve`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "it takes the place of the C library's function of that name, and does the same")]
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}

fn main() -> std::process::ExitCode {
    portkeeper::main()
}
