//! The file's shape, as it is written. What it means is decided in [`super`].
//!
//! The comments on fields are what users read: the schema and the reference are made of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use scrimp_core::policy::Scope;
use scrimp_core::policy::prompt_cache::{ClientMarks, PromptCache, Strategy};
use scrimp_core::{Share, State, Ttl};
use serde::Deserialize;
use serde::de::MapAccess;
use toml::Spanned;

use super::schema;
use super::scoped::Scoped;
use super::shaping::{ShapingTable, TokenBudgetTable};
use super::token::Role;
use super::values::{Length, Portion, Size};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    /// Where and for whom the gateway listens.
    pub(super) listen: ListenTable,
    /// Virtual keys: who may call, and what.
    pub(super) keys: KeysTable,
    /// Providers by name. There without being named: `openai`, `anthropic`, `google`, `groq`,
    /// `mistral`, `deepseek`, `xai`, `openrouter`, `together`, `fireworks`, `cerebras`, and for
    /// callers on this machine the usual addresses of servers on it: `vllm` (port 8000), `ollama`
    /// (11434), `llamacpp` (8080). Calls reach a provider by its path (`/NAME/v1/…`), by
    /// `NAME/model`, or, for the first three, by the dialect of the path (`/v1/responses`,
    /// `/v1/messages`, `/v1beta/models/…`).
    #[schemars(with = "BTreeMap<String, ProviderTable>", extend("x-key" = "NAME"))]
    pub(super) providers: BTreeMap<Spanned<String>, ProviderTable>,
    /// Names of one's own for models.
    #[schemars(with = "BTreeMap<String, ModelTable>", extend("x-key" = "ALIAS"))]
    pub(super) models: BTreeMap<Spanned<String>, ModelTable>,
    /// Where prompt-cache marks are placed. Off unless it is written. The plain table is for every
    /// call; `"op:NAME"`, `"model:NAME"`, `"key:ID"`, `"team:NAME"` and `"tag:KEY=VALUE"` tables for
    /// some; what they do not say they take from the plain one.
    #[schemars(extend("x-key" = "\"SCOPE\""))]
    pub(super) prompt_cache: Scoped<RuleTable>,
    /// How texts are written in fewer tokens (docs/shaping.md). Each way is off unless it is written;
    /// `"observe"` counts what it would save. Tables by scope as in `[prompt_cache]`.
    #[schemars(extend("x-key" = "\"SCOPE\""))]
    pub(super) shaping: Scoped<ShapingTable>,
    /// How many tokens a call may send and have back (docs/shaping.md). None unless it is written;
    /// tables by scope as in `[prompt_cache]`.
    #[schemars(extend("x-key" = "\"SCOPE\""))]
    pub(super) token_budgets: Scoped<TokenBudgetTable>,
    /// Limits of size and time.
    pub(super) http: HttpTable,
    /// How long things are kept.
    pub(super) store: StoreTable,
    /// What tokens cost.
    pub(super) prices: PricesTable,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenTable {
    /// Where to listen: `"127.0.0.1:4100"`, `"localhost:4100"`, or a port alone for loopback.
    /// Anything but loopback needs a control token, and together with a provider's `api_key` or access
    /// key virtual keys.
    #[schemars(with = "Option<String>", extend("default" = "127.0.0.1:4100"))]
    pub(super) address: Option<Spanned<String>>,
    /// Names beside loopback ones that a request's `Host` may carry; others are refused, so that a
    /// web page cannot reach the gateway through a name of its own.
    #[schemars(extend("default" = []))]
    pub(super) hosts: Vec<String>,
    /// What control routes ask for as `Authorization: Bearer`; its bearer is an operator.
    #[schemars(with = "Option<String>")]
    pub(super) control_token: Option<Spanned<String>>,
    /// More control tokens, by the name of who holds them.
    #[schemars(with = "BTreeMap<String, TokenTable>", extend("x-key" = "WHO"))]
    pub(super) tokens: BTreeMap<Spanned<String>, TokenTable>,
    /// The certificate that the gateway shows, to speak TLS to clients (HTTP/1.1 over it). Changed
    /// files are shown to new connections within a second; ones that are broken, or do not belong
    /// together, never replace the running ones.
    pub(super) tls: Option<TlsFiles>,
    /// Threads that serve; as many as there are processors unless it is said.
    pub(super) workers: Option<usize>,
}

