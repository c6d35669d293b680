//! The seccomp filter: which system calls of the program become notifications.
//!
//! It lets through all that a socketpair end does as TCP would, and notifies of the rest. A filter
//! sees registers only, never memory, so what `struct msghdr` says (an address in sendmsg, ancillary
//! data) stays the kernel's.

use crate::sys::seccomp::Instruction;

/// `AUDIT_ARCH_X86_64`: EM_X86_64, 64 bit, little endian.
pub const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
/// The bit in the system call number that marks the x32 entry point.
pub const X32_SYSCALL_BIT: u32 = 0x4000_0000;

/// The MSG_ flags with which a stream socketpair does not behave as TCP (it accepts OOB, FASTOPEN and
/// ZEROCOPY, fails recv(NULL, n, MSG_TRUNC), and ERRQUEUE would read data).
pub const TRAPPED_FLAGS: u32 = (libc::MSG_TRUNC
    | libc::MSG_OOB
    | libc::MSG_ERRQUEUE
    | libc::MSG_FASTOPEN
    | libc::MSG_ZEROCOPY) as u32;

/// `SIOCOUTQNSD` of linux/sockios.h.
pub const SIOCOUTQNSD: u32 = 0x894b;
/// `SIOCOUTQ`, which is TIOCOUTQ: a terminal's is notified too and continued.
pub const SIOCOUTQ: u32 = libc::TIOCOUTQ as u32;

/// Notified whatever their arguments are.
pub const ALWAYS: [i64; 11] = [
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    // Its flags are in memory, where a filter sees nothing.
    libc::SYS_openat2,
];

/// What an open(2) with one of these flags opens is not the text of a file under /proc: such a call is let through, the others are
/// notified, because a filter cannot see the path.
pub const NOT_TO_READ: u32 =
    (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_DIRECTORY | libc::O_PATH) as u32;

/// io_uring does its operations without any seccomp check, so there is none here.
pub const REFUSED: [i64; 3] = [
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

// linux/bpf_common.h
const LD_W_ABS: u16 = 0x20;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;
const RET: u16 = 0x06;

// Offsets in struct seccomp_data, little endian.
const NR: u32 = 0;
const ARCH: u32 = 4;
const fn low(arg: u32) -> u32 {
    16 + 8 * arg
}
const fn high(arg: u32) -> u32 {
    low(arg) + 4
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Label {
    Socket,
    Ioctl,
    /// sendto, recvfrom: flags in argument 3, address in argument 4.
    Address,
    /// sendmsg, recvmsg: flags in argument 2.
    Flags2,
    /// sendmmsg, recvmmsg: flags in argument 3.
    Flags3,
    /// open: flags in argument 1.
    Open,
    /// openat: flags in argument 2.
    OpenAt,
    Allow,
    Notify,
    Enosys,
}

enum Item {
    Load(u32),
    /// Goes to the label if the test holds, else on to the next item.
    If(u16, u32, Label),
    /// Goes to the label if the test fails, else on to the next item.
    Unless(u16, u32, Label),
    Return(u32),
    Mark(Label),
}

/// The program, ready for [`crate::sys::seccomp::install`].
pub fn program() -> Vec<Instruction> {
    use Item::*;
    let nr = |n: i64| n as u32;
    let mut items = vec![
        Load(ARCH),
        // i386 has other numbers (and socketcall): refused, so that nothing slips by.
        Unless(JEQ, AUDIT_ARCH_X86_64, Label::Enosys),
        Load(NR),
        If(JGE, X32_SYSCALL_BIT, Label::Enosys),
        If(JEQ, nr(libc::SYS_sendto), Label::Address),
        If(JEQ, nr(libc::SYS_recvfrom), Label::Address),
        If(JEQ, nr(libc::SYS_sendmsg), Label::Flags2),
        If(JEQ, nr(libc::SYS_recvmsg), Label::Flags2),
        If(JEQ, nr(libc::SYS_ioctl), Label::Ioctl),
        If(JEQ, nr(libc::SYS_socket), Label::Socket),
        If(JEQ, nr(libc::SYS_openat), Label::OpenAt),
        If(JEQ, nr(libc::SYS_open), Label::Open),
        If(JEQ, nr(libc::SYS_sendmmsg), Label::Flags3),
        If(JEQ, nr(libc::SYS_recvmmsg), Label::Flags3),
    ];
    items.extend(ALWAYS.map(|n| If(JEQ, nr(n), Label::Notify)));
    items.extend(REFUSED.map(|n| If(JEQ, nr(n), Label::Enosys)));
    items.extend([
        Mark(Label::Allow),
        Return(libc::SECCOMP_RET_ALLOW),
        Mark(Label::Address),
        // Both halves of the pointer: one may be zero.
        Load(low(4)),
        Unless(JEQ, 0, Label::Notify),
        Load(high(4)),
        Unless(JEQ, 0, Label::Notify),
        Mark(Label::Flags3),
        Load(low(3)),
        If(JSET, TRAPPED_FLAGS, Label::Notify),
        Return(libc::SECCOMP_RET_ALLOW),
        Mark(Label::Flags2),
        Load(low(2)),
        If(JSET, TRAPPED_FLAGS, Label::Notify),
        Return(libc::SECCOMP_RET_ALLOW),
        Mark(Label::Open),
        Load(low(1)),
        Unless(JSET, NOT_TO_READ, Label::Notify),
        Return(libc::SECCOMP_RET_ALLOW),
        Mark(Label::OpenAt),
        Load(low(2)),
        Unless(JSET, NOT_TO_READ, Label::Notify),
        Return(libc::SECCOMP_RET_ALLOW),
        Mark(Label::Socket),
        // The kernel takes an int: the upper half does not count.
        Load(low(0)),
        If(JEQ, libc::AF_INET as u32, Label::Notify),
        If(JEQ, libc::AF_INET6 as u32, Label::Notify),
        Return(libc::SECCOMP_RET_ALLOW),
        Mark(Label::Ioctl),
        Load(low(1)),
        If(JEQ, SIOCOUTQ, Label::Notify),
        If(JEQ, SIOCOUTQNSD, Label::Notify),
        Return(libc::SECCOMP_RET_ALLOW),
        Mark(Label::Notify),
        Return(libc::SECCOMP_RET_USER_NOTIF),
        Mark(Label::Enosys),
        Return(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ]);
    assemble(&items)
}

/// Resolves the labels; a jump forward of more than 255 would be our own mistake.
fn assemble(items: &[Item]) -> Vec<Instruction> {
    let mut marks = Vec::new();
    let mut at = 0usize;
    for item in items {
        match item {
            Item::Mark(label) => marks.push((*label, at)),
            _ => at += 1,
        }
    }
    let skip = |from: usize, to: Label| {
        let (_, target) = *marks
            .iter()
            .find(|(l, _)| *l == to)
            .expect("label is marked");
        u8::try_from(target - from - 1).expect("jump is short and forward")
    };
    let mut out = Vec::with_capacity(at);
    for item in items {
        let here = out.len();
        let (code, jt, jf, k) = match *item {
            Item::Load(offset) => (LD_W_ABS, 0, 0, offset),
            Item::If(test, k, to) => (test, skip(here, to), 0, k),
            Item::Unless(test, k, to) => (test, 0, skip(here, to), k),
            Item::Return(value) => (RET, 0, 0, value),
            Item::Mark(_) => continue,
        };
        out.push(Instruction { code, jt, jf, k });
    }
    out
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
