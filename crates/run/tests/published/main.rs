//! `-p` and the host's side: FIN stays FIN and RST stays RST, both ways, and nothing that a program
//! wrote before it ended is lost.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::net::sockopt;

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    hearken_run::guardian::become_guardian_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["program", name, ..] => {
            program(name, &args[2..]);
            ExitCode::SUCCESS
        }
        ["carry", published, ref rest @ ..] => {
            let me = std::env::current_exe().expect("own path");
            let mut cmd = vec![me.into(), "program".into()];
            cmd.extend(rest.iter().map(Into::into));
            let options = hearken_run::options::Options {
                publish: vec![published.parse().expect("a published port")],
                cmd,
                ..Default::default()
            };
            ExitCode::from(hearken_run::run(&options))
        }
        _ => run_all(&args),
    }
}

type Case = (&'static str, fn());

const CASES: &[Case] = &[
    (
        "fin_of_the_host_client_is_eof_inside_and_back",
        fin_goes_both_ways,
    ),
    ("rst_of_the_host_client_is_econnreset_inside", client_resets),
    ("rst_of_the_program_is_econnreset_outside", program_resets),
    ("port_without_listener_resets_the_client", nobody_listens),
    (
        "ipv6_loopback_client_reaches_an_ipv4_server",
        localhost_falls_back,
    ),
    (
        "program_that_ends_at_once_has_sent_everything",
        last_words_arrive,
    ),
    (
        "killed_program_with_unread_data_resets_the_client",
        killed_program_resets,
    ),
    ("connection_to_the_host_ends_as_it_does_there", outward),
];

fn run_all(args: &[String]) -> ExitCode {
    let list = args.iter().any(|a| a == "--list");
    let filter = args.iter().find(|a| !a.starts_with('-'));
    let mut failed = 0;
    for (name, case) in CASES
        .iter()
        .filter(|(n, _)| filter.is_none_or(|f| n.contains(f.as_str())))
    {
        if list {
            println!("{name}: test");
            continue;
        }
        let ok = std::panic::catch_unwind(case).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        failed += usize::from(!ok);
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A carried program that is told when to go on, and says what it sees.
struct Run {
    child: Child,
    said: BufReader<ChildStdout>,
    tell: ChildStdin,
    port: u16,
}

impl Run {
    fn start(program: &[&str]) -> Self {
        let port = free_port();
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .args(["carry", &format!("{port}:8000")])
            .args(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let said = BufReader::new(child.stdout.take().expect("piped"));
        let tell = child.stdin.take().expect("piped");
        let mut run = Run {
            child,
            said,
            tell,
            port,
        };
        assert_eq!(run.hear(), "ready");
        run
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("readable");
        line.trim_end().to_owned()
    }

    fn go_on(&mut self) {
        self.tell.write_all(b"\n").expect("it listens");
    }

    fn client(&self) -> TcpStream {
        client((Ipv4Addr::LOCALHOST, self.port).into())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).expect("published");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    stream
}

fn free_port() -> u16 {
    let l = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    l.local_addr().expect("bound").port()
}

fn reset(stream: TcpStream) {
    sockopt::set_socket_linger(stream.as_fd(), Some(Duration::ZERO)).expect("an option");
}

/// What reading to the end comes to: the bytes, and how it ended.
fn read_all(stream: &mut TcpStream) -> (usize, String) {
    let mut got = 0;
    let mut buf = vec![0; 65536];
    loop {
        match stream.read(&mut buf) {
            Ok(0) => return (got, "EOF".to_owned()),
            Ok(n) => got += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return (got, format!("{:?}", e.kind())),
        }
    }
}

fn fin_goes_both_ways() {
    let mut run = Run::start(&["reader"]);
    let mut c = run.client();
    c.write_all(b"hello").unwrap();
    c.shutdown(Shutdown::Write).unwrap();
    assert_eq!(run.hear(), "first 5");
    assert_eq!(run.hear(), "5 EOF");
    // The other direction is still open.
    run.go_on();
    assert_eq!(read_all(&mut c), (4, "EOF".to_owned()));
}

fn client_resets() {
    let mut run = Run::start(&["reader"]);
    let mut c = run.client();
    c.write_all(b"hello").unwrap();
    assert_eq!(run.hear(), "first 5");
    reset(c);
    assert_eq!(run.hear(), "5 ConnectionReset");
}

fn program_resets() {
    let mut run = Run::start(&["resetter"]);
    let mut c = run.client();
    c.write_all(b"hello").unwrap();
    assert_eq!(run.hear(), "resets");
    assert_eq!(read_all(&mut c), (0, "ConnectionReset".to_owned()));
}

fn nobody_listens() {
    let run = Run::start(&["idle"]);
    let mut c = run.client();
    assert_eq!(read_all(&mut c), (0, "ConnectionReset".to_owned()));
}

fn localhost_falls_back() {
    let mut run = Run::start(&["reader"]);
    let mut c = client((Ipv6Addr::LOCALHOST, run.port).into());
    c.write_all(b"six").unwrap();
    c.shutdown(Shutdown::Write).unwrap();
    assert_eq!(run.hear(), "3 EOF");
}

fn last_words_arrive() {
    const SIZE: usize = 20 << 20;
    let mut run = Run::start(&["last_words", &SIZE.to_string()]);
    let mut c = run.client();
    let mut half = vec![0; SIZE / 2];
    c.read_exact(&mut half).unwrap();
    // The program ends while we do not read.
    run.go_on();
    assert_eq!(run.hear(), "written");
    assert_eq!(read_all(&mut c), (SIZE - SIZE / 2, "EOF".to_owned()));
    assert!(run.child.wait().unwrap().success());
}

fn killed_program_resets() {
    let mut run = Run::start(&["suicide"]);
    let mut c = run.client();
    c.write_all(b"never read").unwrap();
    run.go_on();
    assert_eq!(read_all(&mut c), (0, "ConnectionReset".to_owned()));
    assert_eq!(run.child.wait().unwrap().code(), Some(128 + 9));
}

fn outward() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut run = Run::start(&["outward", &port]);
    let (mut there, _) = listener.accept().unwrap();
    there.write_all(b"hello").unwrap();
    there.shutdown(Shutdown::Write).unwrap();
    assert_eq!(run.hear(), "5 EOF");
    assert_eq!(read_all(&mut there), (4, "EOF".to_owned()));
    let (there, _) = listener.accept().unwrap();
    reset(there);
    assert_eq!(run.hear(), "0 ConnectionReset");
    drop(listener);
    run.go_on();
    assert_eq!(run.hear(), "ConnectionRefused");
}

fn wait_to_go_on() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("readable");
}

fn program(name: &str, args: &[String]) {
    if name == "outward" {
        println!("ready");
        let at = SocketAddr::from((Ipv4Addr::new(10, 0, 2, 2), args[0].parse().expect("a port")));
        let mut s = TcpStream::connect(at).expect("the host");
        let (n, end) = read_all(&mut s);
        println!("{n} {end}");
        s.write_all(b"back").expect("half open");
        drop(s);
        let (n, end) = read_all(&mut TcpStream::connect(at).expect("the host"));
        println!("{n} {end}");
        wait_to_go_on();
        println!("{:?}", TcpStream::connect(at).expect_err("refused").kind());
        return;
    }
    if name == "idle" {
        println!("ready");
        wait_to_go_on();
        return;
    }
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8000)).expect("a port");
    println!("ready");
    let (mut s, _) = listener.accept().expect("a client");
    match name {
        "reader" => {
            let mut first = [0; 5];
            let n = s.peek(&mut first).unwrap_or(0);
            if n == 5 {
                println!("first 5");
            }
            let (n, end) = read_all(&mut s);
            println!("{n} {end}");
            wait_to_go_on();
            let _ = s.write_all(b"back");
        }
        "resetter" => {
            let mut byte = [0; 5];
            s.read_exact(&mut byte).expect("five bytes");
            println!("resets");
            reset(s);
        }
        "last_words" => {
            let size: usize = args[0].parse().expect("a size");
            s.write_all(&vec![7; size / 2]).expect("sent");
            wait_to_go_on();
            s.write_all(&vec![7; size - size / 2]).expect("sent");
            println!("written");
        }
        "suicide" => {
            wait_to_go_on();
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .expect("ourselves");
        }
        other => panic!("no program {other}"),
    }
}
