//! ss's -i: TCP_INFO in one line, in ss's order and units.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hearken_abi::tcp_info::{
    OPT_ECN, OPT_ECN_SEEN, OPT_SACK, OPT_SYN_DATA, OPT_TIMESTAMPS, OPT_WSCALE,
};
use hearken_run::control::Row;

/// ssthresh of a connection that has lost nothing is above it.
const SSTHRESH_UNSET: u64 = 0xffff;
/// ss leaves the initial value of old kernels away.
const RTO_UNSET: u64 = 3_000_000;
/// `tcpi_reordering` of a connection that saw none.
const REORDERING: u64 = 3;

/// A number as C's `%g` writes it: six significant digits, no zeros at the end.
fn general(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let exponent = value.abs().log10().floor() as i32;
    if !(-4..6).contains(&exponent) {
        let text = format!("{value:.5e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        let power: i32 = power.parse().unwrap_or(0);
        return format!(
            "{digits}e{}{:02}",
            if power < 0 { '-' } else { '+' },
            power.abs()
        );
    }
    let text = format!("{value:.*}", (5 - exponent).max(0) as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Milliseconds of a time in microseconds.
fn ms(us: u64) -> String {
    general(us as f64 / 1000.0)
}

fn bps(bytes: u64) -> String {
    format!("{:.0}bps", bytes as f64 * 8.0)
}

/// The line as it grows.
struct Line<'a> {
    out: String,
    info: &'a BTreeMap<String, u64>,
}

impl Line<'_> {
    /// A field; what the run left out is zero.
    fn get(&self, name: &str) -> u64 {
        self.info.get(name).copied().unwrap_or(0)
    }

    fn has(&self, option: u8) -> bool {
        self.get("options") & u64::from(option) != 0
    }

    fn word(&mut self, text: &str) {
        self.out.push(' ');
        self.out.push_str(text);
    }

    /// `label:value`, unless the value is zero.
    fn value(&mut self, label: &str, value: u64) {
        if value != 0 {
            // Writing to a String cannot fail.
            let _ = write!(self.out, " {label}:{value}");
        }
    }

    fn field(&mut self, label: &str, name: &str) {
        self.value(label, self.get(name));
    }

    /// Fields whose label is their name.
    fn fields(&mut self, names: &[&str]) {
        for name in names {
            self.field(name, name);
        }
    }

    /// A time in milliseconds.
    fn time(&mut self, label: &str, name: &str) {
        let us = self.get(name);
        if us != 0 {
            self.word(&format!("{label}:{}", ms(us)));
        }
    }

    /// Options, congestion control, timeout, round trip, sizes and the congestion window.
    fn state(&mut self, options: bool, congestion: Option<&str>) {
        let named = [
            (OPT_TIMESTAMPS, "ts"),
            (OPT_SACK, "sack"),
            (OPT_ECN, "ecn"),
            (OPT_ECN_SEEN, "ecnseen"),
            (OPT_SYN_DATA, "fastopen"),
        ];
        for (bit, name) in named {
            if options && self.has(bit) {
                self.word(name);
            }
        }
        if let Some(name) = congestion {
            self.word(name);
        }
        if self.has(OPT_WSCALE) {
            let (snd, rcv) = (self.get("snd_wscale"), self.get("rcv_wscale"));
            self.word(&format!("wscale:{snd},{rcv}"));
        }
        if self.get("rto") != RTO_UNSET {
            self.time("rto", "rto");
        }
        self.field("backoff", "backoff");
        let rtt = self.get("rtt");
        if rtt != 0 {
            self.word(&format!("rtt:{}/{}", ms(rtt), ms(self.get("rttvar"))));
        }
        self.time("ato", "ato");
        self.field("mss", "snd_mss");
        self.field("pmtu", "pmtu");
        self.field("rcvmss", "rcv_mss");
        self.field("advmss", "advmss");
        self.field("cwnd", "snd_cwnd");
        if self.get("snd_ssthresh") < SSTHRESH_UNSET {
            self.field("ssthresh", "snd_ssthresh");
        }
    }

    /// Bytes, segments, rates.
    fn transfer(&mut self) {
        self.fields(&["bytes_sent", "bytes_retrans", "bytes_acked"]);
        self.fields(&["bytes_received", "segs_out", "segs_in"]);
        self.fields(&["data_segs_out", "data_segs_in"]);
        let (rtt, mss, cwnd) = (self.get("rtt"), self.get("snd_mss"), self.get("snd_cwnd"));
        if rtt != 0 && mss != 0 && cwnd != 0 {
            let bits = mss as f64 * cwnd as f64 * 8.0;
            self.word(&format!("send {:.0}bps", bits * 1e6 / rtt as f64));
        }
        self.field("lastsnd", "last_data_sent");
        self.field("lastrcv", "last_data_recv");
        self.field("lastack", "last_ack_recv");
        let (rate, most) = (self.get("pacing_rate"), self.get("max_pacing_rate"));
        if rate != 0 && rate != u64::MAX {
            let bounded = most != 0 && most != u64::MAX;
            let most = if bounded {
                format!("/{}", bps(most))
            } else {
                String::new()
            };
            self.word(&format!("pacing_rate {}{most}", bps(rate)));
        }
        let delivery = self.get("delivery_rate");
        if delivery != 0 {
            self.word(&format!("delivery_rate {}", bps(delivery)));
        }
        self.fields(&["delivered", "delivered_ce"]);
        if self.get("delivery_rate_app_limited") != 0 {
            self.word("app_limited");
        }
        let busy = self.get("busy_time");
        if busy != 0 {
            self.word(&format!("busy:{}ms", busy / 1000));
        }
        for name in ["rwnd_limited", "sndbuf_limited"] {
            let part = self.get(name);
            if part != 0 && busy != 0 {
                let percent = 100.0 * part as f64 / busy as f64;
                self.word(&format!("{name}:{}ms({percent:.1}%)", part / 1000));
            }
        }
    }

    /// What is out, what is lost, what is buffered.
    fn outstanding(&mut self, listening: bool) {
        self.field("unacked", "unacked");
        let (now, ever) = (self.get("retrans"), self.get("total_retrans"));
        if now != 0 || ever != 0 {
            self.word(&format!("retrans:{now}/{ever}"));
        }
        self.field("lost", "lost");
        // Of a listener it is the limit of its queue, which the Send-Q column has.
        if !listening {
            self.field("sacked", "sacked");
        }
        self.fields(&["dsack_dups", "fackets"]);
        if self.get("reordering") != REORDERING {
            self.field("reordering", "reordering");
        }
        self.field("reord_seen", "reord_seen");
        self.time("rcv_rtt", "rcv_rtt");
        self.fields(&["rcv_space", "rcv_ssthresh"]);
        self.field("notsent", "notsent_bytes");
        if self.get("min_rtt") != u64::from(u32::MAX) {
            self.time("minrtt", "min_rtt");
        }
        self.fields(&["rcv_ooopack", "snd_wnd"]);
    }
}

/// The line; `options` says whether -o or -e asked for the names of TCP options. Empty for what has no TCP_INFO.
pub(super) fn line(row: &Row, options: bool) -> String {
    let mut line = Line {
        out: String::new(),
        info: &row.info,
    };
    if !row.info.is_empty() {
        line.state(options, row.congestion.as_deref());
        line.transfer();
        line.outstanding(row.state == "LISTEN");
    }
    line.out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_is_printf_s_g() {
        for (value, text) in [
            (0.018, "0.018"),
            (4.516, "4.516"),
            (204.0, "204"),
            (40.0, "40"),
            (0.04, "0.04"),
            (2.886_72, "2.88672"),
            (123_456.7, "123457"),
            (1_234_567.0, "1.23457e+06"),
            (0.000_01, "1e-05"),
            (0.0, "0"),
        ] {
            assert_eq!(general(value), text);
        }
    }

    fn row(state: &str, fields: &[(&str, u64)]) -> Row {
        Row {
            state: state.into(),
            congestion: Some("reno".into()),
            info: fields.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect(),
            ..Row::default()
        }
    }

    /// Both lines were printed by ss 6.1.0 for kernel sockets.
    #[test]
    fn line_is_what_ss_prints() {
        let fields = [
            ("options", 0x1f),
            ("snd_wscale", 10),
            ("rcv_wscale", 10),
            ("rto", 204_000),
            ("rtt", 18),
            ("rttvar", 9),
            ("ato", 40_000),
            ("snd_mss", 32768),
            ("pmtu", 65535),
            ("rcv_mss", 47616),
            ("advmss", 65483),
            ("snd_cwnd", 10),
            ("snd_ssthresh", 0x7fff_ffff),
            ("bytes_received", 113_152),
            ("segs_out", 1),
            ("segs_in", 7),
            ("data_segs_in", 5),
            ("last_data_sent", 40),
            ("last_data_recv", 40),
            ("last_ack_recv", 32),
            ("pacing_rate", 36_408_888_888),
            ("max_pacing_rate", u64::MAX),
            ("delivered", 1),
            ("delivery_rate_app_limited", 1),
            ("reordering", 3),
            ("rcv_rtt", 26),
            ("rcv_space", 65483),
            ("rcv_ssthresh", 95232),
            ("min_rtt", 18),
            ("snd_wnd", 65536),
        ];
        assert_eq!(
            line(&row("ESTAB", &fields), true),
            " ts sack ecn ecnseen reno wscale:10,10 rto:204 rtt:0.018/0.009 ato:40 mss:32768 pmtu:65535 \
rcvmss:47616 advmss:65483 cwnd:10 bytes_received:113152 segs_out:1 segs_in:7 data_segs_in:5 send 145635555556bps \
lastsnd:40 lastrcv:40 lastack:32 pacing_rate 291271111104bps delivered:1 app_limited rcv_rtt:0.026 rcv_space:65483 \
rcv_ssthresh:95232 minrtt:0.018 snd_wnd:65536"
        );
        let listener = [
            ("snd_cwnd", 10),
            ("unacked", 1),
            ("sacked", 9),
            ("reordering", 3),
        ];
        assert_eq!(
            line(&row("LISTEN", &listener), false),
            " reno cwnd:10 unacked:1"
        );
        assert_eq!(line(&row("TIME-WAIT", &[]), true), "");
    }
}
