import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { PacedClock } from '#kube/time/paced-clock.ts'
import { startTwin } from '../twin.ts'
import { TestClient } from '../twin-for-tests.ts'
import { Readiness, type StartProgress } from './readiness.ts'

const startMs = Date.parse('2026-01-01T00:00:00Z')

function workload(kind: string, name: string, fields: Record<string, unknown> = {}): KubeObject {
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] } }
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: { replicas: 3, selector: { matchLabels: labels }, template, ...fields },
  }
}

function ownedPod(name: string, owner: string): KubeObject {
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: `uid-${owner}`, controller: true }]
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', ownerReferences } }
}

test('a twin is ready when the pods of its workloads are made, and says before how many are', async () => {
  const host = new VirtualClock(startMs)
  using clock = new PacedClock(host)
  const told: StartProgress[] = []
  const objects = [workload('Deployment', 'web'), workload('ReplicaSet', 'lone', { replicas: 40 })]
  await using twin = await startTwin({ clock, wire: host, objects, onProgress: progress => void told.push(progress) })
  const client = new TestClient(twin.transport({ admin: true }))
  const before = await client.get('/readyz')
  expect(before.status).toBe(500)
  expect(before.text).toContain('[-]loaded-workloads failed: 0 of 43 pods are made\nreadyz check failed\n')
  expect((await client.get('/readyz/loaded-workloads')).status).toBe(500)
  for (const path of ['/livez', '/healthz', '/readyz/ping', '/readyz?exclude=loaded-workloads'])
    expect(await client.get(path)).toMatchObject({ status: 200, text: 'ok' })
  expect((await client.get('/readyz/nothing')).status).toBe(404)
  await host.advance(1_000)
  await twin.ready
  expect(await client.get('/readyz')).toMatchObject({ status: 200, text: 'ok' })
  expect(twin.access.list('pods')).toHaveLength(43)
  expect(told.findLast(({ step }) => step === 'make')).toEqual({ step: 'make', done: 43, total: 43 })
  expect(told.filter(({ step }) => step === 'load').map(({ done, total }) => `${done} of ${total}`)).toEqual(['0 of 2', '1 of 2'])
})

test('on a clock that stands still what is loaded is all there will be', async () => {
  using clock = new PacedClock(new VirtualClock(startMs), { isPaused: true })
  await using twin = await startTwin({ clock, objects: [workload('Deployment', 'web')] })
  const client = new TestClient(twin.transport({ admin: true }))
  expect((await client.get('/readyz')).text).toBe('ok')
})

const web = workload('Deployment', 'web')
const oldSet = { ...workload('ReplicaSet', 'web-1'), metadata: { ...ownedPod('web-1', 'web').metadata, uid: 'uid-web-1' } }

test.each([
  ['nothing', [], 0],
  ['a Deployment alone', [web], 3],
  ['one whose ReplicaSet has two of its three', [web, oldSet, ownedPod('a', 'web-1'), ownedPod('b', 'web-1')], 3],
  ['one that has one too many', [web, oldSet, ...['a', 'b', 'c', 'd'].map(name => ownedPod(name, 'web-1'))], 4],
  ['a ReplicaSet whose Deployment is not there', [oldSet, ownedPod('a', 'web-1')], 3],
  ['a pod of nobody and a StatefulSet', [ownedPod('a', 'gone'), workload('StatefulSet', 'db')], 4],
  ['one of no replicas', [workload('Deployment', 'off', { replicas: 0 })], 0],
  ['one that says nothing of them', [workload('Deployment', 'one', { replicas: undefined })], 1],
] as const)('pods wanted: %s', (_, objects, wanted) => {
  const kinds: Readonly<Record<string, string>> = {
    pods: 'Pod',
    'deployments.apps': 'Deployment',
    'replicasets.apps': 'ReplicaSet',
    'statefulsets.apps': 'StatefulSet',
  }
  const list = (key: string) => objects.filter(({ kind }) => kind === kinds[key])
  const told: number[] = []
  const onProgress = ({ total }: StartProgress) => void told.push(total)
  const readiness = new Readiness({
    store: { list, count: key => list(key).length },
    clock: new PacedClock(new VirtualClock(startMs)),
    onProgress,
  })
  readiness.follow({ isDoneUntil: () => false, afterTurn: () => () => undefined })
  expect(told).toEqual(wanted < list('pods').length ? [] : [wanted])
})

test('on a clock that is too fast for the machine something is always due: the pods count', () => {
  const clock = new PacedClock(new VirtualClock(startMs), { pace: 10_000 })
  let pods = 0
  let listener: () => void = () => undefined
  const store = { list: (key: string) => (key === 'deployments.apps' ? [web] : []), count: () => pods }
  using readiness = new Readiness({ store, clock, onProgress: () => undefined })
  expect(readiness.missing).toBe('0 of 3 pods are made')
  let dueMs = 0
  const afterTurn = (given: () => void) => {
    listener = given
    return () => undefined
  }
  readiness.follow({ isDoneUntil: elapsedMs => elapsedMs < dueMs, afterTurn })
  pods = 3
  listener()
  expect(readiness.missing).toBe('controllers are at their first work')
  dueMs = 0.1
  listener()
  expect(readiness.missing).toBeUndefined()
})
