/* REINFORCE on CartPole, 64 episodes in lockstep: what vector registers can do.

   Forward traces make a stored trajectory unnecessary, and a softmax over two actions needs only theta_1 - theta_0. A
   lane that finishes takes the next episode; when none is left the last lane takes its place, so that vectors stay full
   to the end of the batch. */
#include "limit_cart.h"

enum { LANES = 64 };

/* Lane i of everything; rows of `now` are position, velocity, angle and angular velocity. */
static real now[4][LANES], trace[4][LANES], sums[4][LANES];
static word random[4][LANES], deadline[LANES], over[LANES], clock_now;

/* All lanes below n take one step; whether any episode ended. */
static word step(int n, const double *theta, real gamma) {
    const real w0 = -LOG2_E * theta[0], w1 = -LOG2_E * theta[1], w2 = -LOG2_E * theta[2], w3 = -LOG2_E * theta[3];
    word any = 0;
    clock_now++;
    for (int i = 0; i < n; i++) {
        real x = now[0][i], v = now[1][i], a = now[2][i], o = now[3][i];
        word drawn = draw(&random[0][i], &random[1][i], &random[2][i], &random[3][i]);
        real p = 1 / (1 + exp2_of(w0 * x + w1 * v + w2 * a + w3 * o));
        real right = above_one(drawn) < 1 + p ? 1 : 0, score = right - p;
        sums[0][i] += trace[0][i] = gamma * trace[0][i] + score * x;
        sums[1][i] += trace[1][i] = gamma * trace[1][i] + score * v;
        sums[2][i] += trace[2][i] = gamma * trace[2][i] + score * a;
        sums[3][i] += trace[3][i] = gamma * trace[3][i] + score * o;
        word on = push_cart(&x, &v, &a, &o, right) & (deadline[i] != clock_now);
        now[0][i] = x, now[1][i] = v, now[2][i] = a, now[3][i] = o;
        any |= over[i] = !on;
    }
    return any;
}

static void start(int i) {
    for (int k = 0; k < 4; k++) {
        word drawn = draw(&random[0][i], &random[1][i], &random[2][i], &random[3][i]);
        now[k][i] = (real)0.1 * (above_one(drawn) - (real)1.5);
        trace[k][i] = 0;
    }
    deadline[i] = clock_now + LONGEST;
}

/* Lane `from` takes the place of lane i, whose sums are done; they keep a generator each. */
static void replace(int i, int from, double *sum) {
    for (int k = 0; k < 4; k++) {
        sum[k] += sums[k][i];
        now[k][i] = now[k][from], trace[k][i] = trace[k][from], sums[k][i] = sums[k][from];
        word kept = random[k][i];
        random[k][i] = random[k][from], random[k][from] = kept;
    }
    deadline[i] = deadline[from], over[i] = over[from];
}

void train(training *task) {
    double theta[4] = {0}, returns[LONGEST + 1];
    baseline mean = {0};
    sum_returns(task->gamma, returns);
    for (int i = 0; i < LANES; i++)
        for (int k = 0; k < 4; k++) random[k][i] = seed_word(&task->seed);

    for (int64_t first = 0; first < task->episodes; first += task->batch) {
        int64_t size = smaller(task->batch, task->episodes - first), waiting = size;
        double sum[4] = {0}, last[4] = {0}, credited = 0, steps = 0;
        int n = 0;
        memset(sums, 0, sizeof sums);
        for (; n < LANES && waiting > 0; n++, waiting--) start(n);
        while (n > 0) {
            /* those that fill up the last vector play on and count for nothing */
            if (!step((n + VECTOR - 1) / VECTOR * VECTOR, theta, task->gamma)) continue;
            for (int i = 0; i < n; i++)
                while (i < n && over[i]) {
                    word length = LONGEST - (deadline[i] - clock_now);
                    for (int k = 0; k < 4; k++) last[k] += trace[k][i];
                    credited += returns[length], steps += length;
                    over[i] = 0;
                    if (waiting > 0) start(i), waiting--;
                    else replace(i, --n, sum);
                }
        }
        climb(theta, sum, last, task->gamma, mean.mean, task->lr / size);
        follow(&mean, credited, steps);
        if (first >= first_of_tail(task)) task->tail += steps, task->counted += size;
    }
    task->steps = mean.steps;
}
