// `ballast snapshot` as its user runs it, against a twin over HTTPS: the file it writes is the cluster again.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { readSource } from '../../src/cli/source/source.ts'
import { tokenKubeconfig } from '../controller-process.ts'
import { runBallast } from './run-ballast.ts'

const example = join(import.meta.dirname, '..', '..', 'examples', 'talos-homelab')
const base64 = (text: string) => Buffer.from(text).toString('base64')

const secret = (name: string, data: object, type: string, annotations: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'vault', annotations: { ...annotations } },
  type,
  data,
})

const password = 'correct horse battery staple'
/** What an example of good manners does not have. */
const more: readonly KubeObject[] = [
  secret('db', { password: base64(password) }, 'Opaque', {
    'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ stringData: { password } }),
  }),
  secret('db-copy', { password: base64(password) }, 'Opaque'),
  secret(
    'pull',
    { '.dockerconfigjson': base64(`{"auths":{"r":{"auth":"${base64(password)}"}}}`) },
    'kubernetes.io/dockerconfigjson',
  ),
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'large', namespace: 'vault' },
    data: { large: '\u0001 é\n'.repeat(20_000), yes: 'no' },
  },
  {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w', namespace: 'vault' },
    spec: { size: 3, list: [{ a: 'b' }] },
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'looks-at-pods' },
    rules: [{ apiGroups: [''], resources: ['nodes', 'pods'], verbs: ['list'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'looks-at-pods' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'looks-at-pods' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'onlooker' }],
  },
  {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: 'app-0.evicted',
      namespace: 'vault',
      managedFields: [
        { manager: 'descheduler', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:reason': {} } },
      ],
    },
    involvedObject: { kind: 'Pod', namespace: 'vault', name: 'app-0' },
    reason: 'Descheduled',
    source: { component: 'descheduler' },
    lastTimestamp: '2026-02-01T00:00:00Z',
  },
]

let folder = ''
let twin: Twin
const at = (name: string) => join(folder, name)

