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
const usage = `${compat}/usage/usage-providers.test.ts`
const low = `${compat}/strategies/utilization.test.ts`
const watchPolicy = `${compat}/watch-policy.test.ts`
const election = `${compat}/instruments/leader-election.test.ts`
const refusals = 'test/rebalancing-bad-input-policy.test.ts'
const objects = 'test/rebalancing-bad-input-objects.test.ts'
const cluster = 'test/rebalancing-bad-input-cluster.test.ts'
const answers = 'test/descheduler-answers.test.ts'
const life = 'test/descheduler-life.test.ts'
const process = 'test/descheduler-process.test.ts'

/** Of `ballast descheduler`. */
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
  { situation: 'zero or one node', heldBy: [[objects, '%s: nothing is evicted, and that is no error'], [cycle, '%s: a cycle needs two ready nodes'], ['test/descheduler-run.test.ts', 'fewer than two ready nodes: nothing is done, and that is no error']] },
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

/** Of plans and how they are carried out. */
export const plannedRows: readonly BadInputRow[] = []
