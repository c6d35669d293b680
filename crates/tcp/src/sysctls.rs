//! The sysctl values of one namespace, set and read by name with Linux's bounds.

use alloc::string::String;
use core::fmt::Write as _;
use hearken_abi::sysctl::{self, Spec, Value};

use crate::congestion::Congestion;
use crate::ports::{PortSet, c_number};

/// Why a sysctl was not set or read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SysctlError {
    /// There is no such name: ENOENT.
    Unknown,
    /// The text is no number, or out of bounds: EINVAL.
    Invalid,
    /// The text names something that is not there: ENOENT.
    NotThere,
    /// It can only be read: EACCES.
    ReadOnly,
}

/// A field that a sysctl's text goes to.
trait Field {
    fn store(&mut self, at: usize, v: i64);
    fn print(&self, out: &mut String);

    /// Reads what was written: numbers, as many as there are and the sysctl has; further ones are not looked at
    /// (docs/linux/port-choice.md).
    fn read(&mut self, spec: &Spec, text: &str) -> Result<(), SysctlError> {
        let want = match spec.default {
            Value::Ints(vs) => vs.len(),
            Value::Int(_) | Value::Text(_) => 1,
        };
        if text.trim_ascii().is_empty() {
            return Err(SysctlError::Invalid);
        }
        for (n, word) in text.split_ascii_whitespace().take(want).enumerate() {
            let (digits, sign) = word.strip_prefix('-').map_or((word, 1), |w| (w, -1));
            let v = c_number(digits).and_then(|v| i64::try_from(v).ok());
            let v = v.ok_or(SysctlError::Invalid)? * sign;
            if v < spec.min || v > spec.max {
                return Err(SysctlError::Invalid);
            }
            self.store(n, v);
        }
        Ok(())
    }
}
impl Field for PortSet {
    fn store(&mut self, _: usize, _: i64) {}
    fn print(&self, out: &mut String) {
        PortSet::print(self, out);
    }
    fn read(&mut self, _: &Spec, text: &str) -> Result<(), SysctlError> {
        *self = PortSet::parse(text).ok_or(SysctlError::Invalid)?;
        Ok(())
    }
}
impl Field for Congestion {
    fn store(&mut self, _: usize, _: i64) {}
    fn print(&self, out: &mut String) {
        out.push_str(self.name());
    }
    fn read(&mut self, _: &Spec, text: &str) -> Result<(), SysctlError> {
        // `proc_dostring`: up to the line's end, blanks and all (docs/linux/congestion.md).
        let end = text.find(['\n', '\0']).unwrap_or(text.len());
        *self = Congestion::find(&text.as_bytes()[..end]).ok_or(SysctlError::NotThere)?;
        Ok(())
    }
}
/// The names of all congestion controls. None of them is restricted, so those available and those allowed are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Congestions;

impl Field for Congestions {
    fn store(&mut self, _: usize, _: i64) {}
    fn print(&self, out: &mut String) {
        for (i, c) in Congestion::ALL.into_iter().enumerate() {
            out.push_str(if i > 0 { " " } else { "" });
            out.push_str(c.name());
        }
    }
    fn read(&mut self, _: &Spec, _: &str) -> Result<(), SysctlError> {
        Err(SysctlError::ReadOnly)
    }
}
macro_rules! scalar {
    ($($t:ty),*) => {$(
        impl Field for $t {
            fn store(&mut self, _: usize, v: i64) {
                *self = v as $t;
            }
            fn print(&self, out: &mut String) {
                let _ = write!(out, "{self}");
            }
        }
    )*};
}
scalar!(u8, u16, u32, u64, i32);
impl<T: Field, const N: usize> Field for [T; N] {
    fn store(&mut self, at: usize, v: i64) {
        if let Some(f) = self.get_mut(at) {
            f.store(0, v);
        }
    }
    fn print(&self, out: &mut String) {
        for (i, f) in self.iter().enumerate() {
            if i > 0 {
                out.push('\t');
            }
            f.print(out);
        }
    }
}

