"""Profiles: what a speaker's own clips teach about the model's answers for them."""
