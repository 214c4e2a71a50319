"""A real llama.cpp server on loopback, with a model of random weights made on the spot.

usage: llama.py FOLDER    prints `http://127.0.0.1:PORT` when it listens, and serves until it is ended
"""

import pathlib
import signal
import sys

import gguf
import numpy as np
import xllamacpp
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WIDTH, LAYERS, HEADS, VOCABULARY = 32, 1, 2, 512
START, END = "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% if tools %}" + START + "system\nTools: {{ tools | tojson }}" + END + "\n{% endif %}"
    "{% for m in messages %}" + START + "{{ m.role }}\n{{ m.content or '' }}"
    "{% for call in m.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}" + END + "\n{% endfor %}"
    "{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)


def tokenizer():
    """A small byte-level BPE vocabulary, trained on this very file."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<|end|>", START, END], initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator([pathlib.Path(__file__).read_text()], trainer)
    return bpe


def write_model(path):
    bpe = tokenizer()
    vocabulary = sorted(bpe.get_vocab().items(), key=lambda item: item[1])
    tokens = [token for token, _ in vocabulary]
    merges = bpe.to_str()
    import json

    merges = [m if isinstance(m, str) else " ".join(m) for m in json.loads(merges)["model"]["merges"]]
    kinds = [gguf.TokenType.CONTROL if t.startswith("<|") else gguf.TokenType.NORMAL for t in tokens]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny-random")
    writer.add_context_length(8192)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|end|>"))
    writer.add_eos_token_id(tokens.index(END))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    random = np.random.default_rng(1)

    def weights(rows, columns, scale):
        return random.normal(0, scale, (rows, columns)).astype(np.float32)

    head = weights(len(tokens), WIDTH, 0.2)
    # Only printable ASCII comes out: words of noise, but valid UTF-8 wherever a stream is cut.
    for row, token in enumerate(tokens):
        if not all(" " < c <= "~" for c in token.replace("Ġ", "a")) or token.startswith("<|"):
            head[row] = 0
    writer.add_tensor("token_embd.weight", weights(len(tokens), WIDTH, 1.0))
    writer.add_tensor("output.weight", head)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}{name}.weight", weights(WIDTH, WIDTH, 0.3))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}{name}.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"{block}ffn_gate.weight", weights(2 * WIDTH, WIDTH, 0.1))
        writer.add_tensor(f"{block}ffn_up.weight", weights(2 * WIDTH, WIDTH, 0.1))
        writer.add_tensor(f"{block}ffn_down.weight", weights(WIDTH, 2 * WIDTH, 0.1))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    path = pathlib.Path(sys.argv[1]) / "tiny-random.gguf"
    write_model(str(path))
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = 8192
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = 1
    parameters.n_gpu_layers = 0
    parameters.warmup = False
    parameters.use_jinja = True
    parameters.fit_params = False
    parameters.n_predict = 64
    # As people run it: what the slot still has of an earlier prompt is reused, and its tokens are
    # counted as cached. Nothing else is kept, so that one other prompt makes the slot cold again.
    parameters.cache_prompt = True
    parameters.cache_ram_mib = 0
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}", flush=True)
    signal.pause()


main()
