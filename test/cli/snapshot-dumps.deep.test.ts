// Dumps as people make them: one answer of kubectl or several in one file, in any form; and clusters on a bad day.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { problemSentence } from '#kube/problem.ts'
import { startTwin } from '#twin/twin.ts'
import { readSource } from '../../src/cli/source/source.ts'
import { node, smallCluster, smallPolicy } from '../small-cluster.ts'
import { runBallast } from './run-ballast.ts'

const objects = [...smallCluster(), smallPolicy()]
const nodes = objects.filter(({ kind }) => kind === 'Node')
const pods = objects.filter(({ kind }) => kind === 'Pod')
const others = objects.filter(({ kind }) => kind !== 'Node')

const list = (items: readonly unknown[], kind = 'List') => ({ apiVersion: 'v1', items, kind, metadata: { resourceVersion: '' } })
const yaml = (value: unknown) => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })
const json = (value: unknown) => `${JSON.stringify(value, undefined, 4)}\n`
/** As `kubectl get pods -o json` of one kind does not: the items say neither version nor kind. */
const bare = ({ apiVersion: _version, kind: _kind, ...rest }: KubeObject) => rest

let folder = ''
let plain = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-dumps-'))
  writeFileSync(join(folder, 'plain.yaml'), yaml(list(objects)))
  plain = (await runBallast(['plan', '--cluster', join(folder, 'plain.yaml')])).output
  expect(plain).toContain('3 moves')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function written(name: string, content: string | Buffer): string {
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}

describe('every form of a dump is the same cluster', () => {
  // biome-ignore format: a table
  test.each<[string, string, string | Buffer, number]>([
    ['get -o yaml',                              'a.yaml', yaml(list(objects)),                                                          0],
    ['get -o json',                              'b.json', json(list(objects)),                                                          0],
    ['lists of lists',                           'c.json', json(list([list(nodes), list([list(others)]), list([], 'PodList'), { ...list([]), items: null }])), 0],
    ['documents with comments',                  'd.yaml', `# nodes\n${yaml(list(nodes))}---\n# nothing\n--- # the rest\n${others.map(yaml).join('---\n')}...\n`, 0],
    ['answers after each other, YAML',           'e.yaml', `${yaml(list(nodes))}${yaml(list(others))}`,                                  0],
    ['answers after each other, JSON',           'f.json', `${json(list(nodes))}${json(list(others))}`,                                  0],
    ['an object a line',                         'g.json', objects.map(object => `${JSON.stringify(object)}\n`).join(''),                0],
    ['lists of one kind without it in items',    'h.json', json(list([list(nodes.map(bare), 'NodeList'), list(pods.map(bare), 'PodList'), ...others.filter(({ kind }) => kind !== 'Pod')])), 0],
    ['all, and again by kind',                   'i.yaml', `${yaml(list(objects))}---\n${yaml(list(nodes))}---\n${yaml(list(pods))}`,    2],
    ['as PowerShell redirects it',               'j.yaml', Buffer.from(`\ufeff${yaml(list(objects)).replaceAll('\n', '\r\n')}`, 'utf16le'), 0],
    ['with a mark of UTF-8 in front',            'k.json', `\ufeff${json(list(objects))}`,                                               0],
  ])('%s', async (_form, name, content, notes) => {
    const file = written(name, content)
    const { objects: read, problems } = readSource(file)
    expect(read).toHaveLength(objects.length)
    expect(problems.map(({ code }) => code)).toEqual(Array.from({ length: notes }, () => 'object-duplicate'))
    const { code, output, words } = await runBallast(['plan', '--cluster', file])
    expect({ code, output }).toEqual({ code: 0, output: plain })
    expect(words.split('\n').filter(line => line !== '')).toHaveLength(notes)
  })
})

describe('what came twice', () => {
  test('is taken as it came last, and told in one line a kind', () => {
    const later = nodes.map(object => ({ ...object, metadata: { ...object.metadata, labels: { later: 'yes' } } }))
    const { objects: read, problems } = readSource(written('twice.yaml', [...objects, ...later].map(yaml).join('---\n')))
    expect(read.filter(({ object }) => object.metadata.labels?.['later'] === 'yes')).toHaveLength(nodes.length)
    expect(problems.map(problemSentence)).toEqual([
      expect.stringMatching(
        /Node n1: found "the same object again, as 2 more of its kind", expected each object once; the last one is taken/,
      ),
    ])
  })

  test('under one name but with another UID is judged, not dropped', () => {
    const other = { ...node('n1'), metadata: { name: 'n1', uid: 'another' } }
    expect(readSource(written('other.yaml', [...objects, other].map(yaml).join('---\n'))).objects).toHaveLength(
      objects.length + 1,
    )
  })
})

test('pods without any node end with 2 and the way out, not with a line a pod', async () => {
  const { code, words } = await runBallast(['plan', '--cluster', written('all.yaml', yaml(list(others)))])
  expect(words).toMatch(/^ballast: pods but no Node in .*kubectl get nodes,all -A -o yaml does\n$/)
  expect(code).toBe(2)
})

const at = '2026-01-01T00:00:00Z'

/** What `kubectl get all` means by all. */
const shownByAll: ReadonlySet<string> = new Set([
  ...['Pod', 'Service', 'ReplicationController', 'DaemonSet', 'Deployment', 'ReplicaSet', 'StatefulSet', 'Job', 'CronJob'],
  'HorizontalPodAutoscaler',
])

