#!/usr/bin/env python3
"""Compares Scrimp's costs with two independent calculators, LiteLLM and genai-prices.

    cargo xtask oracle costs            (or: python3 oracles/costs.py [--calls N] [--seed N])

Thousands of seeded random usages over every model of LiteLLM's map, all tiers, context lengths on
both sides of every threshold, and all classes of tokens. Every difference must be explained by a
rule below, and a rule does not explain by name. It is asked for each class of tokens whose rates
differ; the calculator's rate is measured by moving tokens between the classes.

- genai-prices: before any rule, ours must be what LiteLLM's list and the rules of docs/prices.md
  predict (`predicted`), and theirs what the installed package's own data publishes for the class,
  tier, length and hour (`published`). The rule then only names why the two differ.
- LiteLLM calculates from the list itself. The rules for omitted classes and lengths, batches without
  a card and assumed or old cached rates check our number against the list; `off-peak` checks both;
  `odd write`, `tiered read` and `batch audio` check theirs, and `held back` that the list has a zero
  or a wrong unit there.

What is left over fails. `--show RULE` lists each rate of a rule: ours, theirs, and the pages that each
list names as its source (genai-prices names them by provider, and no dates).
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import random
import re
import shlex
import subprocess
import sys
import venv
from fractions import Fraction

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "oracles" / "costs"
PACKAGES = ["litellm==1.109.1", "genai-prices==0.2.3"]
# What the two need to calculate.
NEEDED = ["aiohttp", "click", "fastuuid", "httpx[http2]", "httpx2", "importlib-metadata", "jinja2",
          "jsonschema", "openai", "pydantic", "pydantic-settings", "python-dotenv", "tiktoken",
          "tokenizers"]
OURS = "cargo run -q -p scrimp-wire --example quote"

# A time inside nobody's off-peak hours: a Tuesday, 02:30 UTC.
NOON = datetime.datetime(2026, 11, 24, 2, 30, tzinfo=datetime.timezone.utc)

RULES = {
    "held back": "A model or rate of 0, or of a wrong unit, is unknown and not free "
        "(openclaw#120008). Scrimp leaves the model unpriced, or bills the class as plain input.",
    "odd write": "A cache write below 0.9 or above 4 times its input is another rate in the wrong "
        "field; no vendor sells one (Anthropic 1.25 and 2, OpenAI 1.25 and 2.5, Kimi 1 and 2).",
    "tier omits class": "A tier's card that leaves a class out. OpenAI and Claude discount every "
        "class alike (OpenAI 'Pricing'; Anthropic 'Batch processing', 50 % of all usage, confirmed "
        "by genai-prices' cache_write_1h in batches); Google every class but cached input ('Flex "
        "inference', 50 % of standard). LiteLLM takes the standard rate, or in batches the batch's "
        "input rate.",
    "tier omits length": "A discount tier without a long-context card of its own still has the "
        "vendor's long-context rates under the discount (Anthropic: discounts stack; OpenAI lists "
        "them). LiteLLM takes the tier's short rates or the standard long ones.",
    "length omits class": "A long-context card that leaves a class out raises it with the input "
        "(OpenAI: 'input and cache 2x'). LiteLLM stays at the short rate.",
    "no batch card": "Half in batches is a promise of OpenAI and Anthropic (and of Bedrock and "
        "Vertex for Claude), not of every provider: elsewhere a tier without a price is billed as "
        "standard. LiteLLM halves everything, and a long write at the short write's rate.",
    "claude batch": "A batch card of a Claude model that is not half ('Batch processing'): copied "
        "from another model in the list.",
    "default read": "LiteLLM assumes a cached rate for Fireworks models that publish none. Scrimp "
        "assumes none: no published rate, plain input.",
    "old read field": "`input_cost_per_token_cache_hit` is the older name of the cached rate.",
    "tiered read": "LiteLLM prices cached input in a `tiered_pricing` card without a cached rate as "
        "plain input; Scrimp scales the model's own cached rate.",
    "off-peak": "DeepSeek's hours of half price: Scrimp's rows have dates, no hours. A known gap.",
    "repeated": "The list has the model twice (with and without provider); the fuller entry counts.",
    "priority above": "Priority is not sold above the long-context step (OpenAI 'Priority "
        "processing'): the answer then is standard, at the standard long rates. genai-prices keeps "
        "the short priority rates.",
    "lists differ": "The two lists publish different rates for this class of this model. Scrimp has "
        "LiteLLM's.",
    "region": "A price of one region or zone of Bedrock or Azure, which LiteLLM lists with the region in "
        "front; genai-prices has one price for all regions.",
    "long life": "genai-prices has no unit for OpenAI's 12-hour writes and bills them as short ones.",
    "reasoning": "genai-prices has no rate for reasoning of its own; it bills it as output.",
    "fee": "genai-prices has Perplexity's fee for each call in its price; Scrimp prices tokens only. A "
        "known gap.",
    "no variant": "genai-prices has no price for this tier of this model and answers with standard.",
    "batch audio": "LiteLLM's batch calculator bills audio output as text.",
}

TIERS = {"standard": "", "batch": "_batches", "flex": "_flex", "priority": "_priority",
         "ultrafast": "_ultrafast"}
FIELDS = {
    "uncached": ["input_cost_per_token"],
    "cache_read": ["cache_read_input_token_cost"],
    "cache_write_short": ["cache_creation_input_token_cost"],
    "cache_write_long": ["cache_creation_input_token_cost_above_12hr",
                         "cache_creation_input_token_cost_above_1hr"],
    "audio_input": ["input_cost_per_audio_token"],
    "image_input": ["input_cost_per_image_token"],
    "output": ["output_cost_per_token"],
    "reasoning": ["output_cost_per_reasoning_token"],
    "audio_output": ["output_cost_per_audio_token"],
}
INPUTS = ["uncached", "cache_read", "cache_write_short", "cache_write_long", "audio_input",
          "image_input"]
OUTPUTS = ["output", "reasoning", "audio_output"]
MODES = ("chat", "responses", "completion", "embedding")
PROVIDERS = {"azure_text": "azure", "bedrock_converse": "bedrock", "cohere_chat": "cohere",
             "fireworks_ai-embedding-models": "fireworks_ai", "text-completion-openai": "openai",
             "text-completion-codestral": "codestral", "text-completion-inception": "inception"}
GENAI = {"openai": "openai", "anthropic": "anthropic", "gemini": "google", "bedrock": "aws",
         "azure": "azure", "xai": "x-ai", "mistral": "mistral", "groq": "groq",
         "moonshot": "moonshotai", "deepseek": "deepseek", "cohere": "cohere", "zai": "zai",
         "minimax": "minimax", "perplexity": "perplexity", "cerebras": "cerebras"}


def enter_venv():
    """Runs this script again inside an environment that has both packages."""
    python = VENV / "bin" / "python"
    if pathlib.Path(sys.prefix) == VENV:
        return
    if not (VENV / "ready").exists():
        print("installing", *PACKAGES, "into", VENV, file=sys.stderr)
        venv.create(VENV, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "-q", "install"]
        # Without their pins: LiteLLM pins patches that a package index may not have yet.
        subprocess.run([*pip, "--no-deps", *PACKAGES], check=True)
        # It would complain in red about those very pins, though nothing is wrong.
        subprocess.run([*pip, "--no-warn-conflicts", *NEEDED], check=True)
        (VENV / "ready").touch()
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.execv(python, [python, *sys.argv])


class Model:
    """An entry of LiteLLM's map, with its numbers as fractions."""

    def __init__(self, key, entry):
        self.key, self.entry = key, entry
        self.litellm_provider = entry["litellm_provider"]
        name = self.litellm_provider
        self.provider = "vertex_ai" if name.startswith("vertex_ai-") else PROVIDERS.get(name, name)
        self.model = key
        for prefix in (name, self.provider, self.provider.replace("_", "-")):
            if key.startswith(prefix + "/"):
                self.model = key[len(prefix) + 1:]
                break
        self.thresholds = sorted({int(m[1]) * 1000 for f in entry
                                  if (m := re.search(r"_above_(\d+)k_tokens$", f))}
                                 | {int(float(t["range"][0])) for t in self.tiered() if t["range"][0]})

    def tiered(self):
        return self.entry.get("tiered_pricing") or []

    def above(self, total):
        reached = total + 1 if self.provider == "xai" else total
        return max([t for t in self.thresholds if t < reached], default=0)

    def published(self, what, tier, above):
        """The list's own number for exactly this class, tier and length, or None."""
        if tier == "standard":
            for card in self.tiered():
                if float(card["range"][0]) == above:
                    for field in FIELDS[what]:
                        if field in card:
                            return exact(card[field])
        step = f"_above_{above // 1000}k_tokens" if above else ""
        for field in FIELDS[what]:
            value = self.entry.get(field + step + TIERS[tier])
            if value is not None:
                return exact(value)
        return None


