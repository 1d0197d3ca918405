//! Whether there is a standard output at all.

use std::io;

/// An error where standard output was closed when the program began (`>&-`): an answer that is written there is lost.
pub(super) fn stdout_is_open() -> io::Result<()> {
    if was_closed() { Err(io::Error::other("standard output is closed")) } else { Ok(()) }
}

/// The standard library opens `/dev/null` in the place of a closed stream before `main`, and it looks like one that the caller chose. So the
/// look has to come before that: from the list of functions that the loader calls (`.init_array`, elf(5)).
#[cfg(target_os = "linux")]
mod at_start {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    static CLOSED: AtomicBool = AtomicBool::new(false);

    #[expect(unsafe_code, reason = "there is no other way to run before the standard library")]
    // SAFETY: the section holds pointers to functions, which the loader calls once, before there are other threads.
    #[unsafe(link_section = ".init_array")]
    #[used]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        #[expect(unsafe_code, reason = "the descriptor may be closed, which a borrowed one may not be")]
        // SAFETY: the call takes no pointer, and a number that is not open gives an error.
        let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
        CLOSED.store(flags < 0, Relaxed);
    }

    pub(super) fn was_closed() -> bool {
        // Named, so that no linker leaves it out.
        std::hint::black_box(LOOK);
        CLOSED.load(Relaxed)
    }
}

#[cfg(target_os = "linux")]
use at_start::was_closed;

/// Not known elsewhere.
#[cfg(not(target_os = "linux"))]
fn was_closed() -> bool {
    false
}
