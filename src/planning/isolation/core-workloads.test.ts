import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject, Toleration } from '#kube/objects/objects.ts'
import type { IsolationRules } from '../goals/policy.ts'
import { node, workload } from '../testdata/objects.ts'
import { coreWorkloads, intolerantDaemonSets, tolerationPatch } from './core-workloads.ts'

const rules: IsolationRules = {
  nodes: ['n1'],
  taint: 'node-role.kubernetes.io/control-plane',
  coreNamespaces: ['kube-system', 'argocd'],
  exceptions: [],
  keda: 'waitForZero',
  includeUnmanaged: true,
}
const mine: Toleration = { key: rules.taint, operator: 'Exists', effect: 'NoSchedule' }

/** The one core workload of a cluster, with the given fields in it. */
function only(
  kind: 'Deployment' | 'StatefulSet' | 'DaemonSet',
  fields: {
    readonly tolerations?: readonly Toleration[]
    readonly status?: object
    readonly replicas?: number
    readonly generation?: number
  },
) {
  const objects = workload('argocd/argocd', { kind, on: ['n1', 'n1'] }).map((object): KubeObject => {
    if (object.kind !== kind) return object
    const spec = object['spec'] as { readonly template: { readonly spec: object } }
    const template = { ...spec.template, spec: { ...spec.template.spec, tolerations: fields.tolerations ?? [] } }
    return {
      ...object,
      metadata: { ...object.metadata, generation: fields.generation ?? 2 },
      spec: { ...spec, template, ...(fields.replicas === undefined ? {} : { replicas: fields.replicas }) },
      ...(fields.status === undefined ? {} : { status: fields.status }),
    }
  })
  const { state } = buildClusterState([node('n1'), ...objects])
  const [found, ...others] = coreWorkloads(state, rules)
  expect(others).toEqual([])
  if (found === undefined) throw new Error('no core workload')
  return found
}

describe('whether its pods could come back', () => {
  // biome-ignore format: a table
  test.each<[string, readonly Toleration[], boolean]>([
    ['nothing',                  [],                                                          false],
    ['the taint by Exists',      [mine],                                                      true],
    ['every taint',              [{ operator: 'Exists' }],                                    true],
    ['the key with each effect', [{ key: rules.taint, operator: 'Exists' }],                  true],
    ['the key, empty value',     [{ key: rules.taint, effect: 'NoSchedule' }],                true],
    ['another effect',           [{ ...mine, effect: 'NoExecute' }],                          false],
    ['another value',            [{ key: rules.taint, value: 'x', effect: 'NoSchedule' }],    false],
    ['another key',              [{ key: 'other', operator: 'Exists', effect: 'NoSchedule' }], false],
  ])('tolerating %s', (_name, tolerations, isTolerant) => {
    expect(only('Deployment', { tolerations }).isTolerant).toBe(isTolerant)
  })
})

describe('whether it is whole', () => {
  const whole = { observedGeneration: 2, updatedReplicas: 2, availableReplicas: 2, replicas: 2 }
  const daemons = { observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 }
  // biome-ignore format: a table
  test.each<[string, Parameters<typeof only>[0], Parameters<typeof only>[1], boolean]>([
    ['a Deployment rolled out',          'Deployment',  { status: whole },                                    true],
    ['one pod not available',            'Deployment',  { status: { ...whole, availableReplicas: 1 } },       false],
    ['one pod of the old template',      'Deployment',  { status: { ...whole, updatedReplicas: 1 } },         false],
    ['a template not seen yet',          'Deployment',  { status: whole, generation: 3 },                     false],
    ['no status: by its Ready pods',     'Deployment',  {},                                                   true],
    ['no status: a pod is missing',      'Deployment',  { replicas: 3 },                                      false],
    ['scaled to zero',                   'Deployment',  { replicas: 0, status: { observedGeneration: 2 } },   true],
    ['a StatefulSet of one revision',    'StatefulSet', { status: { observedGeneration: 2, availableReplicas: 2, currentRevision: 'a', updateRevision: 'a' } }, true],
    ['a StatefulSet between revisions',  'StatefulSet', { status: { observedGeneration: 2, availableReplicas: 2, updatedReplicas: 1, currentRevision: 'a', updateRevision: 'b' } }, false],
    ['a DaemonSet',                      'DaemonSet',   { status: daemons },                                  true],
    ['a DaemonSet with a pod missing',   'DaemonSet',   { status: { ...daemons, numberAvailable: 1 } },       false],
    ['a DaemonSet with an old pod',      'DaemonSet',   { status: { ...daemons, updatedNumberScheduled: 1 } }, false],
  ])('%s', (_name, kind, fields, isAvailable) => {
    expect(only(kind, fields).isAvailable).toBe(isAvailable)
  })
})

