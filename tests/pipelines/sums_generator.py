import halide as hl


@hl.generator("sums")
class Sums:
    input = hl.InputBuffer(hl.Int(32), 2)
    output = hl.OutputBuffer(hl.Int(32), 1)

    def generate(self):
        x = hl.Var("x")
        total = hl.Func("total")
        rows = hl.RDom([(0, 24)], "rows")
        columns = hl.RDom([(1, 31)], "columns")
        total[x] = 0
        total[x] += self.input[x, rows.x]
        self.output[x] = total[x]
        self.output[columns.x] += self.output[columns.x - 1]

        self.input.set_estimates([(0, 32), (0, 24)])
        self.output.set_estimates([(0, 32)])
