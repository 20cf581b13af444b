// A plan of a cluster in which the scheduler looks at some of the nodes: it is sound, an edited part of what it says about landings is refused,
// and it fits into an object.
import { beforeAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { policyWithDefaults } from '../goals/policy.ts'
import { makePlan } from '../plan.ts'
import type { Plan } from '../plan-record.ts'
import { findingSentence } from '../sentences.ts'
import { solveInChild } from '../solving/solve.ts'
import { namespace, node, workload } from '../testdata/objects.ts'
import { verifyPlan } from './verify.ts'

const settings = defaultSettings('1.34')
const names = Array.from({ length: 160 }, (_, at) => `n${String(at).padStart(3, '0')}`)
const light = { name: 'light', nodes: ['n000'], resource: 'cpu', stat: 'requests', max: 50, margin: 1, hard: false } as const

/** Some of the nodes are at their headroom; the first has six pods of which three are to go. */
function cluster(isFull: (at: number) => boolean): readonly KubeObject[] {
  return [
    namespace('shop'),
    ...names.map(name => node(name)),
    ...names.flatMap((name, at) =>
      isFull(at) ? workload(`shop/full-${at}`, { kind: 'DaemonSet', cpu: 3_300, on: [name] }) : [],
    ),
    ...['a', 'b', 'c', 'd', 'e', 'f'].flatMap(name =>
      workload(`shop/${name}`, { owner: 'descheduler', budget: { maxUnavailable: 1 }, cpu: 500, on: ['n000', 'n152'] }),
    ),
  ]
}

async function planOf(objects: readonly KubeObject[]): Promise<Plan> {
  const { state } = buildClusterState(objects)
  const policy = policyWithDefaults({ name: 'large', goals: [light] })
  const made = await makePlan({ state, policy, settings, nowMs: 0 }, solveInChild, new AbortController().signal)
  return JSON.parse(JSON.stringify(made)) as Plan
}

describe.each<[string, number, (at: number) => boolean]>([
  ['where the scheduler surely finds an open node', 20, at => at > 0 && at <= 20],
  ['where it does so with a probability', 140, at => at % 8 > 0],
])('%s', (_what, full, isFull) => {
  const objects = cluster(isFull)
  let plan: Plan
  beforeAll(async () => {
    plan = await planOf(objects)
  })
  const sentences = (edited: Plan) => verifyPlan(edited, objects, settings).map(findingSentence).join('\n')
  const edit = (change: (copy: Plan) => void) => {
    const copy = structuredClone(plan)
    change(copy)
    return sentences(copy)
  }
  const first = (copy: Plan) => {
    const [move] = copy.moves
    if (move === undefined) throw new Error('a move')
    return move
  }

  test('the plan meets its goal and is sound', () => {
    expect(plan.outcome).toBe('met')
    expect(plan.moves.length).toBeGreaterThan(1)
    expect(plan.moves.every(({ closed }) => closed === full + 2)).toBe(true)
    expect(plan.moves.map(({ certificate }) => (certificate.landing.likely ?? 1) < 1)).toEqual(plan.moves.map(() => full > 60))
    expect(sentences(plan)).toBe('')
  })

  test.each<[string, (copy: Plan) => void, RegExp]>([
    ['fewer are closed', copy => Object.assign(first(copy), { closed: 5 }), /landing/],
    ['more than there are', copy => Object.assign(first(copy), { closed: 5_000 }), /closed: .*5000/],
    [
      'another node is closed',
      copy => Object.assign(copy, { closedNodes: ['n104', ...(copy.closedNodes ?? []).slice(1)] }),
      /landing/,
    ],
    ['the sum', copy => Object.assign(first(copy).certificate.landing.many ?? {}, { digest: 'sha256:0' }), /many\.digest/],
    ['the count', copy => Object.assign(first(copy).certificate.landing.many ?? {}, { count: 3 }), /many\.count/],
    ['the feasible ones', copy => Object.assign(first(copy).certificate.landing.many ?? {}, { feasible: 3 }), /many\.feasible/],
    ['the probability', copy => Object.assign(first(copy).certificate.landing, { likely: 0.5 }), /likely/],
    ['a node beside the sum', copy => Object.assign(first(copy).certificate.landing, { nodes: ['n152'] }), /nodes/],
  ])('edited: %s', (_name, change, expected) => expect(edit(change)).toMatch(expected))
})
