"""The words of leanloop as types: no input or output, no third-party client."""
