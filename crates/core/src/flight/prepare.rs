//! What becomes of a call before it is sent: shaped, held to its token budget, refused.

use super::{Command, Flight};
use crate::policy::shaping::{self, Plan, ShapedBlock};
use crate::policy::token_budget::{self, TokenBudget};
use crate::policy::{self, Memory, Policies};
use crate::record::Ending;
use crate::time::Time;

impl Flight {
    /// What is to be done with the call's text, if anything is.
    pub(super) fn plan(&mut self, policies: &Policies) -> Option<Plan> {
        let rule = shaping::rule_for(&policies.shaping, &self.call);
        let mut shaped = rule.filter(|_| !policies.is_bypassed)?.plan(&self.call);
        if token_budget::rule_for(&policies.token_budgets, &self.call)
            .is_some_and(TokenBudget::drops_turns)
        {
            shaped.keep_whole();
        }
        let plan = shaped.asked();
        self.shaped = Some(Box::new(shaped));
        Some(plan)
    }

    pub(super) fn note_shaped(&mut self, blocks: Vec<ShapedBlock>, would: Vec<ShapedBlock>) {
        if let Some(shaped) = &mut self.shaped {
            (shaped.blocks, shaped.would) = (blocks, would);
        }
    }

    /// Whether the call, shaped, is within its token budget.
    pub(super) fn admit(
        &mut self,
        now: Time,
        policies: &Policies,
        memory: &Memory,
        out: &mut Vec<Command>,
    ) {
        let rule = token_budget::rule_for(&policies.token_budgets, &self.call);
        let Some(rule) = rule.filter(|_| !policies.is_bypassed) else {
            return self.depart(now, policies, memory, out);
        };
        match rule.chunks(&self.call, &self.sizes()) {
            Some(chunks) => out.push(Command::Rank(chunks)),
            None => self.fit(&[], now, policies, memory, out),
        }
    }

    /// Makes the call fit its token budget.
    pub(super) fn fit(
        &mut self,
        scores: &[u32],
        now: Time,
        policies: &Policies,
        memory: &Memory,
        out: &mut Vec<Command>,
    ) {
        let rule = token_budget::rule_for(&policies.token_budgets, &self.call);
        let decided = rule.and_then(|rule| rule.decide(&self.call, &self.sizes(), scores));
        self.budgeted = decided.map(Box::new);
        match &self.budgeted {
            Some(budgeted) if budgeted.refusal().is_none() && budgeted.is_applied() => {
                out.push(Command::Trim(budgeted.trim.clone()));
            }
            _ => self.depart(now, policies, memory, out),
        }
    }

    /// Tokens of the blocks of the call, shaped.
    fn sizes(&self) -> Vec<u32> {
        let mut sizes: Vec<u32> = self.call.prompt.iter().map(|block| block.tokens).collect();
        for shaped in self.shaped.iter().flat_map(|shaped| &shaped.blocks) {
            if let Some(size) = sizes.get_mut(shaped.block as usize) {
                *size = shaped.tokens;
            }
        }
        sizes
    }

    /// What was to be left out may be larger than it seemed, such as an image in a tool's result.
    pub(super) fn check_trimmed(&mut self, tokens: Option<u64>) {
        let Some(budgeted) = &mut self.budgeted else { return };
        budgeted.tokens_after = tokens.unwrap_or(budgeted.tokens_after);
        let is_within = budgeted.max_input.is_none_or(|most| budgeted.tokens_after <= most);
        if budgeted.trim.changes_prompt() && !is_within {
            budgeted.too_much = Some(budgeted.tokens_after);
        }
    }

    /// Sends the call, or refuses it.
    pub(super) fn depart(
        &mut self,
        now: Time,
        policies: &Policies,
        memory: &Memory,
        out: &mut Vec<Command>,
    ) {
        let refusal = self.budgeted.as_ref().and_then(|budgeted| budgeted.refusal());
        if let Some(refusal) = refusal {
            self.ending = Some(Ending::Refused(refusal));
            return;
        }
        let sent = policy::as_sent(&self.call, self.shaped.as_deref(), self.budgeted.as_deref());
        self.sent = sent.map(Box::new);
        self.placement = self.place(policies, memory);
        self.send(now, out);
        if let Some(hedge) = policies.hedge.as_ref().filter(|_| !policies.is_bypassed) {
            let op = self.new_op();
            self.hedge_timer = Some(op);
            out.push(Command::Wake { op, at: now + hedge.after });
        }
    }
}
