//! Prompt caching: the same beginning sent again and again at the full price.
//!
//! Proposes a mark after the tools and system instructions, or at the end, with the short or the
//! long life: one rule for all calls, and for each operation the one that suits it best. All rules
//! for single operations are replayed *together*, so that their savings add up.

use scrimp_core::policy::Scope;
use scrimp_core::policy::prompt_cache::{ClientMarks, PromptCache, Strategy};
use scrimp_core::{Ttl, Usd};

use super::weigh::{Bill, Members, NowIs, Scales};
use super::{Evidence, Finding, Rule, Study, Tried};
use crate::replay::{Basis, Variant};
use crate::report::plural;

pub(super) const RULE: Rule = Rule {
    name: "prompt-cache",
    why: "Input that was sent before can be read from the provider's cache for a fraction.",
    find,
};

/// What is tried.
const CANDIDATES: [Variant; 4] = [
    Variant::System(Ttl::Short),
    Variant::System(Ttl::Long),
    Variant::Tail(Ttl::Short),
    Variant::Tail(Ttl::Long),
];

/// A saving below this share of the cost is not worth a line.
const LEAST_SHARE: f64 = 0.005;

/// One rule is simpler than many: it may save this much less.
const GOOD_ENOUGH_PERCENT: u64 = 2;

/// Names the finding for all calls until it has its number.
const WHOLE: &str = "all";

/// How many operations are told apart; the rule for all calls covers the others.
const MOST_OPERATIONS: usize = 10;

/// The best candidate for some calls.
struct Choice {
    scope: Scope,
    members: Members,
    best: usize,
    tried: Vec<Tried>,
}

fn find(study: &Study<'_>) -> Vec<Finding> {
    let Some(scales) = Scales::new(study) else { return Vec::new() };
    let bills: Vec<Bill> = CANDIDATES
        .iter()
        .map(|candidate| scales.bill(candidate.rule().into_iter().collect()))
        .collect();
    let overall = choose(&scales, &bills, Scope::All);
    let named = study.profile.operations.iter().take(MOST_OPERATIONS);
    let named: Vec<Choice> = match study.profile.operations.len() {
        1 => Vec::new(),
        _ => named
            .filter_map(|op| choose(&scales, &bills, Scope::Operation(op.name.clone())))
            .collect(),
    };
    let together = match named.is_empty() {
        true => None,
        false => Some(scales.bill(named.iter().filter_map(Choice::rule).collect())),
    };
    let parts = together.iter().flat_map(|bill| named.iter().map(move |choice| (choice, bill)));
    let parts: Vec<(&Choice, &Bill)> = parts.collect();
    let overall = overall.filter(|choice| is_as_good(&scales, choice, &bills[choice.best], &parts));
    let whole = overall.as_ref().map(|_| WHOLE);
    let parts = parts.into_iter().map(|(choice, bill)| (choice, bill, whole));
    let all = overall.iter().map(|choice| (choice, &bills[choice.best], None));
    all.chain(parts)
        .filter_map(|(choice, bill, part_of)| finding(study, &scales, choice, bill, part_of))
        .collect()
}

/// Whether one rule for all calls saves about as much as the rules for single operations do. If
/// not, some operations are better left alone, and advice for all calls would be wrong for them.
fn is_as_good(
    scales: &Scales<'_>,
    overall: &Choice,
    bill: &Bill,
    parts: &[(&Choice, &Bill)],
) -> bool {
    let of_parts = parts.iter().map(|(choice, bill)| scales.saving(bill, &choice.members));
    let of_parts: Usd = of_parts.sum();
    let of_all = scales.saving(bill, &overall.members);
    of_parts <= of_all.scaled(100 + GOOD_ENOUGH_PERCENT, 100)
}

/// The candidate that saves most on the calls of `scope`; `None` if none is worth a line.
fn choose(scales: &Scales<'_>, bills: &[Bill], scope: Scope) -> Option<Choice> {
    let members = scales.members(match &scope {
        Scope::Operation(name) => Some(name.as_ref()),
        _ => None,
    });
    let tried: Vec<Tried> = CANDIDATES
        .iter()
        .zip(bills)
        .map(|(candidate, bill)| Tried {
            policy: candidate.to_string(),
            usd: scales.saving(bill, &members),
        })
        .collect();
    // The first of equals: the gentler rule.
    let best = (0..tried.len()).rev().max_by_key(|at| tried[*at].usd)?;
    let least = scales.cost_now(&members).as_f64() * LEAST_SHARE;
    let is_worth_it = 0.0 < least && least < tried[best].usd.as_f64();
    is_worth_it.then_some(Choice { scope, members, best, tried })
}

