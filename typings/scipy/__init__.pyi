"""The part of SciPy that hltune uses."""
