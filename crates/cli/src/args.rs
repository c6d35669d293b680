//! The command line: what `hearken` accepts, and the help that teaches it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use hearken_run::options::{LinkOpts, Publish, Sysctl as Setting};

use crate::values::{Seed, Size};

/// What `hearken` alone prints: the three things that one does first.
pub(crate) const FIRST: &str = "\
Hearken: Linux's TCP sockets in user space, under programs that know nothing of it.

  hearken demo                                  see it work: a server, 64 MiB through it, the walk of its listen(2)
  hearken run -p 8080:8000 -- python3 -m http.server 8000
                                                carry a program of yours; then: curl http://127.0.0.1:8080/
  hearken ss -ltn                               both queues of every listener, of every run of yours

If something refuses to start: `hearken doctor`. Everything else: `hearken --help`.
";

const EXAMPLES: &str = "\
Examples:
  hearken demo
  hearken run -p 8080:8000 -- python3 -m http.server 8000
  hearken run --trace -- ./server
  hearken ss -ltn
  hearken nstat -az 'TcpExtListen*'
  hearken sysctl net.core.somaxconn=128

Exit status: 0 done, 1 not done, 2 wrong usage. `hearken run` gives the program's own status (see `hearken run --help`).
";

const RUN_EXAMPLES: &str = "\
Examples:
  hearken run -p 8080:8000 -- python3 -m http.server 8000
      The program listens on 8000 in a network namespace of its own; port 8080 of this machine's loopback leads there.
  hearken run -p 0.0.0.0:8080:8000 -p [::1]:8080:8000 -- ./server
      Publish to other machines too, and on IPv6.
  hearken run --link loss=1%,delay=20ms --pcap out.pcap -p 8080:80 -- ./server
      A bad network between the program and the world, every segment in a file that wireshark reads.
  hearken run --sysctl net.core.somaxconn=16 --sysctl net.ipv4.tcp_abort_on_overflow=1 -- ./server
      `hearken sysctl --doc` lists the names.
  hearken run --seed 2a -- ./server
      Draw every random number of the stack (sequence numbers, ports, timestamps' offsets) from this seed.
  hearken run --policy rules.toml -- ./server
      Refuse what rules.toml denies; each refused call is a line on stderr that names file, line and rule. In it:
        default = \"allow\"               # what no rule matches; or \"deny\"
        [[rule]]                        # tried in order, the first that matches decides
        name = \"no low ports\"
        action = \"deny\"                 # or \"allow\"
        call = [\"bind\", \"listen\"]       # bind, listen, accept, connect; without it, all
        address = \"0.0.0.0/0\"           # of bind and connect the argument's, of listen and accept the socket's own
        port = \"1-1023\"                 # a number, a range, or a list of them
        errno = \"EPERM\"                 # without it EACCES

From inside, 10.0.2.2 (fd00:2::2) is this machine's loopback, and every other address is itself. A client that comes
through -p keeps its own address in accept(2) and getpeername(2).

Exit status: the program's own; 128 + n if signal n ended it; 125 Hearken failed; 126 CMD cannot be executed; 127 CMD was
not found; 2 wrong usage. The run ends when the last descendant of CMD has gone.
";

const SS_EXAMPLES: &str = "\
Examples:
  hearken ss -ltn                        listeners: Recv-Q is the accept queue, Send-Q its limit (backlog)
  hearken ss -tan                        every socket
  hearken ss -tanpeimo                   with processes, inodes, TCP_INFO, memory and timers
  hearken ss -tn state established '( sport = :80 or sport = :443 )'
  hearken ss -tan exclude listening dst 10.0.0.0/8
  hearken ss -tin dport gt :1000         what is known of connections to high ports
  hearken ss -ltn --json                 the same for a program: {\"schema\": \"hearken.ss/1\", \"sockets\": [...]}

Filter: [state S | exclude S]... [EXPRESSION]
  S           established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait closed close-wait last-ack listening
              closing, or all, connected, synchronized, bucket, big
  EXPRESSION  sport, dport OP PORT (OP: = != < <= > >= or eq ne lt le gt ge; PORT: :80, 80, :http);
              src, dst ADDRESS (10.0.0.0/8, 127.0.0.1:80, [::1]:443, :80); and, or, not, ( )

The columns are those of iproute2's ss.
";

const NSTAT_EXAMPLES: &str = "\
Examples:
  hearken nstat                     what was counted since the last call, as far as it moved
  hearken nstat -az 'TcpExtListen*' since the run began, zeros too: did the accept queue overflow?
  hearken nstat -as                 since the run began; the next call still counts from where the last one ended
  hearken nstat -ajp                JSON

Names, form and history are those of iproute2's nstat; the history goes with the run. The rate is always 0.0.
";

const SYSCTL_EXAMPLES: &str = "\
Examples:
  hearken sysctl net.core.somaxconn                read it from the run
  hearken sysctl net.core.somaxconn=128            set it: from now on; listeners that are there keep their limit
  hearken sysctl 'net.ipv4.tcp_rmem=4096 65536 65536' net.ipv4.tcp_sack=0    all or none
  hearken sysctl -a                                every value
  hearken sysctl --doc net.ipv4.tcp_abort_on_overflow    what it does, bounds, default

A value out of Linux's bounds is refused as Linux does. A program that reads /proc/sys sees new values of
net.core.somaxconn only.
";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  hearken doctor                    one line a check; below each that failed, the command that mends it
  hearken doctor --json             {\"schema\": \"hearken.doctor/1\", \"ok\": ..., \"checks\": [...]}

Exit status: 0 `hearken run` works here, 1 it does not.
";

const DEMO_EXAMPLES: &str = "\
Examples:
  hearken demo
  hearken demo --mib 512 --limit 300
";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  hearken completions bash > ~/.local/share/bash-completion/completions/hearken
  hearken completions zsh > ~/.zfunc/_hearken
  hearken completions fish > ~/.config/fish/completions/hearken.fish
";

/// Linux's TCP sockets in user space.
#[derive(Debug, Parser)]
#[command(name = "hearken", version, max_term_width = 110, after_help = EXAMPLES)]
#[command(about = "Linux's TCP sockets in user space, under programs that know nothing of it")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show it at work: a server under `run`, 64 MiB through it, the walk of its listen(2), ss, the counters
    Demo(Demo),
    /// Run a program whose TCP sockets live in Hearken
    Run(Box<Run>),
    /// Show the sockets of your runs, as ss does
    Ss(Ss),
    /// Show the counters of your runs, as nstat does
    Nstat(Nstat),
    /// Capture the packets of a run that works, each dropped one with the reason as its comment
    Pcap(Pcap),
    /// Watch the two queues of every listener, with rates and drops, as top does
    #[cfg(feature = "top")]
    Top(Top),
    /// Look on while a run works: calls, drops with their reasons, changes of state, retransmissions
    Trace(Trace),
    /// Read and set sysctls of a run that is alive, or say what they mean
    Sysctl(Sysctl),
    /// Write the man pages into a directory
    Man(Man),
    /// Print the completions of a shell
    Completions(Completions),
    /// Run scripts of packetdrill's language, on Hearken or on this machine's Linux
    Drill(Box<crate::drill::Drill>),
    /// Say what this machine lacks for `run`, and the command that mends it
    Doctor(Doctor),
    /// Measure operations of the stack beside its peers
    #[cfg(feature = "bench")]
    Bench(hearken_bench::Options),
    /// The carried server of `demo`: an ordinary program over std::net
    #[command(name = "__demo-server", hide = true)]
    DemoServer(DemoServer),
}

#[derive(Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct Demo {
    /// How much to fetch
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) mib: u32,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES, override_usage = "hearken run [OPTIONS] -- CMD [ARGS]...")]
pub(crate) struct Run {
    /// Publish a port: connections to HOST:PORT (without HOST on 127.0.0.1 and ::1) reach the program's PORT
    #[arg(short, long, value_name = "[HOST:]PORT:PORT", help_heading = "Network")]
    pub(crate) publish: Vec<Publish>,
    /// Worsen the link between program and world: loss=1%, delay=20ms, or both with a comma
    #[arg(long, value_name = "SPEC", help_heading = "Network")]
    pub(crate) link: Option<LinkOpts>,
    /// Set a sysctl of the stack before the program starts
    #[arg(long = "sysctl", value_name = "KEY=VALUE", help_heading = "Stack")]
    pub(crate) sysctls: Vec<Setting>,
    /// Seed of all randomness in the stack, up to 64 hexadecimal digits [default: from the system]
    #[arg(long, value_name = "HEX", help_heading = "Stack")]
    pub(crate) seed: Option<Seed>,
    /// Refuse socket calls by the rules of a TOML file
    #[arg(long, value_name = "FILE", help_heading = "Stack")]
    pub(crate) policy: Option<PathBuf>,
    /// Run the BPF program of an object file (clang -target bpf -O2 -g, SEC("sockops")) at every sock_ops callback
    #[cfg(feature = "bpf")]
    #[arg(long, value_name = "FILE.o", help_heading = "Stack")]
    pub(crate) sock_ops: Option<PathBuf>,
    /// Write every packet of the link to a pcap file; to pcapng, with the reasons of drops, if FILE ends in .pcapng
    #[arg(long, value_name = "FILE", help_heading = "Watching")]
    pub(crate) pcap: Option<PathBuf>,
    /// Print one tree per socket call, with the values it took, to stderr
    #[arg(long, help_heading = "Watching")]
    pub(crate) trace: bool,
    /// At the end, print the stack's counters and those of the kernel's own TCP in the namespace to stderr
    #[arg(long, help_heading = "Watching")]
    pub(crate) stats: bool,
    /// The program and its arguments
    #[arg(
        value_name = "CMD",
        required = true,
        trailing_var_arg = true,
        num_args = 1..
    )]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(after_help = SS_EXAMPLES)]
