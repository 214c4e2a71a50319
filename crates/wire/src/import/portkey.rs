//! Portkey's exported logs, by the columns of its documentation (*Logs Export*). What a request cost
//! is in cents. Its units are all tokens of a prompt, cached or not; the answer's body tells them
//! apart.

use super::{Import, rows, table};

pub(super) const FORMAT: Import = Import {
    name: "portkey",
    what: "Portkey's exported logs: JSON lines",
    lacks: &["portkey: what was read from a cache is known only where responses are exported"],
    fits: |bytes| rows::fits(bytes, &["created_at", "ai_org", "ai_model", "req_units"]),
    read: |bytes, source| table::calls(bytes, source, COLUMNS),
    ..table::FORMAT
};

const COLUMNS: &[(&str, &str)] = &[
    ("time", "created_at"),
    ("latency_ms", "response_time"),
    ("provider", "ai_org"),
    ("model", "ai_model"),
    ("input", "req_units"),
    ("output", "res_units"),
    ("cost_cents", "cost"),
    ("status", "response_status_code"),
    ("cache", "cache_status"),
    ("session", "trace_id"),
    ("id", "id"),
    ("request", "request.body"),
    ("response", "response.body"),
];
