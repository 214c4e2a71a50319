//! `scrimp prices update`: a newer list of prices in place of the one that ships.
//!
//! It goes into the data directory, and every command that prices something uses it from then on,
//! until a Scrimp comes whose own list is of a later day.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use scrimp_core::{Catalog, Time};
use scrimp_server::fetch;
use scrimp_wire::prices::{self, Far, InUse, Update};
use serde::Serialize;

use super::data_dir;
use super::price::now;
use crate::args::{self, Prices};
use crate::ui::{self, OrHint};

/// LiteLLM's map is 3 MB.
const MOST_BYTES: usize = 64 << 20;

/// A list that was taken, beside the one that ships.
struct Taken {
    list: String,
    dated: String,
}

/// What an update did, as scripts get it.
#[derive(Serialize)]
struct Done {
    list: String,
    taken: String,
    models: usize,
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<Changed>,
    /// Far from what they were: the old prices stay until `--confirm`.
    held: Vec<String>,
    confirmed: Vec<String>,
    /// Not believed at all, with or without `--confirm`: the price before stays.
    stayed: Vec<String>,
    not_believed: Vec<String>,
}

#[derive(Serialize)]
struct Changed {
    model: String,
    from: [String; 2],
    to: [String; 2],
}

/// `scrimp prices …`
pub(crate) fn run(prices: &Prices) -> Result<()> {
    match prices {
        Prices::Update(arguments) => update(arguments),
    }
}

fn update(arguments: &args::Update) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    let json = match arguments.list.contains("://") {
        true => fetch(&arguments.list, MOST_BYTES)
            .with_context(|| format!("{} was not fetched", arguments.list))
            .or_hint("a file that was fetched otherwise can be named instead")?,
        false => std::fs::read(&arguments.list).with_context(|| arguments.list.clone())?,
    };
    let (far, taken) = (far(arguments), arguments.taken.unwrap_or_else(now));
    let before = taken_list(&data)?;
    let in_use = match &before {
        Some(taken) => InUse { list: &taken.list, dated: &taken.dated },
        None => InUse::shipped(),
    };
    let update = prices::update(&json, in_use, taken, &arguments.list, far)
        .with_context(|| arguments.list.clone())
        .or_hint("nothing was changed")?;
    std::fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    let [list, dated] = files(&data);
    // First what would be lost: after the list is written, the old one is gone.
    write(&dated, &update.dated)?;
    write(&list, &update.list)?;
    match arguments.json.json {
        true => ui::print_json(&done(&update, &list, far)?),
        false => ui::print(&told(&update, &list, far)?),
    }
}

fn far(arguments: &args::Update) -> Far {
    match arguments.confirm {
        true => Far::Confirmed,
        false => Far::Held,
    }
}

fn files(data: &Path) -> [PathBuf; 2] {
    ["prices.txt", "prices-dated.txt"].map(|name| data.join(name))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| path.display().to_string())
}

/// The list that was taken, unless the one that ships is of a later day.
fn taken_list(data: &Path) -> Result<Option<Taken>> {
    let [list, dated] = files(data);
    if !list.is_file() {
        return Ok(None);
    }
    let read =
        |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
    let taken = Taken { list: read(&list)?, dated: read(&dated)? };
    let day = prices::parse(&taken.list)
        .with_context(|| list.display().to_string())
        .or_hint("remove this file to use the prices that ship with Scrimp")?
        .taken;
    Ok((prices::snapshot().taken <= day).then_some(taken))
}

/// The prices in use: those that were taken, or those that ship.
pub(super) fn in_use(data: Option<&Path>) -> Result<Catalog> {
    let taken = data.map(taken_list).transpose()?.flatten();
    match taken {
        None => Ok(prices::snapshot()),
        Some(Taken { list, dated }) => InUse { list: &list, dated: &dated }
            .catalog()
            .or_hint("`scrimp prices update` writes them anew"),
    }
}

/// Says so where prices are not those that ship.
pub(super) fn note(data: Option<&Path>) -> Result<Option<String>> {
    let Some(taken) = data.map(taken_list).transpose()?.flatten() else { return Ok(None) };
    let day = prices::parse(&taken.list)?.taken.map(scrimp_analysis::report::day);
    let day = day.unwrap_or_default();
    Ok(Some(format!("prices of {day}, taken with `scrimp prices update`")))
}

fn told(update: &Update, list: &Path, far: Far) -> Result<String> {
    let Update { diff, jumps, stayed, report, .. } = update;
    let mut text = diff.to_string();
    let word = match far {
        Far::Held => "held",
        Far::Confirmed => "meant",
    };
    for jump in jumps {
        writeln!(text, "{word:<8} {jump}")?;
    }
    for (_, held) in stayed {
        writeln!(text, "kept     {held}: the price before counts")?;
    }
    let whole = report.held.iter().filter(|held| held.field.is_none()).count() as u64;
    let entries = if whole == 1 { "entry" } else { "entries" };
    writeln!(text, "{whole} {entries} not believed (no price, zero, another unit)")?;
    writeln!(text, "wrote {}", list.display())?;
    if !jumps.is_empty() && far == Far::Held {
        writeln!(text, "held prices stay as they were: look at them, then add --confirm")?;
    }
    Ok(text)
}

fn done(update: &Update, list: &Path, far: Far) -> Result<Done> {
    let Update { diff, jumps, stayed, report, list: text, .. } = update;
    let name = |row: &scrimp_core::price::PriceRow| format!("{}/{}", row.provider, row.model);
    let rates = |row: &scrimp_core::price::PriceRow| {
        let rates = &row.cards[0].rates;
        [rates.input.per_million(), rates.output.per_million()]
    };
    let catalog = prices::parse(text)?;
    let far_off: Vec<String> = jumps.iter().map(ToString::to_string).collect();
    let (held, confirmed) = match far {
        Far::Held => (far_off, Vec::new()),
        Far::Confirmed => (Vec::new(), far_off),
    };
    Ok(Done {
        list: list.display().to_string(),
        taken: scrimp_analysis::report::day(catalog.taken.unwrap_or(Time::EPOCH)),
        models: catalog.rows().count(),
        added: diff.added.iter().map(|row| name(row)).collect(),
        removed: diff.removed.iter().map(|row| name(row)).collect(),
        changed: diff
            .changed
            .iter()
            .map(|(before, now)| Changed { model: name(now), from: rates(before), to: rates(now) })
            .collect(),
        held,
        confirmed,
        stayed: stayed.iter().map(|(_, held)| held.to_string()).collect(),
        not_believed: report.held.iter().map(ToString::to_string).collect(),
    })
}
