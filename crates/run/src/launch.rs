//! Starting CMD under the filter.
//!
//! The supervisor stays where it is. It forks and execs this program anew as the *guardian*
//! (`guardian`), which enters the namespaces and forks CMD; CMD installs the filter, sends its notify
//! descriptor here and waits for `go`. Nothing of the supervisor's memory or descriptors is in
//! either of them.

use std::ffi::{CString, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Resource, Rlimit};

use crate::exit::Ended;
use crate::guardian::{Orders, kind};
use crate::sys::notify::Listener;
use crate::sys::process::{self, Vector};
use crate::sys::signal::Mask;
use crate::sys::{message, remote};

/// What to start, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// CMD and its arguments.
    pub command: Vec<OsString>,
    /// `--sysctl` name and value; those that the kernel's own namespace has too are written there.
    pub sysctls: Vec<(String, String)>,
    /// The signals that CMD is to find blocked; `None`: those of the calling thread. After
    /// [`crate::exit::Signals::take`] it is what that kept.
    pub mask: Option<Mask>,
    /// Do not even try for namespaces of its own.
    pub filter_alone: bool,
}

/// In which network CMD runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// A fresh network namespace.
    Own,
    /// The caller's: namespaces were refused, for this reason, and only the filter is there.
    FilterAlone(String),
}

/// Why CMD could not be started. The exit status is 125.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(e: io::Error) -> Self {
        Self(e.to_string())
    }
}

/// A started CMD. Dropping it ends CMD and all its descendants, and waits until they have gone.
#[derive(Debug)]
pub struct Child {
    /// CMD's process id.
    pub pid: i32,
    /// CMD's pidfd.
    pub pidfd: OwnedFd,
    /// The notify descriptor.
    pub listener: Listener,
    /// The namespace's own `/proc/sys/net/core/somaxconn`, readable and writable (seek to 0 first,
    /// or use read_at and write_at).
    pub somaxconn: Option<File>,
    /// The namespace's `/proc/net/snmp`, for what the kernel's own TCP counted: nothing. It can be
    /// read (from offset 0) even when the last process in there has gone.
    pub kernel_snmp: Option<File>,
    /// A UDP socket at the name server's address inside.
    pub dns: Option<OwnedFd>,
    /// Where it runs.
    pub network: Network,
    /// What did not work but does not stop CMD, one line each, for stderr.
    pub notes: Vec<String>,
    guardian: i32,
    control: Option<OwnedFd>,
    go: Option<OwnedFd>,
    ended: Option<Ended>,
}

/// Starts the guardian and through it CMD, up to the point where CMD waits for [`Child::go`]. Also
/// raises this process's own limit on open descriptors; CMD gets the old one.
pub fn launch(options: &Options) -> Result<Child, Error> {
    if options.command.is_empty() {
        return Err(Error("no command".into()));
    }
    let nofile = raise_nofile();
    if options.filter_alone {
        return match attempt(options, nofile, true)? {
            Attempt::Started(mut child) => {
                child.network = Network::FilterAlone("asked for".into());
                Ok(*child)
            }
            Attempt::Refused(why) => Err(Error(why)),
        };
    }
    match attempt(options, nofile, false)? {
        Attempt::Started(child) => Ok(*child),
        // That guardian stood half-way in its namespaces and has ended; a new one stays out.
        Attempt::Refused(why) => match attempt(options, nofile, true)? {
            Attempt::Started(mut child) => {
                child.notes.insert(
                    0,
                    format!(
                        "no network namespace ({why}): going on with the filter alone; \
                         what is not TCP uses the host's network (see `hearken doctor`)"
                    ),
                );
                child.network = Network::FilterAlone(why);
                Ok(*child)
            }
            Attempt::Refused(why) => Err(Error(why)),
        },
    }
}

/// Raises the soft limit on descriptors to the hard one; gives what it was.
fn raise_nofile() -> Rlimit {
    let old = rustix::process::getrlimit(Resource::Nofile);
    let _ = rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit {
            current: old.maximum,
            maximum: old.maximum,
        },
    );
    // A second launch in one process (tests) must not pass the raised limit on.
    static FIRST: std::sync::OnceLock<(Option<u64>, Option<u64>)> = std::sync::OnceLock::new();
    let (current, maximum) = *FIRST.get_or_init(|| (old.current, old.maximum));
    Rlimit { current, maximum }
}

enum Attempt {
    Started(Box<Child>),
    Refused(String),
}

fn attempt(options: &Options, nofile: Rlimit, filter_alone: bool) -> Result<Attempt, Error> {
    let (ours, theirs) = message::pair()?;
    let (go_read, go_write) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
    let orders = Orders {
        control: theirs.as_raw_fd(),
        go: go_read.as_raw_fd(),
        nofile: (nofile.current, nofile.maximum),
        filter_alone,
        sysctls: options.sysctls.clone(),
        command: options.command.clone(),
    };
    let mut argv = vec![OsString::from("hearken")];
    argv.extend(orders.to_args());
    let environment = std::env::vars_os().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        name
    });
    let mask = options.mask.unwrap_or_else(Mask::current);
    let guardian = process::spawn(
        c"/proc/self/exe",
        &Vector::new(c_strings(argv.into_iter())?),
        &Vector::new(c_strings(environment)?),
        &[theirs.as_fd(), go_read.as_fd()],
        &mask,
    )
    .map_err(|e| Error(format!("cannot start myself anew: {e}")))?;
    drop((theirs, go_read));
    let gathered = gather(&ours);
    let ready = match gathered {
        Ok(Gathered::Ready(ready)) => *ready,
        other => {
            drop((ours, go_write));
            let _ = process::wait_for(guardian);
            return match other {
                Ok(Gathered::Refused(why)) => Ok(Attempt::Refused(why)),
                Ok(Gathered::Ready(_)) => unreachable!("taken above"),
                Err(e) => Err(e),
            };
        }
    };
    Ok(Attempt::Started(Box::new(Child {
        pid: ready.pid,
        pidfd: ready.pidfd,
        listener: Listener(ready.listener),
        somaxconn: ready.somaxconn,
        kernel_snmp: ready.kernel_snmp,
        dns: ready.dns,
        network: Network::Own,
        notes: ready.notes,
        guardian,
        control: Some(ours),
        go: Some(go_write),
        ended: None,
    })))
}

