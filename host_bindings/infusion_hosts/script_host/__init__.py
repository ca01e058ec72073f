"""The node without an application: for pipelines, examples and tests."""
