//! A few numbers for Prometheus. Everything else is in the summary.

use std::fmt::Write;

use http::{Response, StatusCode};

use crate::counts::Counted;
use crate::gateway::Gateway;
use crate::page::Page;

pub(super) fn page(gateway: &Gateway) -> Response<Page> {
    let Counted { began, in_flight, policy_panics, reloads, refused_reloads } = gateway.counted();
    let store = gateway.shared().store.health();
    let rows = [
        ("calls_total", "counter", "Calls that came in.", began),
        ("calls_in_flight", "gauge", "Calls that are open.", in_flight),
        ("settled_total", "counter", "Calls that were settled.", store.settled),
        ("details_dropped_total", "counter", "Records that found no room.", store.details_dropped),
        ("records_queued", "gauge", "Records that wait for the disk.", store.queued),
        ("store_bytes", "gauge", "Bytes in the data directory.", store.bytes_on_disk),
        ("policy_panics_total", "counter", "Calls that went unshaped.", policy_panics),
        ("reloads_total", "counter", "Configurations put in force.", reloads),
        ("refused_reloads_total", "counter", "Configurations that were wrong.", refused_reloads),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in rows {
        // Writing to a string does not fail.
        write!(
            text,
            "# HELP scrimp_{name} {help}\n# TYPE scrimp_{name} {kind}\nscrimp_{name} {value}\n"
        )
        .ok();
    }
    Page::of(StatusCode::OK, "text/plain; version=0.0.4", text)
}
