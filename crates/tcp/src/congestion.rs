//! The congestion controls that can be chosen by name (TCP_CONGESTION, net.ipv4.tcp_congestion_control).

/// One of them. Both grow and cut the window as RFC 5681 says, until CUBIC (RFC 9438) has a module of its own: programs
/// and `ss` see the name that Linux has by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Congestion {
    /// RFC 5681.
    Reno,
    /// Linux's default.
    #[default]
    Cubic,
}

impl Congestion {
    /// All that are there, in the order of tcp_available_congestion_control.
    pub const ALL: [Self; 2] = [Self::Reno, Self::Cubic];

    /// `TCP_CA_NAME_MAX`, the zero byte at the end included.
    pub const NAME_MAX: usize = 16;

    /// Linux's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reno => "reno",
            Self::Cubic => "cubic",
        }
    }

    /// The one of this very name.
    pub fn find(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name().as_bytes() == name)
    }
}
