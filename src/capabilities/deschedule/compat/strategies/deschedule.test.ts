// The strategies that look at one pod and its node: taints, affinity, anti-affinity, restarts, age, failure.
import { describe, expect, test } from 'vitest'
import { node as nodeOf, type PodOptions, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import type { StrategyName } from '../policy/args.ts'
import { oneCycle } from './testdata/one-cycle.ts'
import { policyText } from './testdata/policies.ts'

const nowMs = Date.UTC(2026, 10, 1)
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs' }

type Args = Readonly<Record<string, unknown>>
type Row = readonly [name: string, objects: readonly KubeObject[], args: Args, expected: readonly string[]]

/** Names of the pods that go, in order. */
function evicted(strategy: StrategyName, objects: readonly KubeObject[], args: Args, limits: Args = {}): readonly string[] {
  const { evicted: pods, report } = oneCycle(objects, policyText({ strategy, name: '', args, limits }), { nowMs })
  expect(report.errors).toEqual([])
  return pods.map(({ name }) => name)
}

function onNode(node: string, name: string, options: PodOptions = {}): Pod {
  return pod(`x/${name}`, { node, owner, ...options })
}

/** A pod that was created so many seconds ago. */
function aged(seconds: number, of: Pod): Pod {
  return { ...of, metadata: { ...of.metadata, creationTimestamp: formatTime(nowMs - seconds * 1_000) } }
}

const noSchedule = (key: string, value?: string) => ({ key, effect: 'NoSchedule', ...(value !== undefined && { value }) })
const two = [nodeOf('n1'), nodeOf('n2')]

describe('RemovePodsViolatingNodeTaints', () => {
  const tolerations = [{ key: 'a', operator: 'Exists' }]
  const tainted = (...taints: readonly { key: string; effect: string }[]) => [
    nodeOf('n1', { taints }),
    nodeOf('n2'),
    onNode('n1', 'plain'),
    onNode('n1', 'tolerant', { tolerations }),
  ]
  const rows: readonly Row[] = [
    ['who does not tolerate goes', tainted(noSchedule('a')), {}, ['plain']],
    ['each taint has to be tolerated', tainted(noSchedule('a'), noSchedule('b')), {}, ['plain', 'tolerant']],
    ['NoExecute is the business of others', tainted({ key: 'a', effect: 'NoExecute' }), {}, []],
    [
      'PreferNoSchedule where the policy says so',
      tainted({ key: 'a', effect: 'PreferNoSchedule' }),
      { includePreferNoSchedule: true },
      ['plain'],
    ],
    ['else not', tainted({ key: 'a', effect: 'PreferNoSchedule' }), {}, []],
    ['excluded by key', tainted(noSchedule('b', 'v')), { excludedTaints: ['b'] }, []],
    ['excluded by key and value', tainted(noSchedule('b', 'v')), { excludedTaints: ['b=v'] }, []],
    ['another value is not excluded', tainted(noSchedule('b', 'w')), { excludedTaints: ['b=v'] }, ['plain', 'tolerant']],
    ['only what is included counts', tainted(noSchedule('a'), noSchedule('b')), { includedTaints: ['a'] }, ['plain']],
    ['an empty list includes nothing', tainted(noSchedule('a')), { includedTaints: [] }, []],
    ['our own taints evict nobody', tainted(noSchedule('ballast.dev/off')), {}, []],
    [
      'Gt compares numbers',
      [
        nodeOf('n1', { taints: [noSchedule('tier', '5')] }),
        nodeOf('n2'),
        onNode('n1', 'three', { tolerations: [{ key: 'tier', operator: 'Gt', value: '3' }] }),
        onNode('n1', 'seven', { tolerations: [{ key: 'tier', operator: 'Gt', value: '7' }] }),
      ],
      {},
      ['seven'],
    ],
    [
      'finished pods stay',
      [nodeOf('n1', { taints: [noSchedule('a')] }), nodeOf('n2'), onNode('n1', 'done', { status: { phase: 'Succeeded' } })],
      {},
      [],
    ],
    [
      'namespaces and labels choose',
      [...tainted(noSchedule('a')), onNode('n1', 'chosen', { labels: { app: 'b' } })],
      { namespaces: { include: ['x'] }, labelSelector: { matchLabels: { app: 'b' } } },
      ['chosen'],
    ],
  ]
  test.each(rows)('%s', (_, objects, args, expected) => {
    expect(evicted('RemovePodsViolatingNodeTaints', objects, args)).toEqual(expected)
  })

  test('a full node ends with that node, a full namespace costs each pod a try, a full cycle ends it', () => {
    const objects = [
      nodeOf('n1', { taints: [noSchedule('a')] }),
      nodeOf('n2', { taints: [noSchedule('a')] }),
      ...['a', 'b', 'c'].flatMap(name => [onNode('n1', `1${name}`), onNode('n2', `2${name}`)]),
    ]
    const limited = (limits: Args) => evicted('RemovePodsViolatingNodeTaints', objects, {}, limits)
    expect(limited({ maxNoOfPodsToEvictPerNode: 1 })).toEqual(['1a', '2a'])
    expect(limited({ maxNoOfPodsToEvictPerNamespace: 2 })).toEqual(['1a', '1b'])
    expect(limited({ maxNoOfPodsToEvictTotal: 4 })).toEqual(['1a', '1b', '1c', '2a'])
  })
})

describe('RemovePodsViolatingNodeAffinity', () => {
  const required = 'requiredDuringSchedulingIgnoredDuringExecution'
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
  const disk = (value: string) => ({ matchExpressions: [{ key: 'disk', operator: 'In', values: [value] }] })
  const wants = (value: string): PodOptions => ({
    affinity: { nodeAffinity: { [required]: { nodeSelectorTerms: [disk(value)] } } },
  })
  const likes = (value: string): PodOptions => ({
    affinity: { nodeAffinity: { [preferred]: [{ weight: 5, preference: disk(value) }] } },
  })
  const disks = [nodeOf('n1', { labels: { disk: 'hdd' } }), nodeOf('n2', { labels: { disk: 'ssd' } })]
  const rows: readonly Row[] = [
    [
      'required and elsewhere',
      [...disks, onNode('n1', 'a', wants('ssd')), onNode('n2', 'b', wants('ssd'))],
      { nodeAffinityType: [required] },
      ['a'],
    ],
    ['no node fits', [...disks, onNode('n1', 'a', wants('tape'))], { nodeAffinityType: [required] }, []],
    [
      'a nodeSelector alone is not looked at',
      [...disks, onNode('n1', 'a', { nodeSelector: { disk: 'ssd' } })],
      { nodeAffinityType: [required] },
      [],
    ],
    [
      'preferred and better elsewhere, be it full',
      [...disks, onNode('n1', 'a', { ...likes('ssd'), cpu: '1' }), onNode('n2', 'b', { cpu: '4' })],
      { nodeAffinityType: [preferred] },
      ['a'],
    ],
    [
      'both types, each pod once',
      [
        ...disks,
        onNode('n1', 'a', {
          affinity: { nodeAffinity: { ...wants('ssd').affinity?.nodeAffinity, ...likes('ssd').affinity?.nodeAffinity } },
        }),
      ],
      { nodeAffinityType: [required, preferred] },
      ['a'],
    ],
  ]
  test.each(rows)('%s', (_, objects, args, expected) => {
    expect(evicted('RemovePodsViolatingNodeAffinity', objects, args)).toEqual(expected)
  })
})

describe('RemovePodsViolatingInterPodAntiAffinity', () => {
  const against = (app: string, topologyKey = 'kubernetes.io/hostname', more: object = {}): PodOptions => ({
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: { app } }, topologyKey, ...more }],
      },
    },
  })
  const app = (name: string): PodOptions => ({ labels: { app: name } })
  const zones = [nodeOf('n1', { labels: { zone: 'z' } }), nodeOf('n2', { labels: { zone: 'z' } })]
  const rows: readonly Row[] = [
    [
      'who has the term goes',
      [...two, onNode('n1', 'a', { ...app('a'), ...against('b') }), onNode('n1', 'b', app('b'))],
      {},
      ['a'],
    ],
    [
      'of two against each other one goes, the lower priority',
      [
        ...two,
        onNode('n1', 'a', { ...app('a'), ...against('a'), priority: 2 }),
        onNode('n1', 'b', { ...app('a'), ...against('a'), priority: 1 }),
      ],
      {},
      ['b'],
    ],
    [
      'on the same node even without the label',
      [...two, onNode('n1', 'a', { ...app('a'), ...against('b', 'nowhere') }), onNode('n1', 'b', app('b'))],
      {},
      ['a'],
    ],
    [
      'on another node of the domain',
      [...zones, onNode('n1', 'a', { ...app('a'), ...against('b', 'zone') }), onNode('n2', 'b', app('b'))],
      {},
      ['a'],
    ],
    [
      'on another node of another domain',
      [...two, onNode('n1', 'a', { ...app('a'), ...against('b') }), onNode('n2', 'b', app('b'))],
      {},
      [],
    ],
    [
      'namesakes of other namespaces are passed over',
      [
        ...two,
        onNode('n1', 'a', { ...app('a'), ...against('b', 'zone', { namespaces: ['y'] }) }),
        pod('y/a', { node: 'n1', ...app('b') }),
      ],
      {},
      [],
    ],
    [
      'other names of other namespaces are not',
      [
        ...two,
        onNode('n1', 'a', { ...app('a'), ...against('b', 'zone', { namespaces: ['y'] }) }),
        pod('y/b', { node: 'n1', ...app('b') }),
      ],
      {},
      ['a'],
    ],
    [
      'the policy chooses both sides',
      [...two, onNode('n1', 'a', { ...app('a'), ...against('b') }), onNode('n1', 'b', app('b'))],
      { labelSelector: { matchLabels: { app: 'a' } } },
      [],
    ],
  ]
  test.each(rows)('%s', (_, objects, args, expected) => {
    expect(evicted('RemovePodsViolatingInterPodAntiAffinity', objects, args)).toEqual(expected)
  })
})

