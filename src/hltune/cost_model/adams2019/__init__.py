"""The cost model of Adams et al. 2019: weights files, the network, its training."""
