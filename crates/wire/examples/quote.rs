//! Prices each line of standard input (a question as JSON) and prints the answers, one a line:
//! what `scrimp price --batch` does, for the oracle while it is developed.

use std::io::Write as _;

use scrimp_core::time::Time;
use scrimp_wire::prices;

fn main() -> std::io::Result<()> {
    let catalog = prices::snapshot();
    let now = catalog.taken.unwrap_or(Time::EPOCH);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lines() {
        writeln!(out, "{}", prices::quote::answer(&catalog, &line?, now))?;
    }
    out.flush()
}
