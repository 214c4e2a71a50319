//! The gateway alone, for benchmarks: `gateway CONFIG DATA [ADDRESS]`, everything on, log lines to
//! standard error.

use std::path::PathBuf;
use std::sync::Arc;

use scrimp_server::journal::Files;
use scrimp_server::{Log, Program, serve};
use scrimp_store::{Options, Store};

/// As the program itself does.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let config = arguments.next().map(PathBuf::from).ok_or("gateway CONFIG DATA [ADDRESS]")?;
    let data = arguments.next().map(PathBuf::from).ok_or("gateway CONFIG DATA [ADDRESS]")?;
    let listen = arguments.next().map(|address| address.parse()).transpose()?;
    let store = Arc::new(Store::open(&data, Options::STANDARD)?);
    let (log, written) = Log::to(std::io::stderr());
    serve(Program {
        files: Files { config: Some(config), data },
        listen,
        store,
        prices: scrimp_wire::prices::snapshot(),
        log: Some(log.clone()),
        listening: Box::new(|address, _| eprintln!("{{\"listening\":\"http://{address}\"}}")),
    })?;
    log.close();
    written.join().map_err(|_| "the log's writer fell over")?;
    Ok(())
}
