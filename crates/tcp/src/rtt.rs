//! Round-trip time and retransmission timeout: RFC 6298 with Linux's bounds and Linux's variance.

use core::time::Duration;

/// Linux's TCP_TIMEOUT_INIT: one second.
pub const TIMEOUT_INIT: Duration = Duration::from_secs(1);
/// Linux's TCP_RTO_MIN.
pub const RTO_MIN_US: u32 = 200_000;
/// Linux's TCP_RTO_MAX.
pub const RTO_MAX: Duration = Duration::from_secs(120);

/// The estimator: `srtt_us` holds eight times the smoothed value, `rttvar_us` four times the deviation, as in Linux.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rtt {
    /// Eight times the smoothed round-trip time in microseconds; 0 is "no sample yet".
    pub srtt_us: u32,
    /// Four times the smoothed mean deviation in microseconds.
    pub rttvar_us: u32,
}

impl Rtt {
    /// Takes a sample (RFC 6298 2.2, 2.3).
    pub fn sample(&mut self, us: u32) {
        let m = us.clamp(1, 60_000_000);
        if self.srtt_us == 0 {
            self.srtt_us = m << 3;
            self.rttvar_us = m << 1;
            return;
        }
        let err = m as i32 - (self.srtt_us >> 3) as i32;
        self.srtt_us = self.srtt_us.saturating_add_signed(err).max(1);
        let dev = err.unsigned_abs();
        self.rttvar_us = self
            .rttvar_us
            .saturating_add_signed(dev as i32 - (self.rttvar_us >> 2) as i32);
    }

    /// The handshake gave no sample, for its SYN-ACK was sent again: 3 s instead of 1 s until there is one (RFC 6298 5.7).
    pub fn without_sample(&mut self) {
        if self.srtt_us == 0 {
            self.rttvar_us = 3_000_000;
        }
    }

    /// The timeout while there is no sample, instead of one second: at most the longest of all (Linux `tcp_timeout_init`).
    pub fn begin_with(&mut self, timeout: Duration) {
        if self.srtt_us == 0 {
            self.rttvar_us = timeout.min(RTO_MAX).as_micros() as u32;
        }
    }

    /// The timeout before back-off: SRTT + 4 * RTTVAR, the second term never under 200 ms (Linux `__tcp_set_rto`;
    /// RFC 6298 2.4 asks for one second in all).
    pub fn rto(&self) -> Duration {
        if self.srtt_us == 0 {
            return match self.rttvar_us {
                0 => TIMEOUT_INIT,
                us => Duration::from_micros(u64::from(us)),
            };
        }
        let us = (self.srtt_us >> 3).saturating_add(self.rttvar_us.max(RTO_MIN_US));
        Duration::from_micros(u64::from(us)).min(RTO_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rto_without_a_sample_is_one_second() {
        assert_eq!(Rtt::default().rto(), TIMEOUT_INIT);
    }

    #[test]
    fn rto_on_a_steady_path_is_rtt_plus_200_ms() {
        let mut r = Rtt::default();
        for _ in 0..100 {
            r.sample(50_000);
        }
        let ms = r.rto().as_millis();
        assert!((249..=251).contains(&ms), "{ms}");
    }

    #[test]
    fn first_sample_sets_variance_to_half() {
        let mut r = Rtt::default();
        r.sample(1_000_000);
        assert_eq!(r.rto(), Duration::from_micros(3_000_000));
    }
}
