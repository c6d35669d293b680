//! Code and commands: what a script does beside packets and calls.

use super::{Engine, Stop};
use crate::ast::{Code, Command};

impl Engine<'_> {
    pub(super) fn command(&mut self, command: &Command) -> Result<(), Stop> {
        Err(Stop::Skip(format!(
            "commands are not run yet: {}",
            command.text
        )))
    }

    pub(super) fn code(&mut self, code: &Code) -> Result<(), Stop> {
        Err(Stop::Skip(format!("code is not run yet: {}", code.text)))
    }
}
