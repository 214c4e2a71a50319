//! `scrimp store`: chores on the data directory.

use anyhow::Result;

use super::data_dir;
use crate::args::{self, DataDir};
use crate::ui;

/// `scrimp store …`
pub(crate) fn run(arguments: &args::Store) -> Result<()> {
    match arguments {
        args::Store::StepDown(data) => step_down(data),
    }
}

fn step_down(data: &DataDir) -> Result<()> {
    let data = data_dir(data)?;
    let schema = scrimp_store::Store::step_down(&data)?;
    ui::print(&format!(
        "{}: schema {schema} now, for the Scrimp before this one; this one takes it up again when it \
         writes there",
        data.display()
    ))
}
