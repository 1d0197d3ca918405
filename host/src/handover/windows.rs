//! Windows: sockets cannot be handed to a program that does not ask for them, and no other program gets a port that is bound. So a
//! server finds the port free, just before it starts.

use std::process::Command;

use super::{Ended, HandoverError, Method, Run, RunEvent, RunObserver, failed};

pub(super) fn run(run: Run, witness: &mut dyn RunObserver) -> Result<Ended, HandoverError> {
    if let Some(method) = run.handover.filter(|&method| method != Method::Release) {
        return Err(HandoverError::Impossible { method, why: "Windows only knows release".to_owned() });
    }
    let Run { command, environment, ports, .. } = run;
    // There is no moment between a process and its program.
    let guarantee = Method::Release.guarantee();
    witness.before_exec(std::process::id(), guarantee).map_err(HandoverError::Refused)?;
    drop(ports);
    let program = command[0].to_string_lossy().into_owned();
    let child = Command::new(&command[0]).args(&command[1..]).envs(environment).spawn();
    let mut child = child.map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => HandoverError::NotFound { program },
        _ => HandoverError::NotExecutable { program, source },
    })?;
    witness.before_exec(child.id(), guarantee).map_err(HandoverError::Refused)?;
    witness.news(RunEvent::Starting { pid: child.id(), method: Method::Release, guarantee });
    let status = child.wait().map_err(failed("the command cannot be waited for"))?;
    Ok(Ended::Code(status.code().unwrap_or_default()))
}
