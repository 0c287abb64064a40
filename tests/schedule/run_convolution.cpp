// Runs the compiled pipeline "convolution": reads the bytes of its input and mask, writes those of its output.
#include "HalideBuffer.h"
#include "convolution.h"

#include <cstdio>

using Halide::Runtime::Buffer;

template<typename T>
bool read(Buffer<T, 2> &buffer) {
    return std::fread(buffer.data(), sizeof(T), buffer.number_of_elements(), stdin) == buffer.number_of_elements();
}

int main() {
    Buffer<uint8_t, 2> input(WIDTH + 2, HEIGHT + 2), output(WIDTH, HEIGHT);
    Buffer<int16_t, 2> mask(3, 3);
    if (!read(input) || !read(mask) || convolution(input, mask, output) != 0) {
        return 1;
    }
    return std::fwrite(output.data(), 1, output.number_of_elements(), stdout) != output.number_of_elements();
}
