"""Blackjack of Sutton & Barto, as Gymnasium plays it."""

from typing import NamedTuple

import numpy as np

from pgfast.drawing import Words, box
from pgfast.tables import TabularMDP

CARDS = {1: 1 / 13, **dict.fromkeys(range(2, 10), 1 / 13), 10: 4 / 13}  # from a deck without end; 1 is an ace
SUMS, DEALERS = 32, 11  # how many numbers an observation has room for
SEEN = SUMS * DEALERS * 2
NATURALS = SEEN  # states from here on: a natural of the player's, by the dealer's card
STICK, HIT = 0, 1


class Blackjack(NamedTuple):
    """Come closer to 21 than the dealer, and not beyond.

    State: (player's sum · 11 + dealer's card) · 2 + usable ace (0 or 1); 704 + dealer's card while the player has a
    natural, an ace and a ten and no other card. An ace counts as 11, and is called usable, where that doesn't go
    beyond 21.
    Actions: 0 stick, 1 hit.
    Observations: the state; a natural looks like any 21 with a usable ace.
    Reward: at the end 1 for a sum above the dealer's, or where the dealer goes beyond 21; 0 for an equal one; −1
    otherwise. With `natural` a natural that wins gets 1.5; with `sab` a natural wins unless the dealer has one too.
    End: when the player sticks (then the dealer draws up to a sum of 17 or more) or goes beyond 21.
    Parameters: natural, sab (the rules of Sutton & Barto; `natural` then has no effect).
    Reference: Sutton & Barto (2018), example 5.1; Gymnasium's Blackjack-v1, which sets sab. There the dealer's second
    card is dealt at the start and not shown; here it is dealt when the dealer plays, which is the same.
    """

    natural: bool = False
    sab: bool = False

    def table(self):
        table = [[[(1.0, state, 0, True)]] * 2 for state in range(SEEN + DEALERS)]  # what no hand leads to stays so
        for dealer in CARDS:
            results = dealer_plays(dealer)
            for player in range(4, 22):
                for ace in range(2 if player >= 12 else 1):
                    state = encode(player, dealer, ace)
                    table[state] = [self.stick(player, results, state, False), hit(player, dealer, ace)]
            table[NATURALS + dealer] = [self.stick(21, results, NATURALS + dealer, True), hit(21, dealer, 1)]
        seen = np.arange(len(table))
        seen[NATURALS + 1 :] = [encode(21, dealer, 1) for dealer in CARDS]
        seen[NATURALS] = 0
        return TabularMDP.from_outcomes(table, first_hands(len(table)), observations=seen, name="Blackjack")

    def stick(self, player, results, state, is_natural):
        """What can follow when the dealer plays: (probability, next state, reward, terminated) each."""
        chances = {}
        for (total, is_dealers_natural), chance in results.items():
            reward = float(player > total) - float(player < total)
            if self.sab and is_natural and not is_dealers_natural:
                reward = 1.0
            elif self.natural and not self.sab and is_natural and reward == 1.0:
                reward = 1.5
            chances[reward] = chances.get(reward, 0.0) + chance
        return [(chance, state, reward, True) for reward, chance in chances.items()]

    def text(self, state):
        player, dealer, ace = decode(state)
        return f"dealer {card_name(dealer)}\nplayer {player}{', an ace counts as 11' if ace else ''}"

    def draw(self, state):
        player, dealer, ace = decode(state)
        return [
            box(0.02, 0.02, 0.98, 0.98, "#3f7a55"),
            Words((0.5, 0.9), "dealer", "white"),
            box(0.3, 0.54, 0.48, 0.82, "white"),
            Words((0.39, 0.68), card_name(dealer), height=0.12),
            box(0.52, 0.54, 0.7, 0.82, "#8a9ab0"),
            Words((0.5, 0.4), "player", "white"),
            Words((0.5, 0.25), str(player), "white", 0.16),
            Words((0.5, 0.1), "usable ace" if ace else "", "white"),
        ]


def encode(player, dealer, ace):
    return (player * DEALERS + dealer) * 2 + ace


def decode(state):
    """Player's sum, dealer's card and usable ace."""
    state = encode(21, state - NATURALS, 1) if state >= NATURALS else state
    return state // (2 * DEALERS), state // 2 % DEALERS, state % 2


def card_name(card):
    return "A" if card == 1 else str(card)


def add(total, usable, card):
    """A sum and whether an ace in it counts as 11, with one more card."""
    lowest = total - 10 * usable + card
    usable = int((usable or card == 1) and lowest + 10 <= 21)
    return lowest + 10 * usable, usable


def hit(player, dealer, ace):
    """What can follow one more card for the player."""
    found = []
    for card, chance in CARDS.items():
        total, usable = add(player, ace, card)
        found.append((chance, encode(total, dealer, usable), -1.0 if total > 21 else 0.0, total > 21))
    return found


def dealer_plays(shown):
    """The probability of each (sum, is it a natural?) that the dealer may come to; a sum beyond 21 counts as 0."""
    found = {}
    waiting = [(*add(0, 0, shown), 1, 1.0)]
    while waiting:
        total, usable, cards, chance = waiting.pop()
        if total >= 17:
            result = (0 if total > 21 else total, cards == 2 and total == 21)
            found[result] = found.get(result, 0.0) + chance
        else:
            waiting += [(*add(total, usable, card), cards + 1, chance * p) for card, p in CARDS.items()]
    return found


def first_hands(n_states):
    """The distribution of the first state, after two cards for the player and one of the dealer's."""
    rho0 = np.zeros(n_states)
    for one, p in CARDS.items():
        for other, q in CARDS.items():
            total, usable = add(*add(0, 0, one), other)
            for dealer, chance in CARDS.items():
                is_natural = total == 21
                rho0[NATURALS + dealer if is_natural else encode(total, dealer, usable)] += p * q * chance
    return rho0