test('the patch has the whole list: the API server has no key to merge tolerations by', () => {
  const other: Toleration = { key: 'gpu', operator: 'Exists' }
  expect(tolerationPatch(only('Deployment', { tolerations: [other] }), rules)).toEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'argocd', namespace: 'argocd' },
    spec: { template: { spec: { tolerations: [other, mine] } } },
  })
})

describe('by webhook its pods are judged, and whether a roll-out helps', () => {
  const byWebhook: IsolationRules = { ...rules, tolerationsFrom: 'webhook' }
  type Kind = 'Deployment' | 'StatefulSet' | 'DaemonSet'
  interface Given {
    readonly kind?: Kind
    readonly on?: readonly string[]
    readonly inTemplate?: boolean
    readonly inPods?: boolean
    readonly spec?: object
    readonly pod?: object
    readonly metadata?: object
  }

  function found({
    kind = 'Deployment',
    on = ['n1'],
    inTemplate = false,
    inPods = false,
    spec = {},
    pod = {},
    metadata = {},
  }: Given) {
    const objects = workload('argocd/argocd', { kind, on }).map((object): KubeObject => {
      const given = object['spec'] as { readonly template?: { readonly spec: object } }
      if (object.kind === 'Pod')
        return {
          ...object,
          metadata: { ...object.metadata, ...metadata },
          spec: { ...given, tolerations: inPods ? [mine] : [], ...pod },
        }
      if (object.kind !== kind) return object
      const template = { ...given.template, spec: { ...given.template?.spec, tolerations: inTemplate ? [mine] : [] } }
      return { ...object, spec: { ...given, template, ...spec } }
    })
    const [one] = coreWorkloads(buildClusterState([node('n1'), node('n2'), ...objects]).state, byWebhook)
    return [one?.isTolerant, one?.isRollable, one?.lackingPods.length, one?.hindrance?.split(':')[0]]
  }

  // biome-ignore format: a table
  test.each<[string, Given, readonly unknown[]]>([
    ['a pod without it',                     {},                                                                  [false, true, 1, undefined]],
    ['a pod with it',                        { inPods: true },                                                    [true, true, 0, undefined]],
    ['two pods without it',                  { on: ['n1', 'n1'] },                                                [false, true, 2, undefined]],
    ['a pod elsewhere without it',           { on: ['n2'] },                                                      [true, true, 0, undefined]],
    ['no pod at all',                        { on: [] },                                                          [true, true, 0, undefined]],
    ['a pod that has no node yet',           { pod: { nodeName: '' } },                                           [false, true, 1, undefined]],
    ['a pod that is going',                  { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },         [true, true, 0, undefined]],
    ['the template has it, the pod not yet', { inTemplate: true },                                                [true, true, 0, undefined]],
    ['a StatefulSet',                        { kind: 'StatefulSet' },                                             [false, true, 1, undefined]],
    ['a StatefulSet on deletion',            { kind: 'StatefulSet', spec: { updateStrategy: { type: 'OnDelete' } } }, [false, false, 1, 'its update strategy is OnDelete']],
    ['a paused Deployment',                  { spec: { paused: true } },                                          [false, false, 1, 'its roll-out is paused']],
    ['a DaemonSet',                          { kind: 'DaemonSet' },                                               [false, false, 1, 'the webhook cannot help']],
    ['a DaemonSet whose pods have it',       { kind: 'DaemonSet', inPods: true },                                 [false, false, 0, 'the webhook cannot help']],
    ['a DaemonSet whose template has it',    { kind: 'DaemonSet', inTemplate: true },                             [true, false, 0, 'the webhook cannot help']],
  ])('%s', (_name, given, expected) => {
    expect(found(given)).toEqual(expected)
  })

  test('a workload that is not core is judged by its template', () => {
    const { state } = buildClusterState([
      node('n1'),
      ...workload('monitoring/agent', { kind: 'DaemonSet', on: ['n1'], spec: {} }),
    ])
    expect(intolerantDaemonSets(state, byWebhook).map(({ name, hindrance }) => [name, hindrance])).toEqual([['agent', undefined]])
  })
})

test('DaemonSets are named that run on the node and would not come back, core or not; others are not', () => {
  const { state } = buildClusterState([
    node('n1'),
    node('n2'),
    ...workload('kube-system/core-agent', { kind: 'DaemonSet', on: ['n1'] }),
    ...workload('monitoring/agent', { kind: 'DaemonSet', on: ['n1', 'n2'] }),
    ...workload('monitoring/elsewhere', { kind: 'DaemonSet', on: ['n2'] }),
    ...workload('monitoring/tolerant', { kind: 'DaemonSet', on: ['n1'], spec: { tolerations: [mine] } }),
  ])
  expect(intolerantDaemonSets(state, rules).map(({ namespace, name }) => `${namespace}/${name}`)).toEqual([
    'kube-system/core-agent',
    'monitoring/agent',
  ])
})
