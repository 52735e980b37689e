"""WebUI 1.10.1's own API, `/sdapi/v1`, as functions without any I/O.

orders       a request's body → the job to create
answers      a finished job and its pictures → WebUI's answer
shelf, lists what WebUI would list, from the caller's assets
settings     the caller's options page
watching     progress
refusals     every error, in WebUI's shape
"""
