// Bad input and faults of rebalancing (rebalancing.md §4): which test holds each row, for the drop-in descheduler and for planned mode.
import type { Holder } from './spec-cases.ts'

export interface BadInputRow {
  /** The row of the spec, or the part of it that this is about. */
  readonly situation: string
  /** Never empty. */
  readonly heldBy: readonly Holder[]
}

const compat = 'src/capabilities/deschedule/compat'
const policy = `${compat}/policy/read-policy.test.ts`
const cycle = `${compat}/cycle.test.ts`
const usage = 'test/descheduler-usage.deep.test.ts'
const low = `${compat}/strategies/utilization.test.ts`
const watchPolicy = `${compat}/watch-policy.test.ts`
const election = 'test/descheduler-lease.test.ts'
const refusals = 'test/rebalancing-bad-input-policy.deep.test.ts'
const objects = 'test/rebalancing-bad-input-objects.deep.test.ts'
const cluster = 'test/rebalancing-bad-input-cluster.deep.test.ts'
const answers = 'test/descheduler-answers.deep.test.ts'
const life = 'test/descheduler-life.deep.test.ts'
const process = 'test/descheduler-process.deep.test.ts'

/** Cases of `ballast descheduler`. */
// biome-ignore format: a table
export const compatRows: readonly BadInputRow[] = [
  { situation: 'policy: an unknown plugin in pluginConfig', heldBy: [[refusals, 'a plugin in pluginConfig that nobody knows']] },
  { situation: 'policy: an enabled plugin that its extension point does not know', heldBy: [[refusals, 'an enabled plugin of another extension point'], [refusals, 'an enabled plugin that nobody knows']] },
  { situation: 'policy: an enabled plugin without pluginConfig', heldBy: [[refusals, 'an enabled plugin without pluginConfig']] },
  { situation: 'policy: bad percentages', heldBy: [[refusals, 'a percentage above 100'], [refusals, 'a percentage below 0'], [refusals, 'a low threshold above the target']] },
  { situation: 'policy: thresholds of other resources than the targets', heldBy: [[refusals, 'thresholds and targets of different resources']] },
  { situation: 'policy: both include and exclude', heldBy: [[refusals, 'namespaces to include and to exclude']] },
  { situation: 'policy: a bad selector', heldBy: [[refusals, 'a label selector with an unknown operator'], [refusals, 'a node selector that does not parse']] },
  { situation: 'policy: podRestartThreshold below 1', heldBy: [[refusals, 'a podRestartThreshold of 0']] },
  { situation: 'policy: a wrong word', heldBy: [[refusals, 'a state that is none'], [refusals, 'an eviction mode that is none'], [refusals, 'a constraint that is none'], [refusals, 'a noEvictionPolicy that is none']] },
  { situation: 'policy: a duplicate in a list of protections', heldBy: [[refusals, 'a protection named twice']] },
  { situation: 'policy: an empty name of a protected class', heldBy: [[refusals, 'a protected class without a name']] },
  { situation: 'policy: PodsWithPVC in defaultDisabled', heldBy: [[refusals, 'PodsWithPVC among the defaults']] },
  { situation: 'policy: refused at the start with 1, all errors in one message, each with its profile', heldBy: [[policy, 'all errors of all profiles are told at once, each with its profile'], [process, 'a policy that is refused'], [refusals, 'the process ends with 1 and says all of it at once']] },
  { situation: 'the ConfigMap changes while it runs', heldBy: [[watchPolicy, 'a swap of the link is seen %s'], [watchPolicy, 'what is wrong is told once with every problem, and the way back too'], [life, 'a good one holds from the next cycle on, a bad one leaves the older in force'], [`${compat}/instruments/instruments.test.ts`, 'the policy file is told: what nobody reads, what was refused']] },
  { situation: 'zero or one node', heldBy: [[objects, '%s: nothing is evicted, and that is no error'], [cycle, '%s: a cycle needs two ready nodes'], ['test/descheduler-run.deep.test.ts', 'fewer than two ready nodes: nothing is done, and that is no error']] },
  { situation: 'an empty list of profiles', heldBy: [[cycle, 'no profiles, no pods: nothing happens']] },
  { situation: 'pods without labels, nodes without allocatable', heldBy: [[objects, 'pods without labels, nodes without amounts, status or spec: no strategy fails'], [low, 'nodes without anything allocatable, or of 10^15 bytes, are counted exactly']] },
  { situation: 'owners that were deleted', heldBy: [[objects, 'owners that are gone, namespaces that nobody has: what is evicted is the same']] },
  { situation: 'odd quantities', heldBy: [[objects, '%s is counted in whole thousandths and bytes'], [objects, 'sums have no fractions: ten times 100m and a byte over'], [objects, '%s bytes of a pod: it is set aside by name and never evicted, the others are']] },
  { situation: 'negative free space, nodes of 10^15 bytes', heldBy: [[objects, 'negative free space: what is there counts, nothing fits there'], [objects, 'a node of 10^15 bytes is filled to the byte'], [low, 'nodes without anything allocatable, or of 10^15 bytes, are counted exactly']] },
  { situation: 'metrics-server is down', heldBy: [[usage, 'where metrics.k8s.io is away the start goes on, and the plugin alone fails']] },
  { situation: 'metrics of one node are missing', heldBy: [[usage, 'a node without a sample keeps what it had, and after two minutes fails the plugin'], [low, 'a node that was never sampled is an error of the plugin'], [usage, 'pods without figures are skipped']] },
  { situation: 'Prometheus: empty, NaN, duplicate series, above 1', heldBy: [[low, 'an empty vector'], [low, 'a value that is no number'], [low, 'case 11: a value above 1'], [low, 'case 11: a node that is missing'], [usage, 'case 11: %s fails the plugin, and nothing is evicted'], [refusals, 'two series of one node are an error of the plugin']] },
  { situation: 'a plugin that fails ends alone', heldBy: [[cycle, 'a plugin that fails ends alone, with what it evicted before'], [usage, 'nobody there: the plugin fails']] },
  { situation: 'a watch that breaks: 410, bookmarks lost, the API started anew', heldBy: [[cluster, '%s: it lists anew, decides by what is, and evicts no pod twice'], [cluster, 'watches that say 410'], [cluster, 'watches without bookmarks'], [cluster, 'a server that starts anew']] },
  { situation: 'no decision on a cache older than 60 s', heldBy: [[life, 'watches that fall silent: nothing is decided on a picture older than 60 s, the reason is told, and it goes on when they are back'], [`${compat}/run/cache-age.test.ts`, 'a moment too old']] },
  { situation: 'an eviction is answered with 429, with and without Retry-After', heldBy: [[answers, '429 of a budget'], [answers, '429 with Retry-After']] },
  { situation: 'an eviction is answered with 403, 404, 409, 500 (two budgets), 503', heldBy: [[answers, '403'], [answers, '404'], [answers, '409'], [answers, '500 of two budgets'], [answers, '503']] },
  { situation: 'a webhook denies an eviction', heldBy: [[answers, 'a webhook that denies']] },
  { situation: 'no answer, after the server acted and before', heldBy: [[answers, '%s after the server acted: the pod is read back and counts as evicted'], [answers, 'no answer and nothing done: the pod is looked at until the server has surely ended, and counts as failed'], [cluster, 'connections that break after the server acted']] },
  { situation: 'nothing is deleted instead of evicted', heldBy: [[answers, '%s: counted as an error, told by log and Event, not tried again, and the next pod is evicted']] },
  { situation: 'another pod has the name: the UID is a precondition', heldBy: [[answers, 'another pod got its name meanwhile: the UID is a precondition, it is left alone']] },
  { situation: 'two leaders for a moment', heldBy: [[life, 'of two one acts; when it is killed the other follows; what the first still sends changes nothing'], [life, 'cut off from the API server for longer than the Lease lasts, it ends and evicts nothing in the meantime'], [election, 'whoever loses it ends, and does not stand again']] },
  { situation: 'killed between eviction and record', heldBy: [[life, 'killed between eviction and record: the next one finds the permit, closes it, and evicts nothing twice'], [life, 'killed before the eviction arrived: the permit is withdrawn, and the pod is evicted by the next one']] },
  { situation: 'a clock that jumps', heldBy: [[cluster, 'forward by a day'], [cluster, 'back by a day']] },
  { situation: 'hostile objects: annotations of 1 MB', heldBy: [[objects, 'annotations of 1 MB: the pod is set aside by name and stays, the others are looked at']] },
  { situation: 'hostile objects: 5,000 tolerations', heldBy: [[objects, '5,000 tolerations of each pod against fifty taints of each node: every strategy comes to its end']] },
  { situation: 'hostile objects: selectors with 10,000 values', heldBy: [[objects, 'selectors with 10,000 values, in pods, budgets and the policy']] },
  { situation: 'hostile objects: the label __proto__', heldBy: [[objects, 'hostile labels, annotations and names are like any other'], [policy, 'keys of hostile policies are keys like any other'], [`${compat}/evictor/default-evictor.test.ts`, 'annotations and labels of hostile names are names like any other']] },
  { situation: 'hostile objects: a cost that is negative or no number', heldBy: [[objects, 'annotations %j of cost and protection of others mean nothing to upstream, and nothing to ours']] },
  { situation: 'no disk to write to', heldBy: [[cluster, 'no file is written: nothing but the policy is needed, also for a port with a certificate of its own']] },
]

