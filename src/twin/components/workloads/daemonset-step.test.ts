import { describe, expect, test } from 'vitest'
import type { Node, PodSpec, Taint } from '#kube/objects/objects.ts'
import { type DaemonInput, type DaemonPod, daemonPodSpec, daemonSetActions, daemonVerdict } from './daemonset-step.ts'

const spec: PodSpec = { containers: [] }

function node(taints: readonly Taint[]): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, spec: { taints } }
}

// biome-ignore format: a table
test.each<[string, readonly Taint[], PodSpec, boolean, boolean, boolean]>([
  ['a plain node', [], spec, true, true, true],
  ['a node the affinity does not match', [], spec, false, false, false],
  ['a cordoned node still gets its daemon', [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }], spec, true, true, true],
  ['a NoSchedule taint keeps new pods away and leaves old ones', [{ key: 'own', effect: 'NoSchedule' }], spec, true, false, true],
  ['a NoExecute taint drives them away', [{ key: 'own', effect: 'NoExecute' }], spec, true, false, false],
  ['a dead node keeps its daemon', [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }], spec, true, true, true],
  ['no network is tolerated by host network only', [{ key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' }], { ...spec, hostNetwork: true }, true, true, true],
])('%s', (_, taints, template, matches, shouldRun, shouldContinue) => {
  expect(daemonVerdict(template, node(taints), matches)).toEqual({ shouldRun, shouldContinue })
})

test('a daemon pod is bound to its node by matchFields in every term of the template', () => {
  const expression = { key: 'gpu', operator: 'Exists' }
  const required = {
    nodeSelectorTerms: [{ matchExpressions: [expression] }, { matchExpressions: [{ key: 'other', operator: 'Exists' }] }],
  }
  const bound = daemonPodSpec(
    { ...spec, affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } } },
    'n1',
  )
  const terms = bound.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  expect(terms?.map(term => term.matchFields)).toEqual(
    Array.from({ length: 2 }, () => [{ key: 'metadata.name', operator: 'In', values: ['n1'] }]),
  )
  expect(terms?.[0]?.matchExpressions).toEqual([expression])
})

const yes = { shouldRun: true, shouldContinue: true }

function pod(node: string, options: Partial<DaemonPod> = {}): DaemonPod {
  return {
    name: `d-${node}`,
    node,
    isBound: true,
    isCurrent: true,
    isTerminating: false,
    isFailed: false,
    isAvailable: true,
    isReady: true,
    createdMs: 0,
    ...options,
  }
}

function input(nodes: readonly string[], pods: readonly DaemonPod[], change: Partial<DaemonInput> = {}): DaemonInput {
  return { verdicts: new Map(nodes.map(name => [name, yes])), pods, maxUnavailable: 1, maxSurge: 0, isOnDelete: false, ...change }
}

const old = { isCurrent: false }
const down = { isAvailable: false, isReady: false }

describe('actions', () => {
  // biome-ignore format: a table
  test.each<[string, DaemonInput, readonly string[], readonly string[]]>([
    ['a node without a pod gets one', input(['a', 'b'], [pod('a')]), ['b'], []],
    ['a failed pod is removed, its successor comes after', input(['a'], [pod('a', { isFailed: true, ...down })]), [], ['d-a']],
    ['a pod on a node that no longer fits goes', input([], [pod('a')], { verdicts: new Map([['a', { shouldRun: false, shouldContinue: false }]]) }), [], ['d-a']],
    ['a pod that waits for a node that is gone goes', input([], [pod('a', { isBound: false })]), [], ['d-a']],
    ['a pod that was on a node that is gone is left to others', input([], [pod('a')]), [], []],
    ['of two the younger goes', input(['a'], [pod('a'), pod('a', { name: 'younger', createdMs: 5 })]), [], ['younger']],
    ['a terminating pod is waited for', input(['a'], [pod('a', { isTerminating: true })]), [], []],
    ['the update takes as many as may be down', input(['a', 'b', 'c'], ['a', 'b', 'c'].map(name => pod(name, old)), { maxUnavailable: 2 }), [], ['d-a', 'd-b']],
    ['broken old pods go first and do not count', input(['a', 'b', 'c'], [pod('a', old), pod('b', { ...old, ...down }), pod('c', old)]), [], ['d-b']],
    ['the update waits for the replaced pod', input(['a', 'b'], [pod('a', down), pod('b', old)]), [], []],
    ['OnDelete does not update', input(['a'], [pod('a', old)], { isOnDelete: true }), [], []],
    ['surge makes the new one first', input(['a', 'b'], [pod('a', old), pod('b', old)], { maxSurge: 1, maxUnavailable: 0 }), ['a'], []],
    ['and removes the old one when the new one is available', input(['a'], [pod('a', old), pod('a', { name: 'new', createdMs: 5 })], { maxSurge: 1, maxUnavailable: 0 }), [], ['d-a']],
    ['and keeps the old one until then', input(['a'], [pod('a', old), pod('a', { name: 'new', createdMs: 5, ...down })], { maxSurge: 1, maxUnavailable: 0 }), [], []],
  ])('%s', (_, given, create, remove) => {
    expect(daemonSetActions(given)).toEqual({ create, remove })
  })
})
