//! What `scrimp top` is told.

use clap::Args;

use super::{DataDir, Json};

/// Watch a running gateway: calls, spend, latency and errors, live in the terminal.
///
/// Sums are of the last hour and of all calls; the newest calls stream in as they end. `?` says which
/// keys there are. When the gateway goes away its last figures stay, and it is looked for again.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The gateway's address, such as `http://127.0.0.1:4100` [default: the gateway that runs on the
    /// data directory]
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub(crate) url: Option<String>,
    /// Print the figures once, without a terminal; takes a second, to count calls in it
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}
