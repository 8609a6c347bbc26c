"""Trial documents, where they live, and how algorithms and people read them.

`document` says what a trial is, `trials` holds them, `codec` turns them into history rows and proposals into
documents, `save` keeps them in a file, `frame` and `show` present them. Nothing here runs an objective or
proposes a point. Layer: above `suggest`, below `run`.
"""
