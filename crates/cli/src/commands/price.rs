//! `scrimp price`: what a call costs, line by line.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use scrimp_analysis::report::day;
use scrimp_core::price::{Catalog, Class, PriceRow, Terms, Tier};
use scrimp_core::{Time, Usage};
use scrimp_wire::prices::quote::{self, Quote, Unpriced};
use serde::Serialize;

use super::{compare, data_dir, prices};
use crate::args::{self, DataDir, Price};
use crate::ui::{self, OrHint};

/// A token of each class that the command line can name.
const ONE_EACH: Usage = Usage {
    uncached: 1,
    cache_read: 1,
    cache_write_short: 1,
    cache_write_long: 1,
    output: 1,
    ..Usage::ZERO
};

/// A quote as scripts get it.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    quote: &'a Quote,
    /// The day of the list that the price shipped with; `null` for own prices.
    prices_taken: Option<String>,
}

/// `scrimp price MODEL …`
pub(crate) fn run(arguments: &Price) -> Result<()> {
    let catalog = catalog_in(arguments.prices.as_deref(), &arguments.data)?;
    if let Some(file) = &arguments.batch {
        return batch(&catalog, file);
    }
    let model = match arguments.models.as_slice() {
        [model] if arguments.traffic.is_none() && arguments.calls_per_day.is_none() => model,
        _ => return compare::run(arguments, &catalog),
    };
    let at = arguments.at.unwrap_or_else(now);
    let (usage, terms) = asked(arguments);
    let mut quote = match quote::quote(&catalog, None, model, &usage, terms, at) {
        Err(hostile @ Unpriced::TooMany { .. }) => return Err(hostile.into()),
        quote => quote.or_hint("own prices can be laid over the ones shipped: --prices FILE")?,
    };
    let data = data_dir(&arguments.data).ok();
    let shipped = shipped(&prices::in_use(data.as_deref())?, &catalog, &quote, at);
    quote.notes.extend(prices::note(data.as_deref())?);
    let taken = shipped.as_ref().map(|(taken, _)| *taken);
    let asked = arguments.at.zip(shipped);
    quote.notes.extend(asked.and_then(|(at, (taken, row))| of_another_day(&row, at, taken)));
    match arguments.json.json {
        true => ui::print_json(&Answer { quote: &quote, prices_taken: taken.map(day) }),
        false if usage == Usage::ZERO => {
            // Nothing to add up: one token of each class shows what they cost.
            let rated = quote::quote(&catalog, None, model, &ONE_EACH, terms, at)?;
            ui::print(&rates(&Quote { notes: quote.notes, ..rated })?)
        }
        false => ui::print(&table(&quote)?),
    }
}

/// The sizes and terms that were given.
pub(super) fn asked(arguments: &Price) -> (Usage, Terms) {
    let usage = Usage {
        uncached: arguments.uncached,
        cache_read: arguments.cache_read,
        cache_write_short: arguments.cache_write_short,
        cache_write_long: arguments.cache_write_long,
        output: arguments.output,
        ..Usage::ZERO
    };
    (usage, Terms { tier: tier(arguments.tier), ..Terms::default() })
}

/// The price as it is listed, and when the list was taken; `None` for own prices.
fn shipped(
    shipped: &Catalog,
    catalog: &Catalog,
    quote: &Quote,
    at: Time,
) -> Option<(Time, Arc<PriceRow>)> {
    let row = |catalog: &Catalog| catalog.find(&quote.provider, &quote.model, at).cloned();
    let found = row(shipped).filter(|found| row(catalog).as_ref() == Some(found));
    shipped.taken.zip(found)
}

/// A list is of one day: the price of another may have been another, unless it is known from when
/// or until when it was charged.
fn of_another_day(row: &PriceRow, at: Time, taken: Time) -> Option<String> {
    let ended = row.until.is_some_and(|until| until <= taken);
    let announced = row.from.is_some_and(|from| taken < from);
    let (asked, listed) = (day(at), day(taken));
    match asked.cmp(&listed) {
        Ordering::Equal => None,
        Ordering::Less if row.from.is_some() => None,
        Ordering::Less if ended => {
            Some(format!("the oldest price that is known; prices of {asked} may differ"))
        }
        Ordering::Greater if announced => {
            Some(format!("announced by {listed}; prices of {asked} may differ"))
        }
        Ordering::Less | Ordering::Greater => {
            Some(format!("priced by the list of {listed}; prices of {asked} may differ"))
        }
    }
}

/// The prices in use, with a file of own ones over them.
pub(crate) fn catalog(overlay: Option<&Path>) -> Result<Catalog> {
    catalog_in(overlay, &DataDir { data: None })
}

/// The same, as this data directory has them.
pub(crate) fn catalog_in(overlay: Option<&Path>, data: &DataDir) -> Result<Catalog> {
    // Without a home there is no list in it.
    let data = data_dir(data).ok();
    let mut catalog = prices::in_use(data.as_deref())?;
    let Some(path) = overlay else { return Ok(catalog) };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("own prices could not be read from {}", path.display()))?;
    for row in scrimp_wire::prices::overlay(&text).with_context(|| path.display().to_string())? {
        catalog.add_own(row);
    }
    Ok(catalog)
}

/// The time of day, read at the edge and handed inward.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn tier(tier: Option<args::Tier>) -> Tier {
    match tier {
        None | Some(args::Tier::Standard) => Tier::Standard,
        Some(args::Tier::Batch) => Tier::Batch,
        Some(args::Tier::Flex) => Tier::Flex,
        Some(args::Tier::Priority) => Tier::Priority,
    }
}

fn batch(catalog: &Catalog, file: &Path) -> Result<()> {
    let questions = std::fs::File::open(file).with_context(|| file.display().to_string())?;
    let mut answers = String::new();
    for line in std::io::BufReader::new(questions).lines() {
        writeln!(answers, "{}", quote::answer(catalog, &line?, now()))?;
    }
    ui::print(&answers)
}

fn rates(quote: &Quote) -> Result<String> {
    let mut text = format!("{}/{}\n", quote.provider, quote.model);
    for line in &quote.lines {
        let million = format!("${}/M", line.usd_per_million);
        writeln!(text, "  {:<18}{million:>12}", class(line.what)?)?;
    }
    text.push_str(&ui::notes(&quote.notes));
    writeln!(text, "what a call costs: --uncached N --cache-read N --output N; see --help")?;
    Ok(text)
}

fn class(what: Class) -> Result<String> {
    Ok(serde_json::to_value(what)?.as_str().unwrap_or_default().replace('_', " "))
}

fn table(quote: &Quote) -> Result<String> {
    let mut text = format!("{}/{}\n", quote.provider, quote.model);
    for line in &quote.lines {
        let what = class(line.what)?;
        let million = format!("${}/M", line.usd_per_million);
        writeln!(text, "  {what:<18}{:>14}  {million:>12}  ${}", line.tokens, line.usd)?;
    }
    writeln!(text, "  {:<18}{:>14}  {:>12}  ${}", "together", "", "", quote.usd)?;
    text.push_str(&ui::notes(&quote.notes));
    Ok(text)
}
