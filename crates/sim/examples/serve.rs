//! A simulated provider on a real socket: `cargo run -p scrimp-sim --example serve -- ADDRESS
//! usual|exact|bench [PROBABILITY=FAULT …]`.
#![expect(clippy::print_stdout, reason = "printing is what the example is for")]

use scrimp_sim::command::{Arguments, Manner, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned()).parse()?;
    let manner = match arguments.next().as_deref() {
        Some("exact") => Manner::Exact,
        Some("bench") => Manner::Bench,
        _ => Manner::Usual,
    };
    let (address, _provider) =
        run(&Arguments { listen, seed: 1, manner, faults: arguments.collect() }).await?;
    println!("http://{address}");
    std::future::pending().await
}
