use super::*;
use std::collections::BTreeMap;

/// A machine where all is well, until a test breaks something.
struct Fake {
    files: BTreeMap<&'static str, &'static str>,
    tun: Result<(), io::ErrorKind>,
    notification: Result<(), i32>,
    sizes: Result<[u16; 3], i32>,
    trial: Option<Trial>,
}

impl Fake {
    fn new() -> Self {
        Self {
            files: BTreeMap::from([
                (MAX_USER, "96365\n"),
                (CLONE, "1\n"),
                (APPARMOR, "0\n"),
                ("/proc/sys/kernel/yama/ptrace_scope", "1\n"),
            ]),
            tun: Ok(()),
            notification: Ok(()),
            sizes: Ok([80, 24, 64]),
            trial: Some(Trial {
                namespaces: Ok(()),
                notes: Vec::new(),
                listener: Ok(()),
                sync_wake_up: Ok(()),
                pidfd_thread: Ok(()),
                getfd: Ok(()),
                memory: Ok(()),
                addfd_send: Ok(()),
            }),
        }
    }

    fn broken(f: impl FnOnce(&mut Trial)) -> Self {
        let mut fake = Self::new();
        f(fake.trial.as_mut().expect("there"));
        fake
    }

    /// The names that are not ok, with their repairs.
    fn lacking(&self) -> Vec<(&'static str, Option<String>)> {
        checks_of(self)
            .into_iter()
            .filter(|c| !c.ok)
            .map(|c| (c.name, c.repair_command))
            .collect()
    }

    fn check(&self, name: &str) -> Check {
        checks_of(self)
            .into_iter()
            .find(|c| c.name == name)
            .expect("a check of this name")
    }
}

