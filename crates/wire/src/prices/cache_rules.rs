//! How providers cache prompts, as data: one row per family of models.
//!
//! A snapshot names the row and the minimum length of each model; the rest stands here, because it
//! is a property of the interface and not of the model. Sources are in `docs/prices.md`.

use scrimp_core::price::{CacheKind, CacheRules, Rates};
use scrimp_core::time::Span;

/// The cache rules of a family of models.
#[derive(Debug)]
pub(super) struct Family {
    /// How a snapshot calls it.
    pub(super) name: &'static str,
    providers: Providers,
    /// A model belongs to it whose name contains one of these; all do if there is none.
    models: &'static [&'static str],
    /// What holds where the map says nothing else.
    pub(super) rules: CacheRules,
}

#[derive(Debug)]
enum Providers {
    Any,
    These(&'static [&'static str]),
}

const fn automatic(min_tokens: u64, step: u64, short: Span) -> CacheRules {
    CacheRules {
        kind: CacheKind::Automatic,
        min_tokens,
        short,
        long: None,
        marks: 0,
        look_back: None,
        step,
    }
}

const MINUTES_5: Span = Span::from_minutes(5);

/// The first family that fits counts.
pub(super) const FAMILIES: &[Family] = &[
    // platform.claude.com, "Prompt caching"; the hosts pass the same marks through and publish the
    // same minimums (Bedrock "Prompt caching for faster model inference", Vertex "Prompt caching
    // with Claude"). The long life is there where the list has a rate for it.
    Family {
        name: "claude",
        providers: Providers::Any,
        models: &["claude"],
        rules: CacheRules {
            kind: CacheKind::Marked,
            min_tokens: 1024,
            short: MINUTES_5,
            long: Some(Span::from_hours(1)),
            marks: 4,
            look_back: Some(20),
            step: 1,
        },
    },
    // OpenAI "Prompt caching", from GPT-5.6 on; types of the official SDK 3.54. Matching looks at
    // the latest 80 breakpoints, without a limit in blocks. 1,024 tokens, exact, no 128 steps.
    Family {
        name: "breakpoints",
        providers: Providers::These(&["openai", "azure", "azure_ai", "bedrock_mantle", "bedrock"]),
        models: &["gpt-5.6", "gpt-5.7", "gpt-5.8", "gpt-5.9", "gpt-6"],
        rules: CacheRules {
            kind: CacheKind::Breakpoints,
            min_tokens: 1024,
            short: Span::from_minutes(30),
            long: Some(Span::from_hours(12)),
            marks: 4,
            look_back: None,
            step: 1,
        },
    },
    // OpenAI "Prompt caching", before GPT-5.6: evicted after 5 to 10 idle minutes, at most an hour.
    Family {
        name: "openai",
        providers: Providers::These(&["openai", "azure", "azure_ai"]),
        models: &["gpt-4", "gpt-5", "chatgpt", "codex", "o1", "o3", "o4", "ft:"],
        rules: automatic(1024, 128, MINUTES_5),
    },
    // ai.google.dev "Context caching" (implicit). The life is not published; five minutes is a
    // guess. Explicit caches are objects with a storage fee and not covered.
    Family {
        name: "gemini",
        providers: Providers::These(&["gemini", "vertex_ai"]),
        models: &["gemini"],
        rules: automatic(2048, 1, MINUTES_5),
    },
    // api-docs.deepseek.com "Context caching": on disk, units of 64 tokens, hours to days.
    Family {
        name: "deepseek",
        providers: Providers::These(&["deepseek"]),
        models: &[],
        rules: automatic(64, 64, Span::from_hours(1)),
    },
    // docs.x.ai "Prompt caching": evictable at any time; blocks of 128 as measured by third parties.
    Family {
        name: "xai",
        providers: Providers::These(&["xai"]),
        models: &[],
        rules: automatic(128, 128, MINUTES_5),
    },
    // Moonshot's `prompt_cache_options`: written without marks, billed by the life asked for.
    Family {
        name: "kimi",
        providers: Providers::These(&["moonshot"]),
        models: &["kimi-k3"],
        rules: CacheRules { long: Some(Span::from_hours(1)), ..automatic(1024, 1, MINUTES_5) },
    },
    // AWS "Prompt caching": cache points or automatic, no write fee for Nova.
    Family {
        name: "nova",
        providers: Providers::These(&["bedrock", "amazon_nova"]),
        models: &["nova"],
        rules: automatic(1024, 1, MINUTES_5),
    },
    // Where a list has a price for cached input and nothing says how the cache works. The numbers
    // are the careful end of what others publish.
    Family {
        name: "assumed",
        providers: Providers::Any,
        models: &[],
        rules: automatic(1024, 128, MINUTES_5),
    },
];

