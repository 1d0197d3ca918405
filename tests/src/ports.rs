//! Free ports that no other test uses.

use std::fmt;
use std::fs::{File, create_dir_all};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// Consecutive ports that belong to one test until it drops them. Prints as the range `20000-20019`.
///
/// Tests run as threads of one process or as processes of their own, so a lock file per block of ports keeps them apart.
#[derive(Debug)]
pub struct Ports {
    first: u16,
    count: u16,
    _locks: Vec<File>,
}

/// Ports per lock file.
const BLOCK: u16 = 10;
/// Registered ports below Linux's ephemeral range: no outgoing connection takes one of them.
const POOL: RangeInclusive<u16> = 20_000..=31_999;

impl Ports {
    /// `count` consecutive ports that nothing has bound.
    ///
    /// # Panics
    /// When the pool is used up.
    #[must_use]
    pub fn take(count: u16) -> Self {
        let blocks = count.div_ceil(BLOCK);
        let all = (POOL.end() - POOL.start() + 1) / BLOCK;
        let start = fastrand::u16(..all);
        let candidates = (0..all).map(|step| (start + step) % all).filter(|first| first + blocks <= all);
        let mut found = candidates.filter_map(|block| {
            let first = POOL.start() + block * BLOCK;
            let locks: Option<Vec<File>> = (block..block + blocks).map(lock).collect();
            locks.filter(|_| (first..first + count).all(is_free)).map(|locks| Self { first, count, _locks: locks })
        });
        found.next().expect("no free ports are left for the tests")
    }

    /// The port at the position, counted from 0.
    ///
    /// # Panics
    /// When that is beyond the last one.
    #[must_use]
    #[track_caller]
    pub fn at(&self, position: u16) -> u16 {
        assert!(position < self.count, "only {} ports were taken", self.count);
        self.first + position
    }

    /// The lowest port.
    #[must_use]
    pub fn first(&self) -> u16 {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub fn last(&self) -> u16 {
        self.first + self.count - 1
    }

    /// All of them, ascending.
    #[must_use]
    pub fn all(&self) -> Vec<u16> {
        (self.first..=self.last()).collect()
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first(), self.last())
    }
}

fn lock(block: u16) -> Option<File> {
    let user = rustix::process::getuid().as_raw();
    let directory = std::env::temp_dir().join(format!("portkeeper-test-ports-{user}"));
    create_dir_all(&directory).expect("the directory for the locks of test ports");
    let file = File::options().create(true).append(true).open(directory.join(block.to_string())).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// The port is not in use, and there are no remnants: what lingers from an earlier test is portkeeper's last choice. (The standard
/// library's listener would not notice: it sets `SO_REUSEADDR`.)
fn is_free(port: u16) -> bool {
    let bind = |address: IpAddr, kind: Type| {
        let address = SocketAddr::new(address, port);
        let socket = Socket::new(Domain::for_address(address), kind, None)?;
        socket.bind(&address.into())
    };
    let any6 = |kind| bind(Ipv6Addr::UNSPECIFIED.into(), kind).is_ok() || !has_ipv6();
    let any = |kind| bind(Ipv4Addr::UNSPECIFIED.into(), kind).is_ok() && any6(kind);
    any(Type::STREAM) && any(Type::DGRAM)
}

/// Listens on the address as soon as it is free, as the standard library does it: with `SO_REUSEADDR` on Unix.
///
/// A socket that a test has closed may live for a moment longer: a process that another test starts has copies of all sockets of this
/// process between its fork and its exec.
///
/// # Panics
/// When the address is not free within 10 s.
#[must_use]
#[track_caller]
pub fn listen_when_free(address: SocketAddr) -> TcpListener {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpListener::bind(address) {
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(1)),
            listener => return listener.unwrap_or_else(|error| panic!("{address} does not get free: {error}")),
        }
    }
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}
