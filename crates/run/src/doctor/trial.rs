//! The trial: a child does what a program under `run` does, and we what its supervisor does.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

use super::{Step, Trial};
use crate::sys::notify::{Added, Listener};
use crate::sys::remote::{self, Memory, Tasks};
use crate::sys::{message, process, seccomp};
use crate::{enter, filter};

const NAMESPACES: u8 = b'N';
const REFUSED: u8 = b'R';
const NOTE: u8 = b'n';
const LISTENER: u8 = b'L';
const NO_LISTENER: u8 = b'E';
const ADDRESS: u8 = b'A';

/// How long the child may take for a step.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the child's memory holds where we read it.
const MARK: [u8; 8] = *b"hearken!";

pub(super) fn run() -> io::Result<Trial> {
    let (ours, theirs) = message::pair()?;
    let Some(pid) = process::fork_single_threaded()? else {
        drop(ours);
        child(&theirs);
        process::exit_now(0);
    };
    drop(theirs);
    let trial = supervise(&ours);
    // Its listener is closed by now: a call that still waits has ENOSYS.
    drop(ours);
    process::wait_for(pid)?;
    trial
}

fn child(to: &OwnedFd) {
    let tell = |kind: u8, body: &[u8], fd| {
        let mut m = vec![kind];
        m.extend(body);
        let _ = message::send(to.as_fd(), &m, fd);
    };
    match enter::enter(&[]) {
        Ok(entered) => {
            for note in entered.notes {
                tell(NOTE, note.as_bytes(), None);
            }
            tell(NAMESPACES, b"", None);
        }
        // Half-way inside is good enough for the rest.
        Err(e) => tell(REFUSED, e.to_string().as_bytes(), None),
    }
    let installed = rustix::thread::set_no_new_privs(true)
        .map_err(io::Error::from)
        .and_then(|()| seccomp::install(&filter::program()));
    let listener = match installed {
        Ok(l) => l,
        Err(e) => {
            let errno = e.raw_os_error().unwrap_or(libc::EINVAL);
            return tell(NO_LISTENER, &errno.to_ne_bytes(), None);
        }
    };
    let mark = Box::new(MARK);
    let address = std::ptr::from_ref(&*mark).expose_provenance() as u64;
    tell(ADDRESS, &address.to_ne_bytes(), None);
    tell(LISTENER, b"", Some(listener.as_fd()));
    // Ours was a duplicate: were it kept, nobody's end of the supervisor would end the call below.
    drop(listener);
    let _ = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    );
    drop(mark);
}

fn supervise(from: &OwnedFd) -> io::Result<Trial> {
    let not_tried = || Err("not tried".to_string());
    let mut trial = Trial {
        namespaces: not_tried(),
        notes: Vec::new(),
        listener: Err(libc::EINVAL),
        sync_wake_up: not_tried(),
        pidfd_thread: not_tried(),
        getfd: not_tried(),
        memory: not_tried(),
        addfd_send: not_tried(),
    };
    let mut address = 0;
    loop {
        if !readable(from.as_fd())? {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        let m = message::recv(from.as_fd(), true)?;
        let Some((kind, body)) = m.bytes.split_first() else {
            return Ok(trial);
        };
        let text = || String::from_utf8_lossy(body).into_owned();
        match *kind {
            NAMESPACES => trial.namespaces = Ok(()),
            REFUSED => trial.namespaces = Err(text()),
            NOTE => trial.notes.push(text()),
            NO_LISTENER => {
                trial.listener = Err(body.try_into().map_or(libc::EINVAL, i32::from_ne_bytes));
            }
            ADDRESS => address = body.try_into().map_or(0, u64::from_ne_bytes),
            LISTENER => {
                if let Some(fd) = m.fd {
                    trial.listener = Ok(());
                    call(&Listener(fd), address, from, &mut trial)?;
                }
            }
            _ => {}
        }
    }
}

/// Takes the child's socket(2) and does to it all that a supervisor does.
fn call(
    listener: &Listener,
    address: u64,
    any_socket: &OwnedFd,
    trial: &mut Trial,
) -> io::Result<()> {
    trial.sync_wake_up = step(listener.set_sync_wake_up());
    if !readable(listener.as_fd())? {
        trial.addfd_send = Err("no call arrived".into());
        return Ok(());
    }
    let Some(call) = listener.recv()? else {
        trial.addfd_send = Err("the call was cancelled".into());
        return Ok(());
    };
    trial.pidfd_thread = step(remote::pidfd_open(call.pid, libc::PIDFD_THREAD));
    trial.getfd = step(Tasks::new().getfd(call.pid, 2));
    let mut bytes = [0; MARK.len()];
    let memory = Memory {
        listener,
        id: call.id,
        tid: call.pid,
    };
    trial.memory = match memory.read(address, &mut bytes) {
        Ok(()) if bytes == MARK => Ok(()),
        Ok(()) => Err(format!("read {bytes:?}")),
        Err(e) => Err(format!("{e:?}")),
    };
    trial.addfd_send = match listener.add_fd(call.id, any_socket.as_fd(), true) {
        Ok(Added::Fd(_)) => Ok(()),
        Ok(Added::Gone) => Err("the call was cancelled".into()),
        Err(e) => Err(e.to_string()),
    };
    Ok(())
}

fn step<T>(result: io::Result<T>) -> Step {
    result.map(drop).map_err(|e| e.to_string())
}

fn readable(fd: std::os::fd::BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let patience = Timespec {
        tv_sec: PATIENCE.as_secs() as i64,
        tv_nsec: 0,
    };
    Ok(rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&patience)))? > 0)
}
