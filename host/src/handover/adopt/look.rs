//! The looks that an answer needs, and what it means when one fails.
//!
//! What portkeeper may not see (a server that has become another user, whose program file cannot be read, or that lives in another pid
//! namespace) may be a server that binds the port. To let it pass as if it were none would let it run into portkeeper's own socket.

use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::process::geteuid;

use super::notify::Notification;
use super::{BindRequest, remote};
use crate::os::{ProcView, inspect, view_of_processes};

/// A look that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unseen {
    /// The address, if at least that could be read.
    pub(super) address: Option<SocketAddr>,
    errno: Errno,
}

/// The shortest address of IP that bind(2) takes. Shorter ones (netlink, as look-ups of names bind) need no look.
const SHORTEST: u64 = 16;

/// What the thread wants to bind, if it is one of the ports; none when it is something else, or nothing that could succeed.
pub(super) fn look(notification: Notification, is_ours: impl Fn(u16) -> bool) -> Result<Option<BindRequest>, Unseen> {
    if notification.length < SHORTEST {
        return Ok(None);
    }
    let unseen = |address| move |errno| Unseen { address, errno };
    let Some(address) = remote::address(&notification).map_err(unseen(None))? else { return Ok(None) };
    if !is_ours(address.port()) {
        return Ok(None);
    }
    match request(notification, address) {
        // The kernel will say the same.
        Err(Errno::BADF) => Ok(None),
        result => result.map(Some).map_err(unseen(Some(address))),
    }
}

fn request(notification: Notification, address: SocketAddr) -> Result<BindRequest, Errno> {
    let Notification { thread, fd, .. } = notification;
    let pid = remote::process_of(thread)?;
    let (process, socket) = remote::socket(pid, fd)?;
    let remote::Descriptor { cloexec, exchangeable } = remote::descriptor(thread, fd)?;
    Ok(BindRequest { notification, pid, process, socket, address, cloexec, exchangeable })
}

impl Unseen {
    /// Why, in words.
    pub(super) fn explain(self, thread: u32) -> String {
        let Some(command) = inspect::command(thread) else {
            return "a process binds that cannot be seen from here, perhaps in another pid namespace".to_owned();
        };
        let whose = inspect::user(thread).filter(|&user| user != geteuid().as_raw());
        match (self.errno, whose) {
            (Errno::PERM | Errno::ACCESS, Some(user)) => format!(
                "{command} (pid {thread}) runs as {}, and what it binds cannot be seen without CAP_SYS_PTRACE (in a container: --cap-add \
                 SYS_PTRACE)",
                inspect::user_text(user)
            ),
            (Errno::PERM | Errno::ACCESS, None) => {
                format!(
                    "{command} (pid {thread}) does not let this user see what it binds: its program file is not readable"
                )
            }
            (errno, _) => format!("what {command} (pid {thread}) binds cannot be seen ({})", reason(errno)),
        }
    }
}

/// Does all looks once, with a child that has not run its program yet.
///
/// # Errors
/// Which one is not possible here, in words.
pub(super) fn try_all(child: u32) -> Result<(), String> {
    match view_of_processes() {
        ProcView::Ours => {}
        ProcView::Missing => return Err("/proc is not mounted here".to_owned()),
        ProcView::Foreign => {
            return Err("/proc shows another pid namespace here: mount the right one (unshare --mount-proc)".to_owned());
        }
    }
    let failed = |what: &str, errno: Errno| {
        let cure = if errno == Errno::PERM || errno == Errno::ACCESS {
            "; in a container, --cap-add SYS_PTRACE allows it"
        } else {
            ""
        };
        Err(format!("{what} of the command is not allowed here ({}{cure})", reason(errno)))
    };
    if let Err(errno) = remote::peek(child, (&raw const KNOWN).addr() as u64, &mut [0; size_of_val(&KNOWN)]) {
        return failed("reading the memory", errno);
    }
    if remote::process_of(child) != Ok(child) {
        return failed("reading the status", Errno::ACCESS);
    }
    if let Err(errno) = remote::try_table(child) {
        return failed("reading the descriptors", errno);
    }
    // Any descriptor will do, here as well.
    match remote::socket(child, 0) {
        Err(errno) if errno != Errno::BADF => failed("pidfd_getfd(2)", errno),
        _ => Ok(()),
    }
}

/// Something at an address that a fork has as well.
static KNOWN: [u8; 4] = *b"port";

fn reason(errno: Errno) -> String {
    crate::fs::describe(&errno.into())
}
