//! The `OpenAPI` document against the gateway that it is of.

use serde_json::Value;

use super::control::{get, request, status};
use super::rig::{Rig, body_of};

const METHODS: &[&str] = &["get", "post", "delete", "put", "patch"];

/// Names that somebody could ask for, those of the document among them.
const ASKED: &[&str] = &[
    "summary",
    "spend",
    "reconcile",
    "me",
    "calls",
    "calls/0",
    "findings",
    "policies",
    "policies/apply",
    "policies/undo",
    "proofs",
    "keys",
    "keys/k1",
    "audit",
    "bypass",
    "live",
    "openapi.json",
    "config",
    "policies/x",
    "keys/k1/x",
    "calls/",
    "",
];

/// Whether the gateway has such a route, whatever it says of this request.
async fn is_there(rig: &Rig, method: &str, path: &str) -> bool {
    let method = method.to_uppercase();
    let asked = request(&method, path, "x-scrimp-control: 1\r\n", "{}");
    let answer = rig.call(&asked).await;
    let said = String::from_utf8_lossy(&body_of(&answer)).into_owned();
    let is_nothing =
        said.contains("there is no such control route") || said.contains("there is nothing here");
    status(&answer) != 404 || !is_nothing
}

fn fits(template: &str, path: &str) -> bool {
    match template.split_once("{id}") {
        None => template == path,
        Some((before, _)) => {
            path.strip_prefix(before).is_some_and(|id| !id.is_empty() && !id.contains('/'))
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_document_and_the_gateway_have_the_same_routes() {
    let rig = Rig::new("", vec![]);
    let document = get(&rig, "/api/v1/openapi.json").await;
    let paths = document["paths"].as_object().unwrap();
    let made = request("POST", "/api/v1/keys", "x-scrimp-control: 1\r\n", "{}");
    let made: Value = serde_json::from_slice(&body_of(&rig.call(&made).await)).unwrap();
    let key = made["id"].as_str().unwrap();
    let plain = paths.keys().filter(|path| !path.contains("{id}")).cloned();
    let all = plain.chain(ASKED.iter().map(|name| format!("/api/v1/{name}")));
    let all = all.chain([format!("/api/v1/keys/{key}")]);
    // The one never ends, and the other is an id that no call has.
    for path in all.filter(|path| path != "/api/v1/live" && path != "/api/v1/calls/0") {
        for method in METHODS {
            let mut fitting = paths.iter().filter(|(template, _)| fits(template, &path));
            let is_told = fitting.any(|(_, methods)| methods.get(*method).is_some());
            // A name that nobody has is not found either.
            let is_unnamed = path.ends_with("/k1");
            let is_there = is_there(&rig, method, &path).await;
            assert!(is_there == is_told || is_unnamed && !is_there, "{method} {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_document_is_one() {
    let rig = Rig::new("", vec![]);
    let document = get(&rig, "/api/v1/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, told) in methods.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()) && path.starts_with('/'), "{path}");
            let id = told["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id.clone()), "{id} twice");
            assert!(told["responses"]["200"]["description"].is_string(), "{id}");
            assert_eq!(told["requestBody"].is_object(), method == "post", "{id}");
            let in_path =
                told["parameters"].as_array().unwrap().iter().filter(|p| p["in"] == "path");
            assert_eq!(in_path.count(), path.matches('{').count(), "{id}");
            for scheme in told["security"].as_array().into_iter().flatten() {
                let known = &document["components"]["securitySchemes"];
                assert!(scheme.as_object().unwrap().keys().all(|name| known[name].is_object()));
            }
        }
    }
    let apply = &document["paths"]["/api/v1/policies/apply"]["post"]["requestBody"]["content"];
    let apply = &apply["application/json"]["schema"];
    assert_eq!(apply["required"], serde_json::json!(["finding"]));
    assert_eq!(apply["additionalProperties"], false);
}
