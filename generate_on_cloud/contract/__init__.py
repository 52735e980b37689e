"""The wire between client, API, endpoint and container: typed messages and tables, pydantic and stdlib only.

This package imports nothing else from the project.
"""

CONTRACT_VERSION = 6
"""Increased whenever a request may contain something that an older container does not know, so that it refuses it.

2: `AssetRef.references` · 3: `JobRequest.pictures`, `JobRequest.correlation_id` ·
4: `JobRequest.run_timeout_s` · 5: `AssetRef.prediction_type` ·
6: `JobRequest.traceparent`, the task `extra_batch_images`
"""
