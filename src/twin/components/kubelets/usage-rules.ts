// Which TwinUsage says what a container uses: of those that mean it, the most specific.
import type { Pod } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import type { UsageSpec } from '../../own-kinds/usage-spec.ts'
import { type AmountAt, readAmount, readCeiling } from './usage-amount.ts'

export interface UsageRule {
  readonly name: string
  readonly selector: UsageSpec['selector']
  readonly cpu: AmountAt | undefined
  readonly memory: AmountAt | undefined
  /** The most of cpu that it can say for a container with such a request. */
  readonly mostCpu: (request: number) => number
  /** Its amount of cpu is an expression. */
  readonly mayFail: boolean
  /** Told when an amount cannot be had; the next source is taken then. */
  readonly onProblem: (problems: readonly Problem[]) => void
}

/** Whose container it is. */
export interface RuleSubject {
  readonly pod: Pod
  readonly container: string
  readonly workload: () => { readonly kind: string; readonly name: string } | undefined
}

/** Reads a spec. @throws InputError */
export function readRule(name: string, spec: UsageSpec, onProblem: UsageRule['onProblem']): UsageRule {
  const { selector, cpu, memory } = spec
  return {
    name,
    selector,
    cpu: cpu === undefined ? undefined : readAmount(cpu, 'spec.cpu'),
    memory: memory === undefined ? undefined : readAmount(memory, 'spec.memory'),
    mayFail: cpu?.expression !== undefined,
    mostCpu: cpu === undefined ? () => 0 : readCeiling(cpu, 'spec.cpu'),
    onProblem,
  }
}

/** The most specific first: container before pod before workload before labels before namespace, then by name. */
export function inOrder(rules: Iterable<UsageRule>): readonly UsageRule[] {
  return [...rules].toSorted((a, b) => weightOf(b.selector) - weightOf(a.selector) || (a.name < b.name ? -1 : 1))
}

/** Whether a rule means the container. */
export function isMeant({ selector }: UsageRule, { pod, container, workload }: RuleSubject): boolean {
  if (selector === undefined) return true
  if (selector.namespace !== undefined && selector.namespace !== pod.metadata.namespace) return false
  if (selector.pod !== undefined && selector.pod !== pod.metadata.name) return false
  if (selector.container !== undefined && selector.container !== container) return false
  if (selector.workload !== undefined && !isWorkload(selector.workload, workload())) return false
  return Object.entries(selector.labels ?? {}).every(([key, value]) => pod.metadata.labels?.[key] === value)
}

function isWorkload(text: string, workload: ReturnType<RuleSubject['workload']>): boolean {
  if (workload === undefined) return false
  return text === workload.name || text.toLowerCase() === `${workload.kind}/${workload.name}`.toLowerCase()
}

function weightOf(selector: UsageSpec['selector']): number {
  if (selector === undefined) return 0
  return (
    (selector.container === undefined ? 0 : 1000) +
    (selector.pod === undefined ? 0 : 700) +
    (selector.workload === undefined ? 0 : 300) +
    Math.min(20, Object.keys(selector.labels ?? {}).length) * 10 +
    (selector.namespace === undefined ? 0 : 1)
  )
}