pub(crate) struct Ss {
    /// Listening sockets only
    #[arg(short, long, help_heading = "Which sockets", overrides_with = "all")]
    pub(crate) listening: bool,
    /// Listening sockets and all others
    #[arg(
        short,
        long,
        help_heading = "Which sockets",
        overrides_with = "listening"
    )]
    pub(crate) all: bool,
    /// TCP (the only kind that lives here; without it a column names the kind)
    #[arg(short, long, help_heading = "Which sockets")]
    pub(crate) tcp: bool,
    /// IPv4 only
    #[arg(short = '4', long, help_heading = "Which sockets")]
    pub(crate) ipv4: bool,
    /// IPv6 only
    #[arg(short = '6', long, help_heading = "Which sockets")]
    pub(crate) ipv6: bool,
    /// Of the run with this process id only
    #[arg(
        long,
        visible_alias = "pid",
        value_name = "PID",
        help_heading = "Which sockets"
    )]
    pub(crate) run: Option<u32>,
    /// Numbers instead of service names
    #[arg(short, long, help_heading = "Form")]
    pub(crate) numeric: bool,
    /// Name the processes that hold each socket
    #[arg(short, long, help_heading = "Form")]
    pub(crate) processes: bool,
    /// Timers: which runs, how long still, how often it fired
    #[arg(short, long, help_heading = "Form")]
    pub(crate) options: bool,
    /// User, inode, cookie and shut directions
    #[arg(short, long, help_heading = "Form")]
    pub(crate) extended: bool,
    /// Memory in buffers, and their limits
    #[arg(short, long, help_heading = "Form")]
    pub(crate) memory: bool,
    /// TCP_INFO: round trip, windows, segments, losses
    #[arg(short, long, help_heading = "Form")]
    pub(crate) info: bool,
    /// One line a socket, also with -i and -m
    #[arg(short = 'O', long, help_heading = "Form")]
    pub(crate) oneline: bool,
    /// No header line
    #[arg(short = 'H', long, help_heading = "Form")]
    pub(crate) no_header: bool,
    /// JSON
    #[arg(long, help_heading = "Form")]
    pub(crate) json: bool,
    /// States, and an expression over addresses and ports
    #[arg(
        value_name = "FILTER",
        help = "[state S | exclude S]... [EXPRESSION], see below"
    )]
    pub(crate) filter: Vec<String>,
}

