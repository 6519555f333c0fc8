/* CartPole as Gymnasium plays it (Euler steps), for the hand-written C. */
#include "limit.h"

enum { LONGEST = 500 };

/* One step. S = g sin a, C = c cos a and P = (force + m l o^2 sin a) / M / c, where c^2 = m l / M with m, M the pole's
   and the total mass and l half the pole's length, give both accelerations by as few operations as there are.
   |a| < 0.21 in an episode that goes on: so short a series is exact to the last place. `right` is 1 or 0; returns
   whether cart and pole stay where they should. */
INLINE int push_cart(real *position, real *velocity, real *angle, real *turning, real right) {
    const real g = 9.8, c = 0.21320071635561044 /* sqrt(0.05 / 1.1) */, per_mass = 1 / 1.1 / c;
    real v = *velocity, a = *angle, o = *turning, z = a * a;
#ifdef SINGLE
    real S = a * (g + z * (g / -6 + z * (g / 120)));
    real C = c + z * (c / -2 + z * (c / 24 + z * (c / -720)));
#else
    real S = a * (g + z * (g / -6 + z * (g / 120 + z * (g / -5040 + z * (g / 362880 + z * (g / -39916800))))));
    real C = c + z * (c / -2 + z * (c / 24 + z * (c / -720 + z * (c / 40320 + z * (c / -3628800)))));
#endif
    real P = o * o * (per_mass * (real)0.05 / g) * S - 10 * per_mass + 20 * per_mass * right;
    real speeding = (S - C * P) / ((real)(2. / 3) - C * C);
    *position += (real)0.02 * v;
    *velocity = v + (real)0.02 * c * (P - speeding * C);
    *angle = a + (real)0.02 * o;
    *turning = o + (real)0.02 * speeding;
    return (size_of(*position) <= (real)2.4) & (size_of(*angle) <= (real)0.20943951023931953);
}

/* Of an episode's length: the sum over its steps of the return G_t. */
INLINE void sum_returns(double gamma, double *credits) {
    double g = 0;
    credits[0] = 0;
    for (int t = 1; t <= LONGEST; t++) g = 1 + gamma * g, credits[t] = credits[t - 1] + g;
}

/* theta_1 - theta_0 moves; b is the baseline. With traces e <- gamma e + grad log pi, `sum` is that of all e, which is
   that of all G_t grad log pi since every reward is 1; `last` is that of each episode's last e. The plain sum of the
   scores, which the baseline multiplies, follows from these. */
INLINE void climb(double *theta, const double *sum, const double *last, double gamma, double b, double rate) {
    for (int k = 0; k < 4; k++) {
        double scores = (1 - gamma) * sum[k] + gamma * last[k];
        theta[k] += 2 * rate * (sum[k] - b * scores);
    }
}
