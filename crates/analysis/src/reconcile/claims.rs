//! What a line of a bill is for.

use std::sync::Arc;

use scrimp_core::price::without_date;

use super::books::bare;
use super::report::Charged;

/// What a line of a bill is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Tokens of a model, by its name without its date.
    Tokens(Arc<str>),
    /// Everything of a day together.
    Total,
    /// Money back, or a gift.
    Credit,
    /// Owed whatever is used.
    Commitment,
    /// Something that has no tokens.
    Service,
}

impl Claim {
    /// The model, if it is for the tokens of one.
    pub(super) fn model(&self) -> Option<&Arc<str>> {
        match self {
            Claim::Tokens(model) => Some(model),
            Claim::Total | Claim::Credit | Claim::Commitment | Claim::Service => None,
        }
    }
}

/// Words of lines that give money back.
const CREDIT: &[&str] = &["credit", "refund", "grant", "promo", "rebate", "adjustment"];
/// Words of lines that do not follow usage.
const COMMITMENT: &[&str] =
    &["commit", "reserved", "provisioned", "subscription", "scale tier", "minimum"];

/// Reads a line. `is_model` knows the names of models without their dates.
pub(super) fn read(charged: &Charged, is_model: &dyn Fn(&str) -> bool) -> Claim {
    if let Some(model) = charged.of.model.as_ref().filter(|_| 0 < charged.usd.pico()) {
        return Claim::Tokens(bare(model));
    }
    let words = charged.of.item.as_deref().unwrap_or_default().to_lowercase();
    let has = |list: &[&str]| list.iter().any(|word| words.contains(word));
    if charged.usd.pico() < 0 || has(CREDIT) {
        return Claim::Credit;
    }
    if has(COMMITMENT) {
        return Claim::Commitment;
    }
    if words.is_empty() {
        return Claim::Total;
    }
    match model_in(&words, is_model) {
        Some(model) => Claim::Tokens(model),
        None => Claim::Service,
    }
}

/// `gpt-4o-2024-08-06, cached input` is of `gpt-4o`; `GPT-4o mini` is meant for `gpt-4o-mini`.
fn model_in(words: &str, is_model: &dyn Fn(&str) -> bool) -> Option<Arc<str>> {
    let first = words.split([',', '|', ':']).next().unwrap_or_default().trim();
    let dashed = first.replace(' ', "-");
    let names = [first, dashed.as_str()];
    let names = names.iter().flat_map(|name| [Some(*name), without_date(name)]).flatten();
    let name = names.filter(|name| is_model(name)).last()?;
    Some(bare(&name.into()))
}

#[cfg(test)]
mod tests {
    use scrimp_core::{Parts, Usd};

    use super::*;

    #[test]
    fn a_line_is_for_what_its_words_say() {
        let is_model = |name: &str| ["gpt-4o", "gpt-4o-mini"].contains(&name);
        for (item, usd, claim) in [
            (Some("gpt-4o-2024-08-06, cached input"), "1", Claim::Tokens("gpt-4o".into())),
            (Some("GPT-4o mini"), "1", Claim::Tokens("gpt-4o-mini".into())),
            (Some("gpt-4o, output"), "-1", Claim::Credit),
            (Some("Promotional credit"), "1", Claim::Credit),
            (Some("Scale Tier, gpt-4o"), "1", Claim::Commitment),
            (Some("Web Search Usage"), "1", Claim::Service),
            (None, "1", Claim::Total),
            (None, "-1", Claim::Credit),
        ] {
            let of = Parts { item: item.map(Into::into), ..Parts::default() };
            let usd: Usd = usd.parse().unwrap();
            let charged = Charged { day: 0, of, usd };
            assert_eq!(read(&charged, &is_model), claim, "{item:?} {usd}");
        }
    }
}
