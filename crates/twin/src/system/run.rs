//! Runs something on a system of its own.

use super::{Lan, OursSystem, System};

/// Runs `f` on ours; all that is random in it comes from the seed.
pub fn drive_hearken<T>(lan: &Lan, seed: [u8; 32], f: impl FnOnce(&mut dyn System) -> T) -> T {
    f(&mut OursSystem::new(lan, seed))
}

/// Runs `f` on the host's Linux, in a thread and a namespace of its own. `Err` says why Linux cannot be asked here.
///
/// # Errors
/// A sentence: what was tried, and what it needs.
pub fn drive_linux<T: Send + 'static>(
    lan: &Lan,
    f: impl FnOnce(&mut dyn System) -> T + Send + 'static,
) -> Result<T, String> {
    #[cfg(target_os = "linux")]
    {
        let lan = lan.clone();
        let thread = std::thread::spawn(move || {
            let mut system = super::LinuxSystem::new(&lan).map_err(|(what, errno)| {
                format!("Linux could not be asked: {what}: {errno}. It needs root and /dev/net/tun")
            })?;
            Ok(f(&mut system))
        });
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (lan, f);
        Err("Linux could not be asked: this is another system".to_owned())
    }
}
