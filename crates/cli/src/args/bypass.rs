//! What `scrimp bypass` is told.

use clap::{Args, ValueEnum};

use super::{DataDir, Json};

/// Have a running gateway's policies step aside, or back; calls go through all the while.
///
/// While bypass is on, no policy decides anything: calls pass unedited, are counted, and are
/// recorded as bypassed where a rule would have decided. Who may call, and with which key, stays as
/// it is. A changed configuration does not end it; the gateway's next start does.
#[derive(Debug, Args)]
pub(crate) struct Bypass {
    /// Whether policies step aside
    #[arg(value_enum)]
    pub(crate) step: Step,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// No policy decides; calls pass unedited
    On,
    /// Policies decide again
    Off,
}