const PCAP_EXAMPLES: &str = "\
Examples:
  hearken pcap 4711 out.pcapng                   until the run ends or Ctrl-C; then: wireshark out.pcapng
  hearken pcap 4711 - | tcpdump -nr -            as they come
  hearken pcap 4711 - | tshark -r - -Y frame.comment -T fields -e frame.number -e frame.comment
                                                 only what was dropped, with Linux's name of the reason
  hearken pcap 4711 out.pcapng --seconds 10 --size 100M

PID is the process id of `hearken run`, which `hearken ss` shows too. The file is pcapng: interfaces lo and eth0 of the
program's network, link type RAW, nanoseconds. A packet that was dropped has a comment such as \"dropped:
TCP_LISTEN_OVERFLOW\", one that `run --link loss=` took \"lost on the link\". The file is written by this command, with
your rights, and ends behind a whole packet however the capture ends.

The run never waits for the capture: packets that a slow reader has no room for are counted, and the file says how many.
Exit status: 0 the run ended, Ctrl-C, or a limit was reached; 1 no such run, or FILE cannot be written; 2 wrong usage.
";

#[derive(Debug, Args)]
#[command(after_help = PCAP_EXAMPLES)]
pub(crate) struct Pcap {
    /// Process id of the `hearken run`
    #[arg(value_name = "PID")]
    pub(crate) run: u32,
    /// Where to; - is stdout
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// End after so many seconds
    #[arg(long, value_name = "N", help_heading = "Limits", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
    /// End after so many packets
    #[arg(long, value_name = "N", help_heading = "Limits", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) packets: Option<u64>,
    /// End before FILE is larger than this: 500K, 10M, 1G
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) size: Option<Size>,
    /// Keep so many bytes of each packet; 0 for all
    #[arg(
        long,
        value_name = "BYTES",
        help_heading = "Limits",
        default_value_t = 0
    )]
    pub(crate) snaplen: u32,
}

