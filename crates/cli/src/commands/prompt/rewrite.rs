//! `scrimp prompt rewrite`: a shorter form, adopted only where it answers as well.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use scrimp_analysis::noninferiority::Decision;
use scrimp_analysis::report::plural;
use scrimp_core::Usd;
use scrimp_prompt::cases::{self, Case};
use scrimp_prompt::rewrite::{self, Change};
use scrimp_prompt::rules::{Loss, RULES, Rule};
use scrimp_prompt::search::{self, Calls, Compared};
use scrimp_prompt::{Prompt, lint};
use serde::Serialize;

use super::asking::{self, Asking, Stop};
use super::panel::{self, Panel};
use super::source;
use super::target::Target;
use crate::args::prompt::Rewrite;
use crate::ui;

/// A shorter form, and how it did.
#[derive(Serialize)]
struct Form {
    /// Who made it.
    name: &'static str,
    tokens: u64,
    /// `null` where it was not tested.
    test: Option<Compared>,
    #[serde(skip)]
    prompt: Prompt,
}

/// What came out, as scripts get it.
#[derive(Serialize)]
struct Answer {
    model: Option<String>,
    tokens: u64,
    changes: Vec<Change>,
    /// From the shortest on.
    forms: Vec<Form>,
    /// The name of the one that may be adopted.
    adopted: Option<&'static str>,
    saved_usd_per_1000: Option<Usd>,
    margin: f64,
    alpha: f64,
    bill: Option<super::Bill>,
}

/// `scrimp prompt rewrite FILE`
pub(super) fn run(arguments: &Rewrite) -> Result<()> {
    let prompt = source::one(&arguments.file)?;
    let rules: Vec<&'static Rule> = match arguments.rules.is_empty() {
        true => RULES.iter().collect(),
        false => arguments.rules.clone(),
    };
    if arguments.terms.dry_run
        && let Some((target, cases)) = named(arguments, &prompt)?
    {
        let pairs = search::fewest_pairs(arguments.terms.margin, arguments.terms.alpha);
        // Each form on every case, and the prompt as it is.
        let calls = Calls { least: 2 * pairs.unwrap_or(0), most: 4 * cases.len() };
        return super::dry_run(&target, &prompt, calls, arguments.json.json);
    }
    let mut asked = Asked::of(arguments, &prompt)?;
    let (by_rules, changes) = rewrite::by_rules(&prompt, &rules);
    let lossless: Vec<_> = rules.iter().copied().filter(|rule| rule.loss == Loss::None).collect();
    let lossless = rewrite::by_rules(&prompt, &lossless).0;
    let mut prompts = vec![("rules", by_rules), ("lossless rules", lossless)];
    let mut ended = Ok(());
    if let (Some(by), Some(asked)) = (&arguments.by, &mut asked) {
        let by = asked.panel.target.beside(by, &arguments.terms, &arguments.data)?;
        asking::limited(&by, &arguments.terms)?;
        match shortened(&mut asked.panel.asking, &by, &prompts[0].1) {
            Ok(prompt) => prompts.insert(0, ("model", prompt)),
            Err(stop) => ended = Err(stop),
        }
    }
    let row = asked.as_ref().and_then(|asked| asked.panel.target.row.clone());
    let size = |prompt: &Prompt| super::sizes(row.as_ref(), prompt, None).0;
    let tokens = size(&prompt);
    let mut forms = forms(prompts, tokens, &size);
    if let (Ok(()), Some(asked)) = (&ended, &mut asked) {
        ended = asked.test(&prompt, &mut forms, arguments);
    }
    let answer = Answer::of(tokens, changes, forms, arguments, asked.as_ref());
    if let (Some(form), Some(file)) = (answer.adopted(), &arguments.output) {
        std::fs::write(file, form.prompt.written()).with_context(|| file.display().to_string())?;
    }
    match arguments.json.json {
        true => ui::print_json(&answer)?,
        false => ui::print(&told(&answer, arguments)?)?,
    }
    asked.map_or(Ok(()), |asked| super::stopped(ended, &asked.panel.asking))
}

