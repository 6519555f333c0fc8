/* REINFORCE on FrozenLake 4x4, 16 episodes in lockstep: what vector registers can do.

   The lake has as many states as an AVX-512 register has lanes, so each table by state is one register and a look-up one
   instruction. With gamma = 1 and a reward only at the end, all steps of an episode have the same return: an episode is
   its counts N[s, a]. With W those of the episodes that reached the goal and b the baseline, C = W - b N gives the
   gradient C[s, a] - pi(a|s) sum_a C[s, a]. Lanes look only every BLOCK steps whether their episode has ended. */
#include "limit_lake.h"

enum { LANES = 16, BLOCK = 5 };
_Static_assert((int)LONGEST % BLOCK == 0, "an episode is truncated where lanes are looked at");
_Static_assert((int)STATES == LANES, "a table by state is a register");

typedef uint32_t lanes __attribute__((vector_size(64)));
typedef int32_t signs __attribute__((vector_size(64)));
typedef uint8_t bytes __attribute__((vector_size(16)));

static lanes state, random[4], deadline, live;
static uint8_t counts[LANES][PAIRS]; /* of the episodes under way; in terminal states they mean nothing */
static lanes neighbours;             /* of a state: where left, down, right and up lead, four bits each */

/* table[s] of every lane. */
INLINE lanes look_up(lanes table, lanes s) {
#ifdef __clang__
    lanes found;
    for (int i = 0; i < LANES; i++) found[i] = table[s[i]];
    return found;
#else
    return __builtin_shuffle(table, s);
#endif
}

/* All lanes take BLOCK steps; episodes that end on the way stay where they are. `up_to[j][s]` is the probability of
   actions 0 ... j in state s, times 2**30. */
static void play(const lanes *up_to) {
    bytes tape[BLOCK]; /* 4 s + a */
    lanes s = state, a = random[0], b = random[1], c = random[2], d = random[3];
    for (int k = 0; k < BLOCK; k++) {
        lanes drawn = (a + d) >> 2, shifted = b << 9; /* xoshiro128+, as in limit.h */
        c ^= a, d ^= b, b ^= c, a ^= d, c ^= shifted, d = d << 11 | d >> 21;

        /* One number, three times as large: its whole part is where the ice takes us, the rest decides the action. */
        lanes triple = drawn + (drawn << 1), slip = triple >> 30, rest = triple & ((1u << 30) - 1);
        signs below = (signs)(rest - look_up(up_to[0], s)) >> 31; /* -1 or 0 */
        below += (signs)(rest - look_up(up_to[1], s)) >> 31;
        below += (signs)(rest - look_up(up_to[2], s)) >> 31;
        lanes action = 3 + (lanes)below, direction = (action + slip + 3) & 3;
        tape[k] = __builtin_convertvector((s << 2) + action, bytes);
        s = (look_up(neighbours, s) >> (direction << 2)) & 15;
    }
    state = s, random[0] = a, random[1] = b, random[2] = c, random[3] = d;
    for (int k = 0; k < BLOCK; k++)
        for (int i = 0; i < LANES; i++) counts[i][((uint8_t *)&tape[k])[i]]++;
}

/* Lane i's episode has ended: its counts go to a tally. */
static void move(int i, uint32_t *tally) {
    for (int k = 0; k < PAIRS; k++) tally[k] += counts[i][k];
    memset(counts[i], 0, PAIRS);
}

/* Plays a batch and counts the steps of episodes that failed and of those that reached the goal; how many did. */
static int64_t play_batch(int64_t waiting, const lanes *up_to, uint32_t (*tally)[PAIRS]) {
    uint32_t clock = 0;
    int64_t active = 0, goals = 0;
    for (int i = 0; i < LANES; i++) {
        live[i] = waiting > 0, state[i] = live[i] ? 0 : GOAL, deadline[i] = LONGEST;
        active += live[i], waiting -= live[i];
    }
    memset(counts, 0, sizeof counts);
    while (active > 0) {
        play(up_to);
        clock += BLOCK;
        lanes over = ((ENDS >> state) | (lanes)(deadline == clock)) & live;
        bytes flags = __builtin_convertvector(over, bytes);
        uint64_t halves[2];
        memcpy(halves, &flags, sizeof halves);
        for (int h = 0; h < 2; h++)
            for (uint64_t left = halves[h]; left; left &= left - 1) {
                int i = 8 * h + __builtin_ctzll(left) / 8, reached = state[i] == GOAL;
                goals += reached;
                move(i, tally[reached]);
                if (waiting > 0) waiting--, state[i] = 0, deadline[i] = clock + LONGEST;
                else active--, state[i] = GOAL, live[i] = 0;
            }
    }
    return goals;
}

void train(training *task) {
    double theta[PAIRS] = {0}, policy[PAIRS], c[PAIRS];
    baseline mean = {0};
    for (int i = 0; i < LANES; i++)
        for (int k = 0; k < 4; k++) random[k][i] = (uint32_t)seed_word(&task->seed);
    for (int s = 0; s < STATES; s++)
        for (int way = 0; way < 4; way++) neighbours[s] |= (uint32_t)leads_to(s, way) << 4 * way;

    for (int64_t first = 0; first < task->episodes; first += task->batch) {
        int64_t size = smaller(task->batch, task->episodes - first);
        uint32_t tally[2][PAIRS] = {{0}};
        lanes up_to[ACTIONS];
        softmax(theta, policy);
        for (int s = 0; s < STATES; s++) {
            double sum = 0;
            for (int a = 0; a < ACTIONS; a++) up_to[a][s] = (uint32_t)((sum += policy[s * ACTIONS + a]) * (1u << 30));
        }
        int64_t goals = play_batch(size, up_to, tally);
        double credited = 0, steps = 0;
        for (int k = 0; k < PAIRS; k++) {
            int counted = !is_end(k / ACTIONS);
            double won = counted * tally[1][k], all = counted * tally[0][k] + won;
            steps += all, credited += won, c[k] = won - mean.mean * all;
        }
        climb(theta, policy, c, task->lr / size);
        follow(&mean, credited, steps);
        if (first >= first_of_tail(task)) task->tail += goals, task->counted += size;
    }
    task->steps = mean.steps;
}
