"""A recursive blur: a filter of first order, forwards and backwards, down the columns and then along the rows.

Inputs: ``input``, float32, shape (width, height, 3), indexed x, y, c; ``alpha``, float32, usually 0.1, above 0 and at
most 1: the share of a pixel in its own blurred value. All is float32, in any association. Nothing outside of the image
is ever meant: every recursion starts with the first pixel itself.

``blurred(s)`` of a sequence s(0) .. s(n-1) is ``u``::

    v(0)   = s(0)
    v(k)   = (1 - alpha) * v(k - 1) + alpha * s(k)      for k = 1 .. n-1
    u(n-1) = v(n-1)
    u(k)   = (1 - alpha) * u(k + 1) + alpha * v(k)      for k = n-2 .. 0

Output: ``output``, float32, of the shape of ``input``: each column (x and c fixed, k = y) of ``input`` is blurred, then
each row (y and c fixed, k = x) of the result.

How: only columns are ever blurred, in neighbouring vectors of x, and the result is transposed; done twice, the image is
upright again.
"""
