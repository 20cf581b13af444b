import { expect, test } from 'vitest'
import { buildClusterState, type PodState, podState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { factsFor } from '../facts/facts.ts'
import { intent } from '../policy/testdata/question.ts'
import type { Observation, Observations } from './observation.ts'
import { at, noonMs, PlainCluster, pod, workload } from './testdata/plain-cluster.ts'
import { wakingOf } from './waking.ts'

function scaled(from: number, to: number, seconds: number): Observation {
  const atMs = noonMs + seconds * 1000
  return { kind: 'scaled', workload: 'w', namespace: 'shop', nodes: [], atMs, by: 'KEDA', evidence: 'e', replicas: { from, to } }
}

function seen(observations: readonly Observation[], wokenMs?: number): Observations {
  return {
    ofWorkload: () => observations,
    since: () => observations,
    ...(wokenMs === undefined ? {} : { wokenMs: () => wokenMs }),
  }
}

function ready(seconds: number | undefined, deletionTimestamp?: string): PodState {
  const status = seconds === undefined ? 'False' : 'True'
  const conditions = [{ type: 'Ready', status, lastTransitionTime: at(seconds ?? 0) }] as const
  return podState(
    new PlainCluster([]),
    pod('w-1', { conditions, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) }),
  )
}

const up = scaled(0, 1, 0)

// biome-ignore format: a table
test.each<[string, Observations, readonly PodState[], number, string]>([
  ['never scaled',                              seen([]),                               [ready(0)],            10,    'no'],
  ['scaled, but not from 0',                    seen([scaled(1, 3, 0)]),                [ready(0)],            10,    'no'],
  ['woken, no pod yet',                         seen([up]),                             [],                    10,    'since 0'],
  ['woken, not Ready yet',                      seen([up]),                             [ready(undefined)],    600,   'since 0'],
  ['woken, Ready at 30 s',                      seen([up]),                             [ready(30)],           40,    'since 0 until 150'],
  ['… the first of two counts',                 seen([up]),                             [ready(90), ready(30)], 100,  'since 0 until 150'],
  ['… a pod on its way out does not',           seen([up]),                             [ready(30, at(31))],   40,    'since 0'],
  ['… after two minutes',                       seen([up]),                             [ready(30)],           150,   'no'],
  ['… grown meanwhile',                         seen([up, scaled(1, 4, 60)]),           [ready(30)],           100,   'since 0 until 150'],
  ['put to sleep again',                        seen([up, scaled(1, 0, 60)]),           [],                    70,    'no'],
  ['woken a second time',                       seen([up, scaled(1, 0, 60), scaled(0, 1, 90)]), [],            100,   'since 90'],
  ['not Ready for an hour: it will not be',     seen([up]),                             [ready(undefined)],    3_600, 'no'],
  ['we woke it: the book knows, nobody observed', seen([], noonMs),                     [ready(30)],           40,    'since 0 until 150'],
])('%s', (_name, observed, pods, seconds, expected) => {
  const waking = wakingOf('w', { observed, pods, nowMs: noonMs + seconds * 1000 })
  const until = waking?.untilMs === undefined ? '' : ` until ${(waking.untilMs - noonMs) / 1000}`
  expect(waking === undefined ? 'no' : `since ${(waking.sinceMs - noonMs) / 1000}${until}`).toBe(expected)
})

test('the facts of an intent say that its workload wakes', () => {
  const { state } = buildClusterState([
    workload('Deployment', 'cart', { spec: { replicas: 1 } }),
    workload('ReplicaSet', 'cart-1', { under: { kind: 'Deployment', name: 'cart' } }),
    pod('cart-1-a', { node: '', under: { kind: 'ReplicaSet', name: 'cart-1' } }),
  ])
  const cart = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'deployment-cart' }
  const context = { state, ledger: [], ownerLabel: defaultOwnerLabel, ownNamespace: 'ballast-system', nowMs: noonMs + 5_000 }
  const woken = { ...seen([]), wokenMs: (key: string) => (key === 'shop/Deployment/cart' ? noonMs : undefined) }
  const asked = intent({ workload: cart })
  expect(factsFor(asked, { ...context, observed: woken }).waking).toEqual({ sinceMs: noonMs, untilMs: undefined })
  expect(factsFor(asked, context).waking).toBe(undefined)
})
