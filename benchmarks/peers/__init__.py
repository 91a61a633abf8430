"""The whole decision on the same audio, of ser-edge and of what people would use instead.

``worker`` runs one contender in a process of its own, by a chain of ``chains``; ``process`` is the
other end of it. ``contenders`` says who takes part, ``bench`` measures, ``clips`` times a whole
program. This package itself imports nothing, for other Pythons run ``worker``, too.
"""