/// The minimum lengths of Claude models: platform.claude.com, "Prompt caching", "Cache limitations".
/// The first part that a model's name contains counts, so longer names stand before shorter ones.
/// A map that publishes another number wins, and the difference is reported.
const CLAUDE_MINIMUM: &[(&str, u64)] = &[
    ("opus-5", 512),
    ("sonnet-5-5", 512),
    ("sonnet-5.5", 512),
    ("haiku-5", 512),
    ("fable", 512),
    ("mythos-preview", 2048),
    ("mythos", 512),
    ("opus-4-8", 1024),
    ("opus-4.8", 1024),
    ("opus-4-7", 2048),
    ("opus-4.7", 2048),
    ("opus-4-6", 4096),
    ("opus-4.6", 4096),
    ("opus-4-5", 4096),
    ("opus-4.5", 4096),
    ("haiku-4", 4096),
    ("4.5-haiku", 4096),
    ("3-5-haiku", 2048),
    ("3.5-haiku", 2048),
    ("3-haiku", 2048),
];

/// The family of a model that has a price for cached input.
pub(super) fn family_of(provider: &str, model: &str) -> &'static Family {
    let fits = |family: &&Family| {
        let provider_fits = match family.providers {
            Providers::Any => true,
            Providers::These(these) => these.contains(&provider),
        };
        provider_fits
            && (family.models.is_empty() || family.models.iter().any(|part| model.contains(part)))
    };
    FAMILIES.iter().find(fits).expect("the last family takes everything")
}

/// The documented minimum length for `model` in `family`.
pub(super) fn minimum(family: &Family, model: &str) -> u64 {
    let documented = CLAUDE_MINIMUM.iter().find(|(part, _)| model.contains(part));
    match family.rules.kind {
        CacheKind::Marked => documented.map_or(family.rules.min_tokens, |(_, tokens)| *tokens),
        CacheKind::Breakpoints | CacheKind::Automatic => family.rules.min_tokens,
    }
}

/// The family that a snapshot calls `name`.
pub(super) fn named(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

impl Family {
    /// The rules of a model in this family: the long life is there where it has a price.
    pub(super) fn of(&self, min_tokens: u64, rates: &Rates) -> CacheRules {
        let long = self.rules.long.filter(|_| rates.cache_write_long.is_some());
        CacheRules { min_tokens, long, ..self.rules }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_in_the_family_of_its_interface() {
        for (provider, model, family, tokens) in [
            ("anthropic", "claude-opus-5-5", "claude", 512),
            ("anthropic", "claude-sonnet-5", "claude", 1024),
            ("bedrock", "us.anthropic.claude-opus-4-7", "claude", 2048),
            ("vertex_ai", "claude-haiku-4-5@20251001", "claude", 4096),
            ("openai", "gpt-6.1-sol", "breakpoints", 1024),
            ("openai", "gpt-5.6", "breakpoints", 1024),
            ("openai", "gpt-5.5", "openai", 1024),
            ("openai", "gpt-4o", "openai", 1024),
            ("openai", "ft:gpt-4o-2024-11-20", "openai", 1024),
            ("gemini", "gemini-2.5-pro", "gemini", 2048),
            ("deepseek", "deepseek-chat", "deepseek", 64),
            ("novita", "deepseek/deepseek-v3.2", "assumed", 1024),
        ] {
            let found = family_of(provider, model);
            assert_eq!(found.name, family, "{provider}/{model}");
            assert_eq!(minimum(found, model), tokens, "{provider}/{model}");
        }
    }

    #[test]
    fn a_snapshot_finds_every_family_by_its_name() {
        for family in FAMILIES {
            assert_eq!(named(family.name).unwrap().rules, family.rules);
        }
    }
}
