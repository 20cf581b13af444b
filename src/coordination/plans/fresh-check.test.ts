import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { PlanMove } from '../api.ts'
import { freshCheck } from './fresh-check.ts'
import { move } from './testdata/objects.ts'

const taint = { key: 'ballast.dev/rebalance', value: 'talos-0', effect: 'PreferNoSchedule' }

function node(
  name: string,
  options: { cpu?: string; isTainted?: boolean; isReady?: boolean; isCordoned?: boolean } = {},
): KubeObject {
  const amounts = { cpu: options.cpu ?? '4', memory: '8Gi', pods: '110' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}` },
    spec: {
      ...(options.isTainted === true ? { taints: [taint] } : {}),
      ...(options.isCordoned === true ? { unschedulable: true } : {}),
    },
    status: {
      allocatable: amounts,
      capacity: amounts,
      conditions: [{ type: 'Ready', status: options.isReady === false ? 'False' : 'True' }],
    },
  }
}

function pod(name: string, nodeName: string, options: { uid?: string; cpu?: string; isLeaving?: boolean } = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: options.uid ?? `uid-${name}`,
      ...(options.isLeaving === true ? { deletionTimestamp: '2026-03-02T04:00:00Z' } : {}),
    },
    spec: { nodeName, containers: [{ name: 'main', resources: { requests: { cpu: options.cpu ?? '500m', memory: '256Mi' } } }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

function check(
  objects: readonly KubeObject[],
  change: { move?: Partial<PlanMove>; landing?: 'observe' | 'prefer' | 'hold' } = {},
): string {
  const { state } = buildClusterState([...objects, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }])
  const result = freshCheck(state, move(change.move), {
    settings: defaultSettings('1.34'),
    landing: change.landing ?? 'prefer',
    snapshotHash: 'sha256:0',
  })
  return result.kind === 'holds' ? `holds: ${result.proof.nodes.join(' ')}` : result.code
}

describe('right before a move its certificate', () => {
  const busy = [pod('cart-a', 'n1'), pod('other', 'n1', { cpu: '3' })]
  // biome-ignore format: a table
  test.each<[string, Parameters<typeof check>, string]>([
    ['holds while the pod stands and its replacement lands as meant', [[node('n1', { isTainted: true }), node('n2'), ...busy]],                                'holds: n2'],
    ['breaks when the pod is gone',                                   [[node('n1'), node('n2')]],                                                              'pod-gone'],
    ['breaks when another pod has its name',                          [[node('n1'), node('n2'), pod('cart-a', 'n1', { uid: 'uid-new' })]],                      'pod-gone'],
    ['breaks when the pod leaves by itself',                          [[node('n1'), node('n2'), pod('cart-a', 'n1', { isLeaving: true })]],                     'pod-gone'],
    ['breaks when it is on another node',                             [[node('n1'), node('n2'), pod('cart-a', 'n2')]],                                         'pod-elsewhere'],
    ['breaks when the destination is gone',                           [[node('n1'), ...busy]],                                                                 'node-gone'],
    ['breaks when the destination is cordoned',                       [[node('n1'), node('n2', { isCordoned: true }), ...busy]],                               'node-closed'],
    ['breaks when the destination is not ready',                      [[node('n1'), node('n2', { isReady: false }), ...busy]],                                 'node-closed'],
    ['breaks when the destination became full',                       [[node('n1', { isTainted: true }), node('n2'), ...busy, pod('big', 'n2', { cpu: '3800m' })]], 'lands-elsewhere'],
    ['breaks when a third node became the better one',                [[node('n1', { isTainted: true }), node('n2', { isTainted: true }), node('n3'), ...busy]], 'lands-elsewhere'],
    ['under hold asks only whether the destination has room',         [[node('n1'), node('n2', { isTainted: true }), node('n3'), ...busy], { landing: 'hold' }], 'holds: n2'],
    ['under hold breaks without room',                                [[node('n1'), node('n2'), ...busy, pod('big', 'n2', { cpu: '3800m' })], { landing: 'hold' }], 'no-room'],
    ['of a surge counts the old pod too',                             [[node('n1', { isTainted: true }), node('n2'), ...busy], { move: { action: 'surge' } }], 'holds: n2'],
  ])('%s', (_name, given, expected) => expect(check(...given)).toBe(expected))
})

describe('a move with several acceptable nodes', () => {
  // n2 was chosen, n3 is as good, and soft taints keep it off the others.
  const objects = [node('n1', { isTainted: true }), node('n2'), node('n3'), node('n4', { isTainted: true }), pod('cart-1', 'n1')]
  const several = {
    from: 'n1',
    to: 'n2',
    acceptable: ['n2', 'n3'],
    pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-cart-1' },
  }
  const kindOf = (allows: (node: string) => boolean) => {
    const { state } = buildClusterState([...objects, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }])
    const check = freshCheck(state, move(several), {
      settings: defaultSettings('1.34'),
      landing: 'prefer',
      snapshotHash: 'sha256:0',
      allows,
    })
    return check.kind === 'holds' ? `holds: ${check.proof.nodes.join(' ')}` : `${check.code}: ${check.message}`
  }

  test('holds while the policy lets all of them take it', () => {
    expect(kindOf(() => true)).toBe('holds: n2 n3')
  })

  test('is broken where one that it was not chosen for would be fuller than the policy has it', () => {
    expect(kindOf(name => name !== 'n3')).toMatch(/^overfills: .* could land on n3, which would then be fuller/)
  })

  test('its own node was judged when the plan was made', () => {
    expect(kindOf(name => name !== 'n2')).toBe('holds: n2 n3')
  })
})