impl Choice {
    fn candidate(&self) -> Variant {
        CANDIDATES[self.best]
    }

    fn rule(&self) -> Option<PromptCache> {
        Some(PromptCache { scope: self.scope.clone(), ..self.candidate().rule()? })
    }
}

fn finding(
    study: &Study<'_>,
    scales: &Scales<'_>,
    choice: &Choice,
    bill: &Bill,
    part_of: Option<&str>,
) -> Option<Finding> {
    let usd = scales.saving_range(bill, &choice.members);
    // A saving that is none in the unfavourable case is no advice.
    if usd.low.is_some_and(|low| low <= Usd::ZERO) {
        return None;
    }
    let marks = match scales.has_client_marks(&choice.members) {
        true => ClientMarks::Replace,
        false => ClientMarks::Keep,
    };
    let rule = choice.rule()?;
    let (whose, id) = match &choice.scope {
        Scope::Operation(name) => (name.to_string(), format!("op:{name}")),
        _ => ("all calls".to_owned(), WHOLE.to_owned()),
    };
    let tried = choice.tried.iter().filter(|tried| tried.policy != choice.candidate().to_string());
    let mut facts = facts(scales.now_is(&choice.members), marks);
    if usd.low.is_none() {
        facts.push("no range: too few sessions, at too few times, to tell one".to_owned());
    }
    facts.extend(study.profile.longer_days().map(|days| {
        let calls = plural(choice.members.len() as u64, "call");
        format!(
            "a month: the share saved on these {calls}, of what such calls cost in {days:.1} days"
        )
    }));
    let evidence = Evidence {
        calls: choice.members.len() as u64,
        facts,
        hit_share: Some(scales.hit_share(bill, &choice.members)),
        tried: tried.cloned().collect(),
        example: scales.example(bill, &choice.members),
    };
    Some(Finding {
        id,
        rule: RULE.name,
        title: format!("{}, {whose}", title(&rule)),
        basis: Basis::Replayed,
        usd_per_month: scales.per_month(usd, bill, &choice.members),
        usd: Some(usd),
        predicted_ppm: Some(scales.change_ppm(bill, &choice.members)),
        latency_ms: None,
        effort: "one setting",
        risk: risk(marks),
        change: Some(change(&rule, marks)),
        evidence,
        part_of: part_of.map(str::to_owned),
    })
}

fn title(rule: &PromptCache) -> String {
    let life = match rule.ttl {
        Ttl::Short => "short",
        Ttl::Long => "long",
    };
    let place = match rule.strategy {
        Strategy::System => "after the system prompt",
        _ => "at the prompt's end",
    };
    format!("{life} cache mark {place}")
}

fn risk(marks: ClientMarks) -> String {
    let what = match marks {
        ClientMarks::Keep | ClientMarks::Fill => "the model reads the same prompt",
        ClientMarks::Replace => {
            "the model reads the same prompt; the client's own marks are replaced"
        }
    };
    format!("{what}. Dearer if prompts come again less often than in these records.")
}

fn facts(now: NowIs, marks: ClientMarks) -> Vec<String> {
    let NowIs { replayed, measured, assumed_uncached } = now;
    let mut facts = Vec::new();
    let mut fact = |calls: u64, text: &str| {
        if 0 < calls {
            facts.push(format!("{} {text}", plural(calls, "call")));
        }
    };
    fact(replayed, "with both bills replayed by the provider's published cache rules");
    fact(measured, "compared with what the provider reported");
    fact(
        assumed_uncached,
        "compared with no caching at all, since the records do not say what was cached",
    );
    if marks == ClientMarks::Replace {
        facts.push("the client places marks of its own; the rule replaces them".to_owned());
    }
    facts
}

/// The configuration to add.
fn change(rule: &PromptCache, marks: ClientMarks) -> String {
    let table = match &rule.scope {
        Scope::Operation(name) => format!("[prompt_cache.{}]", quoted(&format!("op:{name}"))),
        _ => "[prompt_cache]".to_owned(),
    };
    let strategy = if rule.strategy == Strategy::System { "system" } else { "tail" };
    let ttl = if rule.ttl == Ttl::Long { "long" } else { "short" };
    let replace = match marks {
        ClientMarks::Keep | ClientMarks::Fill => "",
        ClientMarks::Replace => "client_marks = \"replace\"\n",
    };
    format!("{table}\nstate = \"on\"\nstrategy = \"{strategy}\"\nttl = \"{ttl}\"\n{replace}")
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    let text: String = text.chars().map(escape).collect();
    format!("\"{text}\"")
}