test('kubectl get all of a healthy cluster, without the ReplicaSets of one namespace, stays as it is (twin, case 34)', async () => {
  const start = (given: readonly KubeObject[]) => startTwin({ clock: new VirtualClock(Date.parse(at)), objects: given })
  const workload = (kind: string, namespace: string): KubeObject => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web', namespace },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas: 3 }),
      selector: { matchLabels: { app: kind } },
      template: { metadata: { labels: { app: kind } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
    },
  })
  const kinds = ['Deployment', 'StatefulSet', 'DaemonSet']
  const workloads = ['seen', 'unseen'].flatMap(namespace => kinds.map(kind => workload(kind, namespace)))
  await using healthy = await start([...['n1', 'n2', 'n3'].map(name => node(name)), ...workloads])
  await healthy.settle({ limitMs: 600_000 })
  const all = healthy
    .dump()
    .filter(({ kind, metadata }) => shownByAll.has(kind) && !(kind === 'ReplicaSet' && metadata.namespace === 'unseen'))
  const read = readSource(written('get-all.yaml', yaml(list(all))))
  expect(read.problems).toEqual([])
  await using twin = await start(read.objects.map(({ object }) => object))
  expect(twin.report.problems.map(problemSentence)).toEqual([
    expect.stringMatching(/^ReplicaSet unseen\/web-\w+: found "pods of it/),
  ])
  const gone: string[] = []
  const specs = () => twin.access.list('deployments.apps').map(({ metadata }) => metadata.generation)
  const before = [twin.access.list('pods').map(({ metadata }) => metadata.uid), specs()]
  twin.access.subscribe('pods', ({ type, object }) => {
    if (type === 'DELETED' || object.metadata.deletionTimestamp !== undefined) gone.push(object.metadata.name)
  })
  await twin.settle({ limitMs: 600_000 })
  expect(gone).toEqual([])
  expect([twin.access.list('pods').map(({ metadata }) => metadata.uid), specs()]).toEqual(before)
  expect(twin.access.list('pods')).toHaveLength(18)
})
const pod = (name: string, more: object, spec: object, status: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'odd', uid: `pod-${name}`, creationTimestamp: at, ...more },
  spec: { containers: [{ name: 'c', image: 'x' }], tolerations: [{ operator: 'Exists' }], ...spec },
  status,
})
const leaving = { deletionTimestamp: at, deletionGracePeriodSeconds: 30 }
const sick = {
  ...node('sick'),
  spec: { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: at }] },
  status: {
    ...Object(node('sick')['status']),
    conditions: [
      { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', lastHeartbeatTime: at, lastTransitionTime: at },
    ],
  },
}
const badDay: readonly KubeObject[] = [
  sick,
  pod('done', {}, { nodeName: 'n1', restartPolicy: 'Never' }, { phase: 'Succeeded' }),
  pod('evicted', {}, { nodeName: 'n1' }, { phase: 'Failed', reason: 'Evicted' }),
  pod('held', { ...leaving, finalizers: ['example.com/hold'] }, { nodeName: 'n2' }, { phase: 'Running' }),
  pod('stuck', leaving, { nodeName: 'sick' }, { phase: 'Running' }),
  pod('waiting', {}, { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '1000' } } }] }, { phase: 'Pending' }),
  pod(
    'mirror',
    {
      annotations: { 'kubernetes.io/config.mirror': 'abc', 'kubernetes.io/config.source': 'file' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'sick', uid: 'node-sick', controller: true }],
    },
    { nodeName: 'sick' },
    { phase: 'Running' },
  ),
  {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w', namespace: 'odd', uid: 'w' },
    spec: { a: [1, { b: 'c' }] },
  },
  { apiVersion: 'example.com/v1', kind: 'WorldWidget', metadata: { name: 'w', uid: 'ww' }, spec: {} },
  {
    apiVersion: 'policy/v1beta1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'old', namespace: 'odd' },
    spec: { maxUnavailable: 1 },
  },
]

test('a cluster on a bad day loads into a plan and into a twin, and stays as it is', async () => {
  const file = written('bad-day.yaml', [...objects, ...badDay].map(yaml).join('---\n'))
  const { code, output } = await runBallast(['plan', '--cluster', file])
  expect(output).toMatch(/^sick /m)
  expect(code).toBe(0)

  const read = readSource(file)
  expect(read.problems).toEqual([])
  await using twin = await startTwin({
    clock: new VirtualClock(Date.parse(at)),
    objects: read.objects.map(({ object }) => object),
  })
  expect(twin.report.problems.map(problemSentence)).toEqual([
    expect.stringContaining('PodDisruptionBudget odd/old: found "policy/v1beta1'),
  ])
  await twin.settle({ limitMs: 120_000 })
  const phases = twin.access
    .list('pods', 'odd')
    .map(
      ({ metadata, status }) =>
        `${metadata.name} ${Object(status).phase} ${metadata.deletionTimestamp === undefined ? 'stays' : 'goes'}`,
    )
  expect(phases).toEqual([
    'done Succeeded stays',
    'evicted Failed stays',
    expect.stringMatching(/^held .* goes$/),
    'mirror Running stays',
    'stuck Running goes',
    'waiting Pending stays',
  ])
  const there = (kind: string) => twin.access.list(kind).map(({ metadata }) => metadata.name)
  expect([there('widgets.example.com'), there('worldwidgets.example.com')]).toEqual([['w'], ['w']])
  expect(twin.access.list('pods').filter(({ metadata }) => metadata.namespace === 'shop')).toHaveLength(pods.length)
})
