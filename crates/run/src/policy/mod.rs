//! The policy of a run: which of its socket calls are refused (`--policy FILE`).
//!
//! Rules are tried in order, the first that matches decides, and a default decides the rest. Nothing here does I/O:
//! `file.rs` turns text into a [`Policy`], `crate::look` asks it at each call.

mod file;
mod value;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use hearken_abi::Errno;
use hearken_inet::SecurityCall;

pub use file::Mistake;

/// The calls that a policy can judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// bind(2): the address asked for.
    Bind,
    /// listen(2): the address the socket is bound to.
    Listen,
    /// accept(2): the address of the listener.
    Accept,
    /// connect(2): the address of the peer.
    Connect,
}

impl Call {
    /// Every call, with the name that a file gives it.
    pub const ALL: [(Call, &'static str); 4] = [
        (Call::Bind, "bind"),
        (Call::Listen, "listen"),
        (Call::Accept, "accept"),
        (Call::Connect, "connect"),
    ];
}

/// A range of addresses: `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// The address; only its first bits count.
    pub addr: IpAddr,
    /// How many.
    pub prefix: u8,
}

impl Cidr {
    /// Whether the address is in it. One of IPv4 that came by way of an IPv6 socket is one of IPv4.
    #[must_use]
    pub fn holds(self, ip: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 4),
            IpAddr::V6(v6) => (v6.to_bits(), 6),
        };
        let ((mine, family), (other, of)) = (bits(self.addr), bits(ip.to_canonical()));
        let differ = (mine ^ other)
            .checked_shr(128 - u32::from(self.prefix))
            .unwrap_or(0);
        family == of && differ == 0
    }
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Allow,
    /// It ends with this errno.
    Deny(Errno),
}

/// One rule; an empty list stands for everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What the user calls it.
    pub name: String,
    /// Where it begins in the file.
    pub line: usize,
    /// What happens.
    pub action: Action,
    /// To which calls.
    pub calls: Vec<Call>,
    /// With which addresses.
    pub addresses: Vec<Cidr>,
    /// With which ports.
    pub ports: Vec<RangeInclusive<u16>>,
}

impl Rule {
    fn matches(&self, call: Call, addr: SocketAddr) -> bool {
        fn any<T>(list: &[T], holds: impl Fn(&T) -> bool) -> bool {
            list.is_empty() || list.iter().any(holds)
        }
        any(&self.calls, |c| *c == call)
            && any(&self.addresses, |c| c.holds(addr.ip()))
            && any(&self.ports, |p| p.contains(&addr.port()))
    }
}

/// The rules of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// In order.
    pub rules: Vec<Rule>,
    /// What happens to a call that no rule matches.
    pub default: Action,
    /// The line that says so; 1 if none does.
    pub default_line: usize,
}

/// A call that is refused, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The call.
    pub call: Call,
    /// Its address.
    pub addr: SocketAddr,
    /// With what.
    pub errno: Errno,
    /// The rule's name; `None` is the default.
    pub rule: Option<&'a str>,
    /// The line of the file.
    pub line: usize,
}

impl Policy {
    /// Judges a call.
    ///
    /// # Errors
    /// The refusal. Bytes that name no address are nobody's to refuse: the protocol answers them.
    pub fn judge(&self, call: &SecurityCall) -> Result<(), Refusal<'_>> {
        let (call, addr) = match *call {
            SecurityCall::Bind { addr, .. } => (Call::Bind, addr),
            SecurityCall::Listen { local, .. } => (Call::Listen, Some(local)),
            SecurityCall::Accept { local, .. } => (Call::Accept, Some(local)),
            SecurityCall::Connect { addr, .. } => (Call::Connect, addr),
        };
        let Some(addr) = addr else { return Ok(()) };
        let rule = self.rules.iter().find(|r| r.matches(call, addr));
        match rule.map_or(self.default, |r| r.action) {
            Action::Allow => Ok(()),
            Action::Deny(errno) => Err(Refusal {
                call,
                addr,
                errno,
                rule: rule.map(|r| r.name.as_str()),
                line: rule.map_or(self.default_line, |r| r.line),
            }),
        }
    }
}

impl fmt::Display for Refusal<'_> {
    /// `bind to 0.0.0.0:80 refused with EACCES (Permission denied): line 4, rule "no privileged ports"`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, addr) = match self.call {
            Call::Bind => ("bind to", self.addr),
            Call::Listen => ("listen on", self.addr),
            Call::Accept => ("accept on", self.addr),
            Call::Connect => ("connect to", self.addr),
        };
        write!(f, "{name} {addr} refused with {}: ", self.errno)?;
        match self.rule {
            Some(rule) => write!(f, "line {}, rule \"{rule}\"", self.line),
            None => write!(f, "line {}, the default", self.line),
        }
    }
}

#[cfg(test)]
mod tests;
