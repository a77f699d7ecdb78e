"""A live page of studies and gateways, beside the programs that run them."""