/** On a clock that stands still nothing changes between two readings. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-snapshot-'))
  const objects = [...readSource(example).objects.map(({ object }) => object), ...more]
  twin = await startTwin({ clock: new VirtualClock(Date.parse('2026-02-01T00:00:00Z')), objects, listen: { port: 0 } })
  for (const [file, user] of [
    ['admin', undefined],
    ['onlooker', { name: 'onlooker', groups: [] }],
    ['nobody', { name: 'nobody', groups: [] }],
  ] as const)
    writeFileSync(at(file), await twin.kubeconfig(user), { mode: 0o600 })
  await twin.settle({ limitMs: 600_000 })
  expect((await snapshot('-o', at('whole.yaml'))).code).toBe(0)
})
afterAll(async () => {
  await twin.stop()
  rmSync(folder, { recursive: true, force: true })
})

const snapshot = (...args: string[]) => runBallast(['snapshot', '--kubeconfig', at('admin'), ...args])
const read = (file: string) => readSource(at(file)).objects.map(({ object }) => object)
const isPod = (object: KubeObject): object is Pod => object.kind === 'Pod'
const placed = (objects: readonly KubeObject[]) =>
  objects
    .filter(isPod)
    .map(({ metadata, spec }) => `${metadata.namespace}/${metadata.name} ${metadata.uid} on ${spec.nodeName}`)
    .sort()

describe('the file', () => {
  test.each(['whole.json', 'packed.yaml.gz'])('%s is the cluster again, for its owner alone', async name => {
    const { code, output, words } = await snapshot('-o', at(name))
    expect([code, output]).toEqual([0, ''])
    expect(words).toMatch(/^\d+ objects of \d+ kinds in \S+\n$/)
    const bytes = readFileSync(at(name))
    if (name.endsWith('.gz')) expect(gunzipSync(bytes).equals(readFileSync(at('whole.yaml')))).toBe(true)
    expect(statSync(at(name)).mode & 0o777).toBe(0o600)
    expect(readSource(at(name)).problems).toEqual([])
    const objects = read(name)
    expect(placed(objects)).toEqual(placed(twin.access.list('pods')))
    expect(objects.find(({ kind }) => kind === 'Widget')).toMatchObject({ spec: { size: 3, list: [{ a: 'b' }] } })
    expect(objects.find(({ metadata }) => metadata.name === 'large')?.['data']).toEqual(more[3]?.['data'])
    expect(objects.filter(({ kind }) => kind === 'Event' || kind === 'Lease')).toEqual([])
    expect(objects.filter(({ metadata }) => metadata.managedFields !== undefined)).toEqual([])
  })

  test('is the same byte by byte while nothing changes, in a file and on standard output', async () => {
    const { code, output, words } = await snapshot('-o', '-')
    expect([code, words]).toEqual([0, ''])
    expect(output === readFileSync(at('whole.yaml'), 'utf8')).toBe(true)
  })

  test("has no Secret's value in it, but which are equal", async () => {
    await snapshot('-o', at('secrets.yaml'), '--managed-fields')
    const text = readFileSync(at('secrets.yaml'), 'utf8')
    const hash = createHash('sha256').update(password)
    const hashes = [hash.copy().digest('hex'), hash.digest('base64')]
    for (const value of [password, base64(password), base64(password).slice(0, 20), ...hashes]) expect(text).not.toContain(value)
    const dataOf = (name: string) =>
      read('secrets.yaml').find(({ kind, metadata }) => kind === 'Secret' && metadata.name === name) ?? expect.fail(name)
    expect(dataOf('db')['data']).toEqual(dataOf('db-copy')['data'])
    expect(dataOf('db').metadata.annotations).toEqual({ 'ballast.dev/redacted': 'true' })
    expect(Object.keys(dataOf('pull')['data'] ?? {})).toEqual(['.dockerconfigjson'])
  })

  test('has the evidence for ballast look where that is asked for', async () => {
    await snapshot('-o', at('look.json'), '--look')
    const objects = read('look.json')
    const kinds = new Set(objects.map(({ kind }) => kind))
    expect([kinds.has('Event'), kinds.has('Lease')]).toEqual([true, false])
    expect(objects.some(({ metadata }) => (metadata.managedFields ?? []).length > 0)).toBe(true)
    const found = await runBallast(['look', '--cluster', at('look.json'), '-o', 'json'])
    expect(found.code).toBe(3)
    expect(JSON.parse(found.output).unknown.join()).not.toMatch(/no Events|no managedFields/)
  })

  test('has Events and Leases where they are wanted, and no use where it is not', async () => {
    await snapshot('-o', at('more.json'), '--include', 'events,leases', '--no-usage')
    const kinds = new Set(read('more.json').map(({ kind }) => kind))
    expect([kinds.has('Lease'), kinds.has('NodeMetrics'), kinds.has('PodMetrics')]).toEqual([true, false, false])
    expect(read('whole.yaml').some(({ kind }) => kind === 'PodMetrics')).toBe(true)
  })
})

describe('from the file', () => {
  test('the plan is the plan of the cluster', async () => {
    const [of, live] = await Promise.all([
      runBallast(['plan', '--cluster', at('whole.yaml')]),
      runBallast(['plan', '--kubeconfig', at('admin')]),
    ])
    // The one has the time of the dump, the other the time of now; a busy server is waited for in words.
    const timeless = ({ output, words, ...rest }: typeof of) => ({
      ...rest,
      words: words.replace(/^waiting for .*\n/gm, ''),
      output: output.replace(/begun at \S+ it is over at \S+/, 'begun at A it is over at B'),
    })
    expect(timeless(of)).toEqual(timeless(live))
    expect([of.code, of.words]).toEqual([0, ''])
    expect(of.output).toContain('15 moves; no plan that keeps the margins has fewer')
  })

  test('a twin has the same pods on the same nodes, settles at once, and gives the same file', async () => {
    await using again = await startTwin({
      clock: new VirtualClock(Date.parse('2026-02-01T00:00:00Z')),
      objects: read('whole.yaml'),
      listen: { port: 0 },
    })
    expect(again.report.problems).toEqual([])
    const before = placed(twin.access.list('pods'))
    expect(placed(again.access.list('pods'))).toEqual(before)
    await again.settle({ limitMs: 600_000 })
    expect(placed(again.access.list('pods'))).toEqual(before)
    writeFileSync(at('again'), await again.kubeconfig(), { mode: 0o600 })
    await runBallast(['snapshot', '--kubeconfig', at('again'), '-o', at('of-the-file.yaml')])
    const identities = (file: string) => read(file).map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)
    expect(identities('of-the-file.yaml')).toEqual(identities('whole.yaml'))
  })
})

describe('what may not be read', () => {
  test('is named, and the rest is written', async () => {
    const { code, words } = await runBallast(['snapshot', '--kubeconfig', at('onlooker'), '-o', at('some.yaml')])
    expect(code).toBe(0)
    expect(words).toMatch(/^left out: secrets may not be read.*User "onlooker" cannot list resource "secrets"/m)
    expect(words).toMatch(/^left out: widgets\.example\.com may not be read/m)
    expect([...new Set(read('some.yaml').map(({ kind }) => kind))]).toEqual(['Node', 'Pod'])
  })

  test('ends with 3 where it is nodes and pods: nothing can be said about such a cluster', async () => {
    const { code, words } = await runBallast(['snapshot', '--kubeconfig', at('nobody'), '-o', at('none.yaml')])
    expect(code).toBe(3)
    expect(words).toMatch(/none of kind Node or Pod\n$/)
  })
})

describe('where it cannot be written', () => {
  test('a file that was there stays as it was, and nothing is left beside it', async () => {
    writeFileSync(at('kept.yaml'), 'as it was')
    using stray = tokenKubeconfig(readFileSync(at('admin'), 'utf8'), 'of-nobody')
    const { code, words } = await runBallast(['snapshot', '--kubeconfig', stray.file, '-o', at('kept.yaml')])
    expect(words).toBe(`ballast: read cluster ${twin.url}: Unauthorized (401)\n`)
    expect([code, readFileSync(at('kept.yaml'), 'utf8')]).toEqual([1, 'as it was'])
    expect(readdirSync(folder).filter(name => name.includes('draft'))).toEqual([])
  })

  // biome-ignore format: a table
  test.each<[string, readonly string[], number, RegExp]>([
    ['a folder that is not there', ['-o', '/no-such-folder/x.yaml'],          1, /write \/no-such-folder\/x\.yaml: ENOENT/],
    ['a device',                   ['-o', '/dev/null'],                       2, /write \/dev\/null: it exists and is not a file/],
    ['a kind that is in it anyway', ['--include', 'pods'],                    2, /of events, leases/],
    ['a context of nobody',        ['--context', 'nowhere'],                  2, /nowhere/],
  ])('%s', async (_name, args, expected, says) => {
    const { code, words } = await snapshot(...args)
    expect(words).toMatch(says)
    expect(code).toBe(expected)
  })

  test('a link goes on leading to the file', async () => {
    writeFileSync(at('target.yaml'), 'old')
    symlinkSync(at('target.yaml'), at('link.yaml'))
    expect((await snapshot('-o', at('link.yaml'))).code).toBe(0)
    expect(readFileSync(at('target.yaml'), 'utf8')).toMatch(/^---\n/)
  })
})
