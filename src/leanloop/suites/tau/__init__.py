"""Conversations at a service desk: a policy, a database, tools and a user, from a folder."""
