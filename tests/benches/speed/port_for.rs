//! port-for, the Python tool for ports with names.

use std::path::{Path, PathBuf};

use portkeeper_tests::{Run, Sandbox};

use crate::python::venv_with;

/// What is installed from the package index.
const PACKAGE: &str = "port-for==1.1.1";

/// Its command line, with a file of this home in place of `/etc/port-for.conf`.
const COMMAND: &str = "
import port_for
from port_for import cmd
cmd.PortStore = lambda: port_for.PortStore('port-for.conf')
cmd.main()
";

/// An installation.
pub(crate) struct PortFor(PathBuf);

impl PortFor {
    /// Installs it under the directory, unless a run before did. None, and a loud line, when that fails.
    pub(crate) fn installed(directory: &Path) -> Option<Self> {
        venv_with(PACKAGE, "port-for", directory).map(Self)
    }

    /// Asked for the port of a name.
    pub(crate) fn name<'a>(&self, home: &'a Sandbox, name: &str) -> Run<'a> {
        home.program(self.0.join("python")).arg("-c").arg(COMMAND).arg(name)
    }
}
