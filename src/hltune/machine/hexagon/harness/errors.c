/* What Halide's code calls when a check fails: the first message is kept, and the code of HalideRuntime.h returned. */
#include "harness.h"

char message[MESSAGE_SIZE];

static char *append(char *at, const char *text) {
    while (*text && at < message + MESSAGE_SIZE - 1) {
        *at++ = *text++;
    }
    return at;
}

i32 fail(const char *what, const char *where, i32 code) {
    if (!message[0]) {
        char *at = append(message, what);
        if (where) {
            append(append(at, ": "), where);
        }
    }
    return code;
}

void halide_error(void *context, const char *text) {
    (void)context;
    fail(text, 0, 0);
}

/* The first argument after the context names a Func, buffer or parameter; the others are not shown. */
#define NAMED(error, code)                                         \
    i32 halide_error_##error(void *context, const char *where) {   \
        (void)context;                                             \
        return fail(#error, where, code);                          \
    }
#define PLAIN(error, code)                                         \
    i32 halide_error_##error(void *context) {                      \
        (void)context;                                             \
        return fail(#error, 0, code);                              \
    }

NAMED(bounds_inference_call_failed, -1)
NAMED(extern_stage_failed, -1)
NAMED(explicit_bounds_too_small, -2)
NAMED(bad_type, -3)
NAMED(access_out_of_bounds, -4)
NAMED(buffer_allocation_too_large, -5)
NAMED(buffer_extents_too_large, -6)
NAMED(constraints_make_required_region_smaller, -7)
NAMED(constraint_violated, -8)
NAMED(param_too_small_i64, -9)
NAMED(param_too_small_u64, -9)
NAMED(param_too_small_f64, -9)
NAMED(param_too_large_i64, -10)
NAMED(param_too_large_u64, -10)
NAMED(param_too_large_f64, -10)
PLAIN(out_of_memory, -11)
NAMED(buffer_argument_is_null, -12)
NAMED(debug_to_file_failed, -13)
PLAIN(no_device_interface, -19)
NAMED(unaligned_host_ptr, -24)
NAMED(bad_fold, -25)
NAMED(fold_factor_too_small, -26)
NAMED(requirement_failed, -27)
NAMED(buffer_extents_negative, -28)
NAMED(specialize_fail, -31)
NAMED(host_is_null, -34)
NAMED(bad_extern_fold, -35)
PLAIN(device_interface_no_device, -36)
PLAIN(host_and_device_dirty, -37)
NAMED(buffer_is_null, -38)
PLAIN(device_crop_failed, -41)
NAMED(bad_dimensions, -43)
NAMED(device_dirty_with_no_device_support, -44)
NAMED(storage_bound_too_small, -45)
NAMED(split_factor_not_positive, -46)
NAMED(vscale_invalid, -47)
