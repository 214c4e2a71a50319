//! What is in force: a configuration and the policies made from it, swapped as one.

use std::sync::Arc;

use scrimp_core::{Catalog, Policies};

use crate::config::Config;

/// A configuration in force. Calls in flight keep the one that they began with.
#[derive(Debug)]
pub struct Running {
    /// The configuration.
    pub config: Config,
    /// The policies made from it.
    pub policies: Arc<Policies>,
}

impl Running {
    /// Puts `config` in force, with these prices.
    pub fn new(config: Config, prices: &Catalog) -> Running {
        let policies = Policies {
            prompt_cache: config.prompt_cache.clone(),
            hedge: None,
            prices: Arc::new(named(&config, prices)),
        };
        Running { config, policies: Arc::new(policies) }
    }
}

/// The prices, found under the names that the configuration gives to providers.
fn named(config: &Config, prices: &Catalog) -> Catalog {
    let mut catalog = prices.clone();
    let renamed = config.providers.values().filter(|p| p.prices_as != p.name);
    renamed.for_each(|provider| catalog.also_called(&provider.name, &provider.prices_as));
    catalog
}
