"""Whether the tests of the device's core find faults: mutmut makes small ones, and counts."""
