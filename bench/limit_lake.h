/* FrozenLake 4x4 and its tabular softmax policy, for the hand-written C. */
#include "limit.h"

enum { STATES = 16, ACTIONS = 4, PAIRS = STATES * ACTIONS, LONGEST = 100, GOAL = 15 };
enum { ENDS = 1 << 5 | 1 << 7 | 1 << 11 | 1 << 12 | 1 << GOAL }; /* the holes and the goal, a bit each */

INLINE int is_end(int s) { return ENDS >> s & 1; }

/* Where a step left, down, right or up (0 to 3) leads; nothing leaves an end. */
INLINE int leads_to(int s, int way) {
    int row = s / 4 + (way == 1) - (way == 3), column = s % 4 + (way == 2) - (way == 0);
    return is_end(s) || row < 0 || row > 3 || column < 0 || column > 3 ? s : 4 * row + column;
}

/* pi(a|s) at [4 s + a]. */
INLINE void softmax(const double *theta, double *policy) {
    for (int s = 0; s < PAIRS; s += ACTIONS) {
        double mass = 0, peak = theta[s];
        for (int k = s + 1; k < s + ACTIONS; k++) peak = theta[k] > peak ? theta[k] : peak;
        for (int k = s; k < s + ACTIONS; k++) mass += policy[k] = exp2_of(LOG2_E * (theta[k] - peak));
        for (int k = s; k < s + ACTIONS; k++) policy[k] /= mass;
    }
}

/* theta moves along the gradient C[s, a] - pi(a|s) sum_a C[s, a]. */
INLINE void climb(double *theta, const double *policy, const double *c, double rate) {
    for (int s = 0; s < PAIRS; s += ACTIONS) {
        double sum = 0;
        for (int k = s; k < s + ACTIONS; k++) sum += c[k];
        for (int k = s; k < s + ACTIONS; k++) theta[k] += rate * (c[k] - policy[k] * sum);
    }
}
