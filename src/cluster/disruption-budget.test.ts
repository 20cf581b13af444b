import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { IntOrString, KubeObject, Pod, PodDisruptionBudget } from '#kube/objects/objects.ts'
import { BudgetLedger } from './budget-ledger.ts'
import { buildClusterState, type PodState } from './cluster-state.ts'
import { evictionAnswer } from './disruption-budget.ts'
import { node, object, pod, running } from './testdata/objects.ts'

// What a real API server and disruption controller did: test/fixtures/evictions/README.md.
const read = (file: string) => JSON.parse(readFileSync(join(import.meta.dirname, '../../test/fixtures/evictions', file), 'utf8'))

interface RecordedEviction {
  readonly name: string
  readonly objects: readonly KubeObject[]
  readonly request: { readonly path: string }
  readonly answer: {
    readonly status: number
    readonly retryAfter?: string
    readonly body: { readonly message?: string; readonly details?: { readonly causes?: readonly { readonly message: string }[] } }
  }
  readonly after: { readonly budgets: readonly { readonly status?: { readonly disruptionsAllowed?: number } }[] }
}

describe('an eviction is answered as the API server answers it', () => {
  const evictions: readonly RecordedEviction[] = read('server-answers.json').evictions
  // Refused before any budget is looked at: that is the server's part.
  const asked = evictions.filter(({ answer }) => ![400, 404, 409].includes(answer.status))

  test.each(asked.map(eviction => [eviction.name, eviction] as const))('%s', (_, { objects, request, answer, after }) => {
    const name = request.path.split('/')[6]
    const evicted = objects.find(one => one.kind === 'Pod' && one.metadata.name === name) as Pod
    const budgets = objects.filter(one => one.kind === 'PodDisruptionBudget').map(withDisruptedPods)
    const given = evictionAnswer(evicted, budgets)
    if (given.kind === 'refused') {
      const { message, details } = answer.body
      const retry = answer.retryAfter === undefined ? undefined : Number(answer.retryAfter)
      expect([given.code, given.message, given.cause, given.retryAfterSeconds]).toEqual([
        answer.status,
        message,
        details?.causes?.[0]?.message,
        retry,
      ])
    } else {
      expect(answer.status).toBe(201)
      const before = budgets[0]?.status?.disruptionsAllowed ?? 0
      const left = after.budgets[0]?.status?.disruptionsAllowed ?? 0
      if (!request.path.includes('dryRun') && !_.includes('dry run')) expect(before - left).toBe(given.isCounted ? 1 : 0)
    }
  })

  test('there are recordings of all codes', () => {
    expect(new Set(asked.map(({ answer }) => answer.status))).toEqual(new Set([201, 403, 429, 500]))
  })
})

/** A recorded budget shows two of its thousands of disrupted pods, and how many there are. */
function withDisruptedPods(recorded: KubeObject): PodDisruptionBudget {
  const budget = recorded as PodDisruptionBudget & { readonly status?: { readonly disruptedPodCount?: number } }
  const count = budget.status?.disruptedPodCount ?? 0
  if (budget.status === undefined || count === 0) return budget
  const disruptedPods = Object.fromEntries(Array.from({ length: count }, (_, index) => [`gone-${index}`, '2026-01-01T00:00:00Z']))
  return { ...budget, status: { ...budget.status, disruptedPods } }
}

interface RecordedBudget {
  readonly name: string
  readonly workload: { readonly kind: string; readonly replicas: number; readonly ready: number }
  readonly spec: PodDisruptionBudget['spec']
  readonly status: Readonly<Record<'disruptionsAllowed' | 'currentHealthy' | 'desiredHealthy' | 'expectedPods', number>>
}

describe('a budget comes to what the disruption controller writes', () => {
  const budgets: readonly RecordedBudget[] = read('budget-statuses.json').budgets
  test.each(budgets.map(budget => [budget.name, budget] as const))('%s', (_, { workload, spec, status }) => {
    const ledger = ledgerOf(workload, spec)
    const { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods } = status
    expect(ledger.statusOf('shop/budget')).toEqual({
      disruptionsAllowed,
      currentHealthy,
      desiredHealthy,
      expectedPods,
      failure: undefined,
    })
  })
})

