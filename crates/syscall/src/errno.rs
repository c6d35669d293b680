//! From what the layers below answer to Linux's numbers: the only place where that is decided. Every match is
//! exhaustive and has no wildcard, so that a new error must be given its number here.

use hearken_abi::Errno;
use hearken_inet::{
    AcceptError, BindError, ConnectError, ListenError, Md5Error, OptError, RecvError, SendError,
    ShutdownError, SoError, SysctlError,
};

/// An error as a program sees it.
pub(crate) trait ToErrno {
    fn errno(&self) -> Errno;
}

impl ToErrno for SoError {
    fn errno(&self) -> Errno {
        match self {
            Self::Refused => Errno::ECONNREFUSED,
            Self::Reset => Errno::ECONNRESET,
            Self::TimedOut => Errno::ETIMEDOUT,
            Self::HostUnreach => Errno::EHOSTUNREACH,
            Self::NetUnreach => Errno::ENETUNREACH,
            Self::NoProtoOpt => Errno::ENOPROTOOPT,
            Self::Protocol => Errno::EPROTO,
            Self::Access => Errno::EACCES,
            Self::Pipe => Errno::EPIPE,
        }
    }
}

impl ToErrno for BindError {
    fn errno(&self) -> Errno {
        match self {
            Self::NotFresh => Errno::EINVAL,
            Self::AddrNotAvailable => Errno::EADDRNOTAVAIL,
            Self::AddrInUse => Errno::EADDRINUSE,
            Self::Permission => Errno::EACCES,
            // IPV6_V6ONLY and a v4-mapped address (docs/linux 108); other families never come this far.
            Self::WrongFamily | Self::BadAddress => Errno::EINVAL,
        }
    }
}

impl ToErrno for ListenError {
    fn errno(&self) -> Errno {
        match self {
            Self::NotUnconnected => Errno::EINVAL,
            Self::AddrInUse => Errno::EADDRINUSE,
        }
    }
}

impl ToErrno for AcceptError {
    fn errno(&self) -> Errno {
        match self {
            Self::NotListening => Errno::EINVAL,
            Self::Empty => Errno::EAGAIN,
        }
    }
}

impl ToErrno for ConnectError {
    fn errno(&self) -> Errno {
        match self {
            Self::IsConnected => Errno::EISCONN,
            Self::Already => Errno::EALREADY,
            Self::Failed(e) => e.errno(),
            Self::Aborted => Errno::ECONNABORTED,
            Self::NoRoute => Errno::ENETUNREACH,
            // __inet_check_established (6.18): a bound socket whose four-tuple lives already, like no free port at all.
            Self::AddrNotAvailable | Self::AddrInUse => Errno::EADDRNOTAVAIL,
            // A v4-mapped address on a V6ONLY socket, measured.
            Self::WrongFamily => Errno::ENETUNREACH,
            Self::OtherFamily => Errno::EAFNOSUPPORT,
            Self::BadSource => Errno::EINVAL,
            Self::NotUnicast => Errno::ENETUNREACH,
        }
    }
}

impl ToErrno for ShutdownError {
    fn errno(&self) -> Errno {
        match self {
            Self::NotConnected => Errno::ENOTCONN,
        }
    }
}

impl ToErrno for RecvError {
    fn errno(&self) -> Errno {
        match self {
            Self::WouldBlock => Errno::EAGAIN,
            Self::NotConnected => Errno::ENOTCONN,
            Self::Failed(e) => e.errno(),
        }
    }
}

impl ToErrno for SendError {
    fn errno(&self) -> Errno {
        match self {
            Self::WouldBlock => Errno::EAGAIN,
            Self::Pipe => Errno::EPIPE,
            Self::Failed(e) => e.errno(),
        }
    }
}

impl ToErrno for OptError {
    fn errno(&self) -> Errno {
        match self {
            Self::Invalid => Errno::EINVAL,
            Self::NotConnected => Errno::ENOTCONN,
            Self::Permission => Errno::EPERM,
            Self::NotThere => Errno::ENOENT,
        }
    }
}

impl ToErrno for Md5Error {
    fn errno(&self) -> Errno {
        match self {
            Self::Full => Errno::ENOMEM,
            Self::NotThere => Errno::ENOENT,
        }
    }
}

impl ToErrno for SysctlError {
    fn errno(&self) -> Errno {
        match self {
            Self::Unknown | Self::NotThere => Errno::ENOENT,
            Self::Invalid => Errno::EINVAL,
            Self::ReadOnly => Errno::EACCES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_of_a_dead_connection_is_what_the_peer_did() {
        assert_eq!(
            RecvError::Failed(SoError::Reset).errno().name(),
            "ECONNRESET"
        );
        assert_eq!(
            SendError::Failed(SoError::TimedOut).errno().name(),
            "ETIMEDOUT"
        );
        assert_eq!(
            ConnectError::Failed(SoError::Refused).errno().name(),
            "ECONNREFUSED"
        );
        assert_eq!(SendError::Pipe.errno().name(), "EPIPE");
    }

    #[test]
    fn errno_of_a_taken_tuple_is_that_of_no_free_port() {
        assert_eq!(ConnectError::AddrInUse.errno(), Errno::EADDRNOTAVAIL);
        assert_eq!(ConnectError::AddrNotAvailable.errno(), Errno::EADDRNOTAVAIL);
        assert_eq!(BindError::AddrInUse.errno(), Errno::EADDRINUSE);
        assert_eq!(ListenError::AddrInUse.errno(), Errno::EADDRINUSE);
    }
}
