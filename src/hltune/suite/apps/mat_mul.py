"""Product of two matrices of float32, as in BLAS ``sgemm`` with alpha 1 and beta 0.

Inputs, both float32, stored by rows: x is the column, y the row (in NumPy the shapes are reversed)::

    a[k, y]   inner x height   NumPy (height, inner)
    b[x, k]   width x inner    NumPy (inner, width)

The inner extent is the width of ``a``; estimates and measurements use an inner extent that equals the output's width, so
that ``b`` is square::

    output[x, y] = sum over k in 0..inner-1 of a[k, y] * b[x, k]

which is NumPy's ``a @ b``. All arithmetic is float32; the order of the additions is free, and a product may be added without
being rounded first.

Output: ``output[x, y]``, float32, width x height; NumPy (height, width).
"""
