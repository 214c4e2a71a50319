//! Plays a day of each workload against a provider and prints what it was like, and how long it
//! took: `cargo run --release -p scrimp-sim --example days -- [SCALE [SEED]]`.
#![expect(clippy::print_stdout, reason = "printing is what the example is for")]

use scrimp_sim::workload::{End, Workload, day, drive};
use scrimp_sim::{Provider, Settings};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let scale = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let seed = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    tokio::time::pause();
    println!("workload         calls  prompt  output  cached  written  dollars  hung up  seconds");
    for kind in Workload::ALL {
        let began = std::time::Instant::now();
        let provider = Provider::new(Settings::usual(seed));
        let far = provider.clone();
        let connect = move || {
            let (near, end) = tokio::io::duplex(64 * 1024);
            tokio::spawn(Arc::clone(&far).serve(end));
            std::future::ready(Ok(near))
        };
        let played = drive(day(kind, seed, scale), connect).await;
        let bills = provider.bills();
        let calls = bills.len() as u64;
        let sum = |of: fn(&scrimp_sim::Bill) -> u64| bills.iter().map(of).sum::<u64>();
        let prompt = sum(|bill| bill.usage.prompt());
        let read = sum(|bill| bill.usage.cache_read);
        let written = sum(|bill| bill.usage.write_short + bill.usage.write_long);
        let pico: u128 = bills.iter().map(|bill| bill.pico_usd).sum();
        let hung_up = played.iter().filter(|call| call.end == End::HungUp).count();
        println!(
            "{:<16} {calls:>5} {:>7} {:>7} {:>6}% {:>7}% {:>8} {hung_up:>8} {:>8.2}",
            format!("{kind:?}"),
            prompt / calls,
            sum(|bill| bill.usage.generated()) / calls,
            read * 100 / prompt,
            written * 100 / prompt,
            pico / 1_000_000_000_000,
            began.elapsed().as_secs_f64(),
        );
    }
}
