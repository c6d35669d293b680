//! The security hook (`security_socket_bind`, `_listen`, `_accept`, `_connect`): asked with the call's arguments before
//! the protocol acts. It may refuse with any errno, which reaches the program unchanged.

use crate::machine::{Machine, NetId};
use hearken_abi::Errno;
use hearken_inet::{HookMask, SecurityCall, Step};

impl Machine {
    /// Asks the hook of the namespace.
    pub(crate) fn security(&mut self, net: NetId, call: &SecurityCall) -> Result<(), Errno> {
        match self.net_mut(net).hooks(HookMask::SECURITY) {
            Some(hooks) => hooks.security(call).map_err(Errno),
            None => Ok(()),
        }
    }

    /// Tells whoever traces of one step of a call.
    pub(crate) fn trace(&mut self, net: NetId, step: &Step) {
        if let Some(hooks) = self.net_mut(net).hooks(HookMask::TRACE) {
            hooks.trace(step);
        }
    }
}