def exact(number):
    """The decimal that was published: 15 digits, what lies beyond is float noise."""
    return Fraction(f"{float(number):.15g}")


def draw(rng, models, favoured):
    model = rng.choice(favoured if rng.random() < 0.7 else models)
    entry = model.entry
    tiers = ["standard"] + [t for t in ("batch", "flex", "priority", "ultrafast")
                            if "input_cost_per_token" + TIERS[t] in entry]
    tier = rng.choice(tiers)
    if rng.random() < 0.05:
        tier = "batch"
    total = int(10 ** rng.uniform(0, 6.1))
    if model.thresholds and rng.random() < 0.6:
        step = rng.choice(model.thresholds)
        total = rng.choice([step - 1, step, step + 1, step * 2, rng.randrange(1, step)])
    usage = dict.fromkeys(INPUTS + OUTPUTS, 0)
    classes = ["uncached"]
    reads = "cache_read_input_token_cost" in entry or "input_cost_per_token_cache_hit" in entry
    writes = any(f in entry for f in FIELDS["cache_write_short"] + FIELDS["cache_write_long"])
    classes += ["cache_read"] if reads or rng.random() < 0.05 else []
    classes += ["cache_write_short"] if writes else []
    classes += ["cache_write_long"] if any(f in entry for f in FIELDS["cache_write_long"]) else []
    classes += [c for c in ("audio_input", "image_input") if FIELDS[c][0] in entry]
    chosen = rng.sample(classes, rng.randint(1, len(classes)))
    cuts = sorted(rng.randint(0, total) for _ in chosen[1:])
    for what, start, end in zip(chosen, [0, *cuts], [*cuts, total]):
        usage[what] = end - start
    if entry["mode"] != "embedding":
        usage["output"] = rng.choice([0, 1, int(10 ** rng.uniform(0, 5))])
        if "output_cost_per_reasoning_token" in entry or rng.random() < 0.2:
            usage["reasoning"] = int(10 ** rng.uniform(0, 4))
        if FIELDS["audio_output"][0] in entry and rng.random() < 0.5:
            usage["audio_output"] = int(10 ** rng.uniform(0, 4))
    region, fast = "global", False
    regional = "regional_processing_uplift_multiplier_us" in entry
    if regional or "regional_endpoint_uplift_multiplier" in entry:
        region = rng.choice(["global", "us", "eu"])
    specific = entry.get("provider_specific_entry") or {}
    if model.provider == "anthropic" and tier == "standard":
        region = rng.choice(["global", "us"]) if "us" in specific else region
        fast = "fast" in specific and rng.random() < 0.5
    peak = "off_peak_pricing" not in entry or rng.random() < 0.5
    return {"model": model, "tier": tier, "usage": usage, "region": region, "fast": fast,
            "time": NOON if peak else NOON.replace(hour=12)}