const waiting = (reason: string) => ({ state: { waiting: { reason } } })
const terminated = (reason: string, exitCode: number) => ({ state: { terminated: { reason, exitCode } } })

describe('RemovePodsHavingTooManyRestarts', () => {
  const restarted = (count: number, initCount = 0, more: object = {}): PodOptions => ({
    status: {
      phase: 'Running',
      containerStatuses: [{ name: 'main', restartCount: count, ...more }],
      initContainerStatuses: [{ name: 'init', restartCount: initCount }],
    },
  })
  const pods = [
    ...two,
    onNode('n1', 'a', restarted(5)),
    onNode('n1', 'b', restarted(9, 5)),
    onNode('n1', 'c', restarted(10, 0, waiting('CrashLoopBackOff'))),
  ]
  const rows: readonly Row[] = [
    ['most often first', pods, { podRestartThreshold: 5 }, ['c', 'b', 'a']],
    ['exactly the threshold is enough', pods, { podRestartThreshold: 10 }, ['c']],
    [
      'init containers count where the policy says so',
      pods,
      { podRestartThreshold: 10, includingInitContainers: true },
      ['b', 'c'],
    ],
    ['by waiting reason', pods, { podRestartThreshold: 5, states: ['CrashLoopBackOff'] }, ['c']],
    ['by phase', pods, { podRestartThreshold: 6, states: ['Running'] }, ['c', 'b']],
  ]
  test.each(rows)('%s', (_, objects, args, expected) => {
    expect(evicted('RemovePodsHavingTooManyRestarts', objects, args)).toEqual(expected)
  })
})

