"""Pre-training: random programs, one batch after the other, and what the cost model learns from them."""
