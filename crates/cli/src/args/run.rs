//! What `scrimp run` is told.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

// No doc comment: the names would need backticks, which a terminal shows.
#[derive(Debug, Args)]
#[command(
    about = "Run one command with a gateway of its own, and say at the end what its calls cost",
    long_about = "Run one command with a gateway of its own, and say at the end what its calls \
                  cost.\n\nThe gateway listens on a free port of this machine while the command \
                  runs; OPENAI_BASE_URL, ANTHROPIC_BASE_URL, GOOGLE_GEMINI_BASE_URL and their like \
                  lead to it. Where one of them is set already, calls go on to there. Input, \
                  output, signals and the exit code are the command's; the bill is one line on \
                  standard error. A command that is not found ends with 127."
)]
pub(crate) struct Run {
    /// The configuration; what is in `listen` and `keys` does not count
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep the records in this data directory [default: a temporary one, which is removed]
    #[arg(long, value_name = "DIR", conflicts_with = "keep")]
    pub(crate) data: Option<PathBuf>,
    /// Keep the temporary data directory, and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
    /// Also write the sums into a file, as JSON; its fields are stable
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The command and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) command: Vec<OsString>,
}
