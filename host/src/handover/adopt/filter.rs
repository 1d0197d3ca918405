//! The seccomp filter that a child starts with: it notifies us of every bind(2), and lets everything else pass.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use libc::{c_ulong, c_void, sock_filter, sock_fprog};
use rustix::io::Errno;
use rustix::thread::set_no_new_privs;

/// The architecture that this binary is built for, as seccomp names it (`AUDIT_ARCH_*`, linux/audit.h: the ELF machine, 64 bits,
/// little endian).
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// bind(2), and where there is a second table of system calls for the same architecture, its bind. On x86-64 that is x32, whose
/// numbers have bit 30 set (`__X32_SYSCALL_BIT`, asm/unistd.h).
#[cfg(target_arch = "x86_64")]
const BINDS: [u32; 2] = [libc::SYS_bind as u32, 0x4000_0000 | libc::SYS_bind as u32];
#[cfg(target_arch = "aarch64")]
const BINDS: [u32; 2] = [libc::SYS_bind as u32; 2];

/// `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K`, `BPF_RET | BPF_K` (linux/bpf_common.h).
const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Where number and architecture are in `struct seccomp_data` (seccomp(2)).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// Calls of another architecture, such as those of 32-bit programs, have other numbers and other arguments: they pass, and so find
/// the port in use. The filter looks at nothing but architecture and number, so that the kernel can decide once and for all
/// which calls pass (since Linux 5.11), and no longer runs it for these.
const PROGRAM: [sock_filter; 7] = [
    step(LOAD, ARCH, 0, 0),
    step(JUMP_IF_EQUAL, ARCHITECTURE, 0, 3),
    step(LOAD, NUMBER, 0, 0),
    step(JUMP_IF_EQUAL, BINDS[0], 2, 0),
    step(JUMP_IF_EQUAL, BINDS[1], 1, 0),
    step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
    step(RETURN, libc::SECCOMP_RET_USER_NOTIF, 0, 0),
];

const fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Installs the filter for this process and all that come from it, and returns the descriptor that its notifications come from.
///
/// Runs between fork and exec: it makes system calls, and nothing else. `no_new_privs` is set only where the kernel requires it, as it
/// does of every process without `CAP_SYS_ADMIN` (seccomp(2)): set-user-ID programs started by root keep working.
///
/// # Errors
/// What seccomp(2) says: EBUSY under another supervisor, EINVAL where the kernel is older than 5.0, EPERM or ENOSYS in a container
/// that forbids it.
pub(crate) fn install() -> Result<OwnedFd, Errno> {
    match install_as_is() {
        Err(Errno::ACCESS) => {
            set_no_new_privs(true)?;
            install_as_is()
        }
        result => result,
    }
}

fn install_as_is() -> Result<OwnedFd, Errno> {
    // Without WAIT_KILLABLE_RECV (Linux 5.19) a signal handler can interrupt a bind that is being answered, which is then begun anew.
    // SPEC_ALLOW: a filter that keeps no secrets needs no protection against speculation, which would slow down the whole process.
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    match seccomp(flags | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(Errno::INVAL) => seccomp(flags),
        result => result,
    }
}

#[expect(unsafe_code, reason = "rustix has no seccomp(2)")]
fn seccomp(flags: c_ulong) -> Result<OwnedFd, Errno> {
    let mut program = PROGRAM;
    let program = sock_fprog { len: PROGRAM.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program and what it points to live until the call returns, and the kernel only reads them.
    let fd = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, (&raw const program).cast::<c_void>())
    };
    match i32::try_from(fd) {
        // SAFETY: the kernel has just opened this descriptor for us.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)),
    }
}
