//! A sock_ops program in the kernel: bpf(2), attached to a cgroup that holds the case's thread and nothing else.
//!
//! The cgroup is a threaded one, for a case is a thread: below a domain of the whole process, which goes back to where it
//! was when the last case has ended.

use core::ffi::c_int;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hearken_bpf::Object;

/// Commands of bpf(2).
const MAP_CREATE: c_int = 0;
const MAP_LOOKUP_ELEM: c_int = 1;
const PROG_LOAD: c_int = 5;
const PROG_ATTACH: c_int = 8;
/// `BPF_PROG_TYPE_SOCK_OPS`, `BPF_CGROUP_SOCK_OPS`
const SOCK_OPS: u32 = 13;
const CGROUP_SOCK_OPS: u32 = 3;
/// `BPF_PSEUDO_MAP_FD`: the source register of a load whose immediate is a map's descriptor.
const MAP_FD: u8 = 1 << 4;

type Fail = (&'static str, io::Error);

/// `union bpf_attr`: members by their offset.
#[repr(C, align(8))]
struct Attr([u8; 128]);

impl Attr {
    fn new(words: &[(usize, u32)], longs: &[(usize, u64)]) -> Self {
        let mut attr = Attr([0; 128]);
        for (at, v) in words {
            attr.0[*at..at + 4].copy_from_slice(&v.to_ne_bytes());
        }
        for (at, v) in longs {
            attr.0[*at..at + 8].copy_from_slice(&v.to_ne_bytes());
        }
        attr
    }

    fn call(&mut self, command: c_int) -> io::Result<c_int> {
        // SAFETY: the attribute is 128 bytes of ours; every address in it is of memory that outlives the call.
        let n = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), self.0.len()) };
        if n < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(n as c_int)
    }

    fn open(&mut self, command: c_int) -> io::Result<OwnedFd> {
        // SAFETY: the kernel made this descriptor just now, for us.
        self.call(command)
            .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// An attached program.
pub(super) struct Attached {
    maps: Vec<(String, usize, OwnedFd)>,
    _program: OwnedFd,
    _cgroup: Cgroup,
}

impl Attached {
    /// Loads the object and attaches it to the calling thread's own cgroup.
    pub(super) fn new(object: &Object) -> Result<Self, Fail> {
        let mut maps = Vec::new();
        for m in &object.maps {
            let words = [m.kind as u32, m.key_size, m.value_size, m.max_entries];
            let words: Vec<(usize, u32)> = (0..).step_by(4).zip(words).collect();
            let fd = Attr::new(&words, &[])
                .open(MAP_CREATE)
                .map_err(|e| ("bpf(BPF_MAP_CREATE)", e))?;
            maps.push((m.name.clone(), m.value_size as usize, fd));
        }
        let mut code = object.code.clone();
        for (insn, map) in &object.uses {
            let at = insn * 8;
            code[at + 1] = code[at + 1] & 0x0f | MAP_FD;
            let fd = maps[*map].2.as_raw_fd();
            code[at + 4..at + 8].copy_from_slice(&fd.to_ne_bytes());
        }
        let license = format!("{}\0", object.license);
        let mut log = vec![0u8; 64 << 10];
        let program = Attr::new(
            &[
                (0, SOCK_OPS),
                (4, (code.len() / 8) as u32),
                (24, 1),
                (28, log.len() as u32),
                (68, CGROUP_SOCK_OPS),
            ],
            &[
                (8, code.as_ptr() as u64),
                (16, license.as_ptr() as u64),
                (32, log.as_mut_ptr() as u64),
            ],
        )
        .open(PROG_LOAD)
        .map_err(|e| {
            eprintln!("{}", String::from_utf8_lossy(&log).trim_end_matches('\0'));
            ("bpf(BPF_PROG_LOAD)", e)
        })?;
        let cgroup = Cgroup::enter()?;
        let dir = fs::File::open(&cgroup.thread).map_err(|e| ("the cgroup", e))?;
        let (target, prog) = (dir.as_raw_fd() as u32, program.as_raw_fd() as u32);
        Attr::new(&[(0, target), (4, prog), (8, CGROUP_SOCK_OPS)], &[])
            .call(PROG_ATTACH)
            .map_err(|e| ("bpf(BPF_PROG_ATTACH)", e))?;
        Ok(Attached {
            maps,
            _program: program,
            _cgroup: cgroup,
        })
    }

    /// What a map holds under a key.
    pub(super) fn lookup(&self, map: &str, key: &[u8]) -> Option<Vec<u8>> {
        let (_, size, fd) = self.maps.iter().find(|(name, ..)| name == map)?;
        let mut value = vec![0u8; *size];
        Attr::new(
            &[(0, fd.as_raw_fd() as u32)],
            &[(8, key.as_ptr() as u64), (16, value.as_mut_ptr() as u64)],
        )
        .call(MAP_LOOKUP_ELEM)
        .ok()
        .map(|_| value)
    }
}

/// How many cases are in a cgroup of theirs, and where the process was before.
static USERS: Mutex<(usize, Option<PathBuf>)> = Mutex::new((0, None));

/// The calling thread in a cgroup of its own, until it is dropped.
struct Cgroup {
    domain: PathBuf,
    thread: PathBuf,
}

impl Cgroup {
    fn enter() -> Result<Self, Fail> {
        let fail = |what| move |e| (what, e);
        let mount = mount_point().map_err(fail("a cgroup2 mount"))?;
        // SAFETY: it has no arguments and cannot fail.
        let thread_id = unsafe { libc::gettid() };
        let domain = mount.join(format!("hearken-{}", std::process::id()));
        let thread = domain.join(thread_id.to_string());
        let mut users = USERS.lock().unwrap_or_else(|e| e.into_inner());
        if users.0 == 0 {
            users.1 = Some(here(&mount));
            fs::create_dir_all(&domain).map_err(fail("mkdir of a cgroup"))?;
            write(&domain, "cgroup.procs", std::process::id()).map_err(fail("cgroup.procs"))?;
        }
        fs::create_dir_all(&thread).map_err(fail("mkdir of a cgroup"))?;
        fs::write(thread.join("cgroup.type"), "threaded").map_err(fail("cgroup.type"))?;
        write(&thread, "cgroup.threads", thread_id as u32).map_err(fail("cgroup.threads"))?;
        users.0 += 1;
        Ok(Cgroup { domain, thread })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let mut users = USERS.lock().unwrap_or_else(|e| e.into_inner());
        users.0 -= 1;
        // SAFETY: as above.
        let thread_id = unsafe { libc::gettid() };
        // What stays behind is an empty directory of /sys, and no reason to fail.
        let _ = write(&self.domain, "cgroup.threads", thread_id as u32);
        let _ = fs::remove_dir(&self.thread);
        if users.0 == 0
            && let Some(before) = users.1.take()
        {
            let _ = write(&before, "cgroup.procs", std::process::id());
            let _ = fs::remove_dir(&self.domain);
        }
    }
}

fn write(dir: &Path, file: &str, id: u32) -> io::Result<()> {
    fs::write(dir.join(file), id.to_string())
}

/// Where the process is in the second hierarchy.
fn here(mount: &Path) -> PathBuf {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = text.lines().find_map(|l| l.strip_prefix("0::/"));
    mount.join(path.unwrap_or_default())
}

/// Where cgroup2 is mounted.
fn mount_point() -> io::Result<PathBuf> {
    let text = fs::read_to_string("/proc/self/mounts")?;
    let mut mounts = text.lines().map(|l| l.split(' '));
    let found = mounts.find_map(|mut l| {
        let (path, kind) = (l.nth(1)?, l.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path))
    });
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "cgroup2 is not mounted"))
}