const goals = 'src/planning/goals/goals.test.ts'
const schedule = 'src/coordination/plans/schedule.test.ts'
const planPolicy = 'src/coordination/plans/plan-policy.test.ts'
const energyPolicy = 'src/coordination/plans/energy-policy.test.ts'
const edits = 'test/deschedule-policy-edits.deep.test.ts'
const odd = 'src/planning/odd-clusters.test.ts'
const usageGoals = 'test/deschedule-usage.test.ts'
const freshUsage = 'src/coordination/plans/usage/fresh-usage.test.ts'
const effects = 'src/coordination/effects/effects.test.ts'
const midPlan = 'test/deschedule-mid-plan.deep.test.ts'
const troubles = 'test/deschedule-troubles.deep.test.ts'
const onTwin = 'test/deschedule-on-twin.deep.test.ts'
const arbiter = 'test/arbiter-bad-input.deep.test.ts'
const freshCheck = 'src/coordination/plans/fresh-check.test.ts'
const gate = 'src/coordination/plans/landing/landing-gate.test.ts'

/** Cases of plans and how they are carried out. */
// biome-ignore format: a table
export const plannedRows: readonly BadInputRow[] = [
  { situation: 'policy: shape, words, percentages', heldBy: [[schedule, 'a policy that does not have its shape is refused with every field'], [goals, 'a preference for a node that is not there, and headroom and limits out of range']] },
  { situation: 'policy: goals without a bound, without a node, that contradict', heldBy: [[goals, 'neither max nor min'], [onTwin, 'goals that contradict'], [onTwin, 'a node that is not there']] },
  { situation: 'policy: a bad selector', heldBy: [[goals, 'a selector of the scope or of a preference that is none'], [planPolicy, 'a selector that is none']] },
  { situation: 'policy: energy with watts, nodes or a window that are wrong', heldBy: [[energyPolicy, 'less busy than idle'], [energyPolicy, 'a node twice'], [energyPolicy, 'a window that is none'], [energyPolicy, 'a reserve %o is refused']] },
  { situation: 'policy: a continuous trigger where coordination is enforced, by the name of the rule', heldBy: [[schedule, 'every five minutes'], [schedule, 'two close times a day'], [onTwin, 'a continuous schedule']] },
  { situation: 'policy: all that is wrong at once', heldBy: [['src/planning/reference-plan.test.ts', 'problems of the policy stop everything and come all at once'], [energyPolicy, 'several at once']] },
  { situation: 'the policy changes while its plan waits or runs', heldBy: [[edits, 'a proposal is made anew at once, and needs an approval of its own'], [edits, 'in mid-plan the move under way lands, what is left is planned by the new goals and stays approved where that is less'], [edits, 'mode Report holds a running plan; windows that close do too, and neither plans it anew']] },
  { situation: 'the policy becomes one that cannot be planned', heldBy: [[edits, 'a policy that cannot be planned any more ends its plan, and says what is wrong with it']] },
  { situation: 'zero or one node, nodes without allocatable', heldBy: [[odd, 'nothing at all, no goals'], [odd, 'one node, which is too full'], [odd, 'nodes without anything allocatable']] },
  { situation: 'pods without labels, owners that were deleted', heldBy: [[odd, 'pods without labels, and owners that are gone: they stay, and the others move']] },
  { situation: 'odd quantities', heldBy: [[odd, 'cpu %s and memory %s are counted exactly'], [odd, 'a request of %s sets the pod aside by name; the others are planned']] },
  { situation: 'negative free space, nodes of 10^15 bytes', heldBy: [[odd, 'nodes of 10^15 bytes are filled to the byte, one with less than nothing free takes nobody']] },
  { situation: 'metrics-server is down: goals of use stand still, others go on', heldBy: [[usageGoals, 'without a metrics server nothing is moved for a goal of use, and the plan says why; missing is not taken for 0'], [usageGoals, 'goals of requests go on without a metrics server'], [usageGoals, 'figures that stop coming let an approved plan stand still; with new ones it goes on']] },
  { situation: 'figures that are missing, old or no quantity are unknown, never 0', heldBy: [['src/planning/goals/measurements.test.ts', 'a figure that is missing is not 0'], [freshUsage, 'a server that goes on telling the same does not make it younger'], [freshUsage, 'who is not told of any more is unknown at once'], ['src/planning/goals/usage-rules.test.ts', 'what is not known may bring a goal closer, never further away']] },
  { situation: 'no decision on a cache older than 60 s', heldBy: [['src/coordination/facts/cluster-view.test.ts', 'what is known of a kind whose watch fails counts for a minute; a quiet watch counts as long as it is quiet']] },
  { situation: 'an eviction is answered with 429, 403, 404, 409, 500, 504, or not at all', heldBy: [[effects, '429 with a budget: not now, and when'], [effects, '429 without: the server is busy'], [effects, '403: somebody forbids it'], [effects, '404: it went before'], [effects, '409: another pod has its name'], [effects, '500 for two budgets: trying again does not help'], [effects, '504 and the pod stands: not done'], [effects, 'a broken connection and the pod is gone: done']] },
  { situation: 'a budget that never allows it is asked for once', heldBy: [[troubles, 'a budget that can never allow it is asked for once, not hammered; the workload is left out and said (7.2 case 18)']] },
  { situation: 'another pod has the name: the UID is a precondition', heldBy: [[effects, 'is asked for once, with the UID as precondition and 4 s for the server'], [effects, '504 and another stands: done']] },
  { situation: 'two leaders for a moment', heldBy: [[effects, 'when the lease is lost'], [arbiter, 'deleted in the middle of a plan: the epoch does not go back, the plan ends, nothing twice']] },
  { situation: 'killed before and after each write of a plan', heldBy: [[onTwin, 'three moves'], ['test/deschedule-held-kills.deep.test.ts', 'three moves whose landings are held']] },
  { situation: 'a clock that jumps', heldBy: [[arbiter, 'by %i ms in the middle of a plan: every move lands, once'], [freshUsage, 'a wall clock that is set makes known figures neither old nor young']] },
  { situation: 'a node dies in mid-plan', heldBy: [[midPlan, 'the destination dies: the plan goes on with what is left of the cluster, and evicts nobody towards it']] },
  { situation: 'a destination becomes full in mid-plan', heldBy: [[midPlan, 'the destination fills up: nothing goes to where there is no room any more'], [freshCheck, 'right before a move its certificate']] },
  { situation: 'a budget is edited in mid-plan', heldBy: [[midPlan, 'the budget is edited so that it never allows: no eviction is tried, the workload is left out']] },
  { situation: 'a taint comes in mid-plan', heldBy: [[midPlan, 'a taint on the destination: the rest is planned anew, to another node']] },
  { situation: 'leftovers of a crash are gone before the first decision, nobody is stranded at a gate', heldBy: [['test/deschedule-held-kills.deep.test.ts', 'three moves whose landings are held'], [troubles, 'a plan that is deleted %s moves nothing more and leaves neither taint nor permit behind'], [gate, 'only pods of the owners of the wave are sent to us; a surge is known by its name, because its ReplicaSet does not exist yet']] },
  { situation: 'hostile objects: annotations, tolerations, selectors, names of the language, costs', heldBy: [[odd, '5,000 tolerations'], [odd, 'a selector with 10,000 values'], [odd, 'a goal, a preference and a scope whose names are those of the language'], [odd, 'a cost that is no number'], [odd, 'a negative cost'], [arbiter, 'a very long value']] },
  { situation: 'no disk to write to', heldBy: [['test/plan-without-disk.deep.test.ts', 'a plan is made by a process that may write no file']] },
]
