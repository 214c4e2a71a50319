//! `scrimp prompt …`: what prompts cost, and shorter forms of them.

mod asking;
mod examples;
mod lint;
mod panel;
mod rewrite;
mod source;
mod target;

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use scrimp_analysis::noninferiority::Decision;
use scrimp_analysis::report::plural;
use scrimp_core::Usd;
use scrimp_core::price::PriceRow;
use scrimp_prompt::search::{Calls, Compared};
use scrimp_prompt::{Model, Prompt};
use scrimp_tokens::Vocabulary;
use serde::Serialize;

use crate::args::prompt;
use crate::ui::{self, OrHint};
use asking::{Asking, Stop};
use panel::Panel;
use target::Target;

/// Below this share of good answers a test of what is lost means little.
const FEW_GOOD: f64 = 0.2;

/// What asking cost, as scripts get it.
#[derive(Serialize)]
struct Bill {
    /// Calls that were made this time.
    calls: usize,
    /// Answers that were known from before.
    reused: usize,
    /// All calls of the file of answers; `null` where the target is unpriced.
    spent_usd: Option<Usd>,
    /// Calls that did not tell their usage: counted as the most that they may have cost.
    untold: usize,
}

/// `scrimp prompt …`
pub(crate) fn run(arguments: &prompt::Prompt) -> Result<()> {
    match arguments {
        prompt::Prompt::Lint(arguments) => lint::run(arguments),
        prompt::Prompt::Examples(arguments) => examples::run(arguments),
        prompt::Prompt::Rewrite(arguments) => rewrite::run(arguments),
    }
}

impl Bill {
    fn of(panel: &Panel) -> Bill {
        let Panel { target, asking, .. } = panel;
        let Asking { calls, reused, untold, .. } = *asking;
        Bill { calls, reused, spent_usd: target.row.as_ref().map(|_| asking.spent), untold }
    }

    fn tell(&self, text: &mut String) -> Result<()> {
        write!(text, "{}, {} known from before", plural(self.calls as u64, "call"), self.reused)?;
        match self.spent_usd {
            Some(usd) => writeln!(text, "; {} spent in all", ui::dollars(usd))?,
            None => writeln!(text, "; what they cost is not known")?,
        }
        if 0 < self.untold {
            let untold = plural(self.untold as u64, "call");
            writeln!(text, "{untold} told no usage: counted as the most that it may have been")?;
        }
        Ok(())
    }
}

fn model(row: Arc<PriceRow>) -> Model {
    let vocabulary = Vocabulary::of_model(&row.model).unwrap_or_else(Vocabulary::unknown);
    Model { row, vocabulary }
}

/// Tokens before and after, counted for the target's model, roughly where it is not known.
fn sizes(
    row: Option<&Arc<PriceRow>>,
    prompt: &Prompt,
    short: Option<&Prompt>,
) -> (u64, Option<u64>) {
    let rough = |prompt: &Prompt| {
        let unknown = Vocabulary::unknown();
        prompt.pieces.iter().map(|piece| unknown.count(&piece.text).tokens).sum()
    };
    let tokens = |prompt: &Prompt| {
        row.map_or_else(
            || rough(prompt),
            |row| scrimp_prompt::lint::tokens(prompt, &model(row.clone())),
        )
    };
    (tokens(prompt), short.map(tokens))
}

/// A change of a share, in points: `−12.5`.
fn points(change: f64) -> String {
    format!("{:+.1}", change * 100.0).replace('-', "−")
}

/// What a test came to, in words.
fn compared(test: &Compared) -> String {
    let Compared { decision, pairs, quality_before, change, alpha } = test;
    let said = match decision {
        Decision::NotWorse => "not worse by more than the margin",
        Decision::Worse => "worse by more than the margin",
        Decision::Open => "not decided",
    };
    let (Some(before), Some(change)) = (quality_before, change) else { return said.to_owned() };
    let pairs = plural(*pairs, "case");
    let (before, change) = (before * 100.0, points(*change));
    format!("{said}: {change} points from {before:.0}% over {pairs} (α {alpha})")
}

/// Where a prompt answers nearly nothing well, nothing can be lost, and a test says nothing.
fn hardly_any<'t>(mut tests: impl Iterator<Item = &'t Compared>) -> Option<String> {
    let is_low = |test: &Compared| test.quality_before.is_some_and(|share| share < FEW_GOOD);
    tests.any(is_low).then(|| {
        "the prompt as it is answers few cases well, so that hardly anything could be lost: look at \
         the cases, the target and --max-tokens before you rely on this"
            .to_owned()
    })
}

/// Refuses before anything is spent what could not be decided.
fn enough(fewest: Option<usize>, cases: usize, margin: f64) -> Result<()> {
    let margin = margin * 100.0;
    match fewest {
        Some(fewest) if fewest <= cases => Ok(()),
        Some(fewest) => Err(anyhow!("{cases} cases decide nothing at a margin of {margin} points"))
            .or_hint(format!("at least {fewest} do; or a larger margin: --margin 10%")),
        None => Err(anyhow!("no number of cases decides at a margin of {margin} points")),
    }
}

/// What would be asked, and what that would cost.
fn dry_run(target: &Target, prompt: &Prompt, calls: Calls, is_json: bool) -> Result<()> {
    let times = |usd: Usd, calls: usize| usd.scaled(calls as u64, 1);
    let cost = |output| asking::priced(target, prompt, output);
    let least = cost(0).map(|usd| times(usd, calls.least));
    let most = cost(target.form.longest).map(|usd| times(usd, calls.most));
    if is_json {
        let told = serde_json::json!({"calls": calls, "usd": {"least": least, "most": most}});
        return ui::print_json(&told);
    }
    let mut text = format!("{} to {} calls to {}\n", calls.least, calls.most, target.name);
    match least.zip(most) {
        Some((least, most)) => writeln!(
            text,
            "{} (without answers, nothing cached) to {} (every answer {} tokens long)",
            ui::dollars(least),
            ui::dollars(most),
            target.form.longest
        )?,
        None => writeln!(text, "no price of {} is known", target.form.model)?,
    }
    ui::print(&(text + "nobody was called\n"))
}

/// How asking ended, as the command does.
fn stopped(ended: Result<(), Stop>, asking: &Asking) -> Result<()> {
    let Err(stop) = ended else { return Ok(()) };
    let kept = format!(
        "every answer so far is in {}; the same command goes on from there",
        asking.path.display()
    );
    match stop {
        Stop::Interrupted => {
            Err(ui::Ended { code: 130, why: Some(format!("stopped; {kept}")) }.into())
        }
        Stop::Spend(_) => Err(stop).or_hint(format!("--spend USD allows more; {kept}")),
        Stop::Calls(_) => Err(stop).or_hint(format!("--calls N allows more; {kept}")),
        Stop::Failed(error) => Err(error).or_hint(kept),
    }
}
