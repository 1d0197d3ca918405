//! Linux: all the ways there are.

use std::net::IpAddr;
use std::path::Path;

use rustix::process::{Pid, getpid, set_child_subreaper};

use super::activation;
use super::adopt::{Adoption, install};
use super::driver::Nothing;
use super::fds::{FIRST, Passed};
use super::inherited::Inherited;
use super::kept::{GuardedPort, Server};
use super::launch::{Waiting, command, launch};
use super::leftovers::{self, Place};
use super::signals::Signals;
use super::supervise::Supervisor;
use super::window::Window;
use super::{
    Ended, HandoverDriver, HandoverError, Method, Run, RunEvent, RunObserver, RunPort, executable, failed, family,
};
use crate::hold::HeldPort;
use crate::model::{Guarantee, Protocol};

/// A child that waits, and what keeps its ports.
struct Ready {
    child: Waiting,
    method: Method,
    guarantee: Guarantee,
    driver: Box<dyn HandoverDriver>,
    /// What is let go just before its program runs.
    released: Vec<HeldPort>,
}

pub(super) fn run(mut run: Run, witness: &mut dyn RunObserver) -> Result<Ended, HandoverError> {
    let program = executable::find(&run.command[0])?;
    let mut signals = Signals::catch().map_err(failed("signals cannot be caught"))?;
    run.environment.extend(family::mark_unless_alone());
    // Orphans stay our descendants, whose sockets we may see, and are waited for.
    set_child_subreaper(Some(getpid())).map_err(|error| failed("orphans cannot be inherited")(error.into()))?;
    activation::keep_to_ourselves();
    let places = places(&run);
    let ready = match run.handover {
        None | Some(Method::Adopt | Method::Gated) => watched(&mut run, &program, witness)?,
        Some(Method::Fds) => passed(&mut run, &program)?,
        Some(Method::Release) => released(&mut run, &program)?,
    };
    let Ready { child, method, guarantee, mut driver, released } = ready;
    let pid = child.pid;
    if let Err(refused) = witness.before_exec(pid, guarantee) {
        child.abandon();
        return Err(HandoverError::Refused(refused));
    }
    witness.news(RunEvent::Starting { pid, method, guarantee });
    if method != Method::Release && !released.is_empty() {
        let ports = released.iter().map(|held| held.port).collect();
        let why = "a UDP port has no gate that only its server could pass".to_owned();
        witness.news(RunEvent::SteppedDown { protocol: Protocol::Udp, ports, guarantee: Guarantee::Advisory, why });
    }
    drop(released);
    child.go().map_err(|source| HandoverError::NotExecutable { program: program.display().to_string(), source })?;
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a child has a pid");
    let news = &mut |news| witness.news(news);
    let mut supervisor = Supervisor::new(pid, &mut signals, driver.as_mut(), news);
    let ended = supervisor.until_it_ends().map_err(failed("the command cannot be waited for"))?;
    if !run.keep_children {
        leftovers::end(&mut supervisor, run.stop_timeout)
            .map_err(failed("what the command left cannot be waited for"))?;
    }
    let origin = supervisor.origin();
    let never_bound = !driver.was_bound() && matches!(ended, Ended::Code(code) if code != 0);
    // Ours must not be among the sockets that are found to have the ports.
    driver.end();
    if never_bound {
        news(RunEvent::NeverBound { ports: places.iter().map(|place| place.port).collect() });
    }
    for left in leftovers::remaining(origin, &places, run.keep_children) {
        news(RunEvent::Left(left));
    }
    leftovers::unseen(&places, run.keep_children).map(news);
    Ok(ended)
}

/// What will be looked at in the end.
fn places(run: &Run) -> Vec<Place> {
    let addresses = |held: &HeldPort| held.sockets.iter().map(|socket| socket.address).collect();
    let place =
        |RunPort { held, .. }: &RunPort| Place { protocol: held.protocol, port: held.port, addresses: addresses(held) };
    run.ports.iter().map(place).collect()
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
    if early && run.queue_early {
        listen_early(&ports, &advertised)?;
    }
    adoption.keep(ports);
    Ok(Ready { child, method, guarantee: method.guarantee(), driver: Box::new(adoption), released: Vec::new() })
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
            driver: Box::new(Nothing),
            released,
        });
    }
    run.ports = ports;
    let (ports, _) = take(run).map_err(failed("the ports cannot be kept"))?;
    let window = Window::open(ports, run.ready_timeout).map_err(failed("the gate cannot be opened"))?;
    Ok(Ready { child, method: Method::Gated, guarantee: Guarantee::Soft, driver: Box::new(window), released })
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
            kept.given_to(Server::new(child.pid, number.next().unwrap_or_default()), None, false);
        }
    }
    let driver = Box::new(Inherited::new(run, ports, child.pid));
    Ok(Ready { child, method: Method::Fds, guarantee: Guarantee::Exclusive, driver, released: Vec::new() })
}

/// The child finds the port free, as any process would.
fn released(run: &mut Run, program: &Path) -> Result<Ready, HandoverError> {
    let child = launch(command(run, program), None, None).map_err(failed("no process can be started"))?;
    let released = std::mem::take(&mut run.ports).into_iter().map(|port| port.held).collect();
    Ok(Ready { child, method: Method::Release, guarantee: Guarantee::Advisory, driver: Box::new(Nothing), released })
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
