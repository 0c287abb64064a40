"""Many computers as one: workers and machines elsewhere, by way of Ray.

`node` is what runs on each computer, and knows nothing of Ray; `head` finds the nodes and sees them come and go;
`workers` and `machine` are to the rest of hltune what it has on one computer.
"""
