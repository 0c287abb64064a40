#include "Halide.h"

using namespace Halide;

Func halved(Func f) {
    Func result("half");
    result(_) = f(_) / 2;
    return result;
}
