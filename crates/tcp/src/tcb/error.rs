//! What went wrong with a connection, as its program hears of it.

/// A pending socket error, as `SO_ERROR` and the next call report it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SoError {
    /// A reset answered our SYN.
    Refused = 1,
    /// A reset ended the connection.
    Reset,
    /// Data or SYN went unanswered for too long.
    TimedOut,
    /// ICMP host unreachable, or the route says so.
    HostUnreach,
    /// ICMP network unreachable.
    NetUnreach,
    /// ICMP protocol unreachable.
    NoProtoOpt,
    /// ICMP: communication administratively prohibited.
    Access,
    /// A reset came after the peer had closed.
    Pipe,
    /// ICMP parameter problem.
    Protocol,
}

impl SoError {
    pub(crate) const fn from_number(n: u8) -> Option<Self> {
        Some(match n {
            1 => Self::Refused,
            2 => Self::Reset,
            3 => Self::TimedOut,
            4 => Self::HostUnreach,
            5 => Self::NetUnreach,
            6 => Self::NoProtoOpt,
            7 => Self::Access,
            8 => Self::Pipe,
            9 => Self::Protocol,
            _ => return None,
        })
    }
}
