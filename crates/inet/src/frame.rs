//! Frames in and out: batches of borrowed slices, with what an offloading device says of them.

/// What the device says of the checksum of a received frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RxCsum {
    /// Not looked at: it will be verified.
    #[default]
    Unknown,
    /// Verified by the device.
    Valid,
    /// Never computed, since the frame did not leave this machine (virtio `NEEDS_CSUM`): trusted.
    Partial,
}

/// What the device says of a received frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RxMeta {
    /// The transport checksum.
    pub csum: RxCsum,
    /// Payload of one segment when the frame is several in one, else 0.
    pub gso_size: u16,
}

/// A received IP packet. `head` holds at least all the headers; the rest of the payload may lie in `body`.
#[derive(Clone, Copy, Debug)]
pub struct RxFrame<'a> {
    /// What the device says.
    pub meta: RxMeta,
    /// The beginning of the packet.
    pub head: &'a [u8],
    /// The rest, at most 16 pieces.
    pub body: &'a [&'a [u8]],
}

/// What the transport checksum of a frame to be sent needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TxCsum {
    /// Nothing: it is right.
    #[default]
    Done,
    /// The sum from `start` to the end goes to `start + offset`; the pseudo-header's part stands there already.
    Partial {
        /// Where the transport header begins.
        start: u16,
        /// Where in it the checksum stands.
        offset: u16,
    },
}

/// What a device must do with a frame to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TxMeta {
    /// The transport checksum.
    pub csum: TxCsum,
    /// Payload of one segment when the frame is to be cut into several, else 0.
    pub gso_size: u16,
    /// A hash of the flow, for queue selection.
    pub flow: u32,
}

/// What a device can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxCaps {
    /// It completes transport checksums.
    pub csum: bool,
    /// The largest IP packet that it takes as a super-frame, 0 if it cannot cut (no TSO).
    pub max_gso: u32,
}

/// Where frames go.
pub trait TxSink {
    /// What the device can do.
    fn caps(&self) -> TxCaps;
    /// How many more frames it takes now.
    fn room(&self) -> usize;
    /// Takes a frame: `head` holds all the headers, `body` the payload. Called only while `room` is not 0.
    fn send(&mut self, meta: &TxMeta, head: &[u8], body: &[&[u8]]);
}

/// How far a transmission came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Nothing more to send.
    Idle,
    /// More waits: call again.
    More,
    /// The sink is full; more waits.
    SinkFull,
}
