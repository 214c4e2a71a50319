//! What is in force: a configuration and the policies made from it, swapped as one.

use std::sync::Arc;

use scrimp_core::{Catalog, KeyRing, Policies};

use crate::config::Config;

/// A configuration in force. Calls in flight keep the one that they began with.
#[derive(Debug)]
pub struct Running {
    /// The configuration.
    pub config: Config,
    /// The policies made from it.
    pub policies: Arc<Policies>,
    /// The virtual keys, and `None` where calls need none.
    pub keys: Option<Arc<KeyRing>>,
}

impl Running {
    /// Puts `config` in force, with these prices and these virtual keys.
    pub fn new(config: Config, prices: &Catalog, keys: Arc<KeyRing>) -> Running {
        let policies = Policies {
            prompt_cache: config.prompt_cache.clone(),
            shaping: config.shaping.clone(),
            token_budgets: config.token_budgets.clone(),
            hedge: None,
            prices: Arc::new(named(&config, prices)),
            is_bypassed: false,
        };
        let keys = needed(&config, keys);
        Running { config, policies: Arc::new(policies), keys }
    }

    /// The same with all policies in their place, or all of them stepping aside.
    pub(crate) fn with_bypass(&self, is_bypassed: bool) -> Running {
        let Running { config, policies, keys } = self;
        let policies = Policies { is_bypassed, ..Policies::clone(policies) };
        Running { config: config.clone(), policies: Arc::new(policies), keys: keys.clone() }
    }

    /// The same with these virtual keys.
    pub(crate) fn with_keys(&self, keys: Arc<KeyRing>) -> Running {
        let Running { config, policies, .. } = self;
        let keys = needed(config, keys);
        Running { config: config.clone(), policies: policies.clone(), keys }
    }
}

/// The keys, where callers need one. Keys that were revoked or lost must not open what they closed.
fn needed(config: &Config, keys: Arc<KeyRing>) -> Option<Arc<KeyRing>> {
    let is_asked = config.keys_required || !keys.is_empty();
    (is_asked || config.exposed_provider().is_some()).then_some(keys)
}

/// The prices, found under the names that the configuration gives to providers.
fn named(config: &Config, prices: &Catalog) -> Catalog {
    let mut catalog = prices.clone();
    let renamed = config.providers.values().filter(|p| p.prices_as != p.name);
    renamed.for_each(|provider| catalog.also_called(&provider.name, &provider.prices_as));
    catalog
}
