#define WIDTH 32
#define HEIGHT 24