/// Where the certificate lies that the gateway shows its clients.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM: the certificate, and those between it and an authority.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenTable {
    /// Its text.
    #[schemars(with = "Option<String>")]
    pub(super) token: Option<Spanned<String>>,
    /// The hash of its text, in place of the text.
    #[schemars(with = "Option<String>")]
    pub(super) sha256: Option<Spanned<String>>,
    /// What its bearer may do.
    pub(super) role: Role,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeysTable {
    /// Calls need a virtual key, also while none has been made. Else they need one from the first key
    /// on.
    pub(super) required: bool,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProviderTable {
    /// Where its API is, such as `"https://host/v1"`; the vendor's own unless it is said.
    #[schemars(with = "Option<String>")]
    pub(super) base_url: Option<Spanned<String>>,
    /// Whose API it speaks, and so where the key goes; known by the name of the vendors', else
    /// `"openai"`. The paths of Azure and Bedrock are passed on as they are
    /// (`/NAME/openai/deployments/…`, `/NAME/model/…/converse`).
    pub(super) dialect: Option<Speaks>,
    /// Used instead of the caller's own. Only calls to models pass then, and what `routes` names; a
    /// caller never chooses the host that it goes to.
    #[schemars(with = "Option<String>")]
    pub(super) api_key: Option<Spanned<String>>,
    /// With `secret_access_key` and in place of `api_key`: requests are signed (Signature Version 4)
    /// instead of carrying a key. For `dialect = "bedrock"` only.
    #[schemars(with = "Option<String>")]
    pub(super) access_key_id: Option<Spanned<String>>,
    /// What requests are signed with; it is never sent.
    #[schemars(with = "Option<String>")]
    pub(super) secret_access_key: Option<Spanned<String>>,
    /// The session of an access key that is good for a while only.
    #[schemars(with = "Option<String>")]
    pub(super) session_token: Option<Spanned<String>>,
    /// The region that requests are signed for; the one that the host names unless it is said.
    #[schemars(with = "Option<String>")]
    pub(super) region: Option<Spanned<String>>,
    /// How the usage of streams comes to be known.
    #[schemars(extend("default" = "active"))]
    pub(super) metering: Option<MeteringWord>,
    /// The provider whose published prices count; known by the name of the vendors'.
    pub(super) prices_as: Option<String>,
    /// PEM file of certificates to trust beside the system's. Those are read once, from the start on,
    /// and only a call over TLS that comes before they are read waits for them; `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` take their place. A machine that has none trusts the public authorities.
    pub(super) ca_file: Option<PathBuf>,
    /// What else a stored key is used for, such as `"GET /v1/files*"`.
    #[schemars(with = "Vec<String>", extend("default" = []))]
    pub(super) routes: Vec<Spanned<String>>,
    /// The proxy to it, such as `"http://user:password@host:3128"`, in place of the one that
    /// `HTTPS_PROXY` or `HTTP_PROXY` names; `"none"`: none.
    #[schemars(with = "Option<String>")]
    pub(super) proxy: Option<Spanned<String>>,
}

/// Whose API a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// `POST /v1/chat/completions` and its relatives, keys in `Authorization: Bearer`.
    Openai,
    /// `POST /v1/messages` and its relatives, keys in `x-api-key`.
    Anthropic,
    /// `OpenAI`'s as Azure serves it: `POST /openai/deployments/…/chat/completions` or
    /// `/openai/v1/…`, keys in `api-key`.
    Azure,
    /// Amazon Bedrock's: `POST /model/…/converse` and its relatives, with an API key of Bedrock's in
    /// `Authorization: Bearer`, or signed with an access key.
    Bedrock,
    /// `POST /v1beta/models/…:generateContent` and its relatives, keys in `x-goog-api-key`.
    Gemini,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MeteringWord {
    /// Asks for usage in streams (`stream_options.include_usage`) and takes the extra chunk out of
    /// the answer.
    Active,
    /// Touches nothing: usage is known where the client asks for it.
    Passive,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelTable {
    /// `["provider/model"]`: what calls to this name are sent to.
    #[schemars(with = "Vec<String>", length(min = 1, max = 1))]
    pub(super) targets: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpTable {
    /// Largest head of a request, its first line and its headers as they are sent; between 8KiB and
    /// 1MiB. Larger ones get a plain 431, as do more than 100 headers. A head that two readers could
    /// read differently (two lengths, a length beside a transfer coding, a line that does not end with
    /// CR LF) gets a 400, and its connection is closed.
    #[schemars(with = "Option<Size>", extend("default" = "64KiB"))]
    pub(super) header_bytes: Option<Spanned<Size>>,
    /// Largest body. One that says it is larger gets 413 before it is read; one that only proves
    /// to be gets it then. An upload that passes through as it comes is cut off there: 413, or an
    /// answer that breaks off if the provider has already begun to answer.
    #[schemars(extend("default" = "50MB"))]
    pub(super) body_bytes: Option<Size>,
    /// How long a request's head may take to arrive.
    #[schemars(extend("default" = "60s"))]
    pub(super) header_timeout: Option<Length>,
    /// How long a request's body may take to arrive.
    #[schemars(extend("default" = "120s"))]
    pub(super) body_timeout: Option<Length>,
    /// How long it may take to reach a provider, TLS included.
    #[schemars(extend("default" = "5s"))]
    pub(super) connect_timeout: Option<Length>,
    /// How long it may take until a provider's answer begins.
    #[schemars(extend("default" = "10m"))]
    pub(super) first_token_timeout: Option<Length>,
    /// How long a provider may be silent between two pieces of an answer.
    #[schemars(extend("default" = "5m"))]
    pub(super) chunk_timeout: Option<Length>,
    /// What open calls are given at a stop.
    #[schemars(extend("default" = "30s"))]
    pub(super) drain_timeout: Option<Length>,
    /// Concurrent calls; more get 503.
    #[schemars(extend("default" = 16384))]
    pub(super) calls: Option<usize>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreTable {
    /// How long calls are kept one by one.
    #[schemars(extend("default" = "30d"))]
    pub(super) retention: Option<Length>,
    /// How long sums per hour are kept; sums per day stay.
    #[schemars(extend("default" = "90d"))]
    pub(super) rollup_retention: Option<Length>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PricesTable {
    /// A file of own prices, laid over the ones shipped (docs/prices.md).
    pub(super) file: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RuleTable {
    /// What it does.
    #[schemars(with = "Option<schema::StateWord>", extend("default" = "observe"))]
    pub(super) state: Option<State>,
    /// Where marks go.
    #[schemars(extend("default" = "tail"))]
    pub(super) strategy: Option<StrategyWord>,
    /// How long the provider is asked to keep what is marked.
    #[schemars(extend("default" = "short"))]
    pub(super) ttl: Option<TtlWord>,
    /// The share of *units* that is treated: the session if there is one, else the key, else the
    /// prompts that share tools and system instructions. Sticky.
    #[schemars(extend("default" = 1.0))]
    pub(super) share: Option<Portion>,
    /// What becomes of marks that a call brings along.
    #[schemars(with = "Option<schema::ClientMarksWord>", extend("default" = "keep"))]
    pub(super) client_marks: Option<ClientMarks>,
    /// The journal's number; written by `apply`.
    #[schemars(extend("default" = 0))]
    pub(super) experiment: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StrategyWord {
    /// Nowhere.
    None,
    /// Where the client put them.
    Client,
    /// After tools and system instructions.
    System,
    /// At the end, so that the next turn reads this one.
    Tail,
    /// Where it is expected to save most, learnt from how prompts like this one come again.
    Auto,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TtlWord {
    /// 5 minutes at Anthropic.
    Short,
    /// An hour at Anthropic.
    Long,
    /// As it pays, with `strategy = "auto"`; with others the short one.
    Auto,
    /// The same as `short`.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// The same as `long`.
    #[serde(rename = "1h")]
    OneHour,
}

impl From<StrategyWord> for Strategy {
    fn from(word: StrategyWord) -> Strategy {
        match word {
            StrategyWord::None => Strategy::None,
            StrategyWord::Client => Strategy::Client,
            StrategyWord::System => Strategy::System,
            StrategyWord::Tail => Strategy::Tail,
            StrategyWord::Auto => Strategy::Auto,
        }
    }
}

impl TtlWord {
    /// The life that it names; `None`: whichever the strategy has without it.
    pub(super) fn named(self) -> Option<Ttl> {
        match self {
            TtlWord::Short | TtlWord::FiveMinutes => Some(Ttl::Short),
            TtlWord::Long | TtlWord::OneHour => Some(Ttl::Long),
            TtlWord::Auto => None,
        }
    }
}

impl super::scoped::RuleTable for RuleTable {
    type Rule = PromptCache;
    const SECTION: &'static str = "prompt_cache";
    const FIELDS: &'static [&'static str] =
        &["state", "strategy", "ttl", "share", "client_marks", "experiment"];

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "state" => self.state = Some(map.next_value()?),
            "strategy" => self.strategy = Some(map.next_value()?),
            "ttl" => self.ttl = Some(map.next_value()?),
            "share" => self.share = Some(map.next_value()?),
            "client_marks" => self.client_marks = Some(map.next_value()?),
            "experiment" => self.experiment = Some(map.next_value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn over(&self, base: &RuleTable) -> RuleTable {
        RuleTable {
            state: self.state.or(base.state),
            strategy: self.strategy.or(base.strategy),
            ttl: self.ttl.or(base.ttl),
            share: self.share.or(base.share),
            client_marks: self.client_marks.or(base.client_marks),
            experiment: self.experiment.or(base.experiment),
        }
    }

    fn is_said(&self) -> bool {
        self.state.is_some()
    }

    fn resolved(&self, scope: Scope) -> PromptCache {
        let strategy = self.strategy.map_or(Strategy::Tail, Strategy::from);
        // Of `auto` it is the longest life that it may ask for.
        let ttl = if strategy == Strategy::Auto { Ttl::Long } else { Ttl::Short };
        PromptCache {
            scope,
            state: self.state.unwrap_or(State::Observe),
            strategy,
            ttl: self.ttl.and_then(TtlWord::named).unwrap_or(ttl),
            share: self.share.map_or(Share::ALL, |portion| portion.0),
            experiment: self.experiment.unwrap_or(0),
            client_marks: self.client_marks.unwrap_or(ClientMarks::Keep),
        }
    }
}