describe('PodLifeTime', () => {
  const status = (more: object): PodOptions => ({ status: { phase: 'Running', ...more } })
  const ready = (seconds: number) => ({
    conditions: [{ type: 'Ready', status: 'False' as const, lastTransitionTime: formatTime(nowMs - seconds * 1_000) }],
  })
  const main = (more: object) => ({ containerStatuses: [{ name: 'main', ...more }] })
  const ages = [
    ...two,
    aged(100, onNode('n1', 'a')),
    aged(300, onNode('n2', 'b')),
    aged(101, onNode('n1', 'c')),
    aged(-50, onNode('n1', 'd')),
  ]
  const rows: readonly Row[] = [
    ['oldest first, over all nodes, exactly the age stays', ages, { maxPodLifeTimeSeconds: 100 }, ['b', 'c']],
    [
      'by phase',
      [...two, onNode('n1', 'a'), onNode('n1', 'b', { status: { phase: 'Pending' } })],
      { states: ['Pending'] },
      ['b'],
    ],
    [
      'by reason of the pod',
      [...two, onNode('n1', 'a', status({ reason: 'NodeLost' })), onNode('n1', 'b')],
      { states: ['NodeLost'] },
      ['a'],
    ],
    [
      'by reason of a container',
      [
        ...two,
        onNode('n1', 'a', status(main(waiting('ErrImagePull')))),
        onNode('n1', 'b', status(main(terminated('OOMKilled', 137)))),
      ],
      { states: ['ErrImagePull', 'OOMKilled'] },
      ['a', 'b'],
    ],
    [
      'init containers where asked',
      [...two, onNode('n1', 'a', status({ initContainerStatuses: [{ name: 'i', ...waiting('ErrImagePull') }] }))],
      { states: ['ErrImagePull'] },
      [],
    ],
    [
      'init containers',
      [...two, onNode('n1', 'a', status({ initContainerStatuses: [{ name: 'i', ...waiting('ErrImagePull') }] }))],
      { states: ['ErrImagePull'], includingInitContainers: true },
      ['a'],
    ],
    [
      'ephemeral containers',
      [...two, onNode('n1', 'a', status({ ephemeralContainerStatuses: [{ name: 'e', ...terminated('Error', 1) }] }))],
      { states: ['Error'], includingEphemeralContainers: true },
      ['a'],
    ],
    [
      'a condition that has stood long enough',
      [...two, onNode('n1', 'a', status(ready(60))), onNode('n1', 'b', status(ready(59)))],
      { conditions: [{ type: 'Ready', status: 'False', minTimeSinceLastTransitionSeconds: 60 }] },
      ['a'],
    ],
    [
      'a condition without a time has not',
      [...two, onNode('n1', 'a', status({ conditions: [{ type: 'Ready', status: 'False' }] }))],
      { conditions: [{ type: 'Ready', minTimeSinceLastTransitionSeconds: 0 }] },
      [],
    ],
    [
      'exit codes',
      [
        ...two,
        onNode('n1', 'a', status(main(terminated('Error', 2)))),
        onNode('n1', 'b', status(main(terminated('Completed', 0)))),
      ],
      { exitCodes: [2] },
      ['a'],
    ],
    [
      'owners included',
      [
        ...two,
        onNode('n1', 'a', { status: { phase: 'Pending' } }),
        onNode('n1', 'b', { owner: { ...owner, kind: 'Job' }, status: { phase: 'Pending' } }),
      ],
      { states: ['Pending'], ownerKinds: { include: ['Job'] } },
      ['b'],
    ],
    [
      'owners excluded',
      [
        ...two,
        onNode('n1', 'a', { status: { phase: 'Pending' } }),
        onNode('n1', 'b', { owner: { ...owner, kind: 'Job' }, status: { phase: 'Pending' } }),
      ],
      { states: ['Pending'], ownerKinds: { exclude: ['Job'] } },
      ['a'],
    ],
  ]
  test.each(rows)('%s', (_, objects, args, expected) => {
    expect(evicted('PodLifeTime', objects, args)).toEqual(expected)
  })
})

