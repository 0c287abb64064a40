#ifndef SHIFT
#error "the build says by how much"
#endif
