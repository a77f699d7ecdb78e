"""The agent loop and the pipeline that levers act through."""
