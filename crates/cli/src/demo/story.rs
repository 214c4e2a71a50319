//! What the demo says: measured, predicted, applied, proved.

use std::io::IsTerminal as _;

use anyhow::{Context, Result};
use scrimp_analysis::findings::Finding;
use scrimp_analysis::report::{count, span};
use scrimp_core::{Entry, Record, Share, Time, Usd};
use scrimp_server::journal;

use super::Stage;
use super::traffic::{World, first_day};
use crate::commands::{apply, study};
use crate::ui::{self, dollars, percent};

/// What was seen, and what to do next.
const THE_LOOP: &str = "\
That is the loop: measure, predict, apply to a share, prove. Nothing was edited on day 1; on day 2 the \
rule changed cache marks only, in half of its sessions: the models read the same prompts.
Your own traffic: scrimp serve, then point your SDK's base URL at it.";

/// Plays both days and says what each step of the loop shows.
pub(super) fn tell(stage: &Stage) -> Result<()> {
    let mut world = World::new(stage)?;
    happens(
        "day 1 of 2: simulated OpenAI and Anthropic, four applications, the gateway observing …",
    );
    world.play_day();
    stage.store.flush();
    let (from, to) = first_day(stage.begins);
    let first = records(stage, from, to)?;
    measured(&first, &world)?;

    let calls = study::of_entries(entries(first), &stage.prices);
    let (trace, analysis) = study::analyse(calls, &stage.prices);
    let best = analysis.findings.iter().find(|finding| finding.change.is_some());
    let Some(best) = best else {
        return step("2 predicted", "nothing that the replay confirms on this seed's traffic");
    };
    let half = Share::from_millionths(500_000);
    let application = apply::application(best, half, &trace, &stage.prices);
    let application = application.context("a finding with a change can be applied")?;
    predicted(best, application.predicted_ppm)?;

    let number = world.apply(&application)?;
    step(
        "3 applied",
        &format!("to 50% of its sessions, sticky; the others are held out. Journal #{number}"),
    )?;
    // As it is written: a line of configuration is no prose.
    ui::print(&indented(application.change.trim(), "             + "))?;
    happens("day 2 of 2: the same applications, other sessions …");
    world.play_day();
    stage.store.flush();
    proved(stage, number)
}

/// Whether the dashboard stays up after the story: only where somebody can press Ctrl-C.
pub(super) fn stays() -> bool {
    let is_watched = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if is_watched {
        eprintln!("\nthe dashboard stays up; Ctrl-C ends it");
    }
    is_watched
}

/// What a step of the loop shows, beside its number and name.
fn step(name: &str, text: &str) -> Result<()> {
    ui::print(&ui::beside(&format!("{name:13}"), text, ui::width()))
}

/// What happens until the next step, on standard error.
fn happens(text: &str) {
    eprintln!("{}", ui::beside("", text, ui::width()));
}

fn records(stage: &Stage, from: Time, to: Time) -> Result<Vec<Record>> {
    Ok(stage.store.reader().scan(from, to).collect::<Result<_, _>>()?)
}

fn entries(records: Vec<Record>) -> Vec<Entry> {
    records.into_iter().map(|record| Entry { record, trail: None }).collect()
}

fn measured(records: &[Record], world: &World) -> Result<()> {
    let cost: Usd = records.iter().filter_map(|record| record.cost).sum();
    let unknown = records.iter().filter(|record| record.cost.is_none()).count();
    let failed = records.iter().filter(|record| !record.is_success()).count();
    let mut took: Vec<_> = records.iter().filter_map(|record| record.timing.ended).collect();
    took.sort_unstable();
    let (billed, bills) = world.billed(scrimp_core::Span::ZERO);
    let at = |share: usize| took.get(took.len() * share / 100).map_or("?".to_owned(), |t| span(*t));
    ui::print("\n")?;
    let text = format!(
        "{} calls, {} at list prices; p50 {}, p95 {}; {failed} not answered, {unknown} of unknown cost\n\
         the providers' own books: {} for {} calls",
        count(records.len() as u64),
        dollars(cost),
        at(50),
        at(95),
        dollars(billed),
        count(bills as u64),
    );
    step("1 measured", &text)
}

fn predicted(finding: &Finding, ppm: Option<i64>) -> Result<()> {
    let saves = finding.usd.map_or("unknown".to_owned(), |usd| match usd.low.zip(usd.high) {
        Some((low, high)) => format!(
            "{} a day (90% range {} to {})",
            dollars(usd.likely),
            dollars(low),
            dollars(high)
        ),
        None => format!("{} a day (range unknown: too few calls)", dollars(usd.likely)),
    });
    let change = ppm.map_or("unknown".to_owned(), |ppm| percent(apply::share_of_ppm(ppm)));
    let text = format!(
        "{} {}\nwould have saved {saves} on {} of these calls: {change} of their cost (replayed)",
        finding.id,
        finding.title,
        count(finding.evidence.calls),
    );
    step("2 predicted", &text)
}

fn proved(stage: &Stage, number: u64) -> Result<()> {
    let judged = journal::proofs(&stage.store.reader())?;
    let judged = judged.into_iter().find(|judged| judged.entry.number == number);
    let judged = judged.context("what was applied is in the journal")?;
    let text = apply::lines(&judged)?;
    let body: Vec<&str> = text.lines().skip(1).collect();
    step("4 proved", &body.join("\n"))?;
    ui::print(&format!("\n{}", ui::beside("", THE_LOOP, ui::width())))
}

fn indented(text: &str, with: &str) -> String {
    text.lines().flat_map(|line| [with, line, "\n"]).collect()
}
