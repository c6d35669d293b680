//! `struct tcp_info`, as `getsockopt(TCP_INFO)` of Linux 6.18 lays it out.

/// `sizeof(struct tcp_info)` on Linux 6.18, asked by a `getsockopt` with room to spare.
pub const SIZE: usize = 280;

/// `tcpi_options`: timestamps are in use.
pub const OPT_TIMESTAMPS: u8 = 1;
/// `tcpi_options`: SACK is in use.
pub const OPT_SACK: u8 = 2;
/// `tcpi_options`: window scaling is in use.
pub const OPT_WSCALE: u8 = 4;
/// `tcpi_options`: ECN was negotiated.
pub const OPT_ECN: u8 = 8;
/// `tcpi_options`: a packet with ECT was received.
pub const OPT_ECN_SEEN: u8 = 16;
/// `tcpi_options`: data in the SYN was acknowledged.
pub const OPT_SYN_DATA: u8 = 32;
/// `tcpi_options`: timestamps count microseconds.
pub const OPT_USEC_TS: u8 = 64;
/// `tcpi_options`: the child of a Fast Open SYN.
pub const OPT_TFO_CHILD: u8 = 128;

/// Field names are Linux's without `tcpi_`. Times are in the units that Linux uses: `rto`, `ato`, `rtt`, `rttvar`,
/// `rcv_rtt`, `min_rtt`, `busy_time`, `rwnd_limited` and `sndbuf_limited` in microseconds, `last_*` and
/// `total_rto_time` in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// `tcpi_state`
    pub state: u8,
    /// `tcpi_ca_state`
    pub ca_state: u8,
    /// `tcpi_retransmits`
    pub retransmits: u8,
    /// `tcpi_probes`
    pub probes: u8,
    /// `tcpi_backoff`
    pub backoff: u8,
    /// `tcpi_options`
    pub options: u8,
    /// `tcpi_snd_wscale`, 4 bits
    pub snd_wscale: u8,
    /// `tcpi_rcv_wscale`, 4 bits
    pub rcv_wscale: u8,
    /// `tcpi_delivery_rate_app_limited`
    pub delivery_rate_app_limited: bool,
    /// `tcpi_fastopen_client_fail`, 2 bits
    pub fastopen_client_fail: u8,
    /// `tcpi_rto`
    pub rto: u32,
    /// `tcpi_ato`
    pub ato: u32,
    /// `tcpi_snd_mss`
    pub snd_mss: u32,
    /// `tcpi_rcv_mss`
    pub rcv_mss: u32,
    /// `tcpi_unacked`
    pub unacked: u32,
    /// `tcpi_sacked`
    pub sacked: u32,
    /// `tcpi_lost`
    pub lost: u32,
    /// `tcpi_retrans`
    pub retrans: u32,
    /// `tcpi_fackets`
    pub fackets: u32,
    /// `tcpi_last_data_sent`
    pub last_data_sent: u32,
    /// `tcpi_last_ack_sent`
    pub last_ack_sent: u32,
    /// `tcpi_last_data_recv`
    pub last_data_recv: u32,
    /// `tcpi_last_ack_recv`
    pub last_ack_recv: u32,
    /// `tcpi_pmtu`
    pub pmtu: u32,
    /// `tcpi_rcv_ssthresh`
    pub rcv_ssthresh: u32,
    /// `tcpi_rtt`
    pub rtt: u32,
    /// `tcpi_rttvar`
    pub rttvar: u32,
    /// `tcpi_snd_ssthresh`
    pub snd_ssthresh: u32,
    /// `tcpi_snd_cwnd`
    pub snd_cwnd: u32,
    /// `tcpi_advmss`
    pub advmss: u32,
    /// `tcpi_reordering`
    pub reordering: u32,
    /// `tcpi_rcv_rtt`
    pub rcv_rtt: u32,
    /// `tcpi_rcv_space`
    pub rcv_space: u32,
    /// `tcpi_total_retrans`
    pub total_retrans: u32,
    /// `tcpi_pacing_rate`
    pub pacing_rate: u64,
    /// `tcpi_max_pacing_rate`
    pub max_pacing_rate: u64,
    /// `tcpi_bytes_acked`
    pub bytes_acked: u64,
    /// `tcpi_bytes_received`
    pub bytes_received: u64,
    /// `tcpi_segs_out`
    pub segs_out: u32,
    /// `tcpi_segs_in`
    pub segs_in: u32,
    /// `tcpi_notsent_bytes`
    pub notsent_bytes: u32,
    /// `tcpi_min_rtt`
    pub min_rtt: u32,
    /// `tcpi_data_segs_in`
    pub data_segs_in: u32,
    /// `tcpi_data_segs_out`
    pub data_segs_out: u32,
    /// `tcpi_delivery_rate`
    pub delivery_rate: u64,
    /// `tcpi_busy_time`
    pub busy_time: u64,
    /// `tcpi_rwnd_limited`
    pub rwnd_limited: u64,
    /// `tcpi_sndbuf_limited`
    pub sndbuf_limited: u64,
    /// `tcpi_delivered`
    pub delivered: u32,
    /// `tcpi_delivered_ce`
    pub delivered_ce: u32,
    /// `tcpi_bytes_sent`
    pub bytes_sent: u64,
    /// `tcpi_bytes_retrans`
    pub bytes_retrans: u64,
    /// `tcpi_dsack_dups`
    pub dsack_dups: u32,
    /// `tcpi_reord_seen`
    pub reord_seen: u32,
    /// `tcpi_rcv_ooopack`
    pub rcv_ooopack: u32,
    /// `tcpi_snd_wnd`
    pub snd_wnd: u32,
    /// `tcpi_rcv_wnd`
    pub rcv_wnd: u32,
    /// `tcpi_rehash`
    pub rehash: u32,
    /// `tcpi_total_rto`
    pub total_rto: u16,
    /// `tcpi_total_rto_recoveries`
    pub total_rto_recoveries: u16,
    /// `tcpi_total_rto_time`
    pub total_rto_time: u32,
    /// `tcpi_received_ce`
    pub received_ce: u32,
    /// `tcpi_delivered_e1_bytes`
    pub delivered_e1_bytes: u32,
    /// `tcpi_delivered_e0_bytes`
    pub delivered_e0_bytes: u32,
    /// `tcpi_delivered_ce_bytes`
    pub delivered_ce_bytes: u32,
    /// `tcpi_received_e1_bytes`
    pub received_e1_bytes: u32,
    /// `tcpi_received_e0_bytes`
    pub received_e0_bytes: u32,
    /// `tcpi_received_ce_bytes`
    pub received_ce_bytes: u32,
    /// `tcpi_accecn_fail_mode`
    pub accecn_fail_mode: u16,
    /// `tcpi_accecn_opt_seen`
    pub accecn_opt_seen: u16,
}