struct Ready {
    pid: i32,
    pidfd: OwnedFd,
    listener: OwnedFd,
    somaxconn: Option<File>,
    kernel_snmp: Option<File>,
    dns: Option<OwnedFd>,
    notes: Vec<String>,
}

enum Gathered {
    Ready(Box<Ready>),
    Refused(String),
}

/// Reads messages until all is there. The guardian's and CMD's may come in either order.
fn gather(control: &OwnedFd) -> Result<Gathered, Error> {
    let mut notes = Vec::new();
    let (mut somaxconn, mut kernel_snmp, mut dns) = (None, None, None);
    let (mut command, mut listener) = (None, None);
    loop {
        if command.is_some() && listener.is_some() {
            let ((pid, pidfd), listener) = command.take().zip(listener).expect("both are there");
            return Ok(Gathered::Ready(Box::new(Ready {
                pid,
                pidfd,
                listener,
                somaxconn,
                kernel_snmp,
                dns,
                notes,
            })));
        }
        let m = message::recv(control.as_fd(), true)?;
        let Some((kind, body)) = m.bytes.split_first() else {
            return Err(Error("the guardian ended before CMD began".into()));
        };
        let text = || String::from_utf8_lossy(body).into_owned();
        match *kind {
            kind::NETWORK => somaxconn = m.fd.map(File::from),
            kind::SNMP => kernel_snmp = m.fd.map(File::from),
            kind::DNS => dns = m.fd,
            kind::NOTE => notes.push(text()),
            kind::REFUSED => return Ok(Gathered::Refused(text())),
            kind::FAILED => return Err(Error(text())),
            kind::PID => {
                let pid = body.try_into().map(i32::from_ne_bytes).ok();
                command = pid.zip(m.fd);
            }
            kind::LISTENER => listener = m.fd,
            // CMD's process ended before it was CMD; why is in the message before or after.
            kind::STATUS => {}
            other => return Err(Error(format!("the guardian said {other:#x}"))),
        }
    }
}

/// Points this process's standard input and output at /dev/null, once CMD has its own: a pipe there
/// must end when CMD's end closes, not when ours does. Standard error stays.
pub fn let_go_of_stdio() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

fn c_strings(strings: impl Iterator<Item = OsString>) -> Result<Vec<CString>, Error> {
    strings
        .map(|s| {
            CString::new(s.into_vec()).map_err(|_| Error("an argument with a NUL byte".into()))
        })
        .collect()
}

impl Child {
    /// Lets CMD run. Answer the listener from now on.
    pub fn go(&mut self) -> io::Result<()> {
        if let Some(go) = self.go.take() {
            rustix::io::retry_on_intr(|| rustix::io::write(&go, b"g"))?;
        }
        Ok(())
    }

    /// Readable when [`Child::check`] has news: CMD ended, or the guardian did.
    pub fn control(&self) -> Option<BorrowedFd<'_>> {
        self.control.as_ref().map(AsFd::as_fd)
    }

    /// Takes in what the guardian said, without waiting. `Ok(false)`: there will be no more (take
    /// the descriptor of [`Child::control`] out of the poll set).
    pub fn check(&mut self) -> io::Result<bool> {
        loop {
            match self.take_message(false) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(e) => return Err(e),
            }
        }
    }

    fn take_message(&mut self, wait: bool) -> io::Result<bool> {
        let Some(control) = &self.control else {
            return Ok(false);
        };
        let m = message::recv(control.as_fd(), wait)?;
        match m.bytes.split_first() {
            None => Ok(false),
            Some((&kind::STATUS, body)) => {
                if let Ok(status) = body.try_into().map(i32::from_ne_bytes) {
                    self.ended = Some(Ended::from_wait_status(status));
                }
                Ok(true)
            }
            Some(_) => Ok(true),
        }
    }

    /// How CMD ended, as far as is known by now.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Whether CMD has ended, even if how is not known yet. Its own pidfd says it first: a signal
    /// sent to it then would be lost.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some() || remote::exited(self.pidfd.as_fd())
    }

    /// Waits until CMD has ended. `None`: the guardian was killed before it could tell.
    pub fn wait(&mut self) -> io::Result<Option<Ended>> {
        while self.ended.is_none() && self.take_message(true)? {}
        Ok(self.ended)
    }

    /// Sends CMD a signal; that it has ended is no error.
    pub fn signal(&self, number: i32) -> io::Result<()> {
        match remote::pidfd_send_signal(self.pidfd.as_fd(), number) {
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            other => other,
        }
    }

    /// Whether CMD is (still) in the supervisor's process group.
    pub fn shares_our_process_group(&self) -> bool {
        let theirs = Pid::from_raw(self.pid).and_then(|p| rustix::process::getpgid(Some(p)).ok());
        theirs == Some(rustix::process::getpgrp())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Its end is the guardian's order to kill what is left.
        self.control = None;
        self.go = None;
        let _ = process::wait_for(self.guardian);
    }
}
