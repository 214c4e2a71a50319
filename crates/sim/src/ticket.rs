//! A call in progress. When it ends, well or badly, its bill is written; a dropped ticket is a
//! call that broke off.

use crate::ask::{Ask, Delivery};
use crate::cache::Write;
use crate::latency::Pace;
use crate::log::Track;
use crate::models::Model;
use crate::provider::Provider;
use crate::usage::{Bill, Broken, TrueUsage, cost};
use std::sync::Arc;
use tokio::time::Instant;

/// A call that has been accepted and is not over.
pub(crate) struct Ticket {
    pub(crate) provider: Arc<Provider>,
    pub(crate) track: Track,
    pub(crate) model: &'static Model,
    pub(crate) delivery: Delivery,
    pub(crate) arrived: Instant,
    pub(crate) pace: Pace,
    /// The bill as it will be if nothing breaks.
    pub(crate) bill: Bill,
    pub(crate) writes: Vec<Write>,
    pub(crate) readable_from_ms: u64,
    /// Output tokens in what was sent.
    pub(crate) tokens_sent: u64,
    pub(crate) settled: bool,
}

impl Ticket {
    /// What a call of `ask` is billed when it ends well.
    pub(crate) fn draft(
        ask: &Ask,
        usage: TrueUsage,
        call: u64,
        request_id: &str,
        at_ms: u64,
    ) -> Bill {
        Bill {
            call,
            request_id: request_id.to_owned(),
            at_ms,
            api: ask.model.api,
            model: ask.model_name.clone(),
            tier: ask.tier,
            usage,
            pico_usd: cost(ask.model, &usage, ask.tier),
            broken: None,
        }
    }

    /// Notes that something left.
    pub(crate) fn sent(&mut self, bytes: u64, tokens: u64) {
        self.tokens_sent = tokens;
        self.track.sent(bytes);
    }

    /// Writes the bill of a whole answer.
    pub(crate) fn complete(&mut self) {
        self.settled = true;
        self.track.end();
        self.provider.settle(self.bill.clone());
    }

    /// Output tokens that exist by now.
    fn generated(&self) -> u64 {
        let TrueUsage { reasoning, .. } = self.bill.usage;
        let output = self.bill.usage.generated();
        let by_time = self.pace.generated(self.arrived.elapsed(), output);
        match self.delivery {
            Delivery::Whole => by_time,
            // What was not yet sent of a stream is not generated ahead; reasoning is never sent.
            Delivery::Stream => self.tokens_sent.max(by_time.min(reasoning)),
        }
    }

    fn break_off(&mut self) {
        let now_ms = self.provider.now_ms();
        let generated = self.generated();
        let usage = &mut self.bill.usage;
        let reasoning = usage.reasoning.min(generated);
        (usage.reasoning, usage.output) = (reasoning, generated - reasoning);
        if now_ms < self.readable_from_ms {
            // The answer never began: nothing came into the cache, so no write is billed.
            usage.uncached += usage.write_short + usage.write_long;
            (usage.write_short, usage.write_long) = (0, 0);
            self.provider.withdraw(&self.writes, self.readable_from_ms);
        }
        self.bill.pico_usd = cost(self.model, &self.bill.usage, self.bill.tier);
        self.bill.broken = Some(Broken { at_ms: now_ms, at_token: generated });
        self.provider.settle(self.bill.clone());
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.break_off();
        }
    }
}