impl TcpInfo {
    /// Every field by its name, in the order of the struct.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, u64); 70] {
        [
            ("state", u64::from(self.state)),
            ("ca_state", u64::from(self.ca_state)),
            ("retransmits", u64::from(self.retransmits)),
            ("probes", u64::from(self.probes)),
            ("backoff", u64::from(self.backoff)),
            ("options", u64::from(self.options)),
            ("snd_wscale", u64::from(self.snd_wscale)),
            ("rcv_wscale", u64::from(self.rcv_wscale)),
            (
                "delivery_rate_app_limited",
                u64::from(self.delivery_rate_app_limited),
            ),
            ("fastopen_client_fail", u64::from(self.fastopen_client_fail)),
            ("rto", u64::from(self.rto)),
            ("ato", u64::from(self.ato)),
            ("snd_mss", u64::from(self.snd_mss)),
            ("rcv_mss", u64::from(self.rcv_mss)),
            ("unacked", u64::from(self.unacked)),
            ("sacked", u64::from(self.sacked)),
            ("lost", u64::from(self.lost)),
            ("retrans", u64::from(self.retrans)),
            ("fackets", u64::from(self.fackets)),
            ("last_data_sent", u64::from(self.last_data_sent)),
            ("last_ack_sent", u64::from(self.last_ack_sent)),
            ("last_data_recv", u64::from(self.last_data_recv)),
            ("last_ack_recv", u64::from(self.last_ack_recv)),
            ("pmtu", u64::from(self.pmtu)),
            ("rcv_ssthresh", u64::from(self.rcv_ssthresh)),
            ("rtt", u64::from(self.rtt)),
            ("rttvar", u64::from(self.rttvar)),
            ("snd_ssthresh", u64::from(self.snd_ssthresh)),
            ("snd_cwnd", u64::from(self.snd_cwnd)),
            ("advmss", u64::from(self.advmss)),
            ("reordering", u64::from(self.reordering)),
            ("rcv_rtt", u64::from(self.rcv_rtt)),
            ("rcv_space", u64::from(self.rcv_space)),
            ("total_retrans", u64::from(self.total_retrans)),
            ("pacing_rate", self.pacing_rate),
            ("max_pacing_rate", self.max_pacing_rate),
            ("bytes_acked", self.bytes_acked),
            ("bytes_received", self.bytes_received),
            ("segs_out", u64::from(self.segs_out)),
            ("segs_in", u64::from(self.segs_in)),
            ("notsent_bytes", u64::from(self.notsent_bytes)),
            ("min_rtt", u64::from(self.min_rtt)),
            ("data_segs_in", u64::from(self.data_segs_in)),
            ("data_segs_out", u64::from(self.data_segs_out)),
            ("delivery_rate", self.delivery_rate),
            ("busy_time", self.busy_time),
            ("rwnd_limited", self.rwnd_limited),
            ("sndbuf_limited", self.sndbuf_limited),
            ("delivered", u64::from(self.delivered)),
            ("delivered_ce", u64::from(self.delivered_ce)),
            ("bytes_sent", self.bytes_sent),
            ("bytes_retrans", self.bytes_retrans),
            ("dsack_dups", u64::from(self.dsack_dups)),
            ("reord_seen", u64::from(self.reord_seen)),
            ("rcv_ooopack", u64::from(self.rcv_ooopack)),
            ("snd_wnd", u64::from(self.snd_wnd)),
            ("rcv_wnd", u64::from(self.rcv_wnd)),
            ("rehash", u64::from(self.rehash)),
            ("total_rto", u64::from(self.total_rto)),
            ("total_rto_recoveries", u64::from(self.total_rto_recoveries)),
            ("total_rto_time", u64::from(self.total_rto_time)),
            ("received_ce", u64::from(self.received_ce)),
            ("delivered_e1_bytes", u64::from(self.delivered_e1_bytes)),
            ("delivered_e0_bytes", u64::from(self.delivered_e0_bytes)),
            ("delivered_ce_bytes", u64::from(self.delivered_ce_bytes)),
            ("received_e1_bytes", u64::from(self.received_e1_bytes)),
            ("received_e0_bytes", u64::from(self.received_e0_bytes)),
            ("received_ce_bytes", u64::from(self.received_ce_bytes)),
            ("accecn_fail_mode", u64::from(self.accecn_fail_mode)),
            ("accecn_opt_seen", u64::from(self.accecn_opt_seen)),
        ]
    }

    /// The bytes that the system call copies out, in this machine's byte order.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SIZE] {
        let mut out = [0u8; SIZE];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&[
            self.state,
            self.ca_state,
            self.retransmits,
            self.probes,
            self.backoff,
            self.options,
            (self.snd_wscale & 15) | (self.rcv_wscale << 4),
            u8::from(self.delivery_rate_app_limited) | ((self.fastopen_client_fail & 3) << 1),
        ]);
        put(&self.rto.to_ne_bytes());
        put(&self.ato.to_ne_bytes());
        put(&self.snd_mss.to_ne_bytes());
        put(&self.rcv_mss.to_ne_bytes());
        put(&self.unacked.to_ne_bytes());
        put(&self.sacked.to_ne_bytes());
        put(&self.lost.to_ne_bytes());
        put(&self.retrans.to_ne_bytes());
        put(&self.fackets.to_ne_bytes());
        put(&self.last_data_sent.to_ne_bytes());
        put(&self.last_ack_sent.to_ne_bytes());
        put(&self.last_data_recv.to_ne_bytes());
        put(&self.last_ack_recv.to_ne_bytes());
        put(&self.pmtu.to_ne_bytes());
        put(&self.rcv_ssthresh.to_ne_bytes());
        put(&self.rtt.to_ne_bytes());
        put(&self.rttvar.to_ne_bytes());
        put(&self.snd_ssthresh.to_ne_bytes());
        put(&self.snd_cwnd.to_ne_bytes());
        put(&self.advmss.to_ne_bytes());
        put(&self.reordering.to_ne_bytes());
        put(&self.rcv_rtt.to_ne_bytes());
        put(&self.rcv_space.to_ne_bytes());
        put(&self.total_retrans.to_ne_bytes());
        put(&self.pacing_rate.to_ne_bytes());
        put(&self.max_pacing_rate.to_ne_bytes());
        put(&self.bytes_acked.to_ne_bytes());
        put(&self.bytes_received.to_ne_bytes());
        put(&self.segs_out.to_ne_bytes());
        put(&self.segs_in.to_ne_bytes());
        put(&self.notsent_bytes.to_ne_bytes());
        put(&self.min_rtt.to_ne_bytes());
        put(&self.data_segs_in.to_ne_bytes());
        put(&self.data_segs_out.to_ne_bytes());
        put(&self.delivery_rate.to_ne_bytes());
        put(&self.busy_time.to_ne_bytes());
        put(&self.rwnd_limited.to_ne_bytes());
        put(&self.sndbuf_limited.to_ne_bytes());
        put(&self.delivered.to_ne_bytes());
        put(&self.delivered_ce.to_ne_bytes());
        put(&self.bytes_sent.to_ne_bytes());
        put(&self.bytes_retrans.to_ne_bytes());
        put(&self.dsack_dups.to_ne_bytes());
        put(&self.reord_seen.to_ne_bytes());
        put(&self.rcv_ooopack.to_ne_bytes());
        put(&self.snd_wnd.to_ne_bytes());
        put(&self.rcv_wnd.to_ne_bytes());
        put(&self.rehash.to_ne_bytes());
        put(&self.total_rto.to_ne_bytes());
        put(&self.total_rto_recoveries.to_ne_bytes());
        put(&self.total_rto_time.to_ne_bytes());
        put(&self.received_ce.to_ne_bytes());
        put(&self.delivered_e1_bytes.to_ne_bytes());
        put(&self.delivered_e0_bytes.to_ne_bytes());
        put(&self.delivered_ce_bytes.to_ne_bytes());
        put(&self.received_e1_bytes.to_ne_bytes());
        put(&self.received_e0_bytes.to_ne_bytes());
        put(&self.received_ce_bytes.to_ne_bytes());
        put(&self.accecn_fail_mode.to_ne_bytes());
        put(&self.accecn_opt_seen.to_ne_bytes());
        debug_assert_eq!(at, SIZE);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_info_fields_land_at_their_offsets() {
        let info = TcpInfo {
            state: 10,
            snd_wscale: 7,
            rcv_wscale: 9,
            delivery_rate_app_limited: true,
            fastopen_client_fail: 2,
            rto: 1_000_000,
            unacked: 3,
            sacked: 5,
            total_retrans: 4,
            pacing_rate: u64::MAX,
            snd_wnd: 77,
            rcv_wnd: 78,
            accecn_opt_seen: 6,
            ..TcpInfo::default()
        };
        let b = info.to_bytes();
        let u32_at = |at: usize| u32::from_ne_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
        assert_eq!(b[0], 10);
        assert_eq!((b[6], b[7]), (0x97, 5));
        assert_eq!(u32_at(8), 1_000_000);
        assert_eq!((u32_at(24), u32_at(28)), (3, 5));
        assert_eq!(u32_at(100), 4);
        assert_eq!(b[104..112], [0xff; 8]);
        assert_eq!((u32_at(228), u32_at(232)), (77, 78));
        assert_eq!(b[278..280], 6u16.to_ne_bytes());
    }
}
