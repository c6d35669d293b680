//! The Fast Open part of listen(): whether every listener is to take such connections, and the namespace's key. The
//! server side itself is not there yet; the queue length is kept, as getsockopt(TCP_FASTOPEN) reports it.

use alloc::format;
use alloc::string::String;
use hearken_tcp::SysctlError;

use crate::hooks::Step;
use crate::shared::Shared;

/// The sysctl that shows and sets the key.
pub(crate) const KEY: &str = "net.ipv4.tcp_fastopen_key";

/// `tcp_fastopen` bit: the server side is on.
const TFO_SERVER_ENABLE: i32 = 2;
/// `tcp_fastopen` bit: listeners need no socket option.
const TFO_SERVER_WO_SOCKOPT1: i32 = 0x400;

/// On a first listen under 0x402 a socket without a Fast Open queue gets one of the length of its backlog
/// (docs/linux 93, 94; Linux `fastopen_queue_tune`).
pub(super) fn on_first_listen(sh: &mut Shared, slot: u32, backlog: u32) {
    let want = TFO_SERVER_ENABLE | TFO_SERVER_WO_SOCKOPT1;
    if sh.sysctls.tcp_fastopen & want != want {
        return;
    }
    let max_qlen = backlog.min(sh.sysctls.somaxconn);
    init_key_once(sh);
    let Some(s) = sh.sockets.get_mut(slot) else {
        return;
    };
    let conf = s.conf();
    if conf.fast_open_qlen == 0 {
        conf.fast_open_qlen = max_qlen;
        sh.trace(|| Step::FastOpen { max_qlen });
    }
}

/// The first use of the server side draws the namespace's key (docs/linux 95; Linux `tcp_fastopen_init_key_once`).
pub(crate) fn init_key_once(sh: &mut Shared) {
    if sh.fastopen_key.is_none() {
        let (a, b) = (sh.secrets.draw(), sh.secrets.draw());
        sh.fastopen_key = Some([a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32]);
    }
}

/// The key as the sysctl prints it: four words, all zero before there is one.
pub(crate) fn key_text(sh: &Shared) -> String {
    let [a, b, c, d] = sh.fastopen_key.unwrap_or_default();
    format!("{a:08x}-{b:08x}-{c:08x}-{d:08x}")
}

/// Sets the key from the sysctl's text: four hexadecimal words joined by `-`.
pub(crate) fn set_key(sh: &mut Shared, text: &str) -> Result<(), SysctlError> {
    let mut key = [0; 4];
    let mut words = text.trim().split('-');
    for k in &mut key {
        let word = words.next().filter(|w| (1..=8).contains(&w.len()));
        *k = word
            .and_then(|w| u32::from_str_radix(w, 16).ok())
            .ok_or(SysctlError::Invalid)?;
    }
    if words.next().is_some() {
        return Err(SysctlError::Invalid);
    }
    sh.fastopen_key = Some(key);
    Ok(())
}
