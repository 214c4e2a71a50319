//! `scrimp prompt examples`: the fewest examples that answer as well as all of them.

use std::fmt::Write as _;

use anyhow::{Context, Result, anyhow};
use scrimp_analysis::report::plural;
use scrimp_core::Usd;
use scrimp_prompt::cases;
use scrimp_prompt::examples::{self, Example, Turns};
use scrimp_prompt::search::{self, Found, Plan, Tested};
use scrimp_prompt::{Prompt, lint};
use serde::Serialize;

use super::panel::{self, Panel};
use super::source;
use super::target::Target;
use crate::args::prompt::{Eval, Examples, Terms};
use crate::ui::{self, OrHint};

/// What came out, as scripts get it.
#[derive(Serialize)]
struct Answer {
    examples: Vec<String>,
    cases: usize,
    margin: f64,
    alpha: f64,
    #[serde(flatten)]
    found: Found,
    /// Tokens of the prompt with all examples, and with those that were kept.
    tokens: u64,
    tokens_kept: Option<u64>,
    /// What a thousand calls save, uncached; `null` where nothing was shown or nothing is priced.
    saved_usd_per_1000: Option<Usd>,
    #[serde(flatten)]
    bill: super::Bill,
}

/// `scrimp prompt examples FILE`
pub(super) fn run(arguments: &Examples) -> Result<()> {
    let prompt = source::one(&arguments.file)?;
    let turns = if arguments.turns { Turns::Examples } else { Turns::Said };
    let shots = examples::find(&prompt, turns);
    if shots.is_empty() {
        return Err(anyhow!("{}: no examples were found in it", arguments.file.display())).or_hint(
            "they are found in <example> tags, under headings (Example 1), as labelled pairs \
             (Input:, Output:), and with --turns as turns of the conversation",
        );
    }
    let Eval { cases: file, target, terms } = &arguments.eval;
    let cases = panel::cases(file)?;
    let Terms { margin, alpha, .. } = *terms;
    let plan = Plan { examples: shots.len(), cases: cases.len(), margin, alpha };
    super::enough(plan.fewest_cases(), cases.len(), margin)?;
    let target = Target::of(target, terms, &prompt, &arguments.data)?;
    if terms.dry_run {
        let calls = plan.calls();
        return super::dry_run(&target, &prompt, calls, arguments.json.json);
    }
    let mut panel = Panel::of(target, (file, &cases), terms, &arguments.data)?;
    let mut found = Found::default();
    let ended = search::search(&plan, &mut found, &mut |set, case| {
        let filled = cases::filled(&examples::keeping(&prompt, &shots, set), &cases[case]);
        panel.grade(&filled, &cases[case])
    });
    let kept = found.kept.as_ref().map(|kept| keeping(&prompt, &shots, kept));
    let (tokens, tokens_kept) = super::sizes(panel.target.row.as_ref(), &prompt, kept.as_ref());
    let saved = panel.target.row.clone().zip(tokens_kept).map(|(row, kept)| {
        let model = super::model(row);
        lint::uncached(&model, tokens) - lint::uncached(&model, kept)
    });
    let answer = Answer {
        examples: shots.iter().map(|example| example.title.clone()).collect(),
        cases: cases.len(),
        margin,
        alpha,
        found,
        tokens,
        tokens_kept,
        saved_usd_per_1000: saved,
        bill: super::Bill::of(&panel),
    };
    match arguments.json.json {
        true => ui::print_json(&answer)?,
        false => ui::print(&told(&answer)?)?,
    }
    if let (Some(kept), Some(file)) = (&kept, &arguments.output) {
        std::fs::write(file, kept.written()).with_context(|| file.display().to_string())?;
    }
    super::stopped(ended, &panel.asking)
}

fn keeping(prompt: &Prompt, shots: &[Example], kept: &[usize]) -> Prompt {
    let set: Vec<bool> = (1..=shots.len()).map(|number| kept.contains(&number)).collect();
    examples::keeping(prompt, shots, &set)
}

fn told(answer: &Answer) -> Result<String> {
    let Answer { examples, cases, found, tokens, tokens_kept, .. } = answer;
    let mut text = String::new();
    let all = plural(examples.len() as u64, "example");
    writeln!(text, "{all}, {}", plural(*cases as u64, "case"))?;
    if let Some(quality) = found.quality {
        let by = plural(found.ordered_by as u64, "case");
        writeln!(text, "{:.0}% of {by} answered well with all of them; without", quality * 100.0)?;
    }
    for (at, change) in found.left_out.iter().enumerate() {
        writeln!(text, "  {:>2}  {}  {}", at + 1, super::points(*change), examples[at])?;
    }
    for Tested { examples, compared } in &found.tested {
        writeln!(text, "tested {}: {}", names(examples), super::compared(compared))?;
    }
    match (&found.kept, tokens_kept) {
        (Some(kept), Some(short)) => {
            writeln!(text, "keep {}: {tokens} → {short} tokens a call", names(kept))?;
            if let Some(saved) = answer.saved_usd_per_1000 {
                writeln!(text, "saves {} in 1,000 calls, uncached", ui::dollars(saved))?;
            }
            let (margin, sure) = (answer.margin * 100.0, 100.0 - answer.alpha * 100.0);
            writeln!(
                text,
                "quality is not more than {margin} points lower, {sure}% sure at any look"
            )?;
        }
        _ => writeln!(text, "keep all: it is not shown that fewer answer as well")?,
    }
    answer.bill.tell(&mut text)?;
    let few = super::hardly_any(found.tested.iter().map(|tested| &tested.compared));
    text.push_str(&ui::notes(few.as_slice()));
    Ok(text)
}

fn names(examples: &[usize]) -> String {
    match examples {
        [] => "none".to_owned(),
        _ => examples.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
