//! How fast, and how patiently.

use std::time::Duration;

/// How thorough a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// Little patience: one ARP request, one retry.
    Fast,
    /// Outlasts one lost ARP request and two lost connection attempts in a row.
    #[default]
    Normal,
    /// Outlasts two lost ARP requests and three lost connection attempts in a row.
    Thorough,
}

/// What is sent in a second as long as no answer comes. More has overrun the receive queues of hosts that are reached without any delay
/// (Linux: `net.core.netdev_max_backlog`, 1,000 packets).
const UNANSWERED_PER_SECOND: f64 = 20_000.0;

/// How much of that may be sent in one burst.
const BURST: f64 = 256.0;

impl Pace {
    /// How long after its question an address may answer: the least, and the most. The kernel asks again after one second
    /// (`retrans_time_ms`, arp(7)); what there is beyond whole seconds is for the way there and back.
    pub(super) const fn discovery(self) -> (Duration, Duration) {
        let (least, most) = match self {
            Self::Fast => (180, 300),
            Self::Normal => (1_050, 1_200),
            Self::Thorough => (2_100, 2_300),
        };
        (Duration::from_millis(least), Duration::from_millis(most))
    }

    /// How long an echo request may take.
    #[must_use]
    pub const fn echo(self) -> Duration {
        Duration::from_millis(match self {
            Self::Fast => 250,
            Self::Normal => 1_000,
            Self::Thorough => 2_000,
        })
    }

    /// How often an attempt without an answer is repeated.
    pub(super) const fn retries(self) -> u8 {
        match self {
            Self::Fast => 1,
            Self::Normal => 2,
            Self::Thorough => 3,
        }
    }
}

/// A token that is all but there is there: times are whole nanoseconds.
const ROUNDING: f64 = 0.001;

/// A token bucket. Tokens stand for packets that have no answer yet: an answer shows that there is room for another one, so it gives the
/// token back, and a network that answers is scanned as fast as it answers.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: f64,
    burst: f64,
    per_second: f64,
    /// A rate that the user set counts every packet, answered or not.
    strict: bool,
    filled: Duration,
}

impl Bucket {
    pub(super) fn new(rate: Option<u32>) -> Self {
        let (per_second, burst) = match rate {
            None => (UNANSWERED_PER_SECOND, BURST),
            // A hundredth of a second's worth, since nothing wakes up much more often than that.
            Some(rate) => (f64::from(rate.max(1)), (f64::from(rate) / 100.0).clamp(1.0, BURST)),
        };
        Self { tokens: burst, burst, per_second, strict: rate.is_some(), filled: Duration::ZERO }
    }

    pub(super) fn fill(&mut self, now: Duration) {
        let gained = now.saturating_sub(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.filled = now;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens < 1.0 - ROUNDING
    }

    pub(super) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// One packet was answered.
    pub(super) fn answered(&mut self) {
        if !self.strict {
            self.tokens = (self.tokens + 1.0).min(self.burst);
        }
    }

    /// When there will be something to take.
    pub(super) fn next(&self) -> Duration {
        self.filled + Duration::from_secs_f64(((1.0 - self.tokens) / self.per_second).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_in_a_second(rate: Option<u32>, answer: bool) -> usize {
        let mut bucket = Bucket::new(rate);
        let mut sent = 0;
        for millisecond in 0..1000 {
            bucket.fill(Duration::from_millis(millisecond));
            for _ in 0..100 {
                if !bucket.is_empty() {
                    bucket.take();
                    sent += 1;
                    if answer {
                        bucket.answered();
                    }
                }
            }
        }
        sent
    }

    #[test]
    fn silence_is_asked_at_the_rate_and_answers_as_fast_as_they_come() {
        assert!((20_000..20_300).contains(&sent_in_a_second(None, false)));
        assert_eq!(sent_in_a_second(None, true), 100_000);
    }

    #[test]
    fn a_rate_that_was_asked_for_is_kept_either_way() {
        for answer in [false, true] {
            assert!((490..=510).contains(&sent_in_a_second(Some(500), answer)));
        }
    }
}
