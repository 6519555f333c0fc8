/* REINFORCE on the short corridor, an update after every episode, LANES independent runs in lockstep: what vector
   registers can do.

   A policy over two actions that sees nothing is one number h = theta_1 - theta_0. Every reward is -1, so with the trace
   e <- gamma e + grad log pi the estimate of an episode is -sum_t e_t. Lanes look only every BLOCK steps whether their
   episode has ended; truth values are words of ones or zeros, which any compiler turns into vector code. */
#include "limit.h"

enum { LANES = 64, BLOCK = 8, LONGEST = 20000 };

/* Where left and right lead: place k is written 8 k, and its byte in these is the next one. At place 1 they are the
   other way round; nothing leaves the end. */
#define LEFT ((word)0x18081000)
#define RIGHT ((word)0x18180008)
#define END 24

/* Lane i of everything; `right` is the probability of going there and `chance` its threshold. */
static word random[4][LANES], chance[LANES], place[LANES], lasted[LANES], ended[LANES], before_tail[LANES], total[LANES];
static real right[LANES], logit[LANES], trace[LANES], sum[LANES];

/* All ones if a < b, else zero; for numbers below half of a word's range. */
INLINE word less(word a, word b) { return (word)((integer)(a - b) >> (BITS - 1)); }

INLINE real masked(real x, word mask) { return as_real(as_word(x) & mask); }

static word play(int n, real gamma, real rate, word tail, word episodes) {
    word any = 0;
    for (int i = 0; i < n; i++) {
        word s = place[i], t = lasted[i], level = chance[i];
        word a = random[0][i], b = random[1][i], c = random[2][i], d = random[3][i];
        real e = trace[i], g = sum[i], p = right[i], h = logit[i];
#pragma GCC unroll 8
        for (int k = 0; k < BLOCK; k++) {
            word on = less(s, END), to_right = less(upper(draw(&a, &b, &c, &d)), level);
            e = gamma * e + masked(1, to_right) - p;
            g += masked(e, on);
            t -= on;
            s = (LEFT ^ ((LEFT ^ RIGHT) & to_right)) >> s & END;
        }
        random[0][i] = a, random[1][i] = b, random[2][i] = c, random[3][i] = d;

        word on = less(s, END) & less(t, LONGEST);
        logit[i] = h -= masked(rate * g, ~on);
        right[i] = 1 / (1 + exp2_of((real)-LOG2_E * h)), chance[i] = threshold(right[i]);
        place[i] = s & on, lasted[i] = t & on;
        trace[i] = masked(e, on), sum[i] = masked(g, on);
        total[i] += t & ~on;
        word done = ended[i] -= ~on;
        before_tail[i] = done == tail ? total[i] : before_tail[i];
        any |= ~less(done, episodes);
    }
    return any;
}

static void start(int i, real h) {
    logit[i] = h, right[i] = 1 / (1 + exp2_of((real)-LOG2_E * h)), chance[i] = threshold(right[i]);
    place[i] = lasted[i] = ended[i] = before_tail[i] = total[i] = 0;
    trace[i] = sum[i] = 0;
}

/* Lane `from` takes the place of lane i. */
static void replace(int i, int from) {
    for (int k = 0; k < 4; k++) random[k][i] = random[k][from];
    logit[i] = logit[from], right[i] = right[from], chance[i] = chance[from];
    place[i] = place[from], lasted[i] = lasted[from], ended[i] = ended[from];
    before_tail[i] = before_tail[from], total[i] = total[from];
    trace[i] = trace[from], sum[i] = sum[from];
}

void train(training *task) {
    int64_t waiting = task->runs;
    int n = 0;
    for (int i = 0; i < LANES; i++)
        for (int k = 0; k < 4; k++) random[k][i] = seed_word(&task->seed);
    for (; n < LANES && waiting > 0; n++, waiting--) start(n, task->h0);
    while (n > 0) {
        /* those that fill up the last vector play on and count for nothing */
        int padded = (n + VECTOR - 1) / VECTOR * VECTOR;
        if (!play(padded, task->gamma, 2 * task->lr, first_of_tail(task), task->episodes)) continue;
        for (int i = 0; i < n; i++)
            while (i < n && ended[i] == (word)task->episodes) {
                task->steps += total[i], task->tail -= total[i] - before_tail[i];
                task->counted += task->episodes - first_of_tail(task);
                if (waiting > 0) start(i, task->h0), waiting--;
                else replace(i, --n);
            }
    }
}
