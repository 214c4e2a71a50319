//! The command line, defined once: parsing, help and completions all come from here.

mod bypass;
pub(crate) mod keys;
pub(crate) mod prompt;
mod reconcile;
mod run;
mod top;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use scrimp_analysis::replay::{UnknownVariant, Variant};
use scrimp_core::Time;
use scrimp_sim::command::{Arguments as Simulated, CannotRun, Manner};
use scrimp_wire::import::{self, Columns, Import};
use scrimp_wire::prices;

pub(crate) use bypass::{Bypass, Step};
pub(crate) use reconcile::{By, Reconcile};
pub(crate) use run::Run;
pub(crate) use top::Top;

const BEGIN: &str = "\
Begin with `scrimp demo`, which needs nothing; `scrimp analyze LOGS`, with what you have;
or `scrimp serve`, which measures your own calls.";

/// Scrimp on tokens, never on answers, and prove it.
///
/// Without a command: analyses the coding-agent transcripts and Scrimp records found on this
/// machine.
#[derive(Debug, Parser)]
#[command(name = "scrimp", version, max_term_width = 100, after_help = BEGIN)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work: simulated providers, two days of traffic in fast motion; needs nothing
    Demo(Demo),
    /// The gateway, its API and its dashboard
    Serve(Serve),
    Run(Run),
    /// What your calls cost, how long they take, and what would be worth doing
    Analyze(Analyze),
    /// The same calls under other prompt-caching rules, one row each
    Whatif(Whatif),
    /// Write a finding's rule into the configuration, with a journal
    Apply(Apply),
    /// Take an applied rule back
    Undo(Undo),
    /// What applied rules saved, against the traffic held out
    Proof(Proof),
    /// Virtual keys: who may call through the gateway, and which models
    #[command(subcommand)]
    Keys(keys::Keys),
    /// A provider's usage or cost reports against what was counted here, every gap named and sized
    Reconcile(Reconcile),
    Bypass(Bypass),
    Top(Top),
    /// What a call costs; several models side by side, by given sizes or over recorded traffic
    Price(Price),
    /// How many tokens a text or a request has
    Tokens(Tokens),
    /// What in prompts costs money, and shorter forms that answer as well
    #[command(subcommand)]
    Prompt(prompt::Prompt),
    /// The models that prices are known of
    Models(Models),
    /// Chores on the list of prices
    #[command(subcommand)]
    Prices(Prices),
    /// Check a configuration file, print its reference or schema, import LiteLLM's
    #[command(subcommand)]
    Config(Config),
    /// Chores on the data directory
    #[command(subcommand)]
    Store(Store),
    /// What is wrong with this installation, and the way out
    Doctor(Doctor),
    /// Simulated providers on loopback, for tests and benchmarks
    Sim(Sim),
    /// Print a script that completes commands and options in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    Man(Man),
}

#[derive(Debug, Args)]
pub(crate) struct Json {
    /// Print JSON; its fields are stable
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DataDir {
    // No doc comment: the names would need backticks, which a terminal shows.
    #[arg(
        long,
        value_name = "DIR",
        help = "The data directory [default: $SCRIMP_DATA, else $XDG_DATA_HOME/scrimp, else \
                ~/.local/share/scrimp]"
    )]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// About how long it takes, such as 60s
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = seconds)]
    pub(crate) time: f64,
    /// Do not open the dashboard in a browser
    #[arg(long)]
    pub(crate) no_open: bool,
    /// The seed of the traffic; the same seed gives the same figures
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How much traffic: 1 is about 2,000 calls a day of each of the four applications
    #[arg(long, default_value_t = 0.35, hide = true)]
    pub(crate) scale: f64,
    /// Where the dashboard listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4100")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration, or LiteLLM's config.yaml as it is; without one, calls pass to the public
    /// providers with the caller's own key
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:4100, or what the configuration says]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) data: DataDir,
}

