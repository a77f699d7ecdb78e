"""A proxy that meters, caps and runs any agent that speaks the OpenAI or the Anthropic API."""
