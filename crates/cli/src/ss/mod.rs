//! `hearken ss`: sockets as iproute2's `ss` shows them. Forms and filters are those of ss 6.1.0, seen on kernel sockets.

mod extra;
mod filter;
mod info;
mod json;
mod processes;
mod services;
mod state;
mod table;
#[cfg(test)]
mod with_ss;

use std::net::SocketAddr;

use hearken_run::control::{Get, Row};

use crate::{Failure, args, print, print_json, stack};

pub(crate) use table::{Form, table};

/// One socket, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    /// Process id of the `hearken run` that holds it.
    pub(crate) run: u32,
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
    /// What the run answered.
    pub(crate) row: Row,
    /// Name, process id and descriptor of who holds it, as far as /proc tells.
    pub(crate) processes: Vec<processes::Process>,
}

impl Socket {
    /// AF_INET6, IPv4-mapped addresses included.
    pub(crate) fn is_v6(&self) -> bool {
        self.local.is_ipv6()
    }
}

/// What to show by default: the states of a socket that is open and neither listens nor is one of the small ones.
fn default_states(options: &args::Ss) -> state::States {
    if options.all {
        state::ALL
    } else if options.listening {
        state::LISTENING
    } else {
        state::DEFAULT
    }
}

/// Asks, filters, prints.
pub(crate) fn show(options: &args::Ss) -> Result<(), Failure> {
    let query = filter::parse(&options.filter)?;
    let states = query.states.unwrap_or_else(|| default_states(options));
    let get = if options.info { Get::SsInfo } else { Get::Ss };
    let mut sockets = stack::sockets(options.run, get)?;
    sockets.retain(|s| {
        let family = match (options.ipv4, options.ipv6) {
            (true, false) => !s.is_v6(),
            (false, true) => s.is_v6(),
            _ => true,
        };
        family && states.holds(&s.row.state) && query.expression.as_ref().is_none_or(|e| e.holds(s))
    });
    // ss asks for IPv4 first, and the kernel tells its listeners first.
    sockets.sort_by_key(|s| (s.run, s.is_v6(), s.row.state != "LISTEN"));
    if options.processes || options.json {
        processes::find(&mut sockets);
    }
    if options.json {
        return print_json(&json::json(&sockets));
    }
    let form = Form {
        header: !options.no_header,
        netid: !options.tcp,
        state: !states.is_one(),
        processes: options.processes,
        timer: options.options || options.extended,
        extended: options.extended,
        memory: options.memory,
        info: options.info,
        one_line: options.oneline,
        names: !options.numeric,
    };
    print(&table(&sockets, form))
}
