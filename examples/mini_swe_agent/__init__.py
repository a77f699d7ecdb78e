"""mini-swe-agent as a study's agent."""
