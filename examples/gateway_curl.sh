#!/bin/sh
# A call through the gateway with curl: the embedded model stands behind it, so no key is needed.
#   sh examples/gateway_curl.sh
set -e
PORT=${PORT:-8899}
STORE=${STORE:-.leanloop/curl.sqlite}
UPSTREAM=${UPSTREAM:-embedded:qwen2.5-coder-0.5b}
leanloop gateway --upstream "$UPSTREAM" --port "$PORT" --store "$STORE" &
GATEWAY=$!
trap 'kill $GATEWAY; wait $GATEWAY' EXIT
until curl -sf "http://127.0.0.1:$PORT/leanloop/health" >/dev/null; do sleep 0.3; done

# OpenAI's Chat Completions, with labels that the meter keeps.
curl -sS "http://127.0.0.1:$PORT/v1/chat/completions" \
  -H 'content-type: application/json' -H 'x-leanloop-task: greeting' -H 'x-leanloop-session: s1' \
  -d '{"model": "any", "max_tokens": 12, "messages": [{"role": "user", "content": "Say hello."}]}'
echo

# Anthropic's Messages, streamed.
curl -sSN "http://127.0.0.1:$PORT/v1/messages" -H 'content-type: application/json' \
  -d '{"model": "any", "max_tokens": 12, "stream": true,
       "messages": [{"role": "user", "content": "Say hello."}]}'

# How the session went, for canaries and for "leanloop compare".
curl -sS "http://127.0.0.1:$PORT/leanloop/outcome" -d '{"session": "s1", "success": 1}'
echo
kill $GATEWAY; wait $GATEWAY || true; trap - EXIT
leanloop profile "$STORE"
