//! The control socket of each run: where it is, what is asked, what is answered.
//!
//! One AF_UNIX socket a run, `PID.sock`, mode 0600 in a directory of mode 0700 that must be ours and
//! must not be a link; the peer must be this user (SO_PEERCRED). A request is one line of JSON, so is
//! the answer.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What may be asked for by one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Get {
    /// The sockets.
    Ss,
    /// The sockets, each with its TCP_INFO.
    SsInfo,
    /// The counters.
    Nstat,
    /// The listeners' queues, the counters, the drops and the bytes.
    Top,
}

/// One request. On the wire: `{"get":"ss"}`, `{"sysctl":{"write":[["net.core.somaxconn","16"]]}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// State as it is now.
    Get(Get),
    /// Values of the program's namespace.
    Sysctl(Sysctl),
    /// Events as they come, until the asker hangs up: behind the answer one line of JSON each
    /// ([`crate::event::Line`]).
    Trace(Trace),
    /// Packets as they come and go, until the asker hangs up: behind the answer a pcapng file.
    Capture(Capture),
}

/// What is to be captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capture {
    /// Bytes of each packet; 0 for all.
    #[serde(default)]
    pub snaplen: u32,
}

/// Which events are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trace {
    /// Calls, and the steps of handshakes.
    #[serde(default)]
    pub calls: bool,
    /// Packets that are dropped.
    #[serde(default)]
    pub drops: bool,
    /// Changes of state.
    #[serde(default)]
    pub states: bool,
    /// Retransmissions.
    #[serde(default)]
    pub retransmits: bool,
}

/// Sysctls to set, then sysctls to read; the first that fails ends it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sysctl {
    /// Names and values to set. Either all are set or none.
    #[serde(default)]
    pub write: Vec<(String, String)>,
    /// Names to read afterwards.
    #[serde(default)]
    pub read: Vec<String>,
}

/// One socket, as `ss` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Row {
    /// `tcp` or `tcp6`.
    pub domain: String,
    /// Linux's name in `ss`: LISTEN, ESTAB, ...
    pub state: String,
    /// Of a listener: connections that wait.
    pub recv_q: u32,
    /// Of a listener: its limit.
    pub send_q: u32,
    /// The local address.
    pub local: String,
    /// The peer's address; the wildcard of a listener.
    pub peer: String,
    /// An IPv6 socket that refuses IPv4.
    pub v6only: bool,
    /// Who made it.
    pub uid: u32,
    /// The process that made it, where it is known.
    pub pid: Option<u32>,
    /// Its name.
    pub cmd: Option<String>,
    /// The inode of the program's descriptor; 0 when no descriptor is left.
    #[serde(default)]
    pub inode: u64,
    /// Distinguishes sockets of one run, as SO_COOKIE does.
    #[serde(default)]
    pub cookie: u64,
    /// Which directions are shut: 1 reading, 2 writing, as SHUT_RD and SHUT_WR plus one. `None` for what is no
    /// whole socket.
    #[serde(default)]
    pub shutdown: Option<u8>,
    /// The timer that runs.
    #[serde(default)]
    pub timer: Option<Timer>,
    /// Buffers.
    #[serde(default)]
    pub memory: Option<Memory>,
    /// The congestion control.
    #[serde(default)]
    pub congestion: Option<String>,
    /// TCP_INFO's fields under Linux's names without `tcpi_`; those that are zero are left out.
    #[serde(default)]
    pub info: BTreeMap<String, u64>,
}

/// A timer of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// As /proc/net/tcp numbers it: 1 retransmit, 2 keepalive, 3 TIME_WAIT, 4 probe.
    pub kind: u8,
    /// Milliseconds that are left.
    pub left_ms: u64,
    /// How often it fired without an answer.
    pub retransmits: u8,
}

