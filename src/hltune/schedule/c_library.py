"""Names that C programs have already: a pipeline of such a name would take their place, or not compile beside them.

Source: ISO C17, 7.3 to 7.31, what glibc's headers of the same names add from POSIX, and the names of glibc's headers.
"""

from hltune.schedule.languages import C_RESERVED

_FLOATING = """
acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp10 exp2 expm1 fabs fdim floor fma
fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint
nextafter nexttoward pow remainder remquo rint round scalbln scalbn sin sincos sinh sqrt tan tanh tgamma trunc
cabs cacos cacosh carg casin casinh catan catanh ccos ccosh cexp cimag clog conj cpow cproj creal csin csinh csqrt ctan
ctanh drem finite gamma isinf isnan j0 j1 jn scalb significand y0 y1 yn
""".split()  # noqa: SIM905 - a table
_OTHERS = """
abort abs accept access acct alarm aligned_alloc asctime asprintf at_quick_exit atexit atof atoi atol atoll basename
bcmp bcopy bind brk bsearch bzero calloc chdir chmod chown chroot clearerr clock close closedir confstr connect creat
crypt ctermid ctime daemon difftime div dprintf dup dup2 ecvt encrypt endpwent execl execle execlp execv execve execvp
exit fchdir fchown fclose fcntl fcvt fdatasync fdopen feof ferror fflush ffs fgetc fgetpos fgets fileno flock fopen
fork fprintf fputc fputs fread free freopen fscanf fseek fseeko fsetpos fstat fsync ftell ftruncate ftw fwrite gcvt
getc getchar getcwd getdelim getenv getline getopt getpass getpid getppid gets getsubopt getuid getw getwd gmtime
grantpt index initstate ioctl isalnum isalpha isascii isatty isblank iscntrl isdigit isgraph islower isprint ispunct
isspace isupper isxdigit jrand48 kill killpg l64a labs lchown ldiv link listen llabs lldiv localeconv localtime lockf
longjmp lrand48 lseek lstat malloc mblen mbstowcs mbtowc memccpy memchr memcmp memcpy memfrob memmem memmove mempcpy
memset mkdir mkdtemp mkfifo mkstemp mktemp mktime mmap mrand48 munmap nanosleep nice open opendir pathconf pause
pclose perror pipe poll popen pread printf psignal ptsname putc putchar putenv puts putw pwrite qsort quick_exit raise
rand random read readdir readlink realloc realpath recv remove rename rewind rindex rmdir sbrk scanf seed48
select send setbuf setenv setjmp setlocale setstate setvbuf shutdown signal sigaction signgam sleep snprintf socket
sprintf srand srandom sscanf stat stime strcasecmp strcat strchr strcmp strcoll strcpy strcspn strdup strerror strfry
strftime strlen strncasecmp strncat strncmp strncpy strndup strnlen strpbrk strptime strrchr strsep strsignal strspn
strstr strtod strtof strtok strtol strtold strtoll strtoul strtoull strxfrm swab symlink sync syscall sysconf system
tempnam time times tmpfile tmpnam toascii tolower toupper truncate ttyname tzset umask uname ungetc unlink unlockpt
unsetenv usleep utime vfork vfprintf vfscanf vprintf vscanf vsnprintf vsprintf vsscanf wait waitpid wcstombs wctomb
write
""".split()  # noqa: SIM905 - a table
_HEADERS = """
aio aliases argp argz byteswap complex cpio ctype dirent dlfcn elf endian envz err errno error execinfo fcntl features
fenv fmtmsg fnmatch fstab fts ftw gconv getopt glob grp iconv ifaddrs inttypes langinfo libgen libintl limits link
locale malloc math mcheck memory mntent monetary mqueue netdb obstack paths poll pthread pty pwd regex regexp resolv
sched search semaphore setjmp shadow signal spawn stab stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib
stdnoreturn string strings stropts sysexits syslog tar termio termios tgmath threads time ttyent uchar ucontext ulimit
unistd utime utmp utmpx values wait wchar wctype wordexp Halide HalideBuffer HalideRuntime
""".split()  # noqa: SIM905 - a table
"""Ours would be found in their place: the folder of an export is on the include path."""
_FUNCTIONS = frozenset([*_OTHERS, *(name + suffix for name in _FLOATING for suffix in ("", "f", "l"))])


def is_taken(name: str) -> bool:
    """No function of ours, nor its header, can be called so."""
    return name in C_RESERVED or name in _FUNCTIONS or name in _HEADERS or name.startswith("halide_")
