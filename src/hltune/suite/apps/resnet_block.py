"""Bottleneck block of ResNet-50: 256 channels are reduced to 64, convolved, expanded to 256 and added to the input.

It is the second block of the network's first group (``res2b``), for one image. The batch normalisations are folded
into weights and biases, as one does for inference.

Inputs, all float32, in Halide's order (in NumPy the shapes are reversed)::

    input[c, x, y]                   256 x width x height    NumPy (height, width, 256)
    reduce_weights[co, ci]           64 x 256                NumPy (256, 64)
    reduce_bias[co]                  64
    middle_weights[co, ci, dx, dy]   64 x 64 x 3 x 3         NumPy (3, 3, 64, 64), indices dy, dx, ci, co
    middle_bias[co]                  64
    expand_weights[co, ci]           256 x 64                NumPy (64, 256)
    expand_bias[co]                  256

The steps, with relu(v) = max(v, 0)::

    reduced[co, x, y] = relu(reduce_bias[co] + sum over ci in 0..255 of reduce_weights[co, ci] * input[ci, x, y])
    padded[c, x, y]   = reduced[c, x, y] inside of the image, 0 outside
    middle[co, x, y]  = relu(middle_bias[co] + sum over ci in 0..63, dx in 0..2, dy in 0..2 of
                             middle_weights[co, ci, dx, dy] * padded[ci, x + dx - 1, y + dy - 1])
    output[co, x, y]  = relu(input[co, x, y] + expand_bias[co] + sum over ci in 0..63 of
                             expand_weights[co, ci] * middle[ci, x, y])

The image is 0 <= x < width, 0 <= y < height. Padding is thus zeros of ``reduced``, not of ``input``; the filter is not
mirrored. All arithmetic is float32; the order of the additions is free, and a product may be added without being rounded
first.

Output: ``output[c, x, y]``, float32, 256 x width x height; NumPy (height, width, 256).

Source: He et al. 2016, Deep Residual Learning for Image Recognition, figure 5 (right) and table 1.
"""
