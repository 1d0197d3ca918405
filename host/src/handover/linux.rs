//! Linux: all the ways there are.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, getpid, set_child_subreaper};

use super::adopt::{Adoption, install};
use super::fds::{FIRST, Passed};
use super::keeper::Nothing;
use super::kept::{KeptPort, Server};
use super::launch::{Waiting, command, launch};
use super::signals::Signals;
use super::supervise::supervise;
use super::window::Window;
use super::{Ended, HandoverError, Keeper, Method, News, Run, RunPort, Witness, executable, failed};
use crate::hold::HeldPort;
use crate::model::{Guarantee, Protocol};

/// How long clients of a server that has gone away wait for the next one before they are refused.
pub(super) const RESTART: Duration = Duration::from_secs(5);

/// A child that waits, and what keeps its ports.
struct Ready {
    child: Waiting,
    method: Method,
    guarantee: Guarantee,
    keeper: Box<dyn Keeper>,
    /// What is let go just before its program runs.
    released: Vec<HeldPort>,
}

pub(super) fn run(mut run: Run, witness: &mut dyn Witness) -> Result<Ended, HandoverError> {
    let program = executable::find(&run.command[0])?;
    let mut signals = Signals::catch().map_err(failed("signals can't be caught"))?;
    // Orphans stay our descendants, whose sockets we may see, and are waited for.
    set_child_subreaper(Some(getpid())).map_err(|error| failed("orphans can't be inherited")(error.into()))?;
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
    witness.news(News::Starting { pid, method, guarantee });
    drop(released);
    child.go().map_err(|source| HandoverError::NotExecutable { program: program.display().to_string(), source })?;
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a child has a pid");
    let ended = supervise(pid, &mut signals, keeper.as_mut(), &mut |news| witness.news(news));
    keeper.end();
    ended.map_err(failed("the command can't be waited for"))
}

/// The child asks before it binds, and gets the port then.
fn watched(run: &mut Run, program: &Path, witness: &mut dyn Witness) -> Result<Ready, HandoverError> {
    let early = run.handover != Some(Method::Gated);
    let method = if early { Method::Adopt } else { Method::Gated };
    let (child, mut adoption) = match watch(run, program, early)? {
        Ok(watched) => watched,
        Err(why) if run.handover == Some(Method::Adopt) => return Err(HandoverError::Impossible { method, why }),
        Err(why) => {
            witness.news(News::FellBack { from: method, why });
            return unwatched(run, program);
        }
    };
    let (ports, told) = take(run).map_err(failed("the ports can't be kept"))?;
    if early {
        listen_early(&ports, &told)?;
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
    let (ports, _) = take(run).map_err(failed("the ports can't be kept"))?;
    let window = Window::open(ports, run.ready_timeout).map_err(failed("the gate can't be opened"))?;
    Ok(Ready { child, method: Method::Gated, guarantee: Guarantee::Soft, keeper: Box::new(window), released })
}

/// The child starts with the sockets.
fn passed(run: &mut Run, program: &Path) -> Result<Ready, HandoverError> {
    let names: Vec<_> = run.ports.iter().map(|port| port.name.clone()).collect();
    let (mut ports, told) = take(run).map_err(failed("the ports can't be kept"))?;
    listen_early(&ports, &told)?;
    let mut sockets = Vec::new();
    let mut socket_names = Vec::new();
    for ((port, told), name) in ports.iter().zip(&told).zip(&names) {
        for kept in port.sockets.iter().filter(|kept| told.contains(&kept.address.ip())) {
            sockets.push(&kept.socket);
            socket_names.push(name.as_str());
        }
    }
    let environment = super::launch::environment(run);
    let passed = Passed::new(&sockets, &socket_names.join(":"), program, &run.command, environment)
        .map_err(failed("the sockets can't be passed"))?;
    let child = launch(command(run, program), None, Some(passed)).map_err(failed("no process can be started"))?;
    let mut number = FIRST..;
    for (port, told) in ports.iter_mut().zip(&told) {
        for kept in port.sockets.iter_mut().filter(|kept| told.contains(&kept.address.ip())) {
            kept.given_to(Server::new(child.pid, number.next().unwrap_or_default()), false);
        }
    }
    Ok(Ready {
        child,
        method: Method::Fds,
        guarantee: Guarantee::Exclusive,
        keeper: Box::new(Inherited(ports)),
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
fn take(run: &mut Run) -> std::io::Result<(Vec<KeptPort>, Vec<Vec<IpAddr>>)> {
    let ports = std::mem::take(&mut run.ports).into_iter();
    let ports: Vec<_> =
        ports.map(|RunPort { held, told, .. }| Ok((KeptPort::new(held)?, told))).collect::<std::io::Result<_>>()?;
    Ok(ports.into_iter().unzip())
}

fn listen_early(ports: &[KeptPort], told: &[Vec<IpAddr>]) -> Result<(), HandoverError> {
    ports
        .iter()
        .zip(told)
        .try_for_each(|(port, told)| port.listen_early(told))
        .map_err(failed("the ports can't be listened on"))
}

/// Sockets that the child was started with. Should all that had them close them, clients are refused.
#[derive(Debug)]
struct Inherited(Vec<KeptPort>);

impl Keeper for Inherited {
    fn look(&mut self, now: Instant, _: &mut dyn FnMut(News)) -> Option<Duration> {
        self.0.iter_mut().for_each(|port| port.refuse_unserved(now, RESTART, RESTART));
        Some(Duration::from_secs(1))
    }
}
