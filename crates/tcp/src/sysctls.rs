//! The sysctl values of one namespace, set and read by name with Linux's bounds.

use alloc::string::String;
use core::fmt::Write as _;
use hearken_abi::sysctl::{self, Value};

/// Why a sysctl was not set or read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SysctlError {
    /// There is no such name: ENOENT.
    Unknown,
    /// The text is no number, or out of bounds: EINVAL.
    Invalid,
}

/// A field that a sysctl's text goes to.
trait Field {
    fn store(&mut self, at: usize, v: i64);
    fn print(&self, out: &mut String);
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
scalar!(u8, u16, u32, i32);
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
    tcp_sack: u8 = "net.ipv4.tcp_sack", 0;
    tcp_dsack: u8 = "net.ipv4.tcp_dsack", 0;
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
    tcp_ecn: u8 = "net.ipv4.tcp_ecn", 0;
    tcp_ecn_fallback: u8 = "net.ipv4.tcp_ecn_fallback", 0;
    tcp_rmem: [u32; 3] = "net.ipv4.tcp_rmem", [0; 3];
    tcp_wmem: [u32; 3] = "net.ipv4.tcp_wmem", [0; 3];
    ip_local_port_range: [u16; 2] = "net.ipv4.ip_local_port_range", [0; 2];
    ip_unprivileged_port_start: u16 = "net.ipv4.ip_unprivileged_port_start", 0;
    ip_autobind_reuse: u8 = "net.ipv4.ip_autobind_reuse", 0;
    ip_nonlocal_bind: u8 = "net.ipv4.ip_nonlocal_bind", 0;
    ip_default_ttl: u8 = "net.ipv4.ip_default_ttl", 0;
    bindv6only: u8 = "net.ipv6.bindv6only", 0;
}

impl Sysctls {
    /// Sets `name` from text as a write to /proc/sys does. Numbers are decimal, separated by blanks; more or fewer
    /// than the sysctl has, text, or a number out of bounds is [`SysctlError::Invalid`] and changes nothing.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SysctlError> {
        let spec = sysctl::find(name).ok_or(SysctlError::Unknown)?;
        let mut next = self.clone();
        let field = next.field(name).ok_or(SysctlError::Unknown)?;
        let mut n = 0;
        for word in text.split_whitespace() {
            let v: i64 = word.parse().map_err(|_| SysctlError::Invalid)?;
            if v < spec.min || v > spec.max {
                return Err(SysctlError::Invalid);
            }
            field.store(n, v);
            n += 1;
        }
        let want = if let Value::Ints(vs) = spec.default {
            vs.len()
        } else {
            1
        };
        if n == 0 || n > want {
            return Err(SysctlError::Invalid);
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
    fn every_field_has_a_specification() {
        for name in Sysctls::NAMES {
            assert!(sysctl::find(name).is_some(), "{name}");
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
        for bad in ["-1", "2147483648", "x", ""] {
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
        assert_eq!(s.set("net.no.such", "7"), Err(SysctlError::Unknown));
    }
}
