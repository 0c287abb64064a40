import halide as hl


@hl.generator("fails")
class Fails:
    size = hl.GeneratorParam(3)
    blend = hl.GeneratorParam(False)
    rate = hl.GeneratorParam(0.5)
    mode = hl.GeneratorParam("fast")
    element = hl.GeneratorParam(hl.UInt(8))
    input = hl.InputBuffer(None, None)
    output = hl.OutputBuffer(hl.UInt(8), 1)

    def generate(self):
        values = (self.size, self.blend, self.rate, self.mode, self.element, self.input.type(), self.input.dimensions())
        raise ValueError(repr(values))
