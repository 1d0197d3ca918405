//! What programs that have ended took from the machine.

use std::mem::MaybeUninit;
use std::time::Duration;

/// What all children of this process took that have ended and were waited for (getrusage(2), `RUSAGE_CHILDREN`).
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// The processor's time, in user and in kernel mode.
    pub cpu: Duration,
    /// The peak of the resident memory of the largest of them, in KiB on Linux (`ru_maxrss`).
    pub peak_memory: i64,
}

impl Usage {
    /// The usage so far.
    ///
    /// # Panics
    /// When the system does not report it.
    #[must_use]
    pub fn of_children() -> Self {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the call writes into memory that is as large as it expects; where it does not, zeros are numbers as well.
        #[expect(unsafe_code, reason = "no crate that is here anyway has this call")]
        let usage = unsafe {
            assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()), 0, "getrusage");
            usage.assume_init()
        };
        let time = |time: libc::timeval| {
            Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
        };
        Self { cpu: time(usage.ru_utime) + time(usage.ru_stime), peak_memory: usage.ru_maxrss }
    }
}
