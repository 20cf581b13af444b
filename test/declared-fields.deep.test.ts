// What is kept of a pod (src/cluster/pod-fields.ts) is what is read of it: on projections the model places as the recorded schedulers did,
// plans and their hashes are those of whole objects, and nobody reads a field that was not declared.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { podFields } from '#cluster/pod-fields.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { snapshotHash } from '#planning/snapshot-hash.ts'
import { controlledCluster } from './controlled-cluster.ts'
import { labelled } from './homelab-states.ts'
import { type ReplayedRecording, replayPlacements } from './placement-replay.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'
import { withWatchedReads } from './watched-reads.ts'

const folder = join(import.meta.dirname, 'fixtures/placements')

function projected(objects: readonly KubeObject[], report: (path: string) => void): readonly KubeObject[] {
  return objects.map(object => (object.kind === 'Pod' ? withWatchedReads(object, podFields, report) : object))
}

test('a read of what was not declared is told, and of nothing else', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    spec: { nodeName: 'n', hostPID: true, volumes: [{ name: 'x', nfs: {} }] },
  }
  const told: string[] = []
  const seen = withWatchedReads<KubeObject>(pod, podFields, path => told.push(path)) as Pod
  expect([seen.spec.nodeName, seen.spec['absent'], seen.spec.volumes?.[0]?.['nfs']]).toEqual(['n', undefined, {}])
  expect(told).toEqual([])
  expect(seen.spec['hostPID']).toBeUndefined()
  expect(told).toEqual(['spec.hostPID'])
})

describe.each(['v1.34.4', 'v1.36.4'])('kube-scheduler %s', version => {
  test.each(readdirSync(join(folder, version)))('is followed on projections as recorded in %s', file => {
    // What the recorder wrote; its shape is held by recorded-clusters.test.ts.
    const recording = JSON.parse(readFileSync(join(folder, version, file), 'utf8')) as ReplayedRecording
    const undeclared = new Set<string>()
    const report = (path: string) => void undeclared.add(path)
    const replay = replayPlacements({
      ...recording,
      objects: projected(recording.objects, report),
      steps: recording.steps.map(step => ({
        ...step,
        pod: withWatchedReads(step.pod, podFields, report),
        ...(step.after === undefined ? {} : { after: projected(step.after, report) }),
      })),
    })
    expect(replay.differences).toEqual([])
    expect([...undeclared]).toEqual([])
  })
})

test('a plan of the homelab has the same hash and moves on projections', async () => {
  const objects = labelled()
  const undeclared = new Set<string>()
  const kept = projected(objects, path => undeclared.add(path))
  expect(snapshotHash(buildClusterState(kept).state)).toBe(snapshotHash(buildClusterState(objects).state))
  expect([...undeclared]).toEqual([])
})

test('a controller replaces only what is its own: what it kept of a pod cannot be written over the pod', async () => {
  await using cluster = await controlledCluster({
    objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })],
    capabilities: [deschedule],
  })
  cluster.startController()
  await cluster.rebalance('small')
  expect(cluster.writes.some(write => write.startsWith('PATCH '))).toBe(true)
  const replaced = cluster.writes.filter(write => write.startsWith('PUT '))
  expect(replaced.filter(write => !write.includes('/leases/') && !write.startsWith('PUT /apis/ballast.dev/'))).toEqual([])
})
