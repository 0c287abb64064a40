import halide as hl


def sums():
    x = hl.Var("x")
    image = hl.ImageParam(hl.Int(32), 2, "input")
    total, output = hl.funcs("total output")
    rows = hl.RDom([(0, 24)], "rows")
    columns = hl.RDom([(1, 31)], "columns")
    total[x] = 0
    total[x] += image[x, rows.x]
    output[x] = total[x]
    output[columns.x] += output[columns.x - 1]

    image.set_estimates([(0, 32), (0, 24)])
    output.set_estimates([(0, 32)])
    return hl.Pipeline(output)
