//! Clients and rivals that never rest.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use socket2::{Domain, Socket, Type};

/// A thread that does the same again and again until it is stopped, and counts how often it succeeded.
#[derive(Debug)]
pub struct Loop {
    stop: Arc<AtomicBool>,
    counts: Arc<[AtomicU64; 2]>,
    thread: Option<JoinHandle<()>>,
}

/// How often a [`Loop`] tried, and how often it succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Tries.
    pub tries: u64,
    /// Successes.
    pub successes: u64,
}

impl Loop {
    /// A client that connects, and closes immediately. One that is refused has failed; the server's own end of a connection is not the
    /// port's.
    #[must_use]
    pub fn of_clients(address: SocketAddr) -> Self {
        Self::new(move || match TcpStream::connect(address) {
            Ok(_) => true,
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset),
                    "{address}: {error}"
                );
                false
            }
        })
    }

    /// A program that tries to bind the addresses in turn, each without and with `SO_REUSEADDR`.
    #[must_use]
    pub fn of_rivals(addresses: &[SocketAddr]) -> Self {
        let ways: Vec<_> = addresses.iter().flat_map(|&address| [(address, false), (address, true)]).collect();
        let mut ways = ways.into_iter().cycle();
        Self::new(move || {
            let (address, reuse_address) = ways.next().expect("an address");
            let rival = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
            rival.set_reuse_address(reuse_address).expect("an option");
            rival.bind(&address.into()).is_ok()
        })
    }

    fn new(mut attempt: impl FnMut() -> bool + Send + 'static) -> Self {
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new([AtomicU64::new(0), AtomicU64::new(0)]));
        let thread = thread::spawn({
            let (stop, counts) = (Arc::clone(&stop), Arc::clone(&counts));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let success = attempt();
                    counts[1].fetch_add(u64::from(success), Ordering::Relaxed);
                    counts[0].fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { stop, counts, thread: Some(thread) }
    }

    /// How it stands.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let [tries, successes] = [0, 1].map(|index| self.counts[index].load(Ordering::Relaxed));
        Counts { tries, successes }
    }

    /// Ends it.
    ///
    /// # Panics
    /// When an attempt failed in a way that no attempt should.
    #[must_use]
    pub fn stop(mut self) -> Counts {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("a thread").join().expect("an attempt panicked");
        self.counts()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
