"""The only place where objects are put together: from clients, settings and a clock to what a function works with.

The API, every other function and the tests use the same classes; each object is created when it is first used.
"""
