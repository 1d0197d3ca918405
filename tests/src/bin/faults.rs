//! Runs every point of the fault injection, or of the races, and reports how many there were and what broke: see `faults --help`.

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

    use clap::Parser;
    use portkeeper_tests::injection::{self, Choice};
    use portkeeper_tests::{Programs, race};

    /// Runs every point of the fault injection, or of the races, and reports what broke.
    ///
    /// PORTKEEPER_UNDER_TEST names another program to test.
    #[derive(Parser)]
    struct Options {
        /// Swap what each path names, at every system call that takes one, instead of making calls fail.
        #[arg(long)]
        races: bool,
        /// Decides the order of the points.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Run at most this many points.
        #[arg(long)]
        count: Option<usize>,
        /// Begin no point after this many seconds.
        #[arg(long, default_value_t = 86_400)]
        seconds: u64,
        /// Run the faults of this case only.
        #[arg(long, conflicts_with = "races")]
        case: Option<String>,
    }

    fn beside(name: &str) -> &'static str {
        let path = std::env::current_exe().expect("its own path").with_file_name(name);
        path.into_os_string().into_string().expect("a path in UTF-8").leak()
    }

    #[expect(clippy::print_stdout, reason = "the report is its answer")]
    pub(super) fn main() -> ExitCode {
        let options = Options::parse();
        let portkeeper = std::env::var("PORTKEEPER_UNDER_TEST").ok().map(|path| &*path.leak());
        let portkeeper = portkeeper.unwrap_or_else(|| beside("portkeeper-under-test"));
        let programs = Programs { portkeeper, stand_in: beside("stand-in") };
        let choice = Choice {
            seed: options.seed,
            time: Duration::from_secs(options.seconds),
            count: options.count.unwrap_or(usize::MAX),
        };
        let held = if options.races {
            let report = race::run(programs, choice);
            println!("{report}");
            report.escapes.is_empty()
        } else {
            let chosen = |name: &str| options.case.as_deref().is_none_or(|case| case == name);
            let report = injection::run(programs, choice, |case| chosen(case.name));
            println!("{report}");
            report.broken.is_empty()
        };
        if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
