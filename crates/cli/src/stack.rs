//! Asking the runs of this user, and starting one.

use std::net::SocketAddr;

use hearken_run::control::{self, Answer, Get, Request, Row};
use hearken_run::options::Options;

use crate::{Failure, args, nstat, ss};

/// `hearken run`: the exit status.
pub(crate) fn run(run: args::Run) -> u8 {
    hearken_run::run(&Options {
        publish: run.publish,
        sysctls: run.sysctls,
        link: run.link.unwrap_or_default(),
        policy: run.policy,
        #[cfg(feature = "bpf")]
        sock_ops: run.sock_ops,
        pcap: run.pcap,
        trace: run.trace,
        stats: run.stats,
        seed: run.seed.map(|s| s.0),
        cmd: run.command,
    })
}

/// The answers of every run of this user, or of one. A named run that is not alive answers nothing.
pub(crate) fn ask(run: Option<u32>, request: &Request) -> Result<Vec<Answer>, Failure> {
    let answers = match run {
        None => control::query_all(request),
        Some(pid) => match control::query(&control::socket_of(pid), request) {
            Err(error) if control::has_ended(&error) => Ok(Vec::new()),
            one => one.map(|answer| vec![answer]),
        },
    };
    answers.map_err(|e| format!("asking the runs of this user: {e}").into())
}

/// The run that is meant: the named one, or the only one that is alive.
pub(crate) fn the_run(run: Option<u32>) -> Result<u32, Failure> {
    if let Some(pid) = run {
        return Ok(pid);
    }
    let alive = ask(None, &Request::Get(Get::Nstat))?;
    let pids: Vec<u32> = alive.iter().map(|a| a.pid).collect();
    match pids[..] {
        [pid] => Ok(pid),
        [] => Err("no run of yours is alive".into()),
        _ => {
            let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
            Err(format!(
                "{} runs of yours are alive; name one: {}",
                pids.len(),
                pids.join(", ")
            )
            .into())
        }
    }
}

/// The sockets of every run of this user, or of one.
pub(crate) fn sockets(run: Option<u32>, get: Get) -> Result<Vec<ss::Socket>, Failure> {
    let mut all = Vec::new();
    for answer in ask(run, &Request::Get(get))? {
        for row in answer.sockets {
            all.push(socket(answer.pid, row)?);
        }
    }
    Ok(all)
}

fn socket(run: u32, row: Row) -> Result<ss::Socket, Failure> {
    let addr = |text: &str| -> Result<SocketAddr, Failure> {
        text.parse()
            .map_err(|_| format!("run {run} answered with the address '{text}'").into())
    };
    Ok(ss::Socket {
        run,
        local: addr(&row.local)?,
        peer: addr(&row.peer)?,
        row,
        processes: Vec::new(),
    })
}

/// The answer of the only run of this user, or of the named one.
pub(crate) fn one(run: Option<u32>, request: &Request) -> Result<Answer, Failure> {
    let pid = the_run(run)?;
    let answers = ask(Some(pid), request)?;
    let answer = answers.into_iter().next();
    answer.ok_or_else(|| format!("no run of yours has process id {pid}").into())
}

/// The process id and the counters of the only run of this user, or of the named one.
pub(crate) fn counters(run: Option<u32>) -> Result<(u32, Vec<nstat::Row>), Failure> {
    let answer = one(run, &Request::Get(Get::Nstat))?;
    Ok((answer.pid, answer.counters))
}

/// The host's side of the first published port of a run, once it answers.
pub(crate) fn published(run: u32) -> Result<Option<SocketAddr>, Failure> {
    Ok(ask(Some(run), &Request::Get(Get::Ss))?
        .into_iter()
        .flat_map(|a| a.published)
        .find_map(|p| p.host.parse().ok()))
}