/// Buffers of a socket in bytes, as SO_MEMINFO has them; what Hearken does not keep is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Held by received data.
    pub rmem_alloc: u32,
    /// SO_RCVBUF as it is kept.
    pub rcvbuf: u32,
    /// SO_SNDBUF as it is kept.
    pub sndbuf: u32,
    /// Held by data that is written and not acknowledged.
    pub wmem_queued: u32,
}

/// One published port, with what the host chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The address on the host.
    pub host: String,
    /// The port inside.
    pub port: u16,
}

/// What one run answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The supervisor's process.
    pub pid: u32,
    /// Why the request was not done: one sentence.
    #[serde(default)]
    pub error: Option<String>,
    /// The sockets, if they were asked for.
    #[serde(default)]
    pub sockets: Vec<Row>,
    /// The published ports, with the sockets.
    #[serde(default)]
    pub published: Vec<Published>,
    /// The counters under nstat's names, if they were asked for.
    #[serde(default)]
    pub counters: Vec<(String, u64)>,
    /// The sysctls that were read: name and value.
    #[serde(default)]
    pub sysctls: Vec<(String, String)>,
    /// The listeners' queues, with [`Get::Top`].
    #[serde(default)]
    pub listeners: Vec<ListenerRow>,
    /// Packets that were dropped, by Linux's name of the reason; those that are zero are left out.
    #[serde(default)]
    pub drops: Vec<(String, u64)>,
    /// Bytes of packets that came in by `eth0`, and that went out.
    #[serde(default)]
    pub bytes: (u64, u64),
}

/// A listener's two queues, and what came to it so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ListenerRow {
    /// Distinguishes it from others that listened at the same address (SO_COOKIE).
    pub id: u64,
    /// Where it listens.
    pub local: String,
    /// The process that made it, where it is known.
    pub pid: Option<u32>,
    /// Its name.
    pub cmd: Option<String>,
    /// Half-open connections.
    pub syn_queue: u32,
    /// Connections that wait for accept(2).
    pub accept_queue: u32,
    /// The limit of both; one more than it fits.
    pub limit: u32,
    /// SYNs that found it.
    pub syns: u64,
    /// Handshakes that were completed.
    pub connections: u64,
    /// SYNs and ACKs that found the accept queue full.
    pub overflows: u64,
}

/// Where this user's control sockets are.
pub fn directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if Path::new(&dir).is_absolute() => Path::new(&dir).join("hearken"),
        _ => PathBuf::from(format!(
            "/tmp/hearken-{}",
            rustix::process::getuid().as_raw()
        )),
    }
}

/// Makes the directory, or checks that the one that is there is ours alone.
fn own_directory(dir: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let meta = std::fs::symlink_metadata(dir)?;
    let ours = meta.file_type().is_dir()
        && meta.uid() == rustix::process::geteuid().as_raw()
        && meta.mode() & 0o077 == 0;
    if ours {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "{} is not a directory of this user alone (mode 0700)",
                dir.display()
            ),
        ))
    }
}

/// The listening side of a run; its file goes with it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Listens at `PID.sock`, in place of a stale one. What a run of the same number noted before is no news of this one.
    pub(crate) fn new() -> io::Result<Self> {
        let dir = directory();
        own_directory(&dir)?;
        remove_stale(&dir);
        let _ = std::fs::remove_file(history_of(std::process::id()));
        let path = dir.join(format!("{}.sock", std::process::id()));
        // Between bind and listen a socket refuses everybody, as a stale one does: it gets its name afterwards.
        let unnamed = path.with_extension("new");
        match std::fs::remove_file(&unnamed) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(&unnamed)?;
        std::fs::set_permissions(&unnamed, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&unnamed, &path)?;
        listener.set_nonblocking(true)?;
        Ok(Server { listener, path })
    }

    /// The next caller, if it is this user.
    pub(crate) fn accept(&self) -> Option<UnixStream> {
        let (stream, _) = self.listener.accept().ok()?;
        let cred = rustix::net::sockopt::socket_peercred(&stream).ok()?;
        let us = rustix::process::geteuid();
        if cred.uid != us && !cred.uid.is_root() {
            return None;
        }
        stream.set_nonblocking(true).ok()?;
        Some(stream)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// A killed run cannot remove its own: whoever comes next does.
fn remove_stale(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|x| x == "sock") {
            let answer = UnixStream::connect(&path);
            if answer.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused) {
                remove(&path);
            }
        }
    }
}

