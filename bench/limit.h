/* What the hand-written C has in common. One precision for everything (-DSINGLE: float): random words are as wide as the
   reals, so that a vector register holds as many of either. Nothing here branches, so loops over lanes that call it
   become vector code.

   Each source defines train(): one complete training of one task. */
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#ifdef SINGLE
#define size_of __builtin_fabsf
typedef float real;
typedef uint32_t word;
typedef int32_t integer;
enum { BITS = 32, MANTISSA = 23, BIAS = 127, SHIFT = 9, ROTATE = 11 };
#else
#define size_of __builtin_fabs
typedef double real;
typedef uint64_t word;
typedef int64_t integer;
enum { BITS = 64, MANTISSA = 52, BIAS = 1023, SHIFT = 17, ROTATE = 45 };
#endif
#define LOG2_E 1.4426950408889634

/* What to do, and then what came of it. */
typedef struct {
    uint64_t seed;
    int64_t runs, episodes, batch; /* episodes: of each run */
    double gamma, lr;
    double h0; /* first preference for right, in the corridor */
    double steps; /* taken, of all runs */
    double tail; /* sum of the returns of the episodes of the last tenth of each run */
    double counted; /* how many these are */
} training;

void train(training *task);

INLINE int64_t first_of_tail(const training *task) { return task->episodes - task->episodes / 10; }

enum { VECTOR = 64 / sizeof(real) }; /* lanes of an AVX-512 register */

INLINE real as_real(word bits) {
    real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

INLINE word as_word(real x) {
    word bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* xoshiro128+ and xoshiro256+ (Blackman & Vigna, "Scrambled linear pseudorandom number generators", 2021): the cheapest
   sound generators whose upper bits, the only ones used here, pass the usual tests. */
INLINE word draw(word *a, word *b, word *c, word *d) {
    word sum = *a + *d, old_a = *a, old_c = *c, shifted = *b << SHIFT, turned = *d ^ *b;
    *a ^= turned;
    *c ^= old_a ^ shifted;
    *b ^= old_a ^ old_c;
    *d = turned << ROTATE | turned >> (BITS - ROTATE);
    return sum;
}

typedef struct {
    word a, b, c, d;
} generator;

INLINE word next(generator *g) { return draw(&g->a, &g->b, &g->c, &g->d); }

/* The upper bits of a random word, uniform below 2**MANTISSA; they are below threshold(p) with probability p. */
INLINE word upper(word drawn) { return drawn >> (BITS - MANTISSA); }

INLINE word threshold(real p) { return as_word(1 + p) - as_word(1); }

/* The same as a number in [1, 2), which costs less than one in [0, 1). */
INLINE real above_one(word drawn) { return as_real(upper(drawn) | as_word(1)); }

/* SplitMix64 (Steele, Lea & Flood 2014): fills the generators' states. */
INLINE word seed_word(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return (word)(z ^ z >> 31);
}

INLINE generator seeded(uint64_t seed) {
    word a = seed_word(&seed), b = seed_word(&seed), c = seed_word(&seed), d = seed_word(&seed);
    return (generator){a, b, c, d};
}

/* The running mean of the returns credited to steps, of all batches so far. */
typedef struct {
    double mean, steps;
} baseline;

INLINE void follow(baseline *b, double credited, double steps) {
    b->steps += steps;
    b->mean += (credited - steps * b->mean) / b->steps;
}

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* 2**x to about a unit in the last place; x is held within ±(BIAS - 1). The nearest integer goes to the exponent, the
   rest through a minimax polynomial. */
INLINE real exp2_of(real x) {
    const real most = BIAS - 1, magic = (real)3 * ((word)1 << (MANTISSA - 1)); /* adding 1.5 * 2**MANTISSA rounds */
    x = x < most ? x : most;
    x = x > -most ? x : -most;
    real shifted = x + magic, f = x - (shifted - magic);
#ifdef SINGLE
    real y = 1.3276472631950876e-3f;
    y = y * f + 9.6755413431213274e-3f;
    y = y * f + 5.5507132718556442e-2f;
    y = y * f + 2.4022119723710720e-1f;
    y = y * f + 6.9314696706503521e-1f;
    y = y * f + 1.0000000716547141f;
#else
    real y = 7.0372795305828035e-9;
    y = y * f + 1.0208537904552164e-7;
    y = y * f + 1.3215662831846103e-6;
    y = y * f + 1.5252658116561384e-5;
    y = y * f + 1.5403529961135955e-4;
    y = y * f + 1.3333558228561476e-3;
    y = y * f + 9.6181291080345887e-3;
    y = y * f + 5.5504108664458833e-2;
    y = y * f + 2.4022650695908768e-1;
    y = y * f + 6.9314718055994978e-1;
    y = y * f + 1.0;
#endif
    return as_real(as_word(y) + (as_word(shifted) << MANTISSA));
}
