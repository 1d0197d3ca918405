//! What the pages say that no command says of itself.

/// The day of this version, for the foot of each page. It changes with the version.
pub(super) const DATE: &str = "2026-11-30";

/// Exit codes of every command but `run`, which has its own.
pub(super) const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Success."),
    ("1", "The answer is no: no free port, not reserved, out of date, time is up."),
    ("2", "Bad usage or a bad config, or a plugin or file that is not trusted."),
    ("3", "The environment failed: registry unreadable, permission denied, I/O error, broken plugin."),
    ("130", "Interrupted."),
];

/// Exit codes of `run`.
pub(super) const EXIT_STATUS_OF_RUN: &[(&str, &str)] = &[
    ("125", "portkeeper itself failed."),
    ("126", "The command was found but cannot be run."),
    ("127", "The command was not found."),
    ("128+n", "Signal n ended the command."),
    ("other", "The exit code of the command."),
];

/// The environment variables that portkeeper reads.
pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "PORTKEEPER_REGISTRY",
        "The registry file, in place of the one in the user's state directory. --registry goes before it.",
    ),
    ("PORTKEEPER_LOCK", "The lock file of the registry, in place of the one beside it."),
    (
        "PORTKEEPER_RUN",
        "Set by run for its command, to tell the command's processes from others. Do not set it yourself.",
    ),
    ("PORTKEEPER_HOST", "The host to reserve on when none is named, in place of 127.0.0.1."),
    (
        "PORTKEEPER_TRUSTED_DIRECTORIES",
        "A list, as PATH is one, of directories whose configs are used, no matter who owns them: /srv/shop, /builds/* for all below, * for all.",
    ),
    (
        "XDG_STATE_HOME, XDG_DATA_HOME, XDG_CACHE_HOME",
        "Where the registry, plugins, and compiled plugins are, in place of ~/.local/state, ~/.local/share, and ~/.cache.",
    ),
    ("NO_COLOR", "When set, output has no colors. --color goes before it."),
    (
        "CLICOLOR_FORCE",
        "When set, output has colors even where it goes to no terminal. NO_COLOR and --color go before it.",
    ),
];

/// The files that portkeeper reads and writes.
pub(super) const FILES: &[(&str, &str)] = &[
    ("pk.config.json, pk.config.yaml, pk.config.yml", "The config of a project: see portkeeper.config(5)."),
    ("~/.local/state/portkeeper/registry.json", "The registry: every reservation of the user."),
    ("~/.local/state/portkeeper/trust.json", "The plugins and files that the user trusts."),
    ("~/.local/share/portkeeper/plugins/", "The plugins that `portkeeper plugin add` installed."),
    ("~/.cache/portkeeper/", "Compiled plugins. They are compiled again when they are missing."),
    ("portkeeper.lock", "The digests of a project's plugins, beside its config."),
];
