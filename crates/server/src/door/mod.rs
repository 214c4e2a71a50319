//! The door: what comes in, from whom, and where it goes.
//!
//! A call is given a name before its body is read, so that one that never becomes a whole request
//! is settled like any other.

pub(crate) mod body;
pub(crate) mod hosts;
mod identify;
mod route;
mod scope;

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode, request};
use http_body::Body as _;
use scrimp_core::{
    Call, Caller, Delivery, Dialect, Digest, KeyRing, Parameters, Refusal, Span, VirtualKey,
};
use scrimp_wire::dialect::{self, Facts};

use crate::api;
use crate::clock::Stopwatch;
use crate::config::StoredKey;
use crate::downstream::Incoming;
use crate::flight::{self, Body, Departure, Outbound, Unsettled, refuse};
use crate::gateway::{Gateway, Phase};
use crate::page::Page;
use crate::running::Running;
use body::NotRead;
use identify::{Credential, Told};
use route::Route;

/// A call that is being read.
struct Arrival {
    gateway: Gateway,
    running: Arc<Running>,
    watch: Stopwatch,
    head: request::Parts,
    route: Route,
    /// The call as far as it is known.
    unsettled: Unsettled,
    credential: Credential,
    /// Whose virtual key it came with, where one is needed.
    holder: Option<Arc<VirtualKey>>,
}

/// Answers one request.
pub(crate) async fn answer(gateway: &Gateway, request: Request<Incoming>) -> Response<Page> {
    let watch = gateway.shared().clock.start();
    let running = gateway.running();
    if !hosts::is_known(&request, &running.config) {
        let told = "this name is not known here; add it to `hosts` in [listen]";
        return Page::error(StatusCode::MISDIRECTED_REQUEST, told);
    }
    let route = Route::of(request.method(), request.uri(), request.headers(), &running.config);
    let Some(route) = route else {
        return api::answer(gateway, &running, request).await;
    };
    let (head, body) = request.into_parts();
    let gateway = gateway.clone();
    let key = &gateway.shared().key;
    let Told { caller, operation, credential } =
        identify::caller(&head.headers, route.query(), key);
    let call = blank(&gateway, watch, &route, operation, caller);
    let unsettled = Unsettled::new(gateway.clone(), call);
    let arrival =
        Arrival { gateway, running, watch, head, route, unsettled, credential, holder: None };
    arrival.take_in(body).await
}

/// The call as far as its head tells.
fn blank(
    gateway: &Gateway,
    watch: Stopwatch,
    route: &Route,
    operation: Option<Arc<str>>,
    caller: Caller,
) -> Call {
    let shared = gateway.shared();
    let (id, seed) = shared.ids.draw(watch.arrived);
    Call {
        id,
        seed,
        arrived: watch.arrived,
        dialect: route.dialect(),
        provider: route.provider.name.clone(),
        model: route.model().map_or(Cow::default(), dialect::model_of).into(),
        operation: operation.unwrap_or_else(|| route.operation().into()),
        caller,
        delivery: route.delivery().unwrap_or(Delivery::Whole),
        parameters: Parameters {
            max_output_tokens: None,
            temperature_permille: None,
            answers: 1,
            usage_in_stream: false,
            client_cache_options: false,
            digest: Digest::default(),
            rendered: None,
        },
        prompt: Vec::new(),
        body_bytes: 0,
    }
}

