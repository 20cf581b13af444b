import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import type { OwnerContradiction } from '#coordination/policy/question.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { coordinationEvictor, triggerProblem } from './coordination.ts'
import { descheduleConfiguration } from './coordination-settings.ts'

const standard = descheduleConfiguration.parse({})

test('without a word coordination is off and the arbiter only observes', () => {
  expect(standard).toEqual({
    arbitration: 'observe',
    coordination: { enforce: false, unlabelled: 'none', requirePDB: true, kedaPresence: 'exclude' },
  })
})

describe('case 23: never all the time', () => {
  // biome-ignore format: a table
  test.each([
    ['enforced, an interval, no window',       true,  120_000,    false, true],
    ['enforced, an interval of a day',         true,  86_400_000, false, true],
    ['enforced, an interval within windows',   true,  120_000,    true,  false],
    ['enforced, one cycle of a CronJob',       true,  0,          false, false],
    ['not enforced',                           false, 120_000,    false, false],
  ])('%s', (_, enforce, intervalMs, hasWindows, isRefused) => {
    const problem = triggerProblem({ enforce }, { intervalMs, hasWindows })
    expect(problem !== undefined).toBe(isRefused)
    if (problem !== undefined) expect(problem.message).toContain('the rule not-continuous')
  })
})

const key = defaultOwnerLabel.key
const set = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'set', controller: true }

interface Given {
  readonly podLabels?: Readonly<Record<string, string>>
  readonly setLabels?: Readonly<Record<string, string>>
  readonly namespaceLabels?: Readonly<Record<string, string>>
  readonly isScaled?: boolean
  readonly budget?: object
  readonly coordination?: object
}

function asked({ podLabels = {}, setLabels = {}, namespaceLabels = {}, isScaled = false, budget, coordination = {} }: Given) {
  const meta = { namespace: 'shop' }
  const objects: readonly KubeObject[] = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: namespaceLabels } },
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { ...meta, name: 'web', uid: 'set', labels: setLabels }, spec: {} },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...meta, name: 'web-1', uid: 'p1', labels: { app: 'web', ...podLabels }, ownerReferences: [set] },
      spec: { containers: [] },
      status: { phase: 'Running' },
    },
    ...(isScaled
      ? [
          {
            apiVersion: 'keda.sh/v1alpha1',
            kind: 'ScaledObject',
            metadata: { ...meta, name: 'web' },
            spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' } },
          },
        ]
      : []),
    ...(budget === undefined
      ? []
      : [
          {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: { ...meta, name: 'web' },
            spec: { selector: { matchLabels: { app: 'web' } }, ...budget },
          },
        ]),
  ]
  const { state } = buildClusterState(objects)
  const contradictions: OwnerContradiction[] = []
  const evictor = coordinationEvictor({
    state,
    coordination: descheduleConfiguration.parse({ coordination: { enforce: true, ...coordination } }).coordination,
    ownerLabel: defaultOwnerLabel,
    nowMs: 0,
    contradicted: contradiction => contradictions.push(contradiction),
  })
  const pod = state.pods.get('shop/web-1')
  if (pod === undefined) throw new Error('the pod is set aside')
  return { code: evictor.filter(pod).map(text => /\[(\w+)\]$/.exec(text)?.[1]), contradictions }
}

const one = { maxUnavailable: 1 }
const ours = { [key]: 'descheduler' }

describe('what coordination keeps', () => {
  // biome-ignore format: a table
  test.each<[string, Given, readonly string[]]>([
    ['ours, with a budget', { setLabels: ours, budget: { minAvailable: 0 } }, []],
    ['ours by the pod, whatever the workload says', { podLabels: ours, setLabels: { [key]: 'none' }, budget: { minAvailable: 0 } }, []],
    ['ours by the namespace', { namespaceLabels: ours, budget: { minAvailable: 0 } }, []],
    ['KEDA’s by the label', { setLabels: { [key]: 'keda' }, budget: one }, ['KedaManaged']],
    ['KEDA’s by a ScaledObject', { setLabels: ours, isScaled: true, budget: one }, ['KedaManaged']],
    ['a ScaledObject that is to be ignored', { setLabels: ours, isScaled: true, budget: { minAvailable: 0 }, coordination: { kedaPresence: 'ignore' } }, []],
    ['nobody’s', { setLabels: { [key]: 'none' }, budget: one }, ['OwnerNone']],
    ['no label anywhere', { budget: one }, ['Unlabelled']],
    ['no label anywhere, and that is ours', { budget: { minAvailable: 0 }, coordination: { unlabelled: 'descheduler' } }, []],
    ['ours without a budget', { setLabels: ours }, ['NoPDB']],
    ['ours without a budget, and none is demanded', { setLabels: ours, coordination: { requirePDB: false } }, []],
    ['ours with a budget that never allows', { setLabels: ours, budget: { minAvailable: 1 } }, ['PDBNeverAllows']],
  ])('%s', (_, given, expected) => {
    expect(asked(given).code).toEqual(expected)
  })

  test('a label that a ScaledObject contradicts is told, with whose workload it is', () => {
    const { contradictions } = asked({ setLabels: ours, isScaled: true, budget: one })
    expect(contradictions).toEqual([
      {
        subject: expect.objectContaining({ kind: 'ReplicaSet', name: 'web' }),
        said: 'descheduler',
        key: defaultOwnerLabel.key,
        isScaled: true,
      },
    ])
  })
})