#[derive(Debug, Args)]
pub(crate) struct Analyze {
    /// Files and folders of logs, `-` for standard input; without any, the gateway's own records
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) logs: Logs,
    /// Also write one self-contained HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Whatif {
    /// Files and folders of logs, `-` for standard input
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Modes to compare: none, client (the marks as recorded), system:short, system:long,
    /// tail:short, tail:long, bound (what no rule can pass) [default: all]
    #[arg(long, value_name = "MODES", value_delimiter = ',', value_parser = mode)]
    pub(crate) prompt_cache: Vec<Variant>,
    /// Configuration files whose prompt-cache rules to compare, a row each
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) policies: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) logs: Logs,
    /// What a long mark does to a prefix that it covers but did not write: the vendors do not say
    #[arg(long, value_enum, default_value_t = Reading::Covers)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// How to read logs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Logs {
    /// The format, where it should not be recognised by itself
    #[arg(long, value_parser = format())]
    pub(crate) format: Option<&'static Import>,
    /// Which columns of a table hold what, as FIELD=COLUMN,… such as "model=Model,input=Tokens in"
    #[arg(long, value_name = "MAP")]
    pub(crate) columns: Option<Columns>,
    /// Price calls that name no model as this one
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Reading {
    /// It gives the whole prefix the long life
    Covers,
    /// Only what it newly writes has the long life
    WritesOnly,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The finding, such as F1
    pub(crate) finding: String,
    /// The share of sessions to treat
    #[arg(long, default_value = "20%", value_parser = share)]
    pub(crate) share: u32,
    /// The configuration to write into
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) data: DataDir,
}

#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// The number in the journal
    pub(crate) number: u64,
    #[command(flatten)]
    pub(crate) data: DataDir,
}

#[derive(Debug, Args)]
pub(crate) struct Proof {
    /// The number in the journal; without one, all
    pub(crate) number: Option<u64>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Price {
    /// The model, or provider/model; several are compared
    #[arg(value_name = "MODEL", required_unless_present = "batch")]
    pub(crate) models: Vec<String>,
    /// Input tokens that are neither read from nor written to a cache
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) uncached: u64,
    /// Input tokens read from the cache
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) cache_read: u64,
    /// Input tokens written with the short life
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) cache_write_short: u64,
    /// Input tokens written with the long life
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) cache_write_long: u64,
    /// Output tokens
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) output: u64,
    /// How many such calls there are a day, for what they cost a day and a month
    #[arg(long, value_name = "N")]
    pub(crate) calls_per_day: Option<u64>,
    /// Instead of given sizes: recorded calls at each model's prices; without a path the gateway's own
    #[arg(
        long,
        value_name = "PATH",
        num_args = 0..=1,
        conflicts_with_all = [
            "uncached", "cache_read", "cache_write_short", "cache_write_long", "output", "tier",
        ]
    )]
    pub(crate) traffic: Option<Vec<PathBuf>>,
    /// The service tier
    #[arg(long, value_enum)]
    pub(crate) tier: Option<Tier>,
    /// The day to price at, such as 2026-11-01 [default: today]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(crate) at: Option<Time>,
    /// Own prices, laid over the ones shipped
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// Price each JSON line of a file, one answer a line
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) batch: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Tokens {
    /// A text, or the body of a request with messages; `-` for standard input
    pub(crate) file: PathBuf,
    /// The model [default: the one that the request names]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Models {
    /// Only models whose name, with its provider's, has all of these in it
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Prices {
    /// Take a newer list of prices and say what it changes
    Update(Update),
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The price map of LiteLLM, as a file or an https:// address
    #[arg(value_name = "FILE|URL")]
    pub(crate) list: String,
    /// Take the prices, too, that are far from what they were
    #[arg(long)]
    pub(crate) confirm: bool,
    /// The day the list is of [default: today]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(crate) taken: Option<Time>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Tier {
    Standard,
    Batch,
    Flex,
    Priority,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Take the records one schema down, for the Scrimp before this one; nothing may be running on them
    StepDown(DataDir),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check a file; errors name line and column
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print every setting with its default and meaning
    Reference,
    /// Print the JSON Schema, by which editors check and complete a file
    Schema,
    /// Make a file from LiteLLM's config.yaml, and say what of it maps and what does not
    Import {
        /// LiteLLM's file
        file: PathBuf,
        /// Where to write the configuration [default: standard output]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Workload {
    SupportChat,
    Rag,
    CodingAgent,
    BatchExtraction,
}

#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// The seed of answers, latencies and faults
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Answer without latency, evictions or cold caches
    #[arg(long)]
    pub(crate) fast: bool,
    /// Answer every call with the same bytes, as fast as possible
    #[arg(long)]
    pub(crate) bench: bool,
    /// Play a fault by chance, as PROBABILITY=FAULT, such as 0.01=529
    #[arg(long, value_name = "RULE", value_parser = fault)]
    pub(crate) fault: Vec<String>,
    /// Instead of serving: play a workload's calls, one after the other
    #[arg(long, value_enum, requires = "against")]
    pub(crate) play: Option<Workload>,
    /// Play it against this base URL
    #[arg(long, value_name = "URL", value_parser = address)]
    pub(crate) against: Option<SocketAddr>,
    /// Stop playing after about this many calls
    #[arg(long, default_value_t = 100)]
    pub(crate) calls: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the gateway is to listen [default: what the configuration says]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Connect to nobody; otherwise each provider is, without a request and without a key
    #[arg(long)]
    pub(crate) offline: bool,
    /// Look at nothing but whether a gateway runs on the data directory and takes calls, as health
    /// checks ask
    #[arg(long, conflicts_with_all = ["config", "listen", "offline", "json"])]
    pub(crate) running: bool,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// One page of Markdown instead: what docs/reference/commands.md is made of
    #[arg(long, hide = true, conflicts_with = "to")]
    pub(crate) markdown: bool,
}

/// `60s`, `2m`, `90`
fn seconds(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(number) => (number, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    match number.parse::<f64>() {
        Ok(number) if 0.0 < number && number.is_finite() => Ok(number * unit),
        _ => Err("a time such as 60s or 2m is asked for".to_owned()),
    }
}

/// `20%` or `0.2`, in millionths
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1")]
fn share(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>().map(|number| number / unit) {
        Ok(share) if 0.0 < share && share <= 1.0 => Ok((share * 1e6).round() as u32),
        _ => Err("a share such as 20% or 0.2 is asked for".to_owned()),
    }
}

fn format() -> impl TypedValueParser<Value = &'static Import> {
    PossibleValuesParser::new(import::IMPORTS.iter().map(|import| import.name))
        .try_map(|name| import::named(&name))
}

/// A mode of caching; people put a space after a comma.
fn mode(text: &str) -> Result<Variant, UnknownVariant> {
    text.trim().parse()
}

/// `2026-11-01`
fn day(text: &str) -> Result<Time, String> {
    prices::day(text).ok_or_else(|| "a day such as 2026-11-01 is asked for".to_owned())
}

/// A fault by chance, kept as it is written once the provider that would play it takes it.
fn fault(text: &str) -> Result<String, CannotRun> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let faults = vec![text.to_owned()];
    Simulated { listen, seed: 1, manner: Manner::Usual, faults }.settings()?;
    Ok(text.to_owned())
}

