"""The nouns of hltune: frozen values that every other folder shares. Imports nothing of hltune."""
