"""The one place where nouns are put together: from clients, settings and a clock to what a function works with.

The API, every other function and the tests use the same classes; each noun is made when somebody first asks for it.
"""
