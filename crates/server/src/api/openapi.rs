//! Every route of the gateway's own, in one table: what is not in it is not answered, and the
//! `OpenAPI` document is made of it.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::control::{Apply, Step, Undo};
use super::reconcile::Bill;
use crate::keys::Wanted;

/// A route.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// With `{id}` where a name stands.
    pub(super) path: &'static str,
    summary: &'static str,
    /// What may stand in its query.
    query: &'static [Parameter],
    body: Option<fn(&mut SchemaGenerator) -> Value>,
    answer: Answer,
}

/// A parameter: its name, its type, what it says.
type Parameter = (&'static str, &'static str, &'static str);

/// What an answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Json,
    Text,
    Events,
}

const LIMIT: Parameter =
    ("limit", "integer", "How many at most; 100 if it is not said, never more than 1,000.");

const WINDOW: Parameter = ("window", "string", "1h, 24h, 7d or 30d; 24h if it is not said.");
const PROVIDER: Parameter = ("provider", "string", "Only calls to this provider.");
const MODEL: Parameter = ("model", "string", "Only calls to this model.");
const OPERATION: Parameter = ("operation", "string", "Only calls of this operation.");

pub(super) const ROUTES: &[Route] = &[
    text("/healthz", "Whether the process answers, and whether bypass is on."),
    text("/readyz", "Whether calls are taken; 503 once the gateway is stopping."),
    text("/metrics", "Counters and histograms, for Prometheus."),
    look("/api/v1/openapi.json", "This document."),
    Route {
        query: &[WINDOW],
        ..look("/api/v1/summary", "Sums, series and health of a stretch of time.")
    },
    Route {
        query: &[
            WINDOW,
            PROVIDER,
            MODEL,
            OPERATION,
            (
                "measure",
                "string",
                "What the heatmap counts: latency (if it is not said), first_token or \
                 per_output_token.",
            ),
        ],
        ..look("/api/v1/operations", "How long operations take, by model and over time.")
    },
    Route {
        query: &[WINDOW, PROVIDER, MODEL, OPERATION],
        ..look("/api/v1/errors", "What went wrong: counts of all calls, kinds of the newest ones.")
    },
    Route {
        query: &[WINDOW, PROVIDER, MODEL, OPERATION],
        ..look("/api/v1/models", "Every model that was called, beside its price.")
    },
    Route {
        query: &[
            ("search", "string", "Words that are all in `provider/model`."),
            ("limit", "integer", "How many at most; 100 if it is not said, and never more."),
        ],
        ..look("/api/v1/prices", "The price list.")
    },
    Route {
        query: &[
            LIMIT,
            ("before", "string", "Only calls before the one with this id."),
            ("only", "string", "`errors`: only calls that got no good answer."),
            PROVIDER,
            MODEL,
            OPERATION,
        ],
        ..look("/api/v1/calls", "The latest calls.")
    },
    look("/api/v1/calls/{id}", "All that is kept of a call."),
    Route { answer: Answer::Events, ..look("/api/v1/live", "Calls as they end.") },
    Route {
        query: &[
            (
                "by",
                "string",
                "model, provider, operation, key, team, tag or session; model if it is \
                              not said.",
            ),
            ("tag", "string", "The tag's name, with `by=tag`."),
            (
                "days",
                "integer",
                "How many days (UTC) up to today; 30 if it is not said, at most 366.",
            ),
            (
                "limit",
                "integer",
                "How many values at most, the dearest; 10 if it is not said, never \
                                  more than 1,000. The others are one row.",
            ),
        ],
        ..look(
            "/api/v1/spend",
            "What was spent by day, from the ledger; rows add up to the totals. Rows among the \
             first six by dollars, tokens, calls or unpriced calls have `days`, and so have those \
             without a value; `undrawn_days` is the sum of the others.",
        )
    },
    look("/api/v1/findings", "What would be worth doing."),
    look("/api/v1/policies", "The rules in force, and the journal."),
    look("/api/v1/proofs", "What applied rules have saved."),
    change::<Apply>("/api/v1/policies/apply", "Writes a finding's rule into the configuration."),
    change::<Undo>("/api/v1/policies/undo", "Takes a rule back."),
    change::<Step>("/api/v1/bypass", "Has all policies step aside, or back."),
    look("/api/v1/reconcile", "What the last reports of providers showed."),
    change::<Bill>("/api/v1/reconcile", "Sets a provider's reports against the ledger."),
    look("/api/v1/me", "Who asks, and what they may."),
    look("/api/v1/keys", "The virtual keys."),
    change::<Wanted>("/api/v1/keys", "Makes a virtual key; its text is in no other answer."),
    look("/api/v1/keys/{id}", "A virtual key."),
    Route {
        method: "DELETE",
        ..look("/api/v1/keys/{id}", "Makes a virtual key good for nothing.")
    },
    Route {
        query: &[LIMIT, ("before", "integer", "Only entries before the one with this number.")],
        ..look("/api/v1/audit", "Who changed what, the latest first.")
    },
];

