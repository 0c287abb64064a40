// Calls the compiled pipeline "pixels" with images of several layouts; prints a line for each: its last element, or
// what the pipeline complains of.
#include "HalideBuffer.h"
#include "pixels.h"

#include <iostream>
#include <string>

using Image = Halide::Runtime::Buffer<uint8_t, 3>;

std::string complaint;

void complain(void *, const char *text) {
    complaint = text;
}

void call(Image image, Image output) {
    image.fill(3);
    if (pixels(image, output) != 0) {
        std::cout << complaint << "\n";
    } else {
        std::cout << int(output(39, 29, 2)) << "\n";
    }
}

Image interleaved(int channels) {
    return Image::make_interleaved(40, 30, channels);
}

// Its strides are right.
Image with_four_channels() {
    alignas(128) static uint8_t memory[40 * 30 * 3 + 1];
    const halide_dimension_t shape[] = {{0, 40, 3}, {0, 30, 120}, {0, 4, 1}};
    return Image(memory, 3, shape);
}

int main() {
    halide_set_error_handler(complain);
    call(interleaved(3), interleaved(3));
    call(with_four_channels(), interleaved(3));
    call(interleaved(4), interleaved(3));
    call(Image(40, 30, 3), interleaved(3));
    call(interleaved(3), Image(40, 30, 3));
}
