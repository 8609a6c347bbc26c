"""The command line: `hpspace` and `hpspace-mongo-worker`. Reads arguments, calls the library, writes text or JSON."""