/// A run's socket, and what `nstat` noted of its counters.
fn remove(socket: &Path) {
    let _ = std::fs::remove_file(socket);
    let _ = std::fs::remove_file(history_of_socket(socket));
}

fn history_of_socket(socket: &Path) -> PathBuf {
    socket.with_extension("nstat")
}

/// Where `nstat` notes the counters of a run; it goes with the run.
pub fn history_of(pid: u32) -> PathBuf {
    history_of_socket(&socket_of(pid))
}

/// Asks one run.
pub fn query(socket: &Path, request: &Request) -> io::Result<Answer> {
    follow(socket, request).map(|(answer, _)| answer)
}

/// Asks one run and stays on the line: what it sends behind its answer can be read until it ends or
/// the stream is dropped.
pub fn follow(socket: &Path, request: &Request) -> io::Result<(Answer, BufReader<UnixStream>)> {
    let mut stream = UnixStream::connect(socket)?;
    let patience = Some(Duration::from_secs(5));
    stream.set_read_timeout(patience)?;
    stream.set_write_timeout(patience)?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut stream = BufReader::new(stream);
    let mut answer = String::new();
    // No run has so many sockets; a peer that never ends its line must not fill our memory.
    stream.by_ref().take(256 << 20).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let answer = serde_json::from_str(&answer)?;
    stream.get_ref().set_read_timeout(None)?;
    Ok((answer, stream))
}

/// The control socket of one run.
pub fn socket_of(pid: u32) -> PathBuf {
    directory().join(format!("{pid}.sock"))
}

/// Whether the error of a query says that the run has ended, before or while it was asked.
pub fn has_ended(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    matches!(
        error.kind(),
        ConnectionRefused | NotFound | ConnectionReset | BrokenPipe | UnexpectedEof
    )
}

/// Asks every run of this user; sockets that no run answers any more are removed.
pub fn query_all(request: &Request) -> io::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for path in list()? {
        match query(&path, request) {
            Ok(answer) => answers.push(answer),
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => remove(&path),
            Err(e) if has_ended(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(answers)
}

/// The control sockets of this user's runs.
pub fn list() -> io::Result<Vec<PathBuf>> {
    let dir = directory();
    let entries = match std::fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    own_directory(&dir)?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|e| e.file_type().is_ok_and(|t| t.is_socket()))
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|x| x == "sock"))
        .collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("hearken-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn directory_is_made_private_and_taken_again() {
        let dir = scratch("private");
        own_directory(&dir).unwrap();
        assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        own_directory(&dir).unwrap();
        std::fs::remove_dir(&dir).unwrap();
    }

    #[test]
    fn directory_open_to_others_or_a_link_is_refused() {
        let dir = scratch("open");
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(
            own_directory(&dir).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
        let link = scratch("link");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        assert_eq!(
            own_directory(&link).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        std::fs::remove_file(&link).unwrap();
        std::fs::remove_dir(&dir).unwrap();
    }

    #[test]
    fn request_is_one_short_json_object() {
        for (request, line) in [
            (Request::Get(Get::Ss), r#"{"get":"ss"}"#),
            (Request::Get(Get::SsInfo), r#"{"get":"ss-info"}"#),
            (
                Request::Sysctl(Sysctl {
                    write: vec![("net.core.somaxconn".into(), "16".into())],
                    read: Vec::new(),
                }),
                r#"{"sysctl":{"write":[["net.core.somaxconn","16"]],"read":[]}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&request).unwrap(), line);
            assert_eq!(serde_json::from_str::<Request>(line).unwrap(), request);
        }
        assert!(serde_json::from_str::<Request>(r#"{"get":"all"}"#).is_err());
    }
}