macro_rules! sysctls {
    ($($(#[$doc:meta])* $field:ident: $ty:ty = $name:literal, $zero:expr;)*) => {
        /// What TCP and IP read on their way. Units are those of ip-sysctl.
        #[derive(Clone, Debug)]
        #[allow(missing_docs, reason = "each is the sysctl of its name: hearken_abi::sysctl documents it")]
        pub struct Sysctls {
            $($(#[$doc])* pub $field: $ty,)*
        }

        impl Default for Sysctls {
            fn default() -> Self {
                let mut s = Self { $($field: $zero,)* };
                $(if let Some(spec) = sysctl::find($name) {
                    match spec.default {
                        Value::Int(v) => s.$field.store(0, v),
                        Value::Ints(vs) => vs.iter().enumerate().for_each(|(i, &v)| s.$field.store(i, v)),
                        Value::Text(_) => {}
                    }
                })*
                s
            }
        }

        impl Sysctls {
            /// Every name that has a meaning here.
            pub const NAMES: &[&str] = &[$($name),*];

            fn field(&mut self, name: &str) -> Option<&mut dyn Field> {
                match name {
                    $($name => Some(&mut self.$field),)*
                    _ => None,
                }
            }

            /// The value as /proc/sys prints it.
            pub fn value(&self, name: &str) -> Result<String, SysctlError> {
                let mut out = String::new();
                match name {
                    $($name => self.$field.print(&mut out),)*
                    _ => return Err(SysctlError::Unknown),
                }
                Ok(out)
            }
        }
    };
}

sysctls! {
    somaxconn: u32 = "net.core.somaxconn", 0;
    optmem_max: u32 = "net.core.optmem_max", 0;
    txrehash: u8 = "net.core.txrehash", 0;
    rmem_max: u32 = "net.core.rmem_max", 0;
    wmem_max: u32 = "net.core.wmem_max", 0;
    tcp_max_syn_backlog: i32 = "net.ipv4.tcp_max_syn_backlog", 0;
    tcp_syncookies: u8 = "net.ipv4.tcp_syncookies", 0;
    tcp_syn_linear_timeouts: u8 = "net.ipv4.tcp_syn_linear_timeouts", 0;
    tcp_syn_retries: u8 = "net.ipv4.tcp_syn_retries", 0;
    tcp_synack_retries: u8 = "net.ipv4.tcp_synack_retries", 0;
    tcp_retries2: u8 = "net.ipv4.tcp_retries2", 0;
    tcp_orphan_retries: u8 = "net.ipv4.tcp_orphan_retries", 0;
    tcp_abort_on_overflow: u8 = "net.ipv4.tcp_abort_on_overflow", 0;
    tcp_migrate_req: u8 = "net.ipv4.tcp_migrate_req", 0;
    tcp_fastopen: i32 = "net.ipv4.tcp_fastopen", 0;
    tcp_invalid_ratelimit: u32 = "net.ipv4.tcp_invalid_ratelimit", 0;
    tcp_timestamps: u8 = "net.ipv4.tcp_timestamps", 0;
    tcp_stdurg: u8 = "net.ipv4.tcp_stdurg", 0;
    tcp_sack: u8 = "net.ipv4.tcp_sack", 0;
    tcp_dsack: u8 = "net.ipv4.tcp_dsack", 0;
    tcp_moderate_rcvbuf: u8 = "net.ipv4.tcp_moderate_rcvbuf", 0;
    tcp_shrink_window: u8 = "net.ipv4.tcp_shrink_window", 0;
    tcp_app_win: u8 = "net.ipv4.tcp_app_win", 0;
    tcp_workaround_signed_windows: u8 = "net.ipv4.tcp_workaround_signed_windows", 0;
    tcp_pingpong_thresh: u8 = "net.ipv4.tcp_pingpong_thresh", 0;
    tcp_comp_sack_delay_ns: u64 = "net.ipv4.tcp_comp_sack_delay_ns", 0;
    tcp_comp_sack_nr: u8 = "net.ipv4.tcp_comp_sack_nr", 0;
    tcp_window_scaling: u8 = "net.ipv4.tcp_window_scaling", 0;
    tcp_rto_max_ms: u32 = "net.ipv4.tcp_rto_max_ms", 0;
    tcp_min_snd_mss: u32 = "net.ipv4.tcp_min_snd_mss", 0;
    tcp_no_metrics_save: u8 = "net.ipv4.tcp_no_metrics_save", 0;
    tcp_fin_timeout: u32 = "net.ipv4.tcp_fin_timeout", 0;
    tcp_keepalive_time: u32 = "net.ipv4.tcp_keepalive_time", 0;
    tcp_keepalive_intvl: u32 = "net.ipv4.tcp_keepalive_intvl", 0;
    tcp_keepalive_probes: u32 = "net.ipv4.tcp_keepalive_probes", 0;
    tcp_max_tw_buckets: u32 = "net.ipv4.tcp_max_tw_buckets", 0;
    tcp_notsent_lowat: u32 = "net.ipv4.tcp_notsent_lowat", 0;
    tcp_reflect_tos: u8 = "net.ipv4.tcp_reflect_tos", 0;
    tcp_ecn: u8 = "net.ipv4.tcp_ecn", 0;
    tcp_ecn_fallback: u8 = "net.ipv4.tcp_ecn_fallback", 0;
    tcp_congestion_control: Congestion = "net.ipv4.tcp_congestion_control", Congestion::default();
    tcp_available_congestion_control: Congestions = "net.ipv4.tcp_available_congestion_control", Congestions;
    tcp_allowed_congestion_control: Congestions = "net.ipv4.tcp_allowed_congestion_control", Congestions;
    tcp_rmem: [u32; 3] = "net.ipv4.tcp_rmem", [0; 3];
    tcp_wmem: [u32; 3] = "net.ipv4.tcp_wmem", [0; 3];
    ip_local_port_range: [u16; 2] = "net.ipv4.ip_local_port_range", [0; 2];
    ip_local_reserved_ports: PortSet = "net.ipv4.ip_local_reserved_ports", PortSet::default();
    ip_unprivileged_port_start: u16 = "net.ipv4.ip_unprivileged_port_start", 0;
    ip_autobind_reuse: u8 = "net.ipv4.ip_autobind_reuse", 0;
    ip_nonlocal_bind: u8 = "net.ipv4.ip_nonlocal_bind", 0;
    ip_default_ttl: u8 = "net.ipv4.ip_default_ttl", 0;
    ip6_nonlocal_bind: u8 = "net.ipv6.ip_nonlocal_bind", 0;
    bindv6only: u8 = "net.ipv6.bindv6only", 0;
    mptcp_enabled: u8 = "net.mptcp.enabled", 0;
}

const RANGE: &str = "net.ipv4.ip_local_port_range";

impl Sysctls {
    /// Sets `name` from text as a write to /proc/sys does. Text, or a number out of bounds, is
    /// [`SysctlError::Invalid`]; nothing at all changes nothing.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SysctlError> {
        let spec = sysctl::find(name).ok_or(SysctlError::Unknown)?;
        let mut next = self.clone();
        let field = next.field(name).ok_or(SysctlError::Unknown)?;
        if text.is_empty() {
            return Ok(());
        }
        let done = field.read(spec, text);
        if done.is_err() {
            // Several numbers are stored one by one, but for the range of ports.
            if name != RANGE {
                *self = next;
            }
            return done;
        }
        // docs/linux 32: reversed, zero, or below the privileged ports.
        let [low, high] = next.ip_local_port_range;
        if low == 0 || low > high || low < next.ip_unprivileged_port_start {
            return Err(SysctlError::Invalid);
        }
        *self = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_specification_has_a_field() {
        let missing = sysctl::SPECS.iter().map(|s| s.name);
        let mut missing = missing.filter(|n| !Sysctls::NAMES.contains(n));
        // The key is a secret, kept where it is used and not among the values.
        assert_eq!(missing.next(), Some("net.ipv4.tcp_fastopen_key"));
        assert_eq!(missing.next(), None);
    }

    #[test]
    fn every_field_has_a_specification() {
        for name in Sysctls::NAMES {
            assert!(sysctl::find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn congestion_control_is_a_name_up_to_the_line_s_end() {
        const NAME: &str = "net.ipv4.tcp_congestion_control";
        let mut s = Sysctls::default();
        assert_eq!(s.value(NAME).unwrap(), "cubic");
        for good in ["reno", "reno\n", "reno\ncubic", "reno\0x"] {
            s = Sysctls::default();
            assert_eq!(
                (s.set(NAME, good), s.value(NAME)),
                (Ok(()), Ok("reno".into())),
                "{good:?}"
            );
        }
        for bad in [
            " reno",
            "reno cubic",
            "\nreno",
            " ",
            "\n",
            "Reno",
            "vegas",
            "reno,cubic",
        ] {
            assert_eq!(s.set(NAME, bad), Err(SysctlError::NotThere), "{bad:?}");
        }
        assert_eq!(s.set(NAME, ""), Ok(()));
        assert_eq!(s.value(NAME).unwrap(), "reno");
        for list in [
            "net.ipv4.tcp_available_congestion_control",
            "net.ipv4.tcp_allowed_congestion_control",
        ] {
            assert_eq!(s.value(list).unwrap(), "reno cubic");
            assert_eq!(s.set(list, "reno"), Err(SysctlError::ReadOnly));
        }
    }

    #[test]
    fn defaults_are_linux_s() {
        let s = Sysctls::default();
        assert_eq!(
            (s.somaxconn, s.tcp_synack_retries, s.tcp_rmem),
            (4096, 5, [4096, 131072, 6291456])
        );
        assert_eq!(
            s.value("net.ipv4.ip_local_port_range").unwrap(),
            "32768\t60999"
        );
    }

    #[test]
    fn set_out_of_bounds_changes_nothing() {
        let mut s = Sysctls::default();
        for bad in ["-1", "2147483648", "x", " ", "7x", "+5", "08", "0x"] {
            assert_eq!(
                s.set("net.core.somaxconn", bad),
                Err(SysctlError::Invalid),
                "{bad}"
            );
        }
        for bad in ["40000 30000", "0 100", "500 60000"] {
            assert_eq!(
                s.set("net.ipv4.ip_local_port_range", bad),
                Err(SysctlError::Invalid),
                "{bad}"
            );
        }
        assert_eq!(s.somaxconn, 4096);
        assert_eq!(s.set("net.core.somaxconn", "7"), Ok(()));
        assert_eq!(s.somaxconn, 7);
        for (odd, want) in [
            ("8 9", 8),
            ("0x10", 16),
            ("010", 8),
            (" 5 \n", 5),
            ("", 5),
            ("-0", 0),
        ] {
            assert_eq!(s.set("net.core.somaxconn", odd), Ok(()), "{odd}");
            assert_eq!(s.somaxconn, want, "{odd}");
        }
        let range = "net.ipv4.ip_local_port_range";
        for (text, want) in [("5000", [5000, 60999]), ("5001 6000 7", [5001, 6000])] {
            assert_eq!(s.set(range, text), Ok(()));
            assert_eq!(s.ip_local_port_range, want);
        }
        assert_eq!(s.set(range, "5002 70000"), Err(SysctlError::Invalid));
        assert_eq!(s.ip_local_port_range, [5001, 6000]);
        let rmem = "net.ipv4.tcp_rmem";
        assert_eq!(s.set(rmem, "5000 0 1"), Err(SysctlError::Invalid));
        assert_eq!(s.tcp_rmem, [5000, 131072, 6291456]);
        assert_eq!(s.set("net.no.such", "7"), Err(SysctlError::Unknown));
    }
}
