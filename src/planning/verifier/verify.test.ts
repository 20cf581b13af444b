// Case 33 of rebalancing.md 7.2: a plan that was edited is refused, with the move and the resource.

import { beforeAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { policyWithDefaults } from '../goals/policy.ts'
import { makePlan } from '../plan.ts'
import type { PlanRecord } from '../plan-record.ts'
import { findingSentence } from '../sentences.ts'
import { solveInChild } from '../solving/solve.ts'
import { referenceCluster } from '../testdata/reference-cluster.ts'
import { verifyPlan } from './verify.ts'

const settings = defaultSettings('1.34')
const objects = referenceCluster()
let plan: PlanRecord

beforeAll(async () => {
  const common = { resource: 'cpu', stat: 'requests', margin: 1, hard: false } as const
  const policy = policyWithDefaults({
    name: 'talos',
    objective: 'moves',
    goals: [
      { ...common, name: 'cp-light', nodes: ['talos00'], max: 70 },
      { ...common, name: 'use-talos03', nodes: ['talos03'], min: 30 },
    ],
  })
  const made = await makePlan(
    { state: buildClusterState(objects).state, policy, settings, nowMs: 0 },
    solveInChild,
    new AbortController().signal,
  )
  // As it comes from a file.
  plan = JSON.parse(JSON.stringify(made))
})

test('the plan as it was made is sound', () => {
  expect(verifyPlan(plan, objects, settings)).toEqual([])
})

test.each([
  ['no node of this cluster', () => 'nowhere', /acceptable.*nowhere/],
  ['the one that it leaves', ({ from }: { readonly from: string }) => from, /acceptable.*talos00/],
])('one more acceptable node: %s', (_what, nodeOf, sentence) => {
  const edited = structuredClone(plan)
  const move = edited.moves.find(each => each.from === 'talos00')
  if (move === undefined) throw new Error('a move from talos00')
  Object.assign(move, { acceptable: [...move.acceptable, nodeOf(move)] })
  expect(verifyPlan(edited, objects, settings).map(findingSentence).join('\n')).toMatch(sentence)
})

test('one more acceptable node where there is no room: the node and the resource are named', () => {
  const edited = structuredClone(plan)
  const move = edited.moves.find(each => each.from === 'talos00' && (each.certificate.requests['memory'] ?? 0) > 700 * 2 ** 20)
  Object.assign(move ?? {}, { acceptable: [...(move?.acceptable ?? []), 'talos01'] })
  expect(verifyPlan(edited, objects, settings).map(findingSentence).join('\n')).toContain(
    'memory on talos01, which is acceptable',
  )
})

test('a destination changed to a full node: the move and the resource are named', () => {
  const edited = structuredClone(plan)
  const move = edited.moves.find(each => each.from === 'talos00' && (each.certificate.requests['memory'] ?? 0) > 700 * 2 ** 20)
  expect(move).toBeDefined()
  Object.assign(move ?? {}, { to: 'talos01', acceptable: ['talos01'] })
  const sentences = verifyPlan(edited, objects, settings).map(findingSentence)
  expect(sentences.some(sentence => sentence.startsWith(`move ${move?.id}: memory on talos01:`))).toBe(true)
})

test('one edit is one move, not all that follow it', () => {
  const edited = structuredClone(plan)
  Object.assign(edited.moves[2] ?? {}, { to: 'talos02-gpu', acceptable: ['talos02-gpu'] })
  const findings = verifyPlan(edited, objects, settings)
  expect(findings.length).toBeGreaterThan(0)
  expect(new Set(findings.map(finding => finding.move))).toEqual(new Set([edited.moves[2]?.id]))
})

/** The path of every number (and of every text that names something) below `value`. */
function leaves(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, part]) => leaves(part, [...path, key]))
}

function edit(target: unknown, path: readonly string[], change: (value: unknown) => unknown): void {
  const [key = '', ...rest] = path
  if (typeof target !== 'object' || target === null) throw new Error(`nothing at ${path.join('.')}`)
  if (rest.length === 0) Reflect.set(target, key, change(Reflect.get(target, key)))
  else edit(Reflect.get(target, key), rest, change)
}

