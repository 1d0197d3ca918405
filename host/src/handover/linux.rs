//! Linux: all the ways there are.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, getpid, set_child_subreaper};

use super::adopt::{Adoption, INTERVAL, install};
use super::driver::Nothing;
use super::fds::{FIRST, Passed};
use super::kept::{GuardedPort, Server};
use super::launch::{Waiting, command, launch};
use super::signals::Signals;
use super::supervise::supervise;
use super::window::Window;
use super::{Ended, HandoverDriver, HandoverError, Method, Run, RunEvent, RunObserver, RunPort, executable, failed};
use crate::hold::HeldPort;
use crate::model::{Guarantee, Protocol};

/// A child that waits, and what keeps its ports.
struct Ready {
    child: Waiting,
    method: Method,
    guarantee: Guarantee,
    keeper: Box<dyn HandoverDriver>,
    /// What is let go just before its program runs.
    released: Vec<HeldPort>,
}

pub(super) fn run(mut run: Run, witness: &mut dyn RunObserver) -> Result<Ended, HandoverError> {
    let program = executable::find(&run.command[0])?;
    let mut signals = Signals::catch().map_err(failed("signals cannot be caught"))?;
    // Orphans stay our descendants, whose sockets we may see, and are waited for.
    set_child_subreaper(Some(getpid())).map_err(|error| failed("orphans cannot be inherited")(error.into()))?;
    let ready = match run.handover {
        None | Some(Method::Adopt | Method::Gated) => watched(&mut run, &program, witness)?,
        Some(Method::Fds) => passed(&mut run, &program)?,
        Some(Method::Release) => released(&mut run, &program)?,
    };
    let Ready { child, method, guarantee, mut keeper, released } = ready;
    let pid = child.pid;
    if let Err(refused) = witness.before_exec(pid) {
        child.abandon();
        return Err(HandoverError::Refused(refused));
    }
    witness.news(RunEvent::Starting { pid, method, guarantee });
    drop(released);
    child.go().map_err(|source| HandoverError::NotExecutable { program: program.display().to_string(), source })?;
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a child has a pid");
    let ended = supervise(pid, &mut signals, keeper.as_mut(), &mut |news| witness.news(news));
    keeper.end();
    ended.map_err(failed("the command cannot be waited for"))
}

/// The child asks before it binds, and gets the port then.
fn watched(run: &mut Run, program: &Path, witness: &mut dyn RunObserver) -> Result<Ready, HandoverError> {
    let early = run.handover != Some(Method::Gated);
    let method = if early { Method::Adopt } else { Method::Gated };
    let (child, mut adoption) = match watch(run, program, early)? {
        Ok(watched) => watched,
        Err(why) if run.handover == Some(Method::Adopt) => return Err(HandoverError::Impossible { method, why }),
        Err(why) => {
            witness.news(RunEvent::FellBack { from: method, why });
            return unwatched(run, program);
        }
    };
    let (ports, advertised) = take(run).map_err(failed("the ports cannot be kept"))?;
    if early {
        listen_early(&ports, &advertised)?;
    }
    adoption.keep(ports);
    Ok(Ready { child, method, guarantee: method.guarantee(), keeper: Box::new(adoption), released: Vec::new() })
}

/// A child that asks before it binds; or why there is none.
fn watch(run: &Run, program: &Path, early: bool) -> Result<Result<(Waiting, Adoption), String>, HandoverError> {
    if let Some(why) = executable::unfit(program) {
        return Ok(Err(why));
    }
    let mut child = launch(command(run, program), Some(install), None).map_err(failed("no process can be started"))?;
    let watching = match child.installed.take() {
        Some(Ok(listener)) => Adoption::new(listener, child.pid, early, run.ready_timeout),
        Some(Err(errno)) => Err(super::adopt::explain(errno)),
        None => Err("it did not say whether it is watched".to_owned()),
    };
    Ok(match watching {
        Ok(adoption) => Ok((child, adoption)),
        Err(why) => {
            child.abandon();
            Err(why)
        }
    })
}