#[cfg(feature = "top")]
const TOP_EXAMPLES: &str = "\
Examples:
  hearken top                     every run of yours, a new picture each second
  hearken top --run 4711 --interval 0.2
  hearken top --once              one picture as text, for scripts; no terminal is needed
  hearken top --svg > top.svg     the same as a drawing

Keys: q quit, s sort by the next column, arrows move, Space pause, h help.

SYN QUEUE holds half-open connections, ACCEPT QUEUE those that wait for accept(2); the limit of both is the backlog of
listen(2), and one more fits. OVERFL counts SYNs and ACKs that found the accept queue full; it is red while it grows.
IN/s and OUT/s are bytes of packets on eth0; what stays on lo is not among them.
";

#[cfg(feature = "top")]
#[derive(Debug, Args)]
#[command(after_help = TOP_EXAMPLES)]
pub(crate) struct Top {
    /// Only the run with this process id
    #[arg(long, value_name = "PID")]
    pub(crate) run: Option<u32>,
    /// Seconds between two pictures
    #[arg(short, long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    pub(crate) interval: f64,
    /// Print one picture as text; its rates are those of one interval
    #[arg(long)]
    pub(crate) once: bool,
    /// Print one picture as SVG
    #[arg(long, conflicts_with = "once")]
    pub(crate) svg: bool,
    /// Columns of --once and --svg
    #[arg(long, value_name = "COLUMNS", default_value_t = 80, value_parser = clap::value_parser!(u16).range(20..=500))]
    pub(crate) width: u16,
}

