//! The `portkeeper` binary.

fn main() -> std::process::ExitCode {
    portkeeper::main()
}