/// The child binds through an open gate. UDP has none (two sockets that share a port share it for good), so it is let go.
fn unwatched(run: &mut Run, program: &Path) -> Result<Ready, HandoverError> {
    let child = launch(command(run, program), None, None).map_err(failed("no process can be started"))?;
    let (released, ports): (Vec<_>, Vec<_>) =
        std::mem::take(&mut run.ports).into_iter().partition(|port| port.held.protocol == Protocol::Udp);
    let released = released.into_iter().map(|port| port.held).collect();
    if ports.is_empty() {
        return Ok(Ready {
            child,
            method: Method::Release,
            guarantee: Guarantee::Advisory,
            keeper: Box::new(Nothing),
            released,
        });
    }
    run.ports = ports;
    let (ports, _) = take(run).map_err(failed("the ports cannot be kept"))?;
    let window = Window::open(ports, run.ready_timeout).map_err(failed("the gate cannot be opened"))?;
    Ok(Ready { child, method: Method::Gated, guarantee: Guarantee::Soft, keeper: Box::new(window), released })
}

/// The child starts with the sockets.
fn passed(run: &mut Run, program: &Path) -> Result<Ready, HandoverError> {
    let names: Vec<_> = run.ports.iter().map(|port| port.name.clone()).collect();
    let (mut ports, advertised) = take(run).map_err(failed("the ports cannot be kept"))?;
    listen_early(&ports, &advertised)?;
    let mut sockets = Vec::new();
    let mut socket_names = Vec::new();
    for ((port, advertised), name) in ports.iter().zip(&advertised).zip(&names) {
        for kept in port.sockets.iter().filter(|kept| advertised.contains(&kept.address.ip())) {
            sockets.push(&kept.socket);
            socket_names.push(name.as_str());
        }
    }
    let environment = super::launch::environment(run);
    let passed = Passed::new(&sockets, &socket_names.join(":"), program, &run.command, environment)
        .map_err(failed("the sockets cannot be passed"))?;
    let child = launch(command(run, program), None, Some(passed)).map_err(failed("no process can be started"))?;
    let mut number = FIRST..;
    for (port, advertised) in ports.iter_mut().zip(&advertised) {
        for kept in port.sockets.iter_mut().filter(|kept| advertised.contains(&kept.address.ip())) {
            kept.given_to(Server::new(child.pid, number.next().unwrap_or_default()), false);
        }
    }
    Ok(Ready {
        child,
        method: Method::Fds,
        guarantee: Guarantee::Exclusive,
        keeper: Box::new(Inherited { ports, patience: run.ready_timeout }),
        released: Vec::new(),
    })
}

/// The child finds the port free, as anyone would.
fn released(run: &mut Run, program: &Path) -> Result<Ready, HandoverError> {
    let child = launch(command(run, program), None, None).map_err(failed("no process can be started"))?;
    let released = std::mem::take(&mut run.ports).into_iter().map(|port| port.held).collect();
    Ok(Ready { child, method: Method::Release, guarantee: Guarantee::Advisory, keeper: Box::new(Nothing), released })
}

/// Takes over what keeps the ports, and on which of their addresses clients may come early.
fn take(run: &mut Run) -> std::io::Result<(Vec<GuardedPort>, Vec<Vec<IpAddr>>)> {
    let ports = std::mem::take(&mut run.ports).into_iter();
    let ports: Vec<_> = ports
        .map(|RunPort { held, advertised, .. }| Ok((GuardedPort::new(held)?, advertised)))
        .collect::<std::io::Result<_>>()?;
    Ok(ports.into_iter().unzip())
}

fn listen_early(ports: &[GuardedPort], advertised: &[Vec<IpAddr>]) -> Result<(), HandoverError> {
    ports
        .iter()
        .zip(advertised)
        .try_for_each(|(port, advertised)| port.listen_early(advertised))
        .map_err(failed("the ports cannot be listened on"))
}

/// Sockets that the child was started with. Should all that had them close them, clients are refused.
#[derive(Debug)]
struct Inherited {
    ports: Vec<GuardedPort>,
    patience: Duration,
}

impl HandoverDriver for Inherited {
    fn look(&mut self, now: Instant, _: &mut dyn FnMut(RunEvent)) -> Option<Duration> {
        self.ports.iter_mut().for_each(|port| port.refuse_unserved(now, self.patience, self.patience));
        Some(INTERVAL)
    }
}
