/* What the profiled process keeps at a known address, for the plug-in to read: all of 32 bits, as the process sees it. */
#ifndef HLTUNE_PROFILE_H
#define HLTUNE_PROFILE_H

#define MOST_FUNCS 1024

#define PROFILED_FUNC(word)                                                                                            \
    struct profiled_func {                                                                                             \
        word name; /* where its text is */                                                                             \
        word allocations, heap, heap_peak, stack_peak;                                                                 \
    }

#define PROFILED(word)                                                                                                 \
    struct profiled {                                                                                                  \
        word current; /* where the number of the Func that runs is; 0 while none does */                               \
        word funcs, heap, heap_peak;                                                                                   \
        struct profiled_func func[MOST_FUNCS];                                                                         \
    }

#endif
