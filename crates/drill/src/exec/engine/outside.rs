//! Code and commands: what a script does beside packets and calls.

use core::cell::RefCell;

use hearken_abi::Errno;
use hearken_twin::{Call as Live, Output};

use super::{Engine, Stop, fail};
use crate::ast::{Code, Command};
use crate::code::Value;
use crate::command::{Action, actions};
use crate::exec::info;
use crate::exec::time::PATIENCE;
use crate::exec::trace::seconds;

impl Engine<'_> {
    /// Does what a command asks for; what it does not do is said.
    pub(super) fn command(&mut self, command: &Command) -> Result<(), Stop> {
        self.trace.note(self.now(), format!("`{}`", command.text));
        for action in actions(&command.text, &self.script.directory) {
            match action {
                Action::SetSysctl { name, value, must } => {
                    self.sysctl(command, &name, &value, must)?;
                }
                Action::Nstat => self.counted_from = self.system.counters(),
                Action::Sleep(length) => {
                    let end = self.system.now() + length;
                    self.system.advance(end);
                }
                Action::SetMtu(mtu) => self.system.set_mtu(mtu),
                Action::Skip(why) => self.notes.push(why),
            }
        }
        Ok(())
    }

    fn sysctl(
        &mut self,
        command: &Command,
        name: &str,
        value: &str,
        must: bool,
    ) -> Result<(), Stop> {
        match self.system.sysctl(name, value) {
            Ok(()) => Ok(()),
            Err(Errno::ENOENT) => {
                let system = self.system.name();
                self.notes.push(format!(
                    "`{name}={value}`: {system} has no such sysctl here"
                ));
                Ok(())
            }
            // Some belong to the whole machine and not to a namespace.
            Err(errno @ (Errno::EACCES | Errno::EPERM | Errno::EROFS)) => {
                let (system, why) = (self.system.name(), errno.name());
                self.notes.push(format!(
                    "`{name}={value}`: not for {system} to set here ({why})"
                ));
                Ok(())
            }
            Err(errno) if !must => {
                let (system, why) = (self.system.name(), errno.name());
                self.notes.push(format!(
                    "`{name}={value}`: {system} does not take it ({why})"
                ));
                Ok(())
            }
            Err(errno) => {
                let headline = format!("{name} cannot be set to \"{value}\"");
                let actual = format!("{} ({})", errno.name(), errno.description());
                fail(command.span, headline, format!("{name}={value}"), actual)
            }
        }
    }

    /// Runs a block of code.
    pub(super) fn code(&mut self, code: &Code) -> Result<(), Stop> {
        let at = self.now();
        let fd = self.socket_under_test();
        let info = match fd {
            Some(fd) => self.system.tcp_info(fd),
            None => Err(Errno::EBADF),
        };
        let counters = self.system.counters();
        let missed = RefCell::new(None);
        let mut names = |name: &str| -> Option<Value> {
            if name.starts_with("tcpi_") {
                return match &info {
                    Ok(info) => Some(Value::Int(info::field(info, name)?.into())),
                    Err(errno) => {
                        *missed.borrow_mut() = Some(*errno);
                        None
                    }
                };
            }
            let full = counters.full_name(name)?;
            let value = counters.get(full) - self.counted_from.get(full);
            Some(Value::Int(value.into()))
        };
        let ran = code.program.run(&mut self.variables, &mut names);
        match ran {
            Ok(lines) => {
                for line in lines {
                    self.trace.note(at, format!("%{{ }}% prints {line}"));
                    self.output.push(line);
                }
                Ok(())
            }
            Err(error) => {
                let why = match *missed.borrow() {
                    Some(_) if fd.is_none() => {
                        " (there is no socket yet whose TCP_INFO could be asked)".to_owned()
                    }
                    Some(errno) => {
                        format!(" (TCP_INFO of the socket under test: {})", errno.name())
                    }
                    None => String::new(),
                };
                let headline = format!("{}{why}", error.message);
                fail(error.span, headline, code.text.trim(), seconds(at))
            }
        }
    }

    /// The live descriptor of the connection under test: of the socket that has its addresses, or else the socket of the last
    /// call.
    fn socket_under_test(&mut self) -> Option<i32> {
        if let Some(current) = self.current {
            let connection = &self.connections[current].connection;
            let (local, remote) = (connection.local, connection.remote);
            for fd in self.fds.all() {
                let name = self.address(Live::Getsockname { fd });
                let peer = self.address(Live::Getpeername { fd });
                if name.is_some_and(|n| n.port() == local.port())
                    && peer.is_some_and(|p| {
                        p.ip().to_canonical() == remote.ip() && p.port() == remote.port()
                    })
                {
                    return Some(fd);
                }
            }
        }
        let last = self.last_fd.filter(|fd| self.fds.is_open(*fd))?;
        Some(self.fds.live(last))
    }

    pub(super) fn address(&mut self, call: Live) -> Option<core::net::SocketAddr> {
        let id = self.system.start(call).ok()?;
        let until = self.system.now() + PATIENCE;
        match self.system.finish(id, until)?.1.output {
            Output::Address(raw) if raw.len() >= 16 => Some(hearken_twin::socket_addr(&raw)),
            _ => None,
        }
    }
}
