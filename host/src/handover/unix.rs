//! macOS: no bind can be watched, and a bound socket keeps its port only as long as no other process is to have it. So a server is
//! passed the sockets, if it asks for that, or finds the port free.

use rustix::process::Pid;

use super::driver::Nothing;
use super::fds::Passed;
use super::launch::{command, environment, launch};
use super::signals::Signals;
use super::supervise::Supervisor;
use super::{Ended, HandoverError, Method, Run, RunEvent, RunObserver, executable, failed};

pub(super) fn run(mut run: Run, witness: &mut dyn RunObserver) -> Result<Ended, HandoverError> {
    let program = executable::find(&run.command[0])?;
    let mut signals = Signals::catch().map_err(failed("signals cannot be caught"))?;
    let method = match run.handover {
        Some(Method::Fds) => Method::Fds,
        None | Some(Method::Release) => Method::Release,
        Some(method) => {
            return Err(HandoverError::Impossible { method, why: "only Linux has what it takes".to_owned() });
        }
    };
    super::activation::keep_to_ourselves();
    let mut passed = None;
    if method == Method::Fds {
        let mut sockets = Vec::new();
        let mut names = Vec::new();
        for port in &run.ports {
            for held in port.held.sockets.iter().filter(|held| port.advertised.contains(&held.address)) {
                held.socket.listen(BACKLOG).map_err(failed("the ports cannot be listened on"))?;
                sockets.push(&held.socket);
                names.push(port.name.as_str());
            }
        }
        passed = Some(
            Passed::new(&sockets, &names.join(":"), &program, &run.command, environment(&run))
                .map_err(failed("the sockets cannot be passed"))?,
        );
    }
    let child = launch(command(&run, &program), None, passed).map_err(failed("no process can be started"))?;
    let pid = child.pid;
    if let Err(refused) = witness.before_exec(pid, method.guarantee()) {
        child.abandon();
        return Err(HandoverError::Refused(refused));
    }
    witness.news(RunEvent::Starting { pid, method, guarantee: method.guarantee() });
    if method == Method::Release {
        run.ports.clear();
    }
    child.go().map_err(|source| HandoverError::NotExecutable { program: program.display().to_string(), source })?;
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a child has a pid");
    Supervisor::new(pid, &mut signals, &mut Nothing, &mut |news| witness.news(news))
        .until_it_ends()
        .map_err(failed("the command cannot be waited for"))
}

/// listen(2) caps it at `kern.ipc.somaxconn`.
const BACKLOG: i32 = 4096;