/// `http://127.0.0.1:4100`
fn address(text: &str) -> Result<SocketAddr, String> {
    let address = text.trim_start_matches("http://").trim_end_matches('/').parse();
    address.map_err(|_| "an address such as http://127.0.0.1:4100 is asked for".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Every command in its blocks of shell.
    #[test]
    fn the_readme_s_commands_are_understood() {
        let readme = include_str!("../../../README.md");
        let blocks = readme.split("```").skip(1).step_by(2).filter_map(|b| b.strip_prefix("sh\n"));
        let mut understood = 0;
        for line in blocks.flat_map(str::lines) {
            let line =
                line.split(" #").flat_map(|line| line.split(" > ")).next().unwrap_or_default();
            let line = line.replace("cargo run --release --", "scrimp");
            if line.starts_with("scrimp") {
                let read = Cli::try_parse_from(line.split_whitespace());
                assert!(read.is_ok(), "{line}: {}", read.unwrap_err());
                understood += 1;
            }
        }
        assert!(8 < understood, "{understood}");
    }

    #[test]
    fn shares_and_times_read_as_people_write_them() {
        assert_eq!(share("20%"), Ok(200_000));
        assert_eq!(share("0.05"), Ok(50_000));
        assert!(share("0").is_err() && share("120%").is_err() && share("many").is_err());
        assert_eq!(seconds("2m"), Ok(120.0));
        assert!(seconds("-1s").is_err() && seconds("soon").is_err());
    }
}
