//! Who answers cases and who grades the answers.

use std::path::Path;

use anyhow::{Result, anyhow};
use scrimp_prompt::Prompt;
use scrimp_prompt::cases::{self, Case, Grade, Helper};

use super::asking::{self, Asking, Stop};
use super::target::Target;
use crate::args::DataDir;
use crate::args::prompt::Terms;
use crate::ui::OrHint;

/// Those who are asked.
pub(super) struct Panel {
    pub(super) target: Target,
    judge: Option<Target>,
    embedder: Option<Target>,
    pub(super) asking: Asking,
}

impl Panel {
    /// With the helpers that the cases need.
    pub(super) fn of(
        target: Target,
        (file, cases): (&Path, &[Case]),
        terms: &Terms,
        data: &DataDir,
    ) -> Result<Panel> {
        let needs = |helper| cases.iter().any(|case| case.grader.helper() == Some(helper));
        let named = |name: &Option<String>, option: &str, word: &str| {
            let missing = || anyhow!("{}: a case asks for `{word}`", file.display());
            name.clone()
                .ok_or_else(missing)
                .or_hint(format!("{option} URL/MODEL says who does that"))
        };
        let (mut judge, mut embedder) = (None, None);
        if needs(Helper::Judge) {
            let name = named(&terms.judge, "--judge", "judge")?;
            judge = Some(target.beside(&name, terms, data)?);
        }
        if needs(Helper::Embedder) {
            let name = named(&terms.embed, "--embed", "similar")?;
            embedder = Some(target.embedder(&name, terms, data)?);
        }
        for asked in [Some(&target), judge.as_ref(), embedder.as_ref()].into_iter().flatten() {
            asking::limited(asked, terms)?;
        }
        let asking = Asking::of(asking::answers(file, terms), terms)?;
        Ok(Panel { target, judge, embedder, asking })
    }

    /// The grade of what is answered to a filled prompt. No text is no good answer.
    pub(super) fn grade(&mut self, prompt: &Prompt, case: &Case) -> Result<f64, Stop> {
        let Panel { target, judge, embedder, asking } = self;
        let Some(answer) = asking.ask(target, prompt)? else { return Ok(0.0) };
        let unsaid = || Stop::Failed(anyhow!("a grader did not say anything that is a grade"));
        match (case.grader.grade(&answer), judge, embedder) {
            (Grade::Known(grade), _, _) => Ok(grade),
            (Grade::Judge(question), Some(judge), _) => {
                let said = asking.ask(judge, &question)?;
                said.and_then(|said| cases::verdict(&said)).ok_or_else(unsaid)
            }
            (Grade::Embed(texts, least), _, Some(embedder)) => {
                let vectors = asking.embed(embedder, &texts)?;
                let pair = vectors.first().zip(vectors.get(1));
                pair.and_then(|(one, other)| cases::similar(one, other, least)).ok_or_else(unsaid)
            }
            _ => Err(unsaid()),
        }
    }
}

/// The cases of a file.
pub(super) fn cases(file: &Path) -> Result<Vec<Case>> {
    let text = super::source::text(file)?;
    cases::read(&text).map_err(|error| anyhow!("{}:{}: {}", file.display(), error.line, error.why))
}