function ledgerOf(workload: RecordedBudget['workload'], spec: PodDisruptionBudget['spec']): BudgetLedger {
  return new BudgetLedger(buildClusterState(workloadObjects(workload, spec)).state, { nowMs: 0 })
}

function workloadObjects(
  { kind, replicas, ready }: RecordedBudget['workload'],
  spec: PodDisruptionBudget['spec'],
): readonly KubeObject[] {
  const selector = spec.selector === undefined ? { matchLabels: { app: 'web' } } : spec.selector
  const apiVersion = kind === 'ReplicationController' ? 'v1' : 'apps/v1'
  const unready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' as const }] }
  const podsOf = (owner: string | undefined, count: number) =>
    Array.from({ length: count }, (_, index) =>
      pod(`shop/${owner ?? 'bare'}-${index}`, {
        node: 'n0',
        labels: { app: 'web' },
        status: index < ready ? running : unready,
        ...(owner !== undefined && {
          owner: { apiVersion, kind: kind.includes('ReplicaSet') ? 'ReplicaSet' : kind, name: owner },
        }),
      }),
    )
  const controller = (name: string) =>
    object(apiVersion, kind.includes('ReplicaSet') ? 'ReplicaSet' : kind, `shop/${name}`, { spec: { replicas } })
  const budget = object('policy/v1', 'PodDisruptionBudget', 'shop/budget', { spec: { ...spec, selector } })
  switch (kind) {
    case 'bare pods':
      return [node('n0'), budget, ...podsOf(undefined, replicas)]
    case 'two ReplicaSets':
      // The second was made without pods of its own being ready.
      return [
        node('n0'),
        budget,
        controller('one'),
        ...podsOf('one', replicas),
        controller('two'),
        ...podsOf('two', replicas).map(one => ({ ...one, status: unready })),
      ]
    case 'ReplicaSet and bare pod':
      return [
        node('n0'),
        budget,
        controller('one'),
        ...podsOf('one', replicas),
        ...podsOf(undefined, 1).map(one => ({ ...one, status: unready })),
      ]
    default:
      return [node('n0'), budget, controller('one'), ...podsOf('one', replicas)]
  }
}

interface RecordedSequence {
  readonly spec: PodDisruptionBudget['spec']
  readonly steps: readonly {
    readonly action: string
    readonly answer?: { readonly status: number }
    readonly status: RecordedBudget['status']
  }[]
}

test('case 17: half of five, three evictions, then the replacements are ready', () => {
  const { spec, steps }: RecordedSequence = read('eviction-sequence.json')
  const { state } = buildClusterState(workloadObjects({ kind: 'ReplicaSet', replicas: 5, ready: 5 }, spec))
  const ledger = new BudgetLedger(state, { nowMs: 0 })
  const pods = Array.from(state.pods.values())
  const evicted: PodState[] = []
  for (const [index, step] of steps.entries()) {
    const chosen = pods[index]
    if (step.action.startsWith('evict') && chosen !== undefined) {
      const answer = ledger.evict(chosen)
      expect(answer.kind === 'allowed' ? 201 : answer.code).toBe(step.answer?.status)
      if (answer.kind === 'allowed') evicted.push(chosen)
    }
    if (step.action.includes('replacements')) {
      for (const gone of evicted) {
        ledger.gone(gone.key)
        ledger.put({ ...gone, key: `${gone.key}-new`, name: `${gone.name}-new`, isTerminating: false, isReady: true })
      }
    }
    const { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods } = ledger.statusOf('shop/budget')
    const { disruptionsAllowed: allowed, currentHealthy: healthy, desiredHealthy: desired, expectedPods: expected } = step.status
    expect([step.action, disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods]).toEqual([
      step.action,
      allowed,
      healthy,
      desired,
      expected,
    ])
  }
})

