// What stands on buttons and beside them, what faults of a twin are called, and what is said of the pods of a node.
import type { Sentence } from '../contract.ts'
import { counted, form, listed } from './grammar.ts'
import { planPath } from './links.ts'
import { count } from './quantity.ts'
import { say } from './sentence.ts'

// Buttons.

/** What Run all and One move are asked about once more. `start`: `now`, `at 04:00 …`. */
export function confirmRun(facts: {
  readonly moves: number
  readonly pods: number
  readonly workloads: number
  readonly concurrent: number
  readonly start: string
}): string {
  const { moves, pods, workloads, concurrent, start } = facts
  const pace = pods === 1 ? '' : concurrent === 1 ? ', one at a time' : `, at most ${count(concurrent)} at a time`
  const which = `${counted(pods, 'pod')} of ${counted(workloads, 'workload')} ${form(pods, 'is', 'are')} replaced${pace}`
  return `${counted(moves, 'move')}: ${which}. It starts ${start}.`
}

export const frozenByConfiguration = 'The configuration freezes it: arbiter.freeze.'

/** Under a button that starts a plan while everything is frozen. */
export const startsAfterFreeze = 'Ballast is frozen: it starts when that is over.'

/** Why a plan that stands still cannot be told to go on. */
export function resumesItself({ message }: { readonly message: string }): string {
  return `It goes on by itself: ${message === '' ? 'nothing was asked of it' : message}.`
}

/** Actions by what stands on their buttons. */
export const buttonLabels = {
  runAll: 'Run all',
  oneMove: 'One move',
  withdraw: 'Withdraw',
  withdrawRest: 'Withdraw the rest',
  pause: 'Pause',
  resume: 'Resume',
  replan: 'Replan',
  freeze: 'Freeze',
  thaw: 'Thaw',
  run: 'Run',
  step: '+1m',
  next: 'Next event',
  heal: 'Heal',
  reset: 'Reset',
} as const

/** Label of a pace: `60×`, `max`. */
export function speedLabel(speed: number | 'max'): string {
  return speed === 'max' ? 'max' : `${speed}×`
}

// Faults of a twin.

/** What the page offers to break, by kind. */
export const faultLabels: Readonly<Record<string, string>> = {
  'stop-node': 'Stop node…',
  'slow-pulls': 'Slow image pulls',
  'server-errors': 'API server answers 500',
  'metrics-silent': 'Metrics silent',
}

interface FaultFacts {
  /** `status`, `node`, `latency` …: what the fault does. */
  readonly effect: string
  readonly nodes: readonly string[]
  readonly action: string | undefined
  readonly code: number | undefined
  readonly target: string
}

const nodeActionWords: Readonly<Record<string, string>> = {
  crash: 'stopped',
  partition: 'cut off',
  notReady: 'not ready',
  diskPressure: 'short of disk',
  memoryPressure: 'short of memory',
  pidPressure: 'short of process ids',
  slowPull: 'slow at pulling images',
  reboot: 'rebooting',
}

const effectWords: Readonly<Record<string, string>> = {
  latency: 'late answers',
  reset: 'broken connections',
  watch: 'broken watches',
  compact: 'forgotten history',
  image: 'pulls that fail',
}

/** `talos03 stopped`, `answers 500 to metrics.k8s.io`, `late answers`. */
export function faultText({ effect, nodes, action, code, target }: FaultFacts): string {
  const to = target === '' ? '' : ` to ${target}`
  if (effect === 'node') {
    const what = nodes.length === 0 ? 'nodes' : listed(nodes)
    return `${what} ${(action !== undefined && Object.hasOwn(nodeActionWords, action) ? nodeActionWords[action] : undefined) ?? 'in trouble'}`
  }
  if (effect === 'status') return `answers ${code ?? 'an error'}${to}`
  return `${(Object.hasOwn(effectWords, effect) ? effectWords[effect] : undefined) ?? effect}${to}`
}

// Pods of a node.

/** Where a pod may go: `may go to talos02-gpu and talos03`. */
export function mayGo({ nodes }: { readonly nodes: readonly string[] }): Sentence {
  return say('may-go', `may go to ${listed(nodes)}`, { nodes: nodes.join(',') })
}

/** The plan at hand moves it. */
export function isToMove({ plan, to }: { readonly plan: string; readonly to: string }): Sentence {
  return say('is-to-move', `is to move to ${to}`, { plan, to }, [{ text: plan, path: planPath(plan) }])
}

/** Why it stays, in the planner's words. */
export function podStays({ reason, sentence }: { readonly reason: string; readonly sentence: string }): Sentence {
  return say('pod-stays', `${reason}: ${sentence}`, { reason })
}

export function noPolicyLooks(): Sentence {
  return say('no-policy', 'no RebalancePolicy looks at it')
}

/** `Your account lacks patch on rebalanceplans (ballast.dev).` */
export function lacksRight({
  verb,
  resource,
  group,
}: {
  readonly verb: string
  readonly resource: string
  readonly group: string
}): string {
  return `Your account lacks ${verb} on ${resource}${group === '' ? '' : ` (${group})`}.`
}
