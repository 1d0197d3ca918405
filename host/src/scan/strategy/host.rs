//! One host: what is known of it, and how it wants to be treated.

use std::collections::VecDeque;
use std::time::Duration;

use super::Target;
use super::attempts::Probe;
use super::network::Verdict;
use crate::scan::{Mac, PortState, Sighting, UpBy};

/// How many of a host's ports are tried in parallel. Hosts that limit their RSTs (BSD and macOS: 250 a second) answered every one.
const WINDOW: usize = 64;

/// How many of a host's ports are tried in parallel when it has never answered any: a packet filter loses nothing by it.
const SILENT_WINDOW: usize = 1024;

/// How many ports of an address are tried before anything shows that a host is there.
pub(super) const FIRST_TRIES: usize = 4;

/// The longest pause between two attempts at a host that limits its answers.
const LONGEST_GAP: Duration = Duration::from_millis(16);
const SHORTEST_GAP: Duration = Duration::from_millis(2);

/// How long an attempt waits at first, at least and at most.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);

/// The same for a host on the link, of which no answer was timed yet.
const ON_LINK: Duration = Duration::from_millis(250);

/// Round-trip time, smoothed as TCP does it (RFC 6298, section 2).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rtt(Option<(Duration, Duration)>);

impl Rtt {
    pub(super) fn sample(&mut self, sample: Duration) {
        self.0 = Some(match self.0 {
            None => (sample, sample / 2),
            Some((smooth, deviation)) => ((smooth * 7 + sample) / 8, (deviation * 3 + smooth.abs_diff(sample)) / 4),
        });
    }

    pub(super) fn smooth(self) -> Option<Duration> {
        self.0.map(|(smooth, _)| smooth)
    }

    /// How long to wait for an answer, the nth time. Without any figure, `guess` at first.
    fn timeout(self, tries: u8, guess: Duration) -> Duration {
        let figure = |(smooth, deviation): (Duration, Duration)| (smooth * 2 + deviation * 4).clamp(SHORTEST, LONGEST);
        self.0.map_or(guess, figure) * (1 << tries.min(4))
    }
}

/// A host, or an address that may be one.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) target: Target,
    pub(super) mac: Option<Mac>,
    pub(super) up_by: UpBy,
    pub(super) rtt: Rtt,
    /// Its place in the queue of those that have something to send.
    pub(super) queued: bool,
    pub(super) in_flight: usize,
    /// No attempt before this time.
    pub(super) not_before: Duration,
    next: u32,
    ports: u32,
    /// Reported when the host is proven, since ports without a host are nothing to report.
    pub(super) untold: Vec<(u32, PortState)>,
    pub(super) told: u32,
    retries: VecDeque<Probe>,
    window: usize,
    gap: Duration,
    slow_until: Duration,
    says_closed: bool,
    is_lost: bool,
    silences: usize,
    /// Attempts that were answered only when repeated, and those that never were.
    rescued: usize,
    lost: usize,
}

impl Host {
    pub(super) fn new(target: Target, up_by: UpBy, mac: Option<Mac>, ports: u32) -> Self {
        Self {
            target,
            mac,
            up_by,
            rtt: Rtt::default(),
            queued: false,
            in_flight: 0,
            not_before: Duration::ZERO,
            next: 0,
            ports,
            untold: Vec::new(),
            told: 0,
            retries: VecDeque::new(),
            window: WINDOW,
            gap: Duration::ZERO,
            slow_until: Duration::ZERO,
            says_closed: false,
            is_lost: false,
            silences: 0,
            rescued: 0,
            lost: 0,
        }
    }

    pub(super) fn sighting(&self) -> Sighting {
        let Self { mac, up_by, target, .. } = *self;
        Sighting { address: target.address, mac, up_by, rtt: self.rtt.smooth(), own: false }
    }

    /// Whether its ports are worth reporting: a host is there, or was.
    pub(super) fn is_told(&self) -> bool {
        self.up_by != UpBy::default()
    }

    /// The ports to try as things stand: all, unless nothing shows that a host is there and the user has not named the address.
    fn worth_trying(&self) -> u32 {
        let all = self.is_told() || self.target.named;
        if all { self.ports } else { self.ports.min(FIRST_TRIES as u32) }
    }

    /// Whether there is something to send and room to do so.
    pub(super) fn wants_to_send(&self) -> bool {
        self.in_flight < self.window && self.has_more()
    }

    fn has_more(&self) -> bool {
        !self.retries.is_empty() || self.next < self.worth_trying()
    }

    /// Whether all that was worth trying is known.
    pub(super) fn is_done(&self) -> bool {
        self.in_flight == 0 && !self.has_more()
    }

    pub(super) fn take(&mut self) -> Option<Probe> {
        self.retries.pop_front().or_else(|| {
            (self.next < self.worth_trying()).then(|| {
                self.next += 1;
                Probe { port: self.next - 1, tries: 0 }
            })
        })
    }

    /// It could not be sent just now.
    pub(super) fn put_back(&mut self, probe: Probe) {
        self.retries.push_front(probe);
    }

    /// How long to wait for an answer, the nth time.
    pub(super) fn timeout(&self, tries: u8) -> Duration {
        self.rtt.timeout(tries, if self.target.on_link { ON_LINK } else { LONGEST })
    }

    /// It was sent.
    pub(super) fn sent(&mut self, now: Duration) {
        self.in_flight += 1;
        self.not_before = now + self.gap;
    }

    /// No more attempts.
    pub(super) fn give_up(&mut self) {
        self.retries.clear();
        self.next = self.ports;
        self.is_lost = true;
    }

    /// There was an answer.
    pub(super) fn answered(&mut self, probe: Probe, verdict: Verdict) {
        if verdict == Verdict::Closed {
            self.says_closed = true;
            if !self.is_filter() {
                self.silences = 0;
                self.window = self.window.min(WINDOW);
            }
        }
        if probe.tries > 0 {
            self.rescued += 1;
        }
        if !self.gap.is_zero() && self.rescued.is_multiple_of(32) {
            self.gap /= 2;
            self.window = (self.window * 2).min(WINDOW);
        }
    }

    /// There was none. Says whether to try again.
    pub(super) fn was_silent(&mut self, probe: Probe, now: Duration, retries: u8) -> bool {
        let limited = self.says_closed && !self.is_filter();
        if limited {
            self.slow_down(now, probe);
        } else {
            self.widen();
        }
        // A host that says `closed` to one port and nothing to another may have lost an answer to a limit.
        let again = !self.is_lost && probe.tries < retries + u8::from(limited);
        if again {
            self.retries.push_back(Probe { tries: probe.tries + 1, ..probe });
        } else {
            self.lost += 1;
        }
        again
    }

    /// Whether repeating has proven useless: a packet filter, not a limit.
    fn is_filter(&self) -> bool {
        self.lost >= 16 && self.rescued * 4 < self.lost
    }

    /// Once in the time of an attempt, since what was sent together is lost together.
    fn slow_down(&mut self, now: Duration, probe: Probe) {
        if now >= self.slow_until {
            self.gap = (self.gap * 2).clamp(SHORTEST_GAP, LONGEST_GAP);
            self.window = (self.window / 2).max(FIRST_TRIES);
            self.slow_until = now + self.timeout(probe.tries);
        }
    }

    fn widen(&mut self) {
        self.gap = Duration::ZERO;
        self.window = self.window.max(WINDOW);
        self.silences += 1;
        if self.silences >= self.window && (!self.says_closed || self.is_filter()) {
            self.window = (self.window * 2).min(SILENT_WINDOW);
            self.silences = 0;
        }
    }
}
