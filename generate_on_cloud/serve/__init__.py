"""`goc serve`: WebUI's API on this machine, drawn in the cloud.

What requests and answers mean is in `faces.sdapi`; here are the server and what it keeps.

gate     who may ask: Host, Origin, Content-Type, passwords
app      the routes
callers  who asks: options, files and jobs of one user
works    jobs under way: sent once, followed, found again, interrupted
session  the narrow key that the server works with
"""
