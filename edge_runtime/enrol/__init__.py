"""Enrolment: records a speaker's own examples, for a profile of theirs."""
