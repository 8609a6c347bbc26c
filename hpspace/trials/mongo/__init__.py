"""Trials in MongoDB: a store that many machines share, and `MongoTrials` over it."""
