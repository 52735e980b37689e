"""Infotext: how a picture was made, as the text WebUI writes into it and reads back (semantics §7).

Standard library only, so that Lambdas and the client can import it.
"""
