//! TCP_INFO by the names that a script's code uses.

/// A field of `struct tcp_info` (Linux 6.18): name, offset, bytes.
const FIELDS: &[(&str, usize, usize)] = &[
    ("tcpi_state", 0, 1),
    ("tcpi_ca_state", 1, 1),
    ("tcpi_retransmits", 2, 1),
    ("tcpi_probes", 3, 1),
    ("tcpi_backoff", 4, 1),
    ("tcpi_options", 5, 1),
    ("tcpi_rto", 8, 4),
    ("tcpi_ato", 12, 4),
    ("tcpi_snd_mss", 16, 4),
    ("tcpi_rcv_mss", 20, 4),
    ("tcpi_unacked", 24, 4),
    ("tcpi_sacked", 28, 4),
    ("tcpi_lost", 32, 4),
    ("tcpi_retrans", 36, 4),
    ("tcpi_fackets", 40, 4),
    ("tcpi_last_data_sent", 44, 4),
    ("tcpi_last_ack_sent", 48, 4),
    ("tcpi_last_data_recv", 52, 4),
    ("tcpi_last_ack_recv", 56, 4),
    ("tcpi_pmtu", 60, 4),
    ("tcpi_rcv_ssthresh", 64, 4),
    ("tcpi_rtt", 68, 4),
    ("tcpi_rttvar", 72, 4),
    ("tcpi_snd_ssthresh", 76, 4),
    ("tcpi_snd_cwnd", 80, 4),
    ("tcpi_advmss", 84, 4),
    ("tcpi_reordering", 88, 4),
    ("tcpi_rcv_rtt", 92, 4),
    ("tcpi_rcv_space", 96, 4),
    ("tcpi_total_retrans", 100, 4),
    ("tcpi_pacing_rate", 104, 8),
    ("tcpi_max_pacing_rate", 112, 8),
    ("tcpi_bytes_acked", 120, 8),
    ("tcpi_bytes_received", 128, 8),
    ("tcpi_segs_out", 136, 4),
    ("tcpi_segs_in", 140, 4),
    ("tcpi_notsent_bytes", 144, 4),
    ("tcpi_min_rtt", 148, 4),
    ("tcpi_data_segs_in", 152, 4),
    ("tcpi_data_segs_out", 156, 4),
    ("tcpi_delivery_rate", 160, 8),
    ("tcpi_busy_time", 168, 8),
    ("tcpi_rwnd_limited", 176, 8),
    ("tcpi_sndbuf_limited", 184, 8),
    ("tcpi_delivered", 192, 4),
    ("tcpi_delivered_ce", 196, 4),
    ("tcpi_bytes_sent", 200, 8),
    ("tcpi_bytes_retrans", 208, 8),
    ("tcpi_dsack_dups", 216, 4),
    ("tcpi_reord_seen", 220, 4),
    ("tcpi_rcv_ooopack", 224, 4),
    ("tcpi_snd_wnd", 228, 4),
    ("tcpi_rcv_wnd", 232, 4),
    ("tcpi_rehash", 236, 4),
    ("tcpi_total_rto", 240, 2),
    ("tcpi_total_rto_recoveries", 242, 2),
    ("tcpi_total_rto_time", 244, 4),
    ("tcpi_received_ce", 248, 4),
    ("tcpi_delivered_e1_bytes", 252, 4),
    ("tcpi_delivered_e0_bytes", 256, 4),
    ("tcpi_delivered_ce_bytes", 260, 4),
    ("tcpi_received_e1_bytes", 264, 4),
    ("tcpi_received_e0_bytes", 268, 4),
    ("tcpi_received_ce_bytes", 272, 4),
    ("tcpi_accecn_fail_mode", 276, 2),
    ("tcpi_accecn_opt_seen", 278, 2),
];

/// A field of `info` by its name; `None` if there is no such field, or this system's struct ends before it.
pub(crate) fn field(info: &[u8], name: &str) -> Option<i64> {
    // Bit fields of the bytes 6 and 7.
    let bits = |at: usize, shift: u8, mask: u8| Some(i64::from(info.get(at)? >> shift & mask));
    match name {
        "tcpi_snd_wscale" => return bits(6, 0, 15),
        "tcpi_rcv_wscale" => return bits(6, 4, 15),
        "tcpi_delivery_rate_app_limited" => return bits(7, 0, 1),
        "tcpi_fastopen_client_fail" => return bits(7, 1, 3),
        _ => {}
    }
    let (_, at, len) = FIELDS.iter().find(|(field, _, _)| *field == name)?;
    let bytes = info.get(*at..at + len)?;
    let mut word = [0; 8];
    word[..*len].copy_from_slice(bytes);
    // The pacing rates are unsigned; their "no limit" is -1 to a script.
    Some(i64::from_le_bytes(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_one_after_another_up_to_the_structs_end() {
        let mut end = 8;
        for (name, at, len) in &FIELDS[6..] {
            assert_eq!(*at, end, "{name}");
            end += len;
        }
        assert_eq!(end, 280);
    }

    #[test]
    fn field_is_read_at_its_place() {
        let info: Vec<u8> = (0..=255).collect();
        assert_eq!(field(&info, "tcpi_options"), Some(5));
        assert_eq!(field(&info, "tcpi_snd_wscale"), Some(6));
        assert_eq!(field(&info, "tcpi_fastopen_client_fail"), Some(3));
        assert_eq!(field(&info, "tcpi_rto"), Some(0x0b0a_0908));
        assert_eq!(field(&info, "tcpi_total_rto"), Some(0xf1f0));
        assert_eq!(field(&info[..104], "tcpi_pacing_rate"), None);
        assert_eq!(field(&info, "tcpi_nonsense"), None);
    }
}