impl Probe for Fake {
    fn file(&self, path: &str) -> io::Result<String> {
        match self.files.get(path) {
            Some(t) => Ok((*t).into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn open(&self, _: &str) -> io::Result<()> {
        self.tun.map_err(io::Error::from)
    }

    fn notification(&self) -> io::Result<()> {
        self.notification.map_err(io::Error::from_raw_os_error)
    }

    fn sizes(&self) -> io::Result<[u16; 3]> {
        self.sizes.map_err(io::Error::from_raw_os_error)
    }

    fn trial(&self) -> io::Result<Trial> {
        self.trial
            .clone()
            .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }
}

const NAMESPACE: &str = "a network namespace of its own";

#[test]
fn doctor_healthy_machine_lacks_nothing() {
    assert_eq!(Fake::new().lacking(), []);
    assert_eq!(checks_of(&Fake::new()).len(), 12);
}

#[test]
fn doctor_notification_missing_or_other_sized_is_required() {
    for (notification, sizes, word) in [
        (Err(libc::EOPNOTSUPP), Ok([80, 24, 64]), "Linux 6.6"),
        (Ok(()), Err(libc::EINVAL), "sizes"),
        (Ok(()), Ok([88, 24, 72]), "[88, 24, 72]"),
    ] {
        let mut fake = Fake::new();
        fake.notification = notification;
        fake.sizes = sizes;
        let c = fake.check("seccomp user notification");
        assert!(!c.ok && c.required && c.found.contains(word), "{c:?}");
    }
}

#[test]
fn doctor_nested_listener_is_told_from_other_refusals() {
    let c = Fake::broken(|t| t.listener = Err(libc::EBUSY)).check("another seccomp listener");
    assert!(!c.ok && c.required, "{c:?}");
    assert!(c.found.contains("inside `hearken run`"), "{c:?}");
    assert_eq!(c.repair_command.as_deref(), Some("exit"));
    let c = Fake::broken(|t| t.listener = Err(libc::EACCES)).check("another seccomp listener");
    assert!(
        !c.ok && c.found.contains("refused") && c.repair_command.is_none(),
        "{c:?}"
    );
}

#[test]
fn doctor_switch_that_stops_user_namespaces_is_named_with_its_command() {
    for (file, value, name, command) in [
        (
            MAX_USER,
            "0\n",
            "user.max_user_namespaces",
            "sudo sysctl -w user.max_user_namespaces=15000",
        ),
        (
            CLONE,
            "0\n",
            "kernel.unprivileged_userns_clone",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            APPARMOR,
            "1\n",
            "AppArmor's limit on user namespaces",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ] {
        let mut fake = Fake::broken(|t| t.namespaces = Err("unshare: EPERM".into()));
        fake.files.insert(file, value);
        assert_eq!(
            fake.lacking(),
            [(name, Some(command.to_string())), (NAMESPACE, None)]
        );
        // The same switch, but this user is root or has a profile.
        let mut fake = Fake::new();
        fake.files.insert(file, value);
        assert_eq!(fake.lacking(), []);
        assert!(fake.check(name).found.contains("let through"));
    }
}

#[test]
fn doctor_kernel_without_user_namespaces_or_unexplained_refusal_is_told() {
    let mut fake = Fake::broken(|t| t.namespaces = Err("unshare: EPERM".into()));
    assert_eq!(fake.lacking().len(), 1);
    let c = fake.check(NAMESPACE);
    assert!(c.found.contains("unshare: EPERM") && !c.required, "{c:?}");
    assert!(c.repair_command.expect("root may").starts_with("sudo "));
    fake.files.remove(MAX_USER);
    assert!(
        fake.check("user.max_user_namespaces")
            .found
            .contains("not there")
    );
    assert!(!fake.check("user.max_user_namespaces").ok);
    // The switches of other distributions may be missing.
    let mut fake = Fake::new();
    fake.files.remove(CLONE);
    fake.files.remove(APPARMOR);
    assert_eq!(fake.lacking(), []);
}

#[test]
fn doctor_notes_from_the_namespace_are_shown() {
    let c = Fake::broken(|t| t.notes = vec!["no eth0: veth: not supported".into()])
        .check("inside the namespace");
    assert!(!c.ok && !c.required, "{c:?}");
    assert_eq!(c.repair_command.as_deref(), Some("sudo modprobe veth"));
}

#[test]
fn doctor_yama_scope_is_named_with_its_command() {
    for (scope, part) in [
        ("1", "ptrace_scope=1"),
        ("2", "ptrace_scope=1"),
        ("3", "reboot"),
    ] {
        let mut fake = Fake::broken(|t| t.getfd = Err("EPERM".into()));
        fake.files
            .insert("/proc/sys/kernel/yama/ptrace_scope", scope);
        let lacking = fake.lacking();
        assert_eq!(lacking.len(), 1);
        assert!(lacking[0].1.as_ref().expect("a command").contains(part));
    }
    let mut fake = Fake::broken(|t| t.memory = Err("EPERM".into()));
    fake.files.clear();
    fake.files.insert(MAX_USER, "1");
    let lacking = fake.lacking();
    assert_eq!(lacking.len(), 1);
    assert_eq!(lacking[0].1, None, "without Yama its switch mends nothing");
}

#[test]
fn doctor_older_kernel_s_gaps_are_told_one_by_one() {
    for (fake, name, required) in [
        (
            Fake::broken(|t| t.pidfd_thread = Err("EINVAL".into())),
            "pidfd of a thread",
            false,
        ),
        (
            Fake::broken(|t| t.addfd_send = Err("EINVAL".into())),
            "answering with a descriptor (ADDFD, SEND)",
            true,
        ),
        (
            Fake::broken(|t| t.sync_wake_up = Err("EINVAL".into())),
            "synchronous wake-up",
            false,
        ),
    ] {
        assert_eq!(fake.lacking(), [(name, None)]);
        let c = fake.check(name);
        assert!(
            c.required == required && c.found.contains("needs Linux"),
            "{c:?}"
        );
    }
}

#[test]
fn doctor_tun_is_never_required() {
    let mut fake = Fake::new();
    fake.tun = Err(io::ErrorKind::PermissionDenied);
    let c = fake.check("/dev/net/tun");
    assert!(!c.ok && !c.required, "{c:?}");
    assert_eq!(
        c.repair_command.as_deref(),
        Some("sudo chmod 0666 /dev/net/tun")
    );
    fake.tun = Err(io::ErrorKind::NotFound);
    let c = fake.check("/dev/net/tun");
    assert_eq!(c.repair_command.as_deref(), Some("sudo modprobe tun"));
}

#[test]
fn doctor_trial_that_could_not_start_is_required() {
    let mut fake = Fake::new();
    fake.trial = None;
    let c = fake.check("trial");
    assert!(!c.ok && c.required, "{c:?}");
}
