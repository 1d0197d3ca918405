//! Runs every point of the fault injection, or with `--races` of the races: `faults [--races] [--seed N] [--count N] [--seconds N]
//! [--case NAME]`. The report says how many there were, and what has broken.

fn main() -> std::process::ExitCode {
    faults::main()
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod faults {
    pub(super) fn main() -> std::process::ExitCode {
        std::process::ExitCode::FAILURE
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod faults {
    use std::process::ExitCode;
    use std::time::Duration;

    use portkeeper_tests::injection::{self, Choice};
    use portkeeper_tests::{Programs, race};

    /// The value after an argument.
    fn value(name: &str) -> Option<String> {
        std::env::args().skip_while(|argument| argument != name).nth(1)
    }

    fn number(name: &str) -> Option<u64> {
        value(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} takes a number, not {text}")))
    }

    fn beside(name: &str) -> &'static str {
        let path = std::env::current_exe().expect("its own path").with_file_name(name);
        path.into_os_string().into_string().expect("a path in UTF-8").leak()
    }

    #[expect(clippy::print_stdout, reason = "the report is its answer")]
    pub(super) fn main() -> ExitCode {
        let portkeeper = std::env::var("PORTKEEPER_UNDER_TEST").ok().map(|path| &*path.leak());
        let portkeeper = portkeeper.unwrap_or_else(|| beside("portkeeper-under-test"));
        let programs = Programs { portkeeper, stand_in: beside("stand-in") };
        let choice = Choice {
            seed: number("--seed").unwrap_or(1),
            time: Duration::from_secs(number("--seconds").unwrap_or(100_000)),
            count: number("--count").and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX),
        };
        let held = if std::env::args().any(|argument| argument == "--races") {
            let report = race::run(programs, choice);
            println!("{report}");
            report.escapes.is_empty()
        } else {
            let name = value("--case");
            let report = injection::run(programs, choice, |case| name.as_ref().is_none_or(|name| case.name == name));
            println!("{report}");
            report.broken.is_empty()
        };
        if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
