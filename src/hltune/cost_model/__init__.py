"""The learned cost model: weights, network, training, and scorers that choose what to measure."""
