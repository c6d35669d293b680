//! A supervisor that owns no stack: it answers each call by a function of the case's.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use hearken_run::exit::{Asked, Ended, Signals};
use hearken_run::launch::{self, Child, Options};
use hearken_run::sys::notify::{Notif, Sent};
use rustix::event::{PollFd, PollFlags};

/// What a case does with a notification.
pub(crate) type Answer<'a> = dyn FnMut(&Child, &Notif) + 'a;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) ended: Option<Ended>,
    /// A signal asked for the end of `run` after CMD's.
    pub(crate) asked: Option<u8>,
    pub(crate) out: String,
}

/// Continues every call: the kernel does it.
pub(crate) fn continue_all(child: &Child, n: &Notif) {
    let _: Sent = child.listener.reply_continue(n.id).expect("continue");
}

/// Runs the loop until the last descendant has gone.
pub(crate) fn serve(
    child: &mut Child,
    signals: Option<&Signals>,
    answer: &mut Answer<'_>,
) -> Option<u8> {
    child.go().expect("go");
    let mut control_open = true;
    loop {
        let mut fds = vec![PollFd::new(&child.listener, PollFlags::IN)];
        if let Some(s) = signals {
            fds.push(PollFd::new(s, PollFlags::IN));
        }
        if control_open {
            let control = child.control().expect("control");
            fds.push(PollFd::from_borrowed_fd(control, PollFlags::IN));
        }
        rustix::event::poll(&mut fds, None).expect("poll");
        let ready: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        drop(fds);
        if ready[0].contains(PollFlags::IN) {
            if let Some(n) = child.listener.recv().expect("recv") {
                answer(child, &n);
            }
        } else if ready[0].contains(PollFlags::HUP) {
            return None;
        }
        if control_open && !ready[ready.len() - 1].is_empty() {
            control_open = child.check().expect("check");
        }
        if let Some(s) = signals
            && !ready[1].is_empty()
            && let Asked::End(code) = s.forward(child).expect("forward")
        {
            return Some(code);
        }
    }
}

/// The options for a command in words.
pub(crate) fn options(command: &[&str]) -> Options {
    Options {
        command: command.iter().map(OsString::from).collect(),
        ..Options::default()
    }
}

/// Runs a command to its end and gives what it wrote to its standard output.
pub(crate) fn run(command: &[&str], answer: &mut Answer<'_>) -> Outcome {
    run_with(&options(command), |_| {}, answer)
}

/// The same with options, and a step between launch and go.
pub(crate) fn run_with(
    options: &Options,
    before: impl FnOnce(&mut Child),
    answer: &mut Answer<'_>,
) -> Outcome {
    let (read, write) = rustix::pipe::pipe().expect("pipe");
    rustix::io::fcntl_setfd(&read, rustix::io::FdFlags::CLOEXEC).expect("cloexec");
    let saved = redirect_stdout(&write);
    drop(write);
    let launched = launch::launch(options);
    rustix::stdio::dup2_stdout(&saved).expect("restore stdout");
    let mut child = launched.expect("launch");
    for note in &child.notes {
        eprintln!("note: {note}");
    }
    before(&mut child);
    let reader = std::thread::spawn(move || {
        let mut out = String::new();
        File::from(read)
            .read_to_string(&mut out)
            .expect("output is text");
        out
    });
    let asked = serve(&mut child, None, answer);
    let ended = child.wait().expect("wait");
    drop(child);
    Outcome {
        ended,
        asked,
        out: reader.join().expect("reader"),
    }
}

fn redirect_stdout(to: &OwnedFd) -> OwnedFd {
    let saved = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).expect("dup");
    rustix::stdio::dup2_stdout(to).expect("dup2");
    saved
}

/// `system supervise CMD...`: a supervisor in a process of its own; its exit status is `run`'s.
pub(crate) fn main(command: &[String]) -> ExitCode {
    // A case that fails must not leave it behind.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .expect("death signal");
    let signals = Signals::take().expect("signals");
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let options = Options {
        mask: Some(signals.original),
        ..options(&words)
    };
    let mut child = match launch::launch(&options) {
        Ok(c) => c,
        Err(e) => {
            eprintln!("hearken: {e}");
            return ExitCode::from(hearken_run::exit::FAILED);
        }
    };
    for note in &child.notes {
        eprintln!("note: {note}");
    }
    if let Some(code) = serve(&mut child, Some(&signals), &mut continue_all) {
        return ExitCode::from(code);
    }
    match child.wait() {
        Ok(Some(e)) => ExitCode::from(e.code()),
        _ => ExitCode::from(hearken_run::exit::FAILED),
    }
}