#[cfg(feature = "top")]
fn interval(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(s) if (0.05..=3600.0).contains(&s) => Ok(s),
        _ => Err("write seconds from 0.05 to 3600, for example 0.5".into()),
    }
}

const TRACE_EXAMPLES: &str = "\
Examples:
  hearken trace 4711                    everything, until the run ends or Ctrl-C
  hearken trace 4711 --drops            only packets that were dropped, each with Linux's name of the reason
  hearken trace 4711 --drops --json | jq .reason
  hearken trace 4711 --states --count 20

PID is the process id of `hearken run`, which `hearken ss` shows too; with one run alive it may be left out.
Times are seconds since the trace began. --json prints one object a line, with \"event\" one of \"call\", \"drop\",
\"state\", \"retransmit\" and \"lost\", and \"time_ns\" since 1970.

The run never waits for the trace: what a slow reader has no room for is counted, and reported as \"N events lost\".
Exit status: 0 the run ended, Ctrl-C, or --count was reached; 1 there is no such run; 2 wrong usage.
";

#[derive(Debug, Args)]
#[command(after_help = TRACE_EXAMPLES)]
pub(crate) struct Trace {
    /// Process id of the `hearken run` (needed only when several are alive)
    #[arg(value_name = "PID")]
    pub(crate) run: Option<u32>,
    /// Socket calls with what they did, as `run --trace` prints them, and the steps of handshakes
    #[arg(long, help_heading = "What (all of it, if none is named)")]
    pub(crate) calls: bool,
    /// Packets that came in and were dropped, with the reason
    #[arg(long, help_heading = "What (all of it, if none is named)")]
    pub(crate) drops: bool,
    /// Changes of state of connections and listeners
    #[arg(long, help_heading = "What (all of it, if none is named)")]
    pub(crate) states: bool,
    /// Segments that left again
    #[arg(long, help_heading = "What (all of it, if none is named)")]
    pub(crate) retransmits: bool,
    /// End after so many events
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = NSTAT_EXAMPLES)]
pub(crate) struct Nstat {
    /// Of the run with this process id (needed only when several runs are alive)
    #[arg(long, visible_alias = "pid", value_name = "PID")]
    pub(crate) run: Option<u32>,
    /// Values since the run began, not since the last call
    #[arg(short = 'a', long)]
    pub(crate) ignore: bool,
    /// Show counters that are zero, too
    #[arg(short, long)]
    pub(crate) zeros: bool,
    /// Leave the history as it is: the next call counts from the same point
    #[arg(short = 's', long)]
    pub(crate) noupdate: bool,
    /// Only note the values in the history
    #[arg(short, long)]
    pub(crate) nooutput: bool,
    /// Forget the history first
    #[arg(short, long)]
    pub(crate) reset: bool,
    /// nstat's own JSON form
    #[arg(short, long)]
    pub(crate) json: bool,
    /// JSON over several lines
    #[arg(short, long)]
    pub(crate) pretty: bool,
    /// Only counters with these names; * and ? stand for anything
    #[arg(value_name = "PATTERN")]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = SYSCTL_EXAMPLES)]
pub(crate) struct Sysctl {
    /// Names to read, or to set
    #[arg(value_name = "KEY[=VALUE]")]
    pub(crate) names: Vec<String>,
    /// Of the run with this process id (needed only when several runs are alive)
    #[arg(long, visible_alias = "pid", value_name = "PID")]
    pub(crate) run: Option<u32>,
    /// All values of the run
    #[arg(short, long, conflicts_with = "names")]
    pub(crate) all: bool,
    /// Values without names
    #[arg(short = 'n', long)]
    pub(crate) values: bool,
    /// Say what the names mean, with bounds and defaults; needs no run
    #[arg(long)]
    pub(crate) doc: bool,
    /// JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hearken man ~/.local/share/man/man1 && man hearken-ss\n")]
pub(crate) struct Man {
    /// The directory; made if it is not there
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub(crate) struct Doctor {
    /// JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoServer {
    pub(crate) port: u16,
    pub(crate) bytes: u64,
}
