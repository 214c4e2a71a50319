//! `scrimp bypass on|off`: a gateway's policies step aside by hand.

use anyhow::{Context, Result};
use serde_json::json;

use super::data_dir;
use super::running::Running;
use crate::args::{Bypass, Step};
use crate::ui::{self, OrHint};

/// Tells the gateway that runs on the data directory.
pub(crate) fn run(arguments: &Bypass) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    let missing = format!("no gateway runs on {}", data.display());
    let running = Running::on(&data).context(missing);
    let running = running.or_hint("bypass lasts as long as a gateway; without one nothing acts")?;
    let is_on = arguments.step == Step::On;
    let answer = running.post("bypass", &json!({ "on": is_on }))?;
    match (arguments.json.json, is_on) {
        (true, _) => ui::print_json(&answer),
        (false, true) => ui::print(
            "bypass is on: no policy decides, calls pass unedited and are counted\n\
             until `scrimp bypass off`, or the gateway's next start",
        ),
        (false, false) => ui::print("bypass is off: policies decide"),
    }
}
