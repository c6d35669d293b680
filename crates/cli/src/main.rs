//! The `hearken` command.
#![forbid(unsafe_code)]

mod args;
mod demo;
mod doctor;
mod drill;
mod follow;
mod generate;
mod nstat;
mod pcap;
mod ss;
mod stack;
mod sysctl;
#[cfg(feature = "top")]
mod top;
mod trace;
mod values;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Why a command was not done: one sentence, printed after `hearken: `.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    hearken_run::guardian::become_guardian_if_asked();
    let Some(command) = Cli::parse().command else {
        return finish(print(args::FIRST));
    };
    match command {
        Command::Run(run) => ExitCode::from(stack::run(*run)),
        Command::Demo(demo) => finish(demo::demo(&demo)),
        Command::DemoServer(server) => finish(demo::serve(server.port, server.bytes)),
        Command::Ss(options) => finish(ss::show(&options)),
        Command::Pcap(options) => finish(pcap::pcap(&options)),
        #[cfg(feature = "top")]
        Command::Top(options) => finish(top::top(&options)),
        Command::Trace(options) => finish(trace::trace(&options)),
        Command::Man(options) => finish(generate::man(&options.dir)),
        Command::Completions(options) => finish(generate::completions(options.shell)),
        Command::Nstat(options) => finish(nstat::show(&options)),
        Command::Sysctl(options) => finish(sysctl::sysctl(&options)),
        #[cfg(feature = "bench")]
        Command::Bench(options) => finish(
            hearken_bench::measure(&options)
                .map_err(Failure::from)
                .and_then(|text| print(&text)),
        ),
        Command::Drill(options) => match drill::drill(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("hearken: {error}");
                ExitCode::from(2)
            }
        },
        Command::Doctor(options) => match doctor::doctor(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => finish(Err(error)),
        },
    }
}

fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hearken: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes to stdout; a reader that has gone (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    print_on(text).map(|_| ())
}

/// Writes to stdout and says whether there is still somebody who reads it.
fn print_on(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(true),
    }
}

fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value:#}\n"))
}
