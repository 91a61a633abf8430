"""Counts the instructions that a program executes under qemu, with a plugin of our own."""
