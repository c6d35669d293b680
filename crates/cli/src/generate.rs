//! Man pages and shell completions, made from the same definitions that read the command line.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::{Failure, print};

/// The command with everything that shows filled in.
fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Writes `hearken.1` and one page a command into a directory, and says which.
pub(crate) fn man(dir: &Path) -> Result<(), Failure> {
    let told = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    std::fs::create_dir_all(dir).map_err(|e| told(dir, e))?;
    let command = command();
    let commands = command.get_subcommands();
    let shown = commands.filter(|c| !c.is_hide_set() && c.get_name() != "help");
    let mut said = String::new();
    for one in std::iter::once(&command).chain(shown) {
        let name = one.get_display_name().unwrap_or(one.get_name());
        let path = dir.join(format!("{name}.1"));
        std::fs::write(&path, page(one)?).map_err(|e| told(&path, e))?;
        said += &format!("{}\n", path.display());
    }
    print(&said)
}

/// One page: what clap knows, then the text that stands below `--help`, as it is.
fn page(command: &clap::Command) -> std::io::Result<Vec<u8>> {
    let man = clap_mangen::Man::new(command.clone().mut_args(with_aliases));
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    if let Some(text) = command.get_after_help() {
        out.extend_from_slice(b".SH EXAMPLES\n.nf\n");
        let text = text.to_string();
        let text = text.strip_prefix("Examples:\n").unwrap_or(&text);
        for line in text.lines() {
            // A dot or a quote at the beginning would be a request of roff.
            let line = line.replace('\\', "\\e").replace('-', "\\-");
            out.extend_from_slice(format!("\\&{line}\n").as_bytes());
        }
        out.extend_from_slice(b".fi\n");
    }
    Ok(out)
}

/// `--help` names the other names of an option by itself, a man page only as part of its text.
fn with_aliases(arg: clap::Arg) -> clap::Arg {
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    if aliases.is_empty() {
        return arg;
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let names: Vec<String> = aliases.iter().map(|a| format!("--{a}")).collect();
    arg.help(format!("{help} (also {})", names.join(", ")))
}

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "hearken", &mut text);
    print(&String::from_utf8(text)?)
}
