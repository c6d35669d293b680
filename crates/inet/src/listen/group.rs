//! SO_REUSEPORT groups: several listeners at one address share its SYNs (Linux `sock_reuseport`, 6.18). A group forms at
//! listen(), or before it when a program is attached; it ends with its last member.

use alloc::boxed::Box;
use alloc::vec::Vec;
use hearken_tcp::Instant;

use super::Listener;
use crate::api::IfaceId;
use crate::arena::Arena;
use crate::cbpf::{Program, View};
use crate::error::OptError;
use crate::shared::Shared;
use crate::socket::{Phase, Socket};

/// The processor that handles every packet of a namespace: a namespace has one thread (SO_INCOMING_CPU, SKF_AD_CPU).
pub(crate) const CPU: u32 = 0;

/// The members, in the order that a program's answer counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// Listener slots.
    pub(crate) members: Vec<u32>,
    /// SO_ATTACH_REUSEPORT_CBPF
    pub(crate) program: Option<Program>,
    /// Until when an ACK without a request is tested for a SYN cookie: members answer for each other (docs/linux 85).
    pub(crate) cookies_until: Instant,
}

impl Group {
    /// The member for a four-tuple with this hash: the program's answer if it names one (`docs/linux/reuseport-programs.md`);
    /// else the hash scaled to the number of members, and from there the next one that asked for this processor.
    pub(crate) fn choose(
        &self,
        listeners: &Arena<Listener>,
        hash: u32,
        view: Option<&View<'_>>,
    ) -> Option<u32> {
        let told = self.program.as_ref().zip(view).map(|(p, v)| p.run(v));
        if let Some(member) = told.and_then(|i| self.members.get(i as usize)) {
            return Some(*member);
        }
        let n = self.members.len();
        let at = ((u64::from(hash) * n as u64) >> 32) as usize;
        let (before, from) = self.members.split_at_checked(at)?;
        let here = |l: &&u32| {
            listeners
                .get(**l)
                .is_some_and(|l| l.incoming_cpu == CPU as i32)
        };
        from.iter()
            .chain(before)
            .find(here)
            .or(from.first())
            .copied()
    }

    /// A member goes; the last one takes its place (docs/linux 113).
    pub(crate) fn leave(&mut self, listener: u32) {
        if let Some(i) = self.members.iter().position(|&m| m == listener) {
            self.members.swap_remove(i);
        }
    }
}

impl Shared {
    /// A listener goes to another device while it listens (docs/linux 115); its group goes with it.
    pub(crate) fn move_listener(&mut self, l: u32, device: Option<IfaceId>) {
        if let Some(listener) = self.listeners.get_mut(l) {
            listener.device = device;
            let at = (listener.local.ip(), listener.local.port());
            self.lhash.set_device(&self.secrets, at, l, device);
        }
    }

    /// SO_REUSEPORT of a listener: it stays in its group, but answers for itself alone where it is found first
    /// (docs/linux/reuseport-programs.md).
    pub(crate) fn share_listener(&mut self, l: u32, shares: bool) {
        if let Some(listener) = self.listeners.get(l) {
            let at = (listener.local.ip(), listener.local.port());
            self.lhash.set_shares(&self.secrets, at, l, shares);
        }
    }

    /// The group of a socket, if it has one: that of its listener, or its own.
    fn group_of(&mut self, slot: u32) -> Option<&mut Group> {
        let s = self.sockets.get_mut(slot)?;
        match s.phase {
            Phase::Listener(l) => self.groups.get_mut(self.listeners.get(l)?.group),
            _ => s.conf.as_mut()?.own_group.as_deref_mut(),
        }
    }
}

/// SO_ATTACH_REUSEPORT_CBPF: the program of the socket's group, which is made for it if need be (docs/linux 113).
pub(crate) fn attach(sh: &mut Shared, slot: u32, program: Program) -> Result<(), OptError> {
    if let Some(g) = sh.group_of(slot) {
        g.program = Some(program);
        return Ok(());
    }
    let s = sh.sockets.get_mut(slot).ok_or(OptError::Invalid)?;
    if !s.has(Socket::REUSE_PORT) || s.listener().is_some() {
        return Err(OptError::Invalid);
    }
    s.conf().own_group = Some(Box::new(Group {
        program: Some(program),
        ..Group::default()
    }));
    Ok(())
}

/// SO_DETACH_REUSEPORT_BPF
pub(crate) fn detach(sh: &mut Shared, slot: u32) -> Result<(), OptError> {
    let shares = sh
        .sockets
        .get(slot)
        .is_some_and(|s| s.has(Socket::REUSE_PORT));
    match sh.group_of(slot) {
        Some(g) => g.program.take().map(|_| ()).ok_or(OptError::NotThere),
        None if shares => Err(OptError::NotThere),
        None => Err(OptError::Invalid),
    }
}
