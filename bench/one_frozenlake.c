/* REINFORCE on FrozenLake 4x4, one episode at a time: what careful C can do without vectors.

   Within a batch the policy is a table of cumulative probabilities. With gamma = 1 and a reward only at the end, all
   steps of an episode have the same return. */
#include "limit_lake.h"

static uint8_t leads[STATES][4]; /* by state and way */

/* One episode: C[s, a] += G_t - b, where `up_to` has the probability of actions 0 ... j, times 2**62. One random number,
   three times as large: its whole part is where the ice takes us, the rest decides the action. */
static int slide(generator *random, const uint64_t (*up_to)[3], double b, double *c, int *length) {
    uint8_t did[LONGEST];
    int s = 0, t = 0;
    generator g = *random;
    do {
        uint64_t drawn = next(&g) >> 2, triple = 3 * drawn, rest = triple & (((uint64_t)1 << 62) - 1);
        int a = (rest >= up_to[s][0]) + (rest >= up_to[s][1]) + (rest >= up_to[s][2]);
        did[t++] = s * ACTIONS + a;
        s = leads[s][(a + (triple >> 62) + 3) & 3];
    } while (!is_end(s) & (t < LONGEST));
    *random = g;
    *length = t;
    for (int k = 0; k < t; k++) c[did[k]] += (s == GOAL) - b;
    return s == GOAL;
}

void train(training *task) {
    double theta[PAIRS] = {0}, policy[PAIRS];
    baseline mean = {0};
    generator random = seeded(task->seed);
    for (int s = 0; s < STATES; s++)
        for (int way = 0; way < 4; way++) leads[s][way] = leads_to(s, way);
    for (int64_t first = 0; first < task->episodes; first += task->batch) {
        int64_t size = smaller(task->batch, task->episodes - first);
        double c[PAIRS] = {0}, credited = 0, steps = 0;
        uint64_t up_to[STATES][3];
        softmax(theta, policy);
        for (int s = 0; s < STATES; s++) {
            double sum = 0;
            for (int a = 0; a < 3; a++) up_to[s][a] = (sum += policy[s * ACTIONS + a]) * 0x1p62;
        }
        for (int64_t i = 0; i < size; i++) {
            int length, reached = slide(&random, up_to, mean.mean, c, &length);
            credited += reached * length, steps += length;
            if (first >= first_of_tail(task)) task->tail += reached, task->counted++;
        }
        climb(theta, policy, c, task->lr / size);
        follow(&mean, credited, steps);
    }
    task->steps = mean.steps;
}
