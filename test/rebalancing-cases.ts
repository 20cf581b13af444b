// Which test holds each worked case of rebalancing (rebalancing.md §7.2).
import type { SpecCase } from './spec-cases.ts'

const plan = 'src/planning/reference-plan.test.ts'
const placement = 'src/cluster/placement.test.ts'
const simulation = 'src/planning/simulation/simulate.test.ts'
const compat = 'src/capabilities/deschedule/compat'
const low = `${compat}/strategies/utilization.test.ts`
const balance = `${compat}/strategies/balance.test.ts`
const budget = 'src/cluster/disruption-budget.test.ts'
const verify = 'src/planning/verifier/verify.test.ts'
const energy = 'src/planning/energy/plan-energy.test.ts'
const coalescing = 'src/coordination/arbiter/arbiter-coalescing.test.ts'
const troubles = 'test/deschedule-troubles.deep.test.ts'
const rights = 'test/descheduler-rights.test.ts'
const isolation = 'test/isolation-on-twin.deep.test.ts'
const reverse = 'src/coordination/policy/pauses/reverse-move.test.ts'
const givingWay = 'src/coordination/arbiter/giving-way.test.ts'
const property = 'src/planning/plan-property.test.ts'

// biome-ignore format: a table
export const rebalancingCases: readonly SpecCase[] = [
  { number: 1, what: 'both goals of T4: 15 moves, 14 without a margin', heldBy: [[plan, 'case 1 and H3: margin %d, landing %s: %d moves, relaxation %d']] },
  { number: 2, what: 'talos00 isolated and talos03 used: 23 moves', heldBy: [[plan, 'case 2: talos00 emptied of what is not core, and talos03 filled: 23 moves']] },
  { number: 3, what: 'the same pods, landing freely', heldBy: [[placement, 'case 3: talos00 tainted, what is not core evicted from it lands where it likes: on %s talos03 comes to some %d %, not 30'], ['test/simulate.deep.test.ts', 'case 3: talos00 tainted and emptied, free landing']] },
  { number: 4, what: 'LowNodeUtilization with its defaults never relieves talos00', heldBy: [[low, 'case 4: on the reference cluster one full resource stops it all, and the next cycle does nothing more'], ['test/descheduler-homelabs.deep.test.ts', 'H10: as found and without demanding budgets, five cycles never relieve talos00']] },
  { number: 5, what: 'the landing of mimir-store-gateway', heldBy: [[placement, 'case 5: mimir-store-gateway, evicted, lands on talos03'], [simulation, 'case 5: mimir-store-gateway, evicted, with its totals']] },
  { number: 6, what: 'the landing of one loki, by server', heldBy: [[placement, 'case 6: one loki, evicted, on %s'], [simulation, 'case 6: one loki, evicted, on %s lands on %s']] },
  { number: 7, what: 'the scores of the simulator’s sample', heldBy: [[placement, 'case 7: an empty node of 4 CPUs and 32 GiB, a pod of 100m and 16 GiB']] },
  { number: 8, what: 'four evictions from A', heldBy: [[low, 'case 8: four pods go until neither CPU nor pods are above the target']] },
  { number: 9, what: 'exactly the threshold, exactly the target', heldBy: [[low, 'case 9: exactly the threshold is under, exactly the target is not over']] },
  { number: 10, what: 'deviations from the mean', heldBy: [[low, 'case 10: deviations are from the mean of all nodes']] },
  { number: 11, what: 'values of Prometheus', heldBy: [[low, 'case 11: a query says shares, cut to whole percent; without figures of pods one goes, or as many as the limit says'], [low, 'case 11: a value above 1'], [low, 'case 11: a node that is missing'], ['test/descheduler-usage.deep.test.ts', 'case 11: a server is asked for the query, and one pod goes, or three']] },
  { number: 12, what: 'domains of 1, 1 and 8', heldBy: [[balance, 'case 12: the biggest domain gives to the smallest until they are near enough']] },
  { number: 13, what: 'nine duplicates on four nodes', heldBy: [[balance, 'case 13: of nine on four nodes the average stays']] },
  { number: 14, what: 'one toleration of everything against two taints', heldBy: [[low, 'case 14: one toleration of everything does not do for a node with two taints'], [plan, 'case 14: a pod that tolerates everything moves to a node with two taints']] },
  { number: 15, what: 'requests with init containers, a sidecar and overhead', heldBy: [['src/cluster/requests.test.ts', 'case 15: init containers, a sidecar between them, containers, overhead'], [low, 'case 15: the sum of a node counts the dearest moment of starting up']] },
  { number: 16, what: 'a request of 0 where less than nothing is free', heldBy: [[placement, 'case 16: a request of 0 fits where nothing is left'], [`${compat}/evictor/node-fit.test.ts`, 'case 16: an explicit request of 0 is compared with what is free, even where that is less than nothing']] },
  { number: 17, what: 'minAvailable 50 % of five', heldBy: [[budget, 'case 17: half of five, three evictions, then the replacements are ready'], [simulation, 'case 17: half of five: two go, the third is refused; with their replacements ready two may go again']] },
  { number: 18, what: 'minAvailable 1 of one replica', heldBy: [[plan, 'case 18: minAvailable 1 over one replica is PDBNeverAllows'], [troubles, 'a budget that can never allow it is asked for once, not hammered; the workload is left out and said (7.2 case 18)']] },
  { number: 19, what: 'a pod that is not ready', heldBy: [[budget, 'case 19: a pod that is not ready under a budget below its wish is refused by default, evicted with AlwaysAllow'], [simulation, 'case 19: not ready below a budget: refused by default, gone with AlwaysAllow']] },
  { number: 20, what: 'a local volume on a node that is isolated', heldBy: [[isolation, 'case 20: a volume bound to talos00 blocks everything until it is excepted']] },
  { number: 21, what: 'node-exporter does not come back', heldBy: [[isolation, 'H7 and case 21: node-exporter is warned of, and nobody moves in mode Report']] },
  { number: 22, what: 'labelled for the descheduler, targeted by a ScaledObject', heldBy: [[plan, 'case 22: a workload that a ScaledObject targets is KedaManaged whatever its label says'], [troubles, 'a workload labelled for the descheduler that a ScaledObject targets stays, and a warning says so once (7.2 case 22)'], [rights, 'case 22: with enforce what a ScaledObject targets stays whatever its label says, and a Warning says so once']] },
  { number: 23, what: 'a continuous interval where it is enforced', heldBy: [[rights, 'case 23: with enforce an interval without a window is refused by the name of the rule']] },
  { number: 24, what: 'a strategies block, an unknown field of arguments', heldBy: [[`${compat}/policy/read-policy.test.ts`, 'case 24: fields that nobody reads are named and do nothing; arguments are strict'], ['test/rebalancing-bad-input-policy.deep.test.ts', 'case 24: a strategies block is warned of and does nothing, an unknown field of arguments is refused']] },
  { number: 25, what: 'limits in all, per node and per namespace', heldBy: [[`${compat}/cycle.test.ts`, 'case 25: total 5, per node 2, per namespace 3; two nodes with four candidates each'], ['test/descheduler-run.deep.test.ts', 'case 25: per node, then per namespace, in the order of the nodes, each refusal counted under its text']] },
  { number: 26, what: 'a move back within a day', heldBy: [[reverse, 'it came from there two hours ago'], [reverse, 'a millisecond less than a day ago']] },
  { number: 27, what: 'a move, a size and a secret for one workload', heldBy: [[coalescing, 'the secret last: one rollout at once that carries all three, two go along'], ['test/fights.deep.test.ts', 'move first, then resize, then the rotated Secret: one rollout at once that carries all three']] },
  { number: 28, what: 'a workload at zero', heldBy: [[coalescing, 'a workload at zero: nothing to do for either (7.2 case 28)'], ['test/fights.deep.test.ts', 'is left alone by reload and resize; its first pod has the new size and has read the new Secret']] },
  { number: 29, what: 'a drain that gives way to a Pending pod', heldBy: [[givingWay, 'a drain of n2 with a pod that fits only there (7.2 case 29)'], ['src/coordination/arbiter/yield-drains.test.ts', 'ends first, then its node takes pods again; log, event and count say so (7.2 case 29)'], ['test/drain-gives-way.deep.test.ts', 'over HTTPS, with the rights of its ServiceAccount: the drain ends and the pod lands on n2 (7.2 case 29)']] },
  { number: 30, what: 'killed after the eviction', heldBy: [['src/coordination/arbiter/arbiter.test.ts', 'killed after the eviction: finds the pod gone and grants nothing more to its workload before the replacement stands (7.2 case 30)']] },
  { number: 31, what: 'no node of T4 may be off', heldBy: [[energy, 'case 31: with the goals of case 1 no node of T4 may be off, each for a reason of its own']] },
  { number: 32, what: 'the emptiest of three equal nodes', heldBy: [[energy, 'case 32: three equal nodes at 30, 30 and 20 %, no goals, two stay ready']] },
  { number: 33, what: 'a plan that was edited', heldBy: [[verify, 'a destination changed to a full node: the move and the resource are named'], ['src/coordination/plans/plan-object.test.ts', 'edited, is refused by the verifier (7.2 case 33)']] },
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the name of the test as its file has it
  { number: 34, what: 'random clusters, every move replayed', heldBy: [[property, '${runs} random clusters: every certificate holds, and no plan is below its own bound']] },
]
