/* Halide's profiler in the emulated process. Nothing is sampled: the plug-in looks at every packet which Func runs.
 *
 * Code that is compiled with the target feature `profile` stores the number of the Func that runs in its instance. */
#include "../harness/harness.h"
#include "profile.h"

/* HalideRuntime.h, on 32 bits */
struct instance {
    u64 numbers[7];
    void *pointers[4];
    i32 current_func, active_threads, samples, allocations, collects;
};
_Static_assert(__builtin_offsetof(struct instance, current_func) == 72, "the layout of halide_profiler_instance_state");

PROFILED_FUNC(u32);
PROFILED(u32);

/* The linker is told where. */
__attribute__((section(".profiled"), used)) volatile struct profiled profiled;

i32 halide_profiler_instance_start(void *context, const char *name, i32 count, const u64 *names,
                                   struct instance *instance) {
    (void)context, (void)name;
    if (count > MOST_FUNCS) {
        return fail("more Funcs than the profiler knows", 0, -1);
    }
    profiled.funcs = (u32)count;
    for (i32 k = 0; k < count; k++) {
        profiled.func[k].name = (u32)names[k];
    }
    instance->current_func = 0;
    profiled.current = (u32)&instance->current_func;
    return 0;
}

i32 halide_profiler_instance_end(void *context, struct instance *instance) {
    (void)context, (void)instance;
    profiled.current = 0;
    return 0;
}

void halide_profiler_stack_peak_update(void *context, struct instance *instance, const u64 *sizes) {
    (void)context, (void)instance;
    for (u32 k = 0; k < profiled.funcs; k++) {
        if (sizes[k] > profiled.func[k].stack_peak) {
            profiled.func[k].stack_peak = (u32)sizes[k];
        }
    }
}

static void take(volatile u32 *now, volatile u32 *peak, u32 size) {
    *now += size;
    if (*now > *peak) {
        *peak = *now;
    }
}

void halide_profiler_memory_allocate(void *context, struct instance *instance, i32 func, u64 size) {
    (void)context, (void)instance;
    volatile struct profiled_func *own = &profiled.func[func];
    own->allocations += size > 0;
    take(&own->heap, &own->heap_peak, (u32)size);
    take(&profiled.heap, &profiled.heap_peak, (u32)size);
}

void halide_profiler_memory_free(void *context, struct instance *instance, i32 func, u64 size) {
    (void)context, (void)instance;
    profiled.func[func].heap -= (u32)size;
    profiled.heap -= (u32)size;
}
