//! Maintenance.
use crate::store::Shared;

pub(crate) fn run(shared: &Shared) {
    while !shared.is_stopped() {
        std::thread::park_timeout(std::time::Duration::from_secs(1));
        let mut status = shared.status();
        status.sealed = status.boundary;
        drop(status);
        shared.changed.notify_all();
    }
}