describe('RemoveFailedPods', () => {
  const failed = (more: object = {}, kind = 'ReplicaSet'): PodOptions => ({
    owner: { ...owner, kind },
    status: { phase: 'Failed', ...more },
  })
  const main = (more: object) => ({ containerStatuses: [{ name: 'main', ...more }] })
  const pods = [
    ...two,
    aged(7_200, onNode('n1', 'a', failed(main(terminated('OOMKilled', 137))))),
    aged(3_599, onNode('n1', 'b', failed())),
    aged(3_600, onNode('n1', 'c', failed({ reason: 'Evicted' }, 'Job'))),
    aged(7_200, onNode('n1', 'd')),
    aged(-7_200, onNode('n1', 'e', failed())),
    aged(7_200, onNode('n1', 'f', failed({ initContainerStatuses: [{ name: 'i', ...terminated('Error', 3) }] }))),
  ]
  const rows: readonly Row[] = [
    ['after an hour, if nothing is said', pods, {}, ['a', 'c', 'f']],
    ['by age', pods, { minPodLifetimeSeconds: 3_599 }, ['a', 'b', 'c', 'f']],
    ['by reason of container and pod', pods, { reasons: ['OOMKilled', 'Evicted'] }, ['a', 'c']],
    ['by exit code', pods, { exitCodes: [137, 3] }, ['a']],
    ['with init containers', pods, { exitCodes: [137, 3], includingInitContainers: true }, ['a', 'f']],
    ['kinds of owners left out', pods, { excludeOwnerKinds: ['Job'] }, ['a', 'f']],
  ]
  test.each(rows)('%s', (_, objects, args, expected) => {
    expect(evicted('RemoveFailedPods', objects, args)).toEqual(expected)
  })
})