const fn look(path: &'static str, summary: &'static str) -> Route {
    Route { method: "GET", path, summary, query: &[], body: None, answer: Answer::Json }
}

const fn text(path: &'static str, summary: &'static str) -> Route {
    Route { answer: Answer::Text, ..look(path, summary) }
}

const fn change<T: JsonSchema>(path: &'static str, summary: &'static str) -> Route {
    let body = |schemas: &mut SchemaGenerator| schemas.subschema_for::<T>().to_value();
    Route { method: "POST", body: Some(body), ..look(path, summary) }
}

/// Whether there is such a route.
pub(super) fn is_known(method: &str, path: &str) -> bool {
    let fits = |route: &Route| match route.path.split_once("{id}") {
        None => route.path == path,
        Some((before, _)) => {
            path.strip_prefix(before).is_some_and(|id| !id.is_empty() && !id.contains('/'))
        }
    };
    ROUTES.iter().any(|route| route.method == method && fits(route))
}

/// The document, `OpenAPI` 3.1.
pub(super) fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = route.described(&mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Scrimp's control API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Fields may be added to answers; those that are there stay. Money is a \
                            decimal string in dollars, durations are in milliseconds, and what is \
                            not known is null.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A control token, where the gateway has any.",
                },
                "header": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-scrimp-control",
                    "description": "A control token. Where the gateway has none, changes need the \
                                    header with any value.",
                },
            },
        },
    })
}

impl Route {
    fn described(&self, schemas: &mut SchemaGenerator) -> Value {
        let Route { method, path, summary, query, body, answer } = self;
        let parameter = |place: &str, (name, kind, says): &Parameter| {
            json!({
                "name": name,
                "in": place,
                "required": place == "path",
                "schema": { "type": kind },
                "description": says,
            })
        };
        let id = path.contains("{id}").then(|| parameter("path", &("id", "string", "Its id.")));
        let parameters: Vec<_> =
            id.into_iter().chain(query.iter().map(|named| parameter("query", named))).collect();
        let mut described = json!({
            "operationId": operation_id(method, path),
            "summary": summary,
            "parameters": parameters,
            "responses": self.responses(),
        });
        if let Some(body) = body {
            let content = json!({ "application/json": { "schema": body(schemas) } });
            described["requestBody"] = json!({ "required": true, "content": content });
        }
        let is_guarded = *answer != Answer::Text || *path == "/metrics";
        if is_guarded {
            // Nothing at all is asked of who looks, where there is no token.
            let mut ways = vec![json!({ "token": [] }), json!({ "header": [] })];
            ways.extend((*method == "GET").then(|| json!({})));
            described["security"] = ways.into();
        }
        described
    }

    fn responses(&self) -> Value {
        let (kind, schema) = match self.answer {
            Answer::Json => ("application/json", json!({ "type": "object" })),
            Answer::Text => ("text/plain", json!({ "type": "string" })),
            Answer::Events => ("text/event-stream", json!({ "type": "string" })),
        };
        let error = json!({
            "type": "object",
            "required": ["error"],
            "properties": { "error": {
                "type": "object",
                "properties": { "message": { "type": "string" }, "code": { "type": "integer" } },
            } },
        });
        json!({
            "200": { "description": "Done.", "content": { kind: { "schema": schema } } },
            "default": {
                "description": "Not done, and why.",
                "content": { "application/json": { "schema": error } },
            },
        })
    }
}

/// `postPoliciesApply`
fn operation_id(method: &str, path: &str) -> String {
    let path = path.trim_start_matches("/api/v1").replace(".json", "");
    let words = path.split(['/', '{', '}']).filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    method.to_lowercase() + &words.map(capital).collect::<String>()
}
