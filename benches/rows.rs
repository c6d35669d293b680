//! The rows: what is done, by whom, how often.

use crate::goals::{Goal, goal};
use crate::meter::Meter;
use crate::ours::{bulk, connections, packets, resident};
#[cfg(feature = "peers")]
use crate::peers::{linux, smol};

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// CPU nanoseconds for one operation.
    Nanos,
    /// Bytes of memory for one record.
    Bytes,
    /// Gbit/s for one core.
    Gbits,
}

/// Does `n` operations; the value of one.
pub(crate) type Case = fn(&mut Meter, u64) -> Result<f64, String>;

#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) who: &'static str,
    pub(crate) operations: u64,
    pub(crate) case: Case,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unit: Unit,
    pub(crate) goal: Option<Goal>,
    /// Ours first.
    pub(crate) subjects: Vec<Subject>,
}

fn row(
    name: &'static str,
    what: &'static str,
    unit: Unit,
    goal: Option<Goal>,
    operations: u64,
    case: Case,
) -> Row {
    let who = "hearken";
    Row {
        name,
        what,
        unit,
        goal,
        subjects: vec![Subject {
            who,
            operations,
            case,
        }],
    }
}

#[cfg(feature = "peers")]
impl Row {
    fn peer(mut self, who: &'static str, operations: u64, case: Case) -> Self {
        self.subjects.push(Subject {
            who,
            operations,
            case,
        });
        self
    }
}

#[cfg(feature = "peers")]
const SMOLTCP: &str = "smoltcp 0.14";
#[cfg(feature = "peers")]
const LINUX: &str = "Linux loopback";

/// Every row.
pub(crate) fn all() -> Vec<Row> {
    use Unit::{Bytes, Gbits, Nanos};
    let rows = vec![
        row(
            "rst",
            "connect, accept, readiness on both sides, RST; checksums on; both ends",
            Nanos,
            goal("G1", 400.0),
            100_000,
            connections::rst,
        ),
        row(
            "fin",
            "the same with FIN both ways and TIME_WAIT",
            Nanos,
            goal("G2", 620.0),
            100_000,
            connections::fin,
        ),
        row(
            "listeners-1",
            "as rst, one listener",
            Nanos,
            None,
            50_000,
            connections::one_listener,
        ),
        row(
            "listeners-100000",
            "as rst, a random one of 100,000 listeners (smoltcp: of 4,096; Linux: of 10,000)",
            Nanos,
            None,
            50_000,
            connections::many_listeners,
        ),
        row(
            "syn-cookie",
            "SYN to SYN-ACK with a cookie",
            Nanos,
            goal("G5", 100.0),
            1 << 18,
            packets::cookie,
        ),
        row(
            "syn-queue",
            "SYN to queue insert and SYN-ACK, at most 1,024 half-open",
            Nanos,
            goal("G6", 130.0),
            1 << 18,
            packets::syn_ack,
        ),
        row(
            "syn-queue-1m",
            "the same from 900,000 to 1,000,000 half-open",
            Nanos,
            goal("G6", 300.0),
            100_000,
            packets::syn_ack_1m,
        ),
        row(
            "syn-rst",
            "SYN to a closed port, RST",
            Nanos,
            goal("G7", 70.0),
            1 << 18,
            packets::closed,
        ),
        row(
            "syn-drop",
            "SYN to a listener with both queues full, no cookies",
            Nanos,
            goal("G7", 45.0),
            1 << 18,
            packets::dropped,
        ),
        row(
            "bytes-half-open",
            "memory for a half-open connection, 1,000,000 of them",
            Bytes,
            goal("G8", 80.0),
            1_000_000,
            resident::half_open,
        ),
        row(
            "bytes-idle",
            "memory for an idle established endpoint that was accepted and never carried data",
            Bytes,
            goal("G9", 160.0),
            200_000,
            resident::idle,
        ),
        row(
            "bytes-idle-used",
            "memory for an idle endpoint that carried 1,000 bytes each way",
            Bytes,
            goal("G9", 384.0),
            10_000,
            resident::used,
        ),
        row(
            "handshakes",
            "SYN, SYN-ACK, ACK, accept; 200,000 that stay; the client is a stateless generator",
            Nanos,
            goal("G10", 1000.0),
            200_000,
            resident::build,
        ),
        row(
            "bulk-1500",
            "send_with to recv_with over frames of at most 1,500 bytes, checksums on",
            Gbits,
            goal("G12", 65.0),
            4096,
            bulk::mtu_1500,
        ),
        row(
            "bulk-1500-nocsum",
            "the same, checksums left to the device",
            Gbits,
            goal("G12", 105.0),
            4096,
            bulk::mtu_1500_offload,
        ),
        row(
            "bulk-64k",
            "send_with to recv_with over super-frames of 64 KB, checksums on",
            Gbits,
            goal("G13", 72.0),
            4096,
            bulk::super_frames,
        ),
        row(
            "bulk-64k-nocsum",
            "the same, checksums left to the device",
            Gbits,
            goal("G13", 145.0),
            4096,
            bulk::super_frames_offload,
        ),
    ];
    #[cfg(feature = "peers")]
    let rows = rows.into_iter().map(with_peers).collect();
    rows
}

#[cfg(feature = "peers")]
fn with_peers(row: Row) -> Row {
    match row.name {
        "rst" => row
            .peer(SMOLTCP, 100_000, smol::rst)
            .peer(LINUX, 3_000, linux::rst),
        "fin" => row
            .peer(SMOLTCP, 100_000, smol::fin)
            .peer(LINUX, 2_000, linux::fin),
        "listeners-1" => {
            row.peer(SMOLTCP, 50_000, smol::rst)
                .peer(LINUX, 3_000, linux::one_listener)
        }
        "listeners-100000" => {
            row.peer(SMOLTCP, 2_000, smol::rst_of_4096)
                .peer(LINUX, 3_000, linux::many_listeners)
        }
        "syn-queue" => row.peer(SMOLTCP, 1 << 16, smol::syn_ack),
        "syn-rst" => row.peer(SMOLTCP, 1 << 18, smol::closed),
        "bytes-idle" => row.peer(SMOLTCP, 1_000, smol::idle_bytes),
        "bulk-1500" => row.peer(SMOLTCP, 4096, smol::mtu_1500),
        "bulk-1500-nocsum" => row.peer(SMOLTCP, 4096, smol::mtu_1500_offload),
        "bulk-64k" => row.peer(SMOLTCP, 4096, smol::mtu_65535),
        "bulk-64k-nocsum" => {
            row.peer(SMOLTCP, 4096, smol::mtu_65535_offload)
                .peer(LINUX, 4096, linux::bulk)
        }
        _ => row,
    }
}
