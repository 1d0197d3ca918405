//! The requests of ptrace(2) that a tracer needs: neither rustix nor the standard library has them.

use std::ffi::c_void;
use std::io;
use std::ptr::null_mut;

use rustix::process::Pid;

/// Where a thread stands.
#[derive(Debug)]
pub(super) enum Stop {
    /// Before a call with this number and these arguments.
    Entry(i64, [u64; 6]),
    /// After one.
    Exit,
    /// Elsewhere.
    Other,
}

/// Begins to trace a process that runs, with all threads and children that it will have. It is not stopped by that.
pub(super) fn seize(process: Pid) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK;
    request(libc::PTRACE_SEIZE, process, 0, options as *mut c_void).map(drop)
}

/// Lets a thread go on to its next call, with the signal that it was stopped for.
pub(super) fn go_on(thread: Pid, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_SYSCALL, thread, 0, signal as *mut c_void).map(drop)
}

/// Why a thread stands still.
pub(super) fn stop(thread: Pid) -> io::Result<Stop> {
    // SAFETY: numbers, for which zero is a value.
    #[expect(unsafe_code, reason = "a structure of the kernel's")]
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    request(libc::PTRACE_GET_SYSCALL_INFO, thread, size_of_val(&info), (&raw mut info).cast())?;
    Ok(match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => {
            // SAFETY: this is what the kernel has filled in with this `op`.
            #[expect(unsafe_code, reason = "a union of the kernel's")]
            let entry = unsafe { info.u.entry };
            Stop::Entry(entry.nr.cast_signed(), entry.args)
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => Stop::Exit,
        _ => Stop::Other,
    })
}

/// Has the call not be made that the thread stands before. It must be answered at its next stop.
#[cfg(target_arch = "x86_64")]
pub(super) fn skip(thread: Pid) -> io::Result<()> {
    change(thread, |registers| registers.orig_rax = u64::MAX)
}

/// Answers a call that was not made with an error.
#[cfg(target_arch = "x86_64")]
pub(super) fn answer(thread: Pid, error: i32) -> io::Result<()> {
    change(thread, |registers| registers.rax = i64::from(-error).cast_unsigned())
}

/// Has the call not be made that the thread stands before. It must be answered at its next stop.
#[cfg(target_arch = "aarch64")]
pub(super) fn skip(thread: Pid) -> io::Result<()> {
    /// The register set that is the number of the call alone (linux/elf.h).
    const NT_ARM_SYSTEM_CALL: usize = 0x404;
    let mut number: i32 = -1;
    let mut part = libc::iovec { iov_base: (&raw mut number).cast(), iov_len: size_of_val(&number) };
    request(libc::PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, (&raw mut part).cast()).map(drop)
}

/// Answers a call that was not made with an error.
#[cfg(target_arch = "aarch64")]
pub(super) fn answer(thread: Pid, error: i32) -> io::Result<()> {
    change(thread, |registers| registers.regs[0] = i64::from(-error).cast_unsigned())
}

fn change(thread: Pid, change: impl FnOnce(&mut libc::user_regs_struct)) -> io::Result<()> {
    /// The register set of the general registers (linux/elf.h).
    const NT_PRSTATUS: usize = 1;
    // SAFETY: numbers, for which zero is a value.
    #[expect(unsafe_code, reason = "a structure of the kernel's")]
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    let iov_len = size_of_val(&registers);
    let mut part = libc::iovec { iov_base: (&raw mut registers).cast(), iov_len };
    request(libc::PTRACE_GETREGSET, thread, NT_PRSTATUS, (&raw mut part).cast())?;
    change(&mut registers);
    let mut part = libc::iovec { iov_base: (&raw mut registers).cast(), iov_len };
    request(libc::PTRACE_SETREGSET, thread, NT_PRSTATUS, (&raw mut part).cast()).map(drop)
}

/// `data` is a number, or leads to what the request reads or fills: all of it, in a variable that lives longer than the call.
fn request(request: u32, thread: Pid, address: usize, data: *mut c_void) -> io::Result<i64> {
    let address = null_mut::<c_void>().wrapping_byte_add(address);
    // SAFETY: the callers above see to what `data` leads to; the kernel checks all else.
    #[expect(unsafe_code, reason = "no crate that is here anyway has this call")]
    let answer = unsafe { libc::ptrace(request, thread.as_raw_nonzero().get(), address, data) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}
