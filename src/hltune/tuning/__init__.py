"""The parts of `hltune tune`: budget, rounds of one pipeline, final comparison."""