describe('each number of each certificate', () => {
  test('edited by one is found, and the move named', () => {
    let edits = 0
    for (const [at, move] of plan.moves.entries()) {
      // Every number of the first, a middle and the last move: the others are of the same form.
      if (![0, 7, plan.moves.length - 1].includes(at)) continue
      for (const path of leaves(move)) {
        const edited = structuredClone(plan)
        const target = edited.moves[at]
        let isNumber = false
        edit(target, path, value => {
          isNumber = typeof value === 'number'
          return typeof value === 'number' ? value + 1 : value
        })
        if (!isNumber) continue
        edits++
        const findings = verifyPlan(edited, objects, settings)
        const named = findings.map(finding => finding.move)
        // A wave that is another for one move is noticed there, or at the move after it.
        const suspects = path[0] === 'wave' ? [move.id, plan.moves[at + 1]?.id] : [move.id]
        expect(
          named.filter(id => suspects.includes(id)),
          `${move.id} ${path.join('.')}`,
        ).not.toEqual([])
      }
    }
    expect(edits).toBeGreaterThan(50)
  })

  test('each name changed is found', () => {
    const move = plan.moves[3]
    for (const path of leaves(move)) {
      if (
        ['id', 'action'].includes(path[0] ?? '') ||
        (path[0] === 'workload' && ['apiVersion', 'namespace', 'uid'].includes(path[1] ?? ''))
      )
        continue
      const edited = structuredClone(plan)
      let isText = false
      edit(edited.moves[3], path, value => {
        isText = typeof value === 'string'
        return typeof value === 'string' ? `${value}x` : value
      })
      if (isText) expect(verifyPlan(edited, objects, settings), path.join('.')).not.toEqual([])
    }
  })
})

// biome-ignore format: a table
const wholePlan: readonly (readonly [string, (edited: PlanRecord) => unknown, string])[] = [
  ['a bound above the moves',      edited => Object.assign(edited.objective, { lowerBound: 16.2 }), 'objective.lowerBound'],
  ['another number of moves',      edited => Object.assign(edited.objective, { moves: 14 }), 'objective.moves'],
  ['another gap',                  edited => Object.assign(edited.objective, { gap: 0.5 }), 'objective.gap'],
  ['a share before',               edited => Object.assign(edited.before[0] ?? {}, { used: 1 }), 'before: cpu of talos00: used'],
  ['a share after',                edited => Object.assign(edited.after[9] ?? {}, { used: 1 }), 'after: cpu of talos03: used'],
  ['a percentage after',           edited => Object.assign(edited.after[9] ?? {}, { percent: 30 }), 'after: cpu of talos03: percent'],
  ['a goal that is said missed',   edited => Object.assign(edited.goals?.[0] ?? {}, { state: 'missed' }), 'goal cp-light on talos00'],
  ['another snapshot',             edited => Object.assign(edited, { snapshotHash: 'sha256:0' }), 'snapshotHash'],
]

test.each(wholePlan)('%s is found', (_, change, field) => {
  const edited = structuredClone(plan)
  change(edited)
  expect(verifyPlan(edited, objects, settings).map(finding => finding.field)).toContain(field)
})

describe('a cluster that has changed', () => {
  const change = (name: string, kind: string, how: (object: KubeObject) => KubeObject): readonly KubeObject[] =>
    objects.map(object => (object.kind === kind && object.metadata.name === name ? how(object) : object))

  test('a taint on the destination is found at each move', () => {
    const tainted = change('talos03', 'Node', node => ({ ...node, spec: { taints: [{ key: 'gone', effect: 'NoSchedule' }] } }))
    const findings = verifyPlan(plan, tainted, settings)
    expect(findings.filter(finding => finding.field === 'taint on talos03').map(finding => finding.move)).toEqual(
      plan.moves.map(move => move.id),
    )
  })

  test('a budget that allows nothing any more is found', () => {
    const strict = change('mimir-querier', 'PodDisruptionBudget', budget => ({
      ...budget,
      spec: { minAvailable: 2, selector: { matchLabels: { 'app.kubernetes.io/name': 'mimir-querier' } } },
    }))
    const fields = verifyPlan(plan, strict, settings).map(finding => finding.field)
    expect(fields).toContain('budget mimir-querier')
  })

  test('a pod that is another incarnation is found', () => {
    const move = plan.moves[0]
    const replaced = change(move?.pod.name ?? '', 'Pod', pod => ({ ...pod, metadata: { ...pod.metadata, uid: 'new' } }))
    expect(
      verifyPlan(plan, replaced, settings)
        .filter(finding => finding.move === move?.id)
        .map(finding => finding.field),
    ).toContain('pod.uid')
  })

  test('a pod that is gone is found', () => {
    const move = plan.moves[0]
    const without = objects.filter(object => object.kind !== 'Pod' || object.metadata.name !== move?.pod.name)
    expect(verifyPlan(plan, without, settings)).toContainEqual(expect.objectContaining({ code: 'pod-missing', move: move?.id }))
  })
})
