//! The Fast Open part of listen(): whether every listener is to take such connections. The server side itself is not
//! there yet; the queue length is kept, as getsockopt(TCP_FASTOPEN) reports it.

use crate::hooks::Step;
use crate::shared::Shared;

/// `tcp_fastopen` bit: the server side is on.
const TFO_SERVER_ENABLE: i32 = 2;
/// `tcp_fastopen` bit: listeners need no socket option.
const TFO_SERVER_WO_SOCKOPT1: i32 = 0x400;

/// On a first listen under 0x402 a socket without a Fast Open queue gets one of the length of its backlog
/// (LINUX.md 93, 94; Linux `fastopen_queue_tune`).
pub(super) fn on_first_listen(sh: &mut Shared, slot: u32, backlog: u32) {
    let want = TFO_SERVER_ENABLE | TFO_SERVER_WO_SOCKOPT1;
    if sh.sysctls.tcp_fastopen & want != want {
        return;
    }
    let max_qlen = backlog.min(sh.sysctls.somaxconn);
    let Some(s) = sh.sockets.get_mut(slot) else {
        return;
    };
    let conf = s.conf();
    if conf.fast_open_qlen == 0 {
        conf.fast_open_qlen = max_qlen;
        sh.trace(|| Step::FastOpen { max_qlen });
    }
}
