/* REINFORCE on CartPole, one episode at a time: what careful C can do without vectors. */
#include "limit_cart.h"

/* One episode: its length; what it adds to sums of traces and of last traces. */
static int balance(generator *random, const real *w, real gamma, double *sum, double *last) {
    real now[4], trace[4] = {0}, sums[4] = {0};
    int t = 0, on = 1;
    generator g = *random;
    for (int k = 0; k < 4; k++) now[k] = (real)0.1 * (above_one(next(&g)) - (real)1.5);
    while (on) {
        real inverse = 1 + exp2_of(w[0] * now[0] + w[1] * now[1] + w[2] * now[2] + w[3] * now[3]); /* 1 / P(right) */
        real right = (above_one(next(&g)) - 1) * inverse < 1, score = right - 1 / inverse; /* nothing waits for the division */
        for (int k = 0; k < 4; k++) sums[k] += trace[k] = gamma * trace[k] + score * now[k];
        on = push_cart(&now[0], &now[1], &now[2], &now[3], right) & (++t < LONGEST);
    }
    for (int k = 0; k < 4; k++) sum[k] += sums[k], last[k] += trace[k];
    *random = g;
    return t;
}

void train(training *task) {
    double theta[4] = {0}, returns[LONGEST + 1];
    baseline mean = {0};
    generator random = seeded(task->seed);
    sum_returns(task->gamma, returns);
    for (int64_t first = 0; first < task->episodes; first += task->batch) {
        int64_t size = smaller(task->batch, task->episodes - first);
        double sum[4] = {0}, last[4] = {0}, credited = 0, steps = 0;
        real w[4];
        for (int k = 0; k < 4; k++) w[k] = -LOG2_E * theta[k];
        for (int64_t i = 0; i < size; i++) {
            int length = balance(&random, w, task->gamma, sum, last);
            credited += returns[length], steps += length;
        }
        climb(theta, sum, last, task->gamma, mean.mean, task->lr / size);
        follow(&mean, credited, steps);
        if (first >= first_of_tail(task)) task->tail += steps, task->counted += size;
    }
    task->steps = mean.steps;
}
