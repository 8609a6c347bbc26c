"""Trials that several processes share: the contract of a store, stores, and `SharedTrials` over any of them."""
