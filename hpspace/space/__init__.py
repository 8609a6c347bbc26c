"""Search spaces: from nested containers with ``hp.*`` leaves to one frozen table of parameters."""
