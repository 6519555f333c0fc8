/* REINFORCE on the short corridor, one run after another, an update after every episode: what careful C can do without
   vectors. Every reward is -1: the estimate is minus the sum of traces e <- gamma e + grad log pi. */
#include "limit.h"

enum { LONGEST = 20000 };

void train(training *task) {
    static const uint8_t leads[3][2] = {{0, 1}, {2, 0}, {1, 3}}; /* by place and action, left or right */
    const real gamma = task->gamma, rate = 2 * task->lr;
    generator random = seeded(task->seed);
    for (int64_t run = 0; run < task->runs; run++) {
        real h = task->h0;
        for (int64_t episode = 0; episode < task->episodes; episode++) {
            real p = 1 / (1 + exp2_of((real)-LOG2_E * h)), e = 0, sum = 0;
            word level = threshold(p);
            int s = 0, t = 0;
            do {
                int right = upper(next(&random)) < level;
                sum += e = gamma * e + ((right ? 1 : 0) - p);
                s = leads[s][right];
            } while ((s != 3) & (++t < LONGEST));
            h -= rate * sum;
            task->steps += t;
            if (episode >= first_of_tail(task)) task->tail -= t, task->counted++;
        }
    }
}