describe('the ledger', () => {
  const budgetOf = (
    spec: {
      readonly minAvailable?: IntOrString
      readonly maxUnavailable?: IntOrString
      readonly unhealthyPodEvictionPolicy?: string
    },
    ready: number,
    replicas: number,
  ) => {
    const { state } = buildClusterState(workloadObjects({ kind: 'ReplicaSet', replicas, ready }, spec))
    return { ledger: new BudgetLedger(state, { nowMs: 0 }), pods: Array.from(state.pods.values()) }
  }

  test('case 18: a budget of one for one replica can never allow anything, one with maxUnavailable 1 can', () => {
    expect(budgetOf({ minAvailable: 1 }, 1, 1).ledger.canEverAllow('shop/budget')).toBe(false)
    expect(budgetOf({ maxUnavailable: 1 }, 1, 1).ledger.canEverAllow('shop/budget')).toBe(true)
    expect(budgetOf({ maxUnavailable: 1 }, 0, 1).ledger.canEverAllow('shop/budget')).toBe(true)
  })

  test('case 19: a pod that is not ready under a budget below its wish is refused by default, evicted with AlwaysAllow', () => {
    const { ledger, pods } = budgetOf({ minAvailable: 2 }, 1, 2)
    expect(ledger.ask(pods[1] as PodState)).toMatchObject({ kind: 'refused', code: 429 })
    const lenient = budgetOf({ minAvailable: 2, unhealthyPodEvictionPolicy: 'AlwaysAllow' }, 1, 2)
    expect(lenient.ledger.ask(lenient.pods[1] as PodState)).toEqual({ kind: 'allowed', budget: 'shop/budget', isCounted: false })
  })

  test('asking changes nothing, evicting does, a fork goes its own way', () => {
    const { ledger, pods } = budgetOf({ maxUnavailable: 1 }, 3, 3)
    const [first, second] = pods as [PodState, PodState]
    const fork = ledger.fork()
    expect([ledger.ask(first).kind, ledger.ask(first).kind, ledger.evict(first).kind, ledger.ask(second).kind]).toEqual([
      'allowed',
      'allowed',
      'allowed',
      'refused',
    ])
    expect(fork.ask(second).kind).toBe('allowed')
    expect(ledger.evict(first)).toEqual({ kind: 'allowed', isCounted: false })
  })

  test('a pod that no budget selects needs none', () => {
    const { ledger, pods } = budgetOf({ maxUnavailable: 0 }, 3, 3)
    const [first] = pods as [PodState]
    const other = {
      ...first,
      namespace: 'other',
      key: 'other/x',
      object: { ...first.object, metadata: { ...first.object.metadata, namespace: 'other' } },
    }
    expect([ledger.budgetsOf(other), ledger.ask(other)]).toEqual([[], { kind: 'allowed', isCounted: false }])
    expect(ledger.budgetsOf(first)).toEqual(['shop/budget'])
  })

  test('evictions that the status remembers count for two minutes', () => {
    const objects = workloadObjects({ kind: 'ReplicaSet', replicas: 3, ready: 3 }, { maxUnavailable: 1 })
    const remembering = objects.map(one =>
      one.kind === 'PodDisruptionBudget' ? { ...one, status: { disruptedPods: { 'one-0': '2026-01-01T00:00:00Z' } } } : one,
    )
    const { state } = buildClusterState(remembering)
    const atMs = Date.parse('2026-01-01T00:00:00Z')
    const allowed = (nowMs: number) => new BudgetLedger(state, { nowMs }).statusOf('shop/budget').disruptionsAllowed
    expect([allowed(atMs + 119_999), allowed(atMs + 120_000)]).toEqual([0, 1])
  })

  test('a budget over pods whose controller has no scale allows nothing and says why', () => {
    const daemon = pod('shop/d-0', {
      node: 'n0',
      labels: { app: 'web' },
      owner: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd' },
    })
    const budget = object('policy/v1', 'PodDisruptionBudget', 'shop/budget', { spec: { maxUnavailable: 1, selector: {} } })
    const { state } = buildClusterState([node('n0'), daemon, budget, object('apps/v1', 'DaemonSet', 'shop/d', { spec: {} })])
    expect(new BudgetLedger(state, { nowMs: 0 }).statusOf('shop/budget')).toMatchObject({
      disruptionsAllowed: 0,
      failure: 'found no controllers for pod "d-0"',
    })
  })
})
