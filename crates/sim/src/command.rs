//! The simulated providers as a command: `scrimp sim --listen 127.0.0.1:PORT [--seed N]`.

use crate::fault::{FaultRule, UnknownFault};
use crate::provider::{Provider, Settings};
use std::net::SocketAddr;

/// What the command can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    /// Where to listen; a loopback address. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// What all chance comes from.
    pub seed: u64,
    /// How the provider behaves.
    pub manner: Manner,
    /// Faults by chance, each `PROBABILITY=FAULT`, such as `0.01=529`.
    pub faults: Vec<String>,
}

/// How a provider behaves, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// [`Settings::usual`].
    Usual,
    /// [`Settings::exact`].
    Exact,
    /// [`Settings::bench`].
    Bench,
}

/// Why the command did not start.
#[derive(Debug, thiserror::Error)]
pub enum CannotRun {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// A fault is not written as `PROBABILITY=FAULT`.
    #[error("`{text}` is no fault by chance; write it as PROBABILITY=FAULT, such as 0.01=529")]
    NoRule {
        /// As it was given.
        text: String,
    },
    /// A fault is unknown.
    #[error(transparent)]
    UnknownFault(#[from] UnknownFault),
}

impl Arguments {
    /// The settings that the arguments ask for.
    pub fn settings(&self) -> Result<Settings, CannotRun> {
        let settings = match self.manner {
            Manner::Usual => Settings::usual(self.seed),
            Manner::Exact => Settings::exact(self.seed),
            Manner::Bench => Settings::bench(),
        };
        let faults: Result<Vec<FaultRule>, CannotRun> =
            self.faults.iter().map(|text| rule(text)).collect();
        Ok(Settings { faults: faults?, ..settings })
    }
}

fn rule(text: &str) -> Result<FaultRule, CannotRun> {
    let no_rule = || CannotRun::NoRule { text: text.to_owned() };
    let (probability, fault) = text.split_once('=').ok_or_else(no_rule)?;
    let probability = probability.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    Ok(FaultRule { fault: fault.parse()?, probability: probability.ok_or_else(no_rule)? })
}

/// Starts the provider; it serves from tasks of the current runtime for as long as that runs.
/// Returns the address that it listens on and the provider itself.
pub async fn run(
    arguments: &Arguments,
) -> Result<(SocketAddr, std::sync::Arc<Provider>), CannotRun> {
    let provider = Provider::new(arguments.settings()?);
    let address = arguments.listen;
    let listening = provider.clone().listen(address).await;
    let bound = listening.map_err(|error| CannotRun::Listen { address, error })?;
    Ok((bound, provider))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(faults: &[&str]) -> Result<Settings, String> {
        let arguments = Arguments {
            listen: "127.0.0.1:0".parse().expect("an address"),
            seed: 1,
            manner: Manner::Exact,
            faults: faults.iter().map(|text| (*text).to_owned()).collect(),
        };
        arguments.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn faults_by_chance_are_read() {
        let rules = settings(&["0.25=429:retry"]).expect("a rule").faults;
        assert_eq!((rules[0].probability, rules[0].fault.name().as_str()), (0.25, "429:retry"));
        for wrong in ["529", "2=529", "0.1=boom"] {
            assert!(settings(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn only_loopback_is_listened_on() {
        let provider = Provider::new(Settings::bench());
        let refused = provider.listen("0.0.0.0:0".parse().expect("an address")).await;
        assert!(refused.expect_err("no loopback").to_string().contains("loopback"));
    }
}
