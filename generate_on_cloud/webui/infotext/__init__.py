"""Infotext: the text in which WebUI records how a picture was made, and which it reads back (semantics §7).

Uses the standard library only, so that Lambdas and the client can import it.
"""
