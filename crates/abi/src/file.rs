//! The numbers of open files on x86-64, and those of ancillary data and of `tcp_info` that scripts and programs name.

use crate::sock::consts;

consts! {
    // Flags of `open(2)`.
    i32 {
        O_RDONLY = 0,
        O_WRONLY = 1,
        O_RDWR = 2,
        O_ACCMODE = 3,
        O_CREAT = 0o100,
        O_EXCL = 0o200,
        O_NOCTTY = 0o400,
        O_TRUNC = 0o1000,
        O_APPEND = 0o2000,
        O_NONBLOCK = 0o4000,
        O_NDELAY = 0o4000,
        O_DSYNC = 0o10000,
        O_ASYNC = 0o20000,
        O_DIRECT = 0o40000,
        O_DIRECTORY = 0o200000,
        O_NOFOLLOW = 0o400000,
        O_NOATIME = 0o1000000,
        O_CLOEXEC = 0o2000000,
        O_PATH = 0o10000000,
    }

    // Commands of `fcntl(2)`.
    i32 {
        F_DUPFD = 0,
        F_GETFD = 1,
        F_SETFD = 2,
        F_GETFL = 3,
        F_SETFL = 4,
        F_SETOWN = 8,
        F_GETOWN = 9,
        F_SETSIG = 10,
        F_GETSIG = 11,
        F_DUPFD_CLOEXEC = 1030,
        F_SETPIPE_SZ = 1031,
        F_GETPIPE_SZ = 1032,
        FD_CLOEXEC = 1,
    }

    // Flags of `splice(2)`.
    i32 {
        SPLICE_F_MOVE = 1,
        SPLICE_F_NONBLOCK = 2,
        SPLICE_F_MORE = 4,
        SPLICE_F_GIFT = 8,
    }

    // Types of ancillary data.
    i32 {
        SCM_RIGHTS = 1,
        SCM_CREDENTIALS = 2,
        SCM_TIMESTAMP = 29,
        SCM_TIMESTAMPNS = 35,
        SCM_TIMESTAMPING = 37,
        SCM_TIMESTAMPING_OPT_STATS = 54,
        SCM_TXTIME = 61,
        TCP_CM_INQ = 36,
        SCM_TSTAMP_SND = 0,
        SCM_TSTAMP_SCHED = 1,
        SCM_TSTAMP_ACK = 2,
    }

    // `SO_TIMESTAMPING` flags.
    i32 {
        SOF_TIMESTAMPING_TX_HARDWARE = 0x1,
        SOF_TIMESTAMPING_TX_SOFTWARE = 0x2,
        SOF_TIMESTAMPING_RX_HARDWARE = 0x4,
        SOF_TIMESTAMPING_RX_SOFTWARE = 0x8,
        SOF_TIMESTAMPING_SOFTWARE = 0x10,
        SOF_TIMESTAMPING_SYS_HARDWARE = 0x20,
        SOF_TIMESTAMPING_RAW_HARDWARE = 0x40,
        SOF_TIMESTAMPING_OPT_ID = 0x80,
        SOF_TIMESTAMPING_TX_SCHED = 0x100,
        SOF_TIMESTAMPING_TX_ACK = 0x200,
        SOF_TIMESTAMPING_OPT_CMSG = 0x400,
        SOF_TIMESTAMPING_OPT_TSONLY = 0x800,
        SOF_TIMESTAMPING_OPT_STATS = 0x1000,
        SOF_TIMESTAMPING_OPT_PKTINFO = 0x2000,
        SOF_TIMESTAMPING_OPT_TX_SWHW = 0x4000,
        SOF_TIMESTAMPING_BIND_PHC = 0x8000,
        SOF_TIMESTAMPING_OPT_ID_TCP = 0x10000,
        SOF_TIMESTAMPING_OPT_RX_FILTER = 0x20000,
    }

    // Extended errors of `MSG_ERRQUEUE`.
    i32 {
        SO_EE_ORIGIN_NONE = 0,
        SO_EE_ORIGIN_LOCAL = 1,
        SO_EE_ORIGIN_ICMP = 2,
        SO_EE_ORIGIN_ICMP6 = 3,
        SO_EE_ORIGIN_TXSTATUS = 4,
        SO_EE_ORIGIN_TIMESTAMPING = 4,
        SO_EE_ORIGIN_ZEROCOPY = 5,
        SO_EE_ORIGIN_TXTIME = 6,
        SO_EE_CODE_ZEROCOPY_COPIED = 1,
    }

    // `tcpi_options` and `tcpi_ca_state`.
    i32 {
        TCPI_OPT_TIMESTAMPS = 1,
        TCPI_OPT_SACK = 2,
        TCPI_OPT_WSCALE = 4,
        TCPI_OPT_ECN = 8,
        TCPI_OPT_ECN_SEEN = 16,
        TCPI_OPT_SYN_DATA = 32,
        TCPI_OPT_USEC_TS = 64,
        TCPI_OPT_TFO_CHILD = 128,
    }

    // States of a connection, as `tcpi_state` has them.
    i32 {
        TCP_ESTABLISHED = 1,
        TCP_SYN_SENT = 2,
        TCP_SYN_RECV = 3,
        TCP_FIN_WAIT1 = 4,
        TCP_FIN_WAIT2 = 5,
        TCP_TIME_WAIT = 6,
        TCP_CLOSE = 7,
        TCP_CLOSE_WAIT = 8,
        TCP_LAST_ACK = 9,
        TCP_LISTEN = 10,
        TCP_CLOSING = 11,
        TCP_NEW_SYN_RECV = 12,
    }

    // Addresses.
    u32 {
        INADDR_ANY = 0,
        INADDR_LOOPBACK = 0x7f00_0001,
    }
}

/// Names of [`crate::file`] that Rust would not take for constants: states of congestion control.
pub const CA_STATES: &[(&str, i64)] = &[
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
];
