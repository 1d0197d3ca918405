//! The real command line under another file name, so that the tests of this package can run it.

fn main() -> std::process::ExitCode {
    portkeeper::main()
}