/// Those that are shorter, from the shortest on, each once.
fn forms(
    prompts: Vec<(&'static str, Prompt)>,
    tokens: u64,
    size: &dyn Fn(&Prompt) -> u64,
) -> Vec<Form> {
    let form = |(name, prompt)| Form { name, tokens: size(&prompt), test: None, prompt };
    let mut forms: Vec<Form> = prompts.into_iter().map(form).collect();
    forms.retain(|form| form.tokens < tokens);
    forms.sort_by_key(|form| form.tokens);
    forms.dedup_by(|one, other| one.prompt == other.prompt);
    forms
}

impl Answer {
    fn of(
        tokens: u64,
        changes: Vec<Change>,
        forms: Vec<Form>,
        arguments: &Rewrite,
        asked: Option<&Asked>,
    ) -> Answer {
        let is_as_good = |form: &&Form| {
            form.test.as_ref().is_some_and(|test| test.decision == Decision::NotWorse)
        };
        let row = asked.and_then(|asked| asked.panel.target.row.clone());
        let adopted = forms.iter().find(is_as_good).map(|form| (form.name, form.tokens));
        let saved = row.clone().zip(adopted).map(|(row, (_, short))| {
            let model = super::model(row);
            lint::uncached(&model, tokens) - lint::uncached(&model, short)
        });
        Answer {
            model: row.map(|row| format!("{}/{}", row.provider, row.model)),
            tokens,
            changes,
            adopted: adopted.map(|(name, _)| name),
            forms,
            saved_usd_per_1000: saved,
            margin: arguments.terms.margin,
            alpha: arguments.terms.alpha,
            bill: asked.map(|asked| super::Bill::of(&asked.panel)),
        }
    }

    fn adopted(&self) -> Option<&Form> {
        self.forms.iter().find(|form| Some(form.name) == self.adopted)
    }
}

/// The target and the cases that were named, if any were.
fn named(arguments: &Rewrite, prompt: &Prompt) -> Result<Option<(Target, Vec<Case>)>> {
    let Rewrite { cases: Some(file), target: Some(target), terms, .. } = arguments else {
        return Ok(None);
    };
    let cases = panel::cases(file)?;
    let pairs = search::fewest_pairs(terms.margin, terms.alpha);
    super::enough(pairs, cases.len(), terms.margin)?;
    let target = Target::of(target, terms, prompt, &arguments.data)?;
    Ok(Some((target, cases)))
}

/// The cases, and who answers them.
struct Asked {
    panel: Panel,
    cases: Vec<Case>,
}

impl Asked {
    /// `None` where no cases were named: nothing is tested, and nobody asked.
    fn of(arguments: &Rewrite, prompt: &Prompt) -> Result<Option<Asked>> {
        let Some((target, cases)) = named(arguments, prompt)? else { return Ok(None) };
        let Some(file) = &arguments.cases else { return Ok(None) };
        let panel = Panel::of(target, (file, &cases), &arguments.terms, &arguments.data)?;
        Ok(Some(Asked { panel, cases }))
    }

    /// Tests the forms, the shortest first, until one is as good.
    fn test(
        &mut self,
        prompt: &Prompt,
        forms: &mut [Form],
        arguments: &Rewrite,
    ) -> Result<(), Stop> {
        let Asked { panel, cases } = self;
        for (number, form) in forms.iter_mut().enumerate() {
            let terms = &arguments.terms;
            let test = search::Test { margin: terms.margin, alpha: terms.alpha, number };
            let compared = search::against(test, cases.len(), &mut |case| {
                let case = &cases[case];
                let old = panel.grade(&cases::filled(prompt, case), case)?;
                let new = panel.grade(&cases::filled(&form.prompt, case), case)?;
                Ok((old, new))
            })?;
            let is_as_good = compared.decision == Decision::NotWorse;
            form.test = Some(compared);
            if is_as_good {
                break;
            }
        }
        Ok(())
    }
}

/// What a model makes of the instructions; a section that it makes nothing better of stays.
fn shortened(asking: &mut Asking, by: &Target, prompt: &Prompt) -> Result<Prompt, Stop> {
    let mut texts = Vec::new();
    for at in rewrite::sections(prompt) {
        let text = &prompt.pieces[at].text;
        let answer = asking.ask(by, &rewrite::question(text))?;
        texts.extend(answer.and_then(|answer| rewrite::proposed(text, &answer)).map(|t| (at, t)));
    }
    Ok(prompt.with(&texts))
}

fn told(answer: &Answer, arguments: &Rewrite) -> Result<String> {
    let Answer { tokens, changes, forms, adopted, .. } = answer;
    let mut text = format!("{tokens} tokens\n");
    for Change { rule, what, places } in changes {
        writeln!(text, "  {rule:<9} {what}: {}", plural(*places, "place"))?;
    }
    if forms.is_empty() {
        writeln!(text, "no shorter form was found")?;
    }
    for Form { name, tokens, test, .. } in forms {
        write!(text, "by {name}: {tokens} tokens")?;
        match test {
            None => writeln!(text, "; not tested")?,
            Some(tested) => writeln!(text, "; {}", super::compared(tested))?,
        }
    }
    match (adopted, &arguments.cases) {
        (Some(name), _) => writeln!(text, "adopted: by {name}")?,
        (None, Some(_)) => {
            writeln!(text, "nothing adopted: it is not shown that a shorter form answers as well")?;
        }
        (None, None) => {
            text.push_str(&shown(forms));
            writeln!(
                text,
                "only shown: --eval CASES --target URL/MODEL tests it, then -o FILE writes it"
            )?;
        }
    }
    if let Some(saved) = answer.saved_usd_per_1000 {
        writeln!(text, "saves {} in 1,000 calls, uncached", ui::dollars(saved))?;
    }
    if let Some(bill) = &answer.bill {
        bill.tell(&mut text)?;
    }
    let few = super::hardly_any(forms.iter().filter_map(|form| form.test.as_ref()));
    text.push_str(&ui::notes(few.as_slice()));
    Ok(text)
}

/// The instructions of the shortest form.
fn shown(forms: &[Form]) -> String {
    let Some(form) = forms.first() else { return String::new() };
    let mut text = String::new();
    for at in rewrite::sections(&form.prompt) {
        text.extend(["\n", form.prompt.pieces[at].text.trim_end(), "\n\n"]);
    }
    text
}
