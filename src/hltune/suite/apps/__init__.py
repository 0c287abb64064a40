"""The sixteen applications of Adams et al. 2019, in our own words: algorithms and expert schedules."""
