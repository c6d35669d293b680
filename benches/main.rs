//! `hearken bench` as a program of its own, for callgrind and for whoever builds no more than this.
#![forbid(unsafe_code)]

use clap::Parser;

fn main() -> std::process::ExitCode {
    match hearken_bench::run(&hearken_bench::Bench::parse()) {
        Ok(text) => {
            print!("{text}");
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hearken-bench: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
