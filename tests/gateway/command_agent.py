"""A program as people write it: one question to the model, its answer to standard output."""

import json
import os
import sys

import anthropic

if os.environ["LEANLOOP_PROMPT"].endswith("(7)"):
    sys.exit(f"no answer; the key is {os.environ['ANTHROPIC_API_KEY']}")
client = anthropic.Anthropic()
said = client.messages.create(
    model="claude-m",
    max_tokens=100,
    messages=[{"role": "user", "content": json.loads(os.environ["LEANLOOP_TASK"])["prompt"]}],
)
sys.stdout.write("".join(b.text for b in said.content if b.type == "text"))
