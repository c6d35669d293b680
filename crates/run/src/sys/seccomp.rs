//! Installing a filter, and asking the kernel what its seccomp can do.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// One instruction of classic BPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation and addressing mode.
    pub code: u16,
    /// Instructions to skip if the jump's test holds.
    pub jt: u8,
    /// Instructions to skip if it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

/// Installs `program` on the calling thread and returns its notify descriptor (close-on-exec).
///
/// The caller must have set no_new_privs. WAIT_KILLABLE_RECV is not set, on purpose: it would keep
/// signals from interrupting accept and connect.
pub fn install(program: &[Instruction]) -> io::Result<OwnedFd> {
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let prog = libc::sock_fprog {
        len,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: `prog` describes `program`, whose type has sock_filter's layout (asserted below) and
    // which the kernel only reads.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const prog,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

const _: () = assert!(
    size_of::<Instruction>() == size_of::<libc::sock_filter>()
        && align_of::<Instruction>() == align_of::<libc::sock_filter>()
);

/// Whether the kernel knows an action (`SECCOMP_RET_...`).
pub fn action_available(action: u32) -> io::Result<()> {
    // SAFETY: the kernel reads one u32 at the pointer.
    let r = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    };
    if r < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The sizes of the kernel's notification, response and data structs.
pub fn notification_sizes() -> io::Result<[u16; 3]> {
    let mut sizes = [0u16; 3];
    // SAFETY: the kernel writes three u16, struct seccomp_notif_sizes.
    let r = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_NOTIF_SIZES,
            0,
            sizes.as_mut_ptr(),
        )
    };
    if r < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(sizes)
}

/// The sizes that this crate was built for.
pub const NOTIFICATION_SIZES: [u16; 3] = [
    size_of::<libc::seccomp_notif>() as u16,
    size_of::<libc::seccomp_notif_resp>() as u16,
    size_of::<libc::seccomp_data>() as u16,
];
