"""Figures of PyPI `obp` (Saito et al.) for the estimators of `burnrec ope`, over a log that both make alike.

    python -m venv v && v/bin/pip install obp==0.4.1 && v/bin/python benches/peers/obp_check.py [open-bandit/random/all/all.csv]

Without an argument it prints the figures that stand in tests/tests/whole/ope.rs. With the sample of the Open Bandit data it writes
policy.csv and prints what `burnrec ope` must say of it (docs/drn.md).
"""

import sys

import numpy as np
import pandas as pd
from obp.ope import (
    DirectMethod,
    DoublyRobust,
    InverseProbabilityWeighting,
    SelfNormalizedInverseProbabilityWeighting,
    SwitchDoublyRobust,
)

if len(sys.argv) > 1:
    log = pd.read_csv(sys.argv[1])
    action, position, reward, mu = (log[c].to_numpy() for c in ["item_id", "position", "click", "propensity_score"])
else:
    row = np.arange(600)
    action, position = (row * 7 + row // 5) % 8, row % 3 + 1
    reward, mu = ((row * 13) % 11 < 2).astype(int), (1 + (action + position) % 4) / 20
position = position - 1
actions, places, rows = int(action.max()) + 1, 3, len(action)
weight = 1.0 + (np.arange(actions)[:, None] * 7 + np.arange(places)[None, :] * 3) % 5
policy = weight / weight.sum(0, keepdims=True)
table = [(a, k + 1, policy[a, k]) for a in range(actions) for k in range(places)]
pd.DataFrame(table, columns=["item_id", "position", "probability"]).to_csv("policy.csv", index=False, float_format="%.17g")
# r-hat: the mean of each action and position over the other two folds of rows, with ten rows of the overall mean added.
model = np.zeros((rows, actions, places))
for fold in range(3):
    rest = np.arange(rows) % 3 != fold
    sums, counts = np.zeros((actions, places)), np.zeros((actions, places))
    np.add.at(sums, (action[rest], position[rest]), reward[rest])
    np.add.at(counts, (action[rest], position[rest]), 1)
    model[~rest] = ((sums + 10 * reward[rest].mean()) / (counts + 10))[None]
pi = np.broadcast_to(policy[None], (rows, actions, places)).copy()
logged = dict(reward=reward, action=action, pscore=mu, action_dist=pi, position=position)
print("ips", InverseProbabilityWeighting().estimate_policy_value(**logged))
print("snips", SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**logged))
by_model = dict(action_dist=pi, position=position, estimated_rewards_by_reg_model=model)
print("dm", DirectMethod().estimate_policy_value(**by_model))
print("dr", DoublyRobust().estimate_policy_value(**logged, estimated_rewards_by_reg_model=model))
print("switch-dr at 1.2", SwitchDoublyRobust(tau=1.2).estimate_policy_value(**logged, estimated_rewards_by_reg_model=model))
