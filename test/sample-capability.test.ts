// The worked example of docs/writing-a-capability.md: what it decides, what it does on the twin, and that no kill makes it do it twice.
import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ControlledOptions, controlledCluster, startMs } from './controlled-cluster.ts'
import { describeKills } from './crash-harness.ts'
import { isQuiet, rolloutsOf } from './requesters/wishes.ts'
import { refresh } from './sample-capability/capability.ts'
import { refreshAnnotation, refreshes } from './sample-capability/decision.ts'
import { node, smallWorkload } from './small-cluster.ts'

const cluster = (after: string): readonly KubeObject[] => [
  ...['n1', 'n2', 'n3'].map(node),
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'namespace-shop' } },
  ...smallWorkload({
    name: 'web',
    cpu: '500m',
    on: ['n1', 'n2'],
    owner: 'descheduler',
    annotations: { [refreshAnnotation]: after },
  }),
  ...smallWorkload({ name: 'api', cpu: '500m', on: ['n1'], owner: 'descheduler' }),
]

// The pods are a day and four hours old.
test.each([
  ['24h', 'due'],
  ['36h', 'young'],
  ['soon', 'unreadable'],
])('after %s: %s', (after, outcome) => {
  const found = refreshes(buildClusterState(cluster(after)).state, startMs)
  expect(found.map(({ workload, outcome: of }) => `${workload.name} ${of}`)).toEqual([`web ${outcome}`])
})

const options: ControlledOptions = { objects: cluster('24h'), capabilities: [refresh] }

describe('on the twin', () => {
  test('old pods are replaced once, by a rollout that was granted and ended', async () => {
    await using run = await controlledCluster(options)
    run.startController()
    await run.until(() => rolloutsOf(run, 'web') === 1 && isQuiet(run))
    await run.clock.advance(3_600_000)
    expect([rolloutsOf(run, 'web'), rolloutsOf(run, 'api')]).toEqual([1, 0])
    expect(run.permits().map(({ spec, status }) => `${spec.requester} ${spec.verb} ${status?.ending}`)).toEqual([
      'refresh restart done',
    ])
    expect(run.forbidden).toEqual([])
  })
})

describeKills({
  name: 'pods get too old',
  cluster: options,
  async drive(run) {
    await run.until(() => rolloutsOf(run, 'web') === 1 && isQuiet(run))
  },
  faults: run => (rolloutsOf(run, 'web') === 1 ? [] : [`web: ${rolloutsOf(run, 'web')} rollouts`]),
})
