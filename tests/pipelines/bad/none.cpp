#include "Halide.h"
