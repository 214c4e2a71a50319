//! What is wrong with an installation: every check says what it found, and the way out.
//!
//! Nothing is made or changed. The only connections are to providers that the configuration names, and
//! they end before a request: no key leaves the machine.

mod machine;
mod network;
mod records;

use std::net::SocketAddr;

use scrimp_core::Time;

use crate::config::Config;
use crate::files::Files;

/// Whether something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is as it should be.
    Fine,
    /// It works, and may not do so for long, or not as well as it could.
    Warning,
    /// Something does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub way_out: Option<String>,
}

/// What is to be looked at.
pub struct Examination<'a> {
    /// Where the configuration and the data lie.
    pub files: &'a Files,
    /// Where to listen, whatever the configuration says.
    pub listen: Option<SocketAddr>,
    /// Whether providers are connected to.
    pub outbound: Outbound,
    /// The day of the list of prices in use, or why there is none.
    pub prices: Result<Option<Time>, String>,
    /// The time of day.
    pub now: Time,
}

/// Whether providers are connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// Those that the configuration names.
    Named,
    /// None.
    None,
}

/// Looks at everything, in the order in which a start needs it.
pub fn examine(examination: Examination<'_>) -> Vec<Check> {
    let Examination { files, listen, outbound, prices, now } = examination;
    let (config, mut checks) = configuration(files);
    checks.extend(records::checks(&files.data));
    let address = listen.or(config.as_ref().map(|config| config.listen.address));
    checks.extend(address.map(|address| network::port(address, &files.data)));
    match (&config, outbound) {
        (Some(config), Outbound::Named) => checks.extend(network::providers(config)),
        (Some(_), Outbound::None) => {
            checks.push(Check::fine("providers", "not connected to (--offline)".to_owned()));
        }
        (None, _) => {}
    }
    checks.push(machine::clock(now));
    checks.push(machine::open_files(config.as_ref()));
    checks.push(machine::prices(prices, now));
    checks.push(machine::dashboard());
    checks
}

/// The configuration, if it can be used.
fn configuration(files: &Files) -> (Option<Config>, Vec<Check>) {
    let name = "configuration";
    let config = match files.load() {
        Ok(config) => config,
        Err(error) => {
            let way_out = "`scrimp config reference` lists every setting; a running gateway keeps \
                           the configuration before";
            return (None, vec![Check::problem(name, error.to_string(), way_out)]);
        }
    };
    let found = match &files.config {
        None => "no file: calls pass to the public providers with the caller's own key".to_owned(),
        Some(path) => format!(
            "{}: right; {} prompt-cache rules, {} names for models",
            path.display(),
            config.prompt_cache.len(),
            config.models.len()
        ),
    };
    (Some(config), vec![Check::fine(name, found)])
}

impl Check {
    fn fine(name: impl Into<String>, found: String) -> Check {
        Check { name: name.into(), state: State::Fine, found, way_out: None }
    }

    fn warning(name: impl Into<String>, found: String, way_out: impl Into<String>) -> Check {
        Check { name: name.into(), state: State::Warning, found, way_out: Some(way_out.into()) }
    }

    fn problem(name: impl Into<String>, found: String, way_out: impl Into<String>) -> Check {
        Check { name: name.into(), state: State::Problem, found, way_out: Some(way_out.into()) }
    }
}