impl Arrival {
    async fn take_in(mut self, mut incoming: Incoming) -> Response<Page> {
        let entered = self.admit().and_then(|()| self.identify());
        if let Err(refusal) = entered.and_then(|()| self.check_upgrade()) {
            return self.refuse(refusal, Span::ZERO, Some(incoming));
        }
        let is_opaque = self.is_opaque(&incoming);
        if is_opaque {
            self.unsettled.call_mut().dialect = Dialect::Other;
            if !self.has_to_be_signed() {
                return self.depart(Body::Passing(incoming), None, Span::ZERO).await;
            }
        }
        let limits = self.running.config.limits;
        let from = self.watch.now();
        let read = body::read(&mut incoming, &limits).await;
        let waited = self.watch.now().since(from);
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(NotRead::Refused(refusal)) => {
                return self.refuse(refusal, waited, Some(incoming));
            }
            // Settled as abandoned; nobody is left to hear more.
            Err(NotRead::Broken) => return Page::error(StatusCode::BAD_REQUEST, "broken off"),
        };
        let call = self.unsettled.call_mut();
        call.body_bytes = bytes.len() as u64;
        let dialect = call.dialect;
        if is_opaque || dialect == Dialect::Other && !is_json(&self.head.headers) {
            return self.depart(Body::Opaque(bytes), None, waited).await;
        }
        match dialect::read(dialect, &bytes, &self.gateway.shared().key) {
            Ok(dialect::Request { facts, layout }) => {
                let renamed = self.understand(facts);
                let body = Body::Read(bytes, Box::new(layout));
                self.depart(body, renamed, waited).await
            }
            // What is not understood anyway is for the provider to judge.
            Err(_) if dialect == Dialect::Other => {
                self.depart(Body::Opaque(bytes), None, waited).await
            }
            Err(wrong) => {
                let refusal = Refusal::Malformed { why: wrong.to_string().into() };
                self.refuse(refusal, waited, Some(incoming))
            }
        }
    }

    /// Whether the call may come in at all.
    fn admit(&self) -> Result<(), Refusal> {
        let limits = &self.running.config.limits;
        if Phase::Serving < self.gateway.phase() {
            return Err(Refusal::Stopping);
        }
        if limits.calls as u64 <= self.gateway.shared().counts.in_flight().saturating_sub(1) {
            return Err(Refusal::Overloaded);
        }
        body::check_length(&self.head.headers, limits)
    }

    /// Whose call it is, where virtual keys are needed. One that is sent where none are is refused
    /// all the same: a provider must not see it.
    fn identify(&mut self) -> Result<(), Refusal> {
        let none = KeyRing::default();
        let ring = match &self.running.keys {
            Some(ring) => ring,
            None if self.credential == Credential::Foreign => return Ok(()),
            None => &none,
        };
        let query = self.route.query();
        let presented = scope::present(ring, &self.head.headers, query, self.watch.arrived);
        if let Some(holder) = presented.holder {
            let key = &self.gateway.shared().key;
            identify::claim(&mut self.unsettled.call_mut().caller, holder, key);
        }
        self.holder = presented.holder.cloned();
        identify::take_virtual_keys(&mut self.head.headers);
        presented.verdict
    }

    /// Whether the call stays one. A client that offers another version of HTTP can do without it; one
    /// that wants a WebSocket cannot.
    fn check_upgrade(&self) -> Result<(), Refusal> {
        let offered = self.head.headers.get_all(UPGRADE).iter();
        let mut words = offered.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        match words.any(|word| word.trim_ascii().eq_ignore_ascii_case(b"websocket")) {
            true => Err(Refusal::NoWebSocket { provider: self.route.provider.name.clone() }),
            false => Ok(()),
        }
    }

    /// Whether the body is not to be understood, and so goes through as it comes: uploads, and what is
    /// packed by the client.
    fn is_opaque(&self, incoming: &Incoming) -> bool {
        let is_packed = self.head.headers.get(CONTENT_ENCODING).is_some_and(|v| v != "identity");
        let is_upload =
            self.unsettled.call().dialect == Dialect::Other && !is_json(&self.head.headers);
        (is_packed || is_upload) && !incoming.is_end_stream()
    }

    /// Whether the call is signed, for which its body has to be there as a whole.
    fn has_to_be_signed(&self) -> bool {
        matches!(self.route.provider.stored_key, Some(StoredKey::Signing(_)))
    }

    /// Takes the facts over. Gives the model's name if the provider knows it by another.
    fn understand(&mut self, facts: Facts) -> Option<Arc<str>> {
        let Facts { model, delivery, parameters, prompt, session, user: _ } = facts;
        let key = &self.gateway.shared().key;
        let call = self.unsettled.call_mut();
        if let (None, Some(session)) = (call.caller.session, session) {
            call.caller.session = Some(identify::session_digest(session.as_bytes(), key));
        }
        (call.prompt, call.parameters) = (prompt, parameters);
        // Where the path says how the answer comes and from which model, the body does not.
        call.delivery = self.route.delivery().unwrap_or(delivery);
        if self.route.model().is_none() {
            call.model = model;
        }
        self.choose_target()
    }

    /// An alias wins; then a model's name that begins with a provider's.
    fn choose_target(&mut self) -> Option<Arc<str>> {
        let config = &self.running.config;
        if self.route.is_named {
            return None;
        }
        let call = self.unsettled.call_mut();
        let asked = &*call.model;
        let alias = config.models.get(asked).map(|target| (&*target.provider, &*target.model));
        let (provider, model) = alias.or_else(|| asked.split_once('/'))?;
        let provider = config.provider(provider)?;
        let model: Arc<str> = model.into();
        self.route.provider = provider.clone();
        (call.provider, call.model) = (provider.name.clone(), model.clone());
        Some(model)
    }

    async fn depart(self, body: Body, renamed: Option<Arc<str>>, waited: Span) -> Response<Page> {
        if let Err(refusal) = self.check_scope(&body) {
            let rest = if let Body::Passing(rest) = body { Some(rest) } else { None };
            return self.refuse(refusal, waited, rest);
        }
        let errors_in = self.route.dialect_of_errors();
        let Arrival { gateway, running, watch, head, route, mut unsettled, .. } = self;
        let call = unsettled.take_off();
        let (method, target) = (head.method, route.target(renamed.as_deref()));
        // A model that the path names is not named in the body.
        let renamed = renamed.filter(|_| route.model().is_none());
        let outbound =
            Outbound::new(route.provider, method, target, &head.headers, body, renamed, &call);
        let departure = Departure { call, errors_in, outbound, watch, waited, running, unsettled };
        flight::depart(gateway, departure).await.map(Page::Answer)
    }

    /// Whether the call may leave, now that all of it is known.
    fn check_scope(&self, body: &Body) -> Result<(), Refusal> {
        self.route.check_configured_key(&self.head.method)?;
        let Some(holder) = &self.holder else {
            // Browsers send for any page what needs no leave of this gateway, and say so.
            let is_foreign =
                || self.head.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
            return match self.route.provider.stored_key.is_some() && is_foreign() {
                true => Err(Refusal::ForeignPage),
                false => Ok(()),
            };
        };
        scope::check(holder, self.unsettled.call(), &self.head.method, &self.route, body)
    }

    /// Refuses the call. `rest` is what of its body was not read.
    fn refuse(self, refusal: Refusal, waited: Span, rest: Option<Incoming>) -> Response<Page> {
        // A client that waits for leave to send its body gets the refusal in its place.
        if let Some(rest) = rest.filter(|_| !self.head.headers.contains_key(EXPECT)) {
            body::drain(rest);
        }
        let dialect = self.route.dialect_of_errors();
        let (head, body) = refuse(self.unsettled, dialect, refusal, self.watch.now(), waited);
        Page::whole(head, body)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("application/json"))
}