def ask_ours(command, cases):
    lines = [json.dumps({"provider": c["model"].provider, "model": c["model"].model,
                         "usage": c["usage"], "tier": c["tier"], "region": c["region"],
                         "fast": c["fast"]}) for c in cases]
    done = subprocess.run(shlex.split(command), input="\n".join(lines) + "\n", text=True,
                          stdout=subprocess.PIPE, cwd=ROOT, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases), "one answer for each question"
    return answers


class LiteLLM:
    name = "litellm"
    tolerance = 1e-12

    def __init__(self):
        import litellm
        from litellm import cost_calculator
        from litellm.litellm_core_utils.llm_cost_calc import utils
        from litellm.types import utils as types
        litellm.suppress_debug_info = True
        # Its own look-up would sign in to some providers; the provider is known here.
        litellm.get_llm_provider = lambda model, custom_llm_provider: (
            model, custom_llm_provider, None, None)
        self.utils, self.types, self.calculator = utils, types, cost_calculator

    def usage(self, case, usage):
        types, model = self.types, case["model"]
        short, long = usage["cache_write_short"], usage["cache_write_long"]
        openai = FIELDS["cache_write_long"][0] in model.entry
        lives = (("ephemeral_30m_input_tokens", "ephemeral_12h_input_tokens") if openai else
                 ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"))
        details = types.PromptTokensDetailsWrapper(
            cached_tokens=usage["cache_read"], cache_creation_tokens=short + long,
            cache_creation_token_details=types.CacheCreationTokenDetails(
                **dict(zip(lives, (short, long)))) if short + long else None,
            text_tokens=usage["uncached"], audio_tokens=usage["audio_input"],
            image_tokens=usage["image_input"])
        answer = types.CompletionTokensDetailsWrapper(
            text_tokens=usage["output"], reasoning_tokens=usage["reasoning"],
            audio_tokens=usage["audio_output"])
        built = types.Usage(
            prompt_tokens=sum(usage[c] for c in INPUTS), prompt_tokens_details=details,
            completion_tokens=sum(usage[c] for c in OUTPUTS), completion_tokens_details=answer)
        built.inference_geo = case["region"]
        built.speed = "fast" if case["fast"] else None
        return built

    def cost(self, case, usage):
        model, tier, region = case["model"], case["tier"], case["region"]
        built, entry = self.usage(case, usage), dict(model.entry)
        residency = None if region == "global" else region
        location = "us-east5" if residency and "regional_endpoint_uplift_multiplier" in entry else None
        provider = "vertex_ai" if model.litellm_provider.startswith("vertex_ai") else {
            "bedrock_converse": "bedrock"}.get(model.litellm_provider, model.litellm_provider)
        if tier == "batch":
            return sum(self.calculator.batch_cost_calculator(
                built, model.key, provider, model_info=entry, data_residency=residency,
                vertex_location=location))
        total = sum(self.utils.generic_cost_per_token(
            model=model.key, usage=built, custom_llm_provider=provider, model_info=entry,
            service_tier=None if tier == "standard" else tier, data_residency=residency,
            vertex_location=location, current_time=case["time"]))
        if model.provider == "anthropic":
            total *= self.utils.get_provider_specific_geo_multiplier(entry, built)
            total *= self.utils.get_provider_specific_speed_multiplier(entry, built)
        return total


class GenaiPrices:
    name = "genai-prices"
    tolerance = 0

    def __init__(self):
        import genai_prices
        self.api = genai_prices
        self.known = {}

    def priced(self, case):
        """Whether it knows the model under this very name."""
        model = case["model"]
        key = (model.provider, model.model)
        if key not in self.known:
            provider = GENAI.get(model.provider)
            try:
                self.known[key] = provider and self.calc(case, {"input_tokens": 1}, {}) and True
            except (LookupError, ValueError):
                self.known[key] = False
        return self.known[key] and case["region"] == "global"

    def calc(self, case, usage, context):
        return self.api.calc_price(
            self.api.Usage(**usage), case["model"].model, provider_id=GENAI[case["model"].provider],
            genai_request_timestamp=case["time"], price_context=context)

    def context(self, case):
        tier = case["tier"]
        context = {"speed": "fast"} if case["fast"] else {}
        if tier == "batch":
            context["processing"] = "batch"
        elif tier != "standard":
            context["service_tier"] = tier
        return context

    def variant(self, case):
        price = self.calc(case, {"input_tokens": 1}, {})
        wanted = self.context(case).items()
        return not wanted or any(v.when.items() <= wanted for v in price.model.price_variants or ())

    KEYS = {
        "uncached": ["input_mtok"],
        "cache_read": ["cache_read_mtok", "input_mtok"],
        "cache_write_short": ["cache_write_5m_mtok", "cache_write_mtok", "input_mtok"],
        "cache_write_long": ["cache_write_1h_mtok", "cache_write_mtok", "input_mtok"],
        "audio_input": ["input_audio_mtok", "input_mtok"],
        "image_input": ["input_mtok"],
        "output": ["output_mtok"],
        "reasoning": ["output_mtok"],
        "audio_output": ["output_audio_mtok", "output_mtok"],
    }

    def published(self, case, what):
        """Its data's own rate for this class, tier and length, in dollars a token, its fee for a
        call, and the pages that its provider's prices are from."""
        found = self.calc(case, {"input_tokens": 1}, self.context(case))
        prices = found.model_price
        keys = self.KEYS[what]
        if what == "cache_write_long" and FIELDS[what][1] not in case["model"].entry:
            keys = self.KEYS["cache_write_short"]  # it has no unit for 12 hours
        rate = next((value for key in keys if (value := getattr(prices, key)) is not None), 0)
        if hasattr(rate, "tiers"):
            total = sum(case["usage"][c] for c in INPUTS)
            rate = ([rate.base] + [t.price for t in rate.tiers if t.start < total])[-1]
        fee = Fraction(getattr(prices, "requests_kcount") or 0) / 1000
        return Fraction(rate) / 10**6, fee, " ".join(found.provider.pricing_urls or ["no page"])

    def cost(self, case, usage):
        writes = usage["cache_write_short"] + usage["cache_write_long"]
        anthropic = FIELDS["cache_write_long"][1] in case["model"].entry
        asked = {"input_tokens": sum(usage[c] for c in INPUTS),
                 "cache_read_tokens": usage["cache_read"], "cache_write_tokens": writes,
                 "input_audio_tokens": usage["audio_input"],
                 "output_tokens": sum(usage[c] for c in OUTPUTS),
                 "output_audio_tokens": usage["audio_output"]}
        if anthropic:
            asked["cache_write_1h_tokens"] = usage["cache_write_long"]
        asked = {k: v for k, v in asked.items() if v}
        if usage["audio_input"]:
            asked["cache_audio_read_tokens"] = asked["cache_audio_write_tokens"] = 0
        return self.calc(case, asked, self.context(case)).total_price if asked else 0


def rates(calculator, case):
    """Their rate for each class in use, found by moving tokens between classes at the same length."""
    usage, probe = case["usage"], 1_000_000
    total = sum(usage[c] for c in INPUTS)
    empty = dict.fromkeys(INPUTS + OUTPUTS, 0)
    base = Fraction(calculator.cost(case, {**empty, "uncached": total}))
    found = {}
    for what in INPUTS:
        if usage[what]:
            found[what] = Fraction(calculator.cost(case, {**empty, what: total})) / total
    for what in OUTPUTS:
        if usage[what]:
            cost = Fraction(calculator.cost(case, {**empty, "uncached": total, what: probe}))
            found[what] = (cost - base) / probe
    return found


def close(a, b):
    return a is not None and b is not None and abs(a - b) <= Fraction(1, 10**9) * max(abs(a), abs(b))


def multiplier(case):
    entry, region = case["model"].entry, case["region"]
    specific = entry.get("provider_specific_entry") or {}
    factor = exact(specific.get("fast", 1)) if case["fast"] else Fraction(1)
    if region != "global":
        factor *= exact(entry.get(f"regional_processing_uplift_multiplier_{region}")
                        or specific.get(region)
                        or entry.get("regional_endpoint_uplift_multiplier") or 1)
    return factor


def predicted(case, what):
    """Our rate for a class: the list's own number where it has one, else by the rules of docs/prices.md."""
    model, tier = case["model"], case["tier"]
    above = model.above(sum(case["usage"][c] for c in INPUTS))
    def pub(*asked):
        return model.published(*asked) or None  # a rate of 0 is held back

    whole = "uncached" if what in INPUTS else "output"
    if all(pub(what, t, a) is None for t in TIERS for a in (0, above)):
        longer = what == "cache_write_long" and pub("cache_write_short", "standard", 0)
        what = "cache_write_short" if longer else whole
    own, std, std0 = pub(what, tier, above), pub(what, "standard", above), pub(what, "standard", 0)
    if own is not None:
        return own
    long, short = pub(whole, "standard", above), pub(whole, "standard", 0)
    if std is None and std0 is not None and long and short:
        std = std0 * long / short
    if tier == "standard" or std is None:
        return std
    claude = "claude" in model.model
    card, card0 = pub(whole, tier, above), pub(whole, tier, 0)
    # A tier's rate is on every class, but for the cache's at Google and others.
    stays = what.startswith("cache") and not claude and model.provider not in ("openai", "azure")
    if card is not None and long:
        return min(std, card) if stays else std * card / long
    if tier == "priority" or card0 is None and tier != "batch":
        return std
    if card0 is None:
        return std / 2 if model.provider in ("openai", "anthropic") or (
            claude and model.provider in ("bedrock", "vertex_ai")) else std
    own0 = pub(what, tier, 0)
    if own0 is not None and std0 is not None:
        return std * own0 / std0
    return std * card0 / short if short and not stays else std


def explain(calculator, case, what, ours, theirs):
    """The rule by which the two rates differ, or None. `ours` and `theirs` are free of multipliers."""
    model, tier, asked = case["model"], case["tier"], what
    above = model.above(sum(case["usage"][c] for c in INPUTS))
    pub = model.published
    whole = "uncached" if what in INPUTS else "output"
    if what in ("reasoning", "audio_output", "audio_input", "image_input") and not any(
            pub(what, t, a) for t in TIERS for a in (0, above)):
        what = whole  # no rate of its own: both sides bill it as what it is a part of
    special = ("input_cost_per_token_cache_hit" in model.entry or model.tiered()
               or model.provider == "fireworks_ai")
    if what == "cache_read" and not special and all(
            pub(what, t, a) is None for t in TIERS for a in (0, above)):
        what = whole  # likewise: a model without a cached rate, which two have plain input for
    std0, std = pub(what, "standard", 0), pub(what, "standard", above)
    own0, own = pub(what, tier, 0), pub(what, tier, above)
    base = [n for n in (own, own0 if not above else None, std, std0 if not above else None,
                        pub("output", tier, above) if what in OUTPUTS else None,
                        pub("uncached", tier, above) if what in INPUTS else None) if n]
    listed = base[0] if base else None
    if calculator.name == "genai-prices":
        # Both numbers, whatever the rule: theirs by their data, ours by the list and our rules.
        rate, fee, _ = calculator.published(case, asked)
        total = sum(case["usage"][c] for c in INPUTS)
        if not close(ours, predicted(case, asked)):
            return None
        if fee and what in INPUTS and close(theirs, rate + fee / total):
            return "fee"
        if not close(theirs, rate):
            return None
        if case["time"] != NOON and "off_peak_pricing" in model.entry:
            return "off-peak"
        if (tier != "standard" or case["fast"]) and not calculator.variant(case):
            plain = rates(calculator, {**case, "tier": "standard", "fast": False})
            return "no variant" if close(theirs, plain[asked]) else None
        if asked == "reasoning" and not close(pub(asked, "standard", 0), pub("output", "standard", 0)):
            return "reasoning"
        if what == "cache_write_long" and FIELDS[what][0] in model.entry:
            return "long life"
        if tier == "priority" and above and own is None:
            return "priority above"
        if "/" in model.model and model.provider in ("bedrock", "azure") and close(ours, listed):
            return "region"
        if close(ours, listed):
            return "lists differ"
    if case["time"] != NOON and "off_peak_pricing" in model.entry:
        cheap = model.entry["off_peak_pricing"].get(FIELDS[asked][0])
        whole_cheap = exact(model.entry["off_peak_pricing"][FIELDS[whole][0]])
        if close(ours, predicted(case, asked)) and (
                close(theirs, exact(cheap or 0)) or close(theirs, whole_cheap)):
            return "off-peak"
    numbers = [pub(what, t, a) for t in TIERS for a in (0, above)]
    if theirs == 0 and 0 in numbers:
        return "held back"
    if what.startswith("cache_write"):
        pairs = [(pub(what, t, a), pub("uncached", t, a)) for t in TIERS for a in (0, above)]
        if any(n and i and close(n, theirs) and not Fraction(9, 10) <= n / i <= 4 for n, i in pairs):
            return "odd write"
    if what == "cache_read" and std0 is None:
        if "input_cost_per_token_cache_hit" in model.entry:
            return "old read field" if close(
                ours, exact(model.entry["input_cost_per_token_cache_hit"])) else None
        if model.provider == "fireworks_ai" and close(ours, pub("uncached", tier, above)
                                                      or pub("uncached", "standard", above)):
            return "default read"
    if model.tiered() and what == "cache_read" and close(theirs, pub("uncached", "standard", above)):
        return "tiered read"
    if tier == "batch" and pub("uncached", "batch", 0) is None:
        half = model.provider in ("openai", "anthropic") or (
            "claude" in model.model and model.provider in ("bedrock", "vertex_ai"))
        plain = std or std0 or pub(whole, "standard", above)
        if not half and close(ours, plain) or half and close(ours, plain / 2):
            return "no batch card"
    if tier == "batch" and "claude" in model.model:
        if not close(pub("uncached", "batch", 0), pub("uncached", "standard", 0) / 2) and close(ours, (std or std0) / 2):
            return "claude batch"
    steps = pub(whole, "standard", above), pub(whole, "standard", 0)
    std_long = std if std is not None else std0 and None not in steps and std0 * steps[0] / steps[1]
    if tier != "standard":
        if tier == "batch" and what == "audio_output" and close(theirs, pub("output", "batch", 0)):
            return "batch audio"
        if own is None and close(ours, predicted(case, asked)):
            return "tier omits length" if own0 else "tier omits class"
        return None
    if above and std is None and close(ours, std_long):
        return "length omits class"
    return None


def compare(calculator, cases, answers, repeated):
    """Counts by rule; what no rule explains comes back as text."""
    counts, unexplained = collections.Counter(), []
    examples, seen = {}, set()
    for case, answer in zip(cases, answers):
        model = case["model"]
        if calculator.name == "genai-prices" and ("error" in answer or not calculator.priced(case)):
            counts["not priced by both"] += 1
            continue
        if "error" in answer:
            entry = model.entry
            doubtful = [exact(entry.get(f) or 0) for f in
                        ("input_cost_per_token", "output_cost_per_token")]
            wrong = 0 in doubtful or doubtful[0] > Fraction(2, 10**4) or min(doubtful) < Fraction(3, 10**9)
            tiered = not model.tiered()
            found = {"held back"} if wrong and tiered else {None}
        else:
            theirs = Fraction(calculator.cost(case, case["usage"]))
            ours = Fraction(answer["usd"])
            # Each of our lines is rounded once to a pico-dollar; LiteLLM's are binary floats.
            slack = Fraction(len(answer["lines"]) + 1, 2 * 10**12)
            if abs(ours - theirs) <= slack + Fraction(calculator.tolerance) * abs(theirs):
                counts["equal"] += 1
                continue
            theirs = rates(calculator, case)
            factor = multiplier(case)
            found = set()
            for line in answer["lines"]:
                mine = Fraction(line["usd_per_million"]) / 10**6 / factor
                other = theirs[line["what"]] / (1 if calculator.name == "genai-prices" and not
                                                case["fast"] else factor)
                if not close(mine, other):
                    rule = explain(calculator, case, line["what"], mine, other)
                    found.add(rule)
                    sources = [model.entry.get("source", "no page")]
                    if calculator.name == "genai-prices":
                        sources.append(calculator.published(case, line["what"])[2])
                    seen.add((rule, model.provider, model.model, case["tier"], line["what"],
                              float(mine * 10**6), round(float(other * 10**6), 9), *sources))
            if None in found or not found:
                others = [m for m in repeated[model.provider, model.model] if m is not model]
                same = (abs(Fraction(calculator.cost({**case, "model": m}, case["usage"])) - ours)
                        <= slack + ours * Fraction(1, 10**12) for m in others)
                found = {"repeated"} if any(same) else found
        for rule in found or {None}:
            counts[rule or "UNEXPLAINED"] += 1
            examples.setdefault(rule, model.key)
        if None in found or not found:
            unexplained.append(f"{model.key} {case['tier']} {case['region']} fast={case['fast']} "
                               f"{ {k: v for k, v in case['usage'].items() if v} } ours={answer} "
                               f"theirs={ {k: float(v) * 1e6 for k, v in theirs.items()} }"
                               if isinstance(theirs, dict) else f"{model.key} {answer}")
    return counts, unexplained, examples, seen


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--calls", type=int, default=8000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--ours", default=OURS, help="reads questions, one JSON object a line")
    arguments.add_argument("--show", help="list the rates that differ by this rule")
    options = arguments.parse_args()
    enter_venv()
    import litellm
    path = pathlib.Path(litellm.__file__).parent / "model_prices_and_context_window_backup.json"
    models = [Model(key, entry) for key, entry in json.loads(path.read_text()).items()
              if entry.get("mode") in MODES and key != "sample_spec" and entry.get("litellm_provider")
              and ("input_cost_per_token" in entry or "tiered_pricing" in entry)
              and ("output_cost_per_token" in entry or "tiered_pricing" in entry)]
    repeated = collections.defaultdict(list)
    for model in models:
        repeated[model.provider, model.model].append(model)
    favoured = [m for m in models if m.provider in GENAI or m.provider == "vertex_ai"]
    rng = random.Random(options.seed)
    cases = [draw(rng, models, favoured) for _ in range(options.calls)]
    answers = ask_ours(options.ours, cases)
    failed = False
    for calculator in (LiteLLM(), GenaiPrices()):
        counts, unexplained, examples, seen = compare(calculator, cases, answers, repeated)
        print(f"\n{calculator.name}: {sum(counts[c] for c in ('equal',))} of {len(cases)} equal")
        for rule, count in counts.most_common():
            print(f"{count:7}  {rule:20}  {examples.get(rule, '')}")
        for row in sorted(row for row in seen if options.show and row[0] == options.show):
            print(*row)
        for line in unexplained[:10]:
            print("UNEXPLAINED", line)
        failed |= bool(unexplained)
    sys.exit(failed)


if __name__ == "__main__":
    main()
