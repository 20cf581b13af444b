import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { seededRandom } from '#kube/random.ts'
import { itemsAt, textAt } from '../json-value.ts'
import { startTwin, type Twin } from '../twin.ts'
import { TestClient } from '../twin-for-tests.ts'
import { TwinState } from './twin-state.ts'

const startMs = Date.parse('2026-01-01T00:00:00Z')
const maps = '/api/v1/namespaces/default/configmaps'
const database = (folder: string) => join(folder, 'twin.sqlite')

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'ballast-state-'));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true })
  }
}

const open = (folder: string) => TwinState.open(folder, { clock: systemClock, tell: () => undefined })

interface Life extends AsyncDisposable {
  readonly twin: Twin
  readonly client: TestClient
}

async function life(folder: string, objects: readonly KubeObject[] = []): Promise<Life> {
  const state = open(folder)
  const clock = new VirtualClock(state.clockMs ?? startMs)
  const twin = await startTwin({ clock, objects, state, components: false, ownKinds: true })
  const end = async () => {
    await twin.stop()
    state[Symbol.dispose]()
  }
  return { twin, client: new TestClient(twin.transport({ admin: true })), [Symbol.asyncDispose]: end }
}

/** What a folder holds, as a process would find it that was just started. */
function found(folder: string): { readonly revision: number; readonly text: string } {
  using copy = new Folder()
  cpSync(folder, copy.path, { recursive: true })
  using state = open(copy.path)
  const objects = [...state.objects()]
  const steps = [...state.history()]
  if (steps.length > 0) expect(steps.at(-1)?.revision).toBe(state.revision)
  const idOf = (resource: string, { metadata: { namespace, name } }: KubeObject) => `${resource} ${namespace}/${name}`
  const known = new Map<string, KubeObject | undefined>()
  for (const { resource, object, previous } of steps) {
    const id = idOf(resource, object ?? previous ?? missing())
    if (known.has(id)) expect(previous).toEqual(known.get(id))
    known.set(id, object)
  }
  const there = new Map(objects.map(({ resource, object }) => [idOf(resource, object), object]))
  for (const [id, object] of known) expect(there.get(id)).toEqual(object)
  return { revision: state.revision, text: JSON.stringify(objects) }
}

function missing(): never {
  throw new Error('a change of nothing')
}

const widgets: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { kind: 'Widget', plural: 'widgets', singular: 'widget', listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

test('a twin goes on as the same one: objects, revision, clock, version, keys of tokens', async () => {
  using folder = new Folder()
  const account = { namespace: 'default', serviceAccount: 'app' }
  const before = await (async () => {
    const app = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'app', namespace: 'default' } }
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, status: { nodeInfo: { kubeletVersion: 'v1.34.1' } } }
    await using first = await life(folder.path, [widgets, app, node])
    const bytes =
      '{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"},"big":9007199254740993,"__proto__":{"a":1}}'
    const big = { bytes: new TextEncoder().encode(bytes) }
    expect((await first.client.call('POST', '/apis/example.com/v1/namespaces/default/widgets', big)).status).toBe(201)
    await first.client.post(maps, { metadata: { name: 'gone' } })
    await first.client.call('DELETE', `${maps}/gone`)
    const list = await first.client.get(maps)
    const widget = await first.client.get('/apis/example.com/v1/namespaces/default/widgets/w')
    return { dump: first.twin.dump(), list, widget, token: await first.twin.issueToken(account) }
  })()
  expect(before.widget.text).toContain('9007199254740993')
  expect(before.widget.text).toContain('"__proto__":{"a":1}')
  await using second = await life(folder.path, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'not-read' } }])
  expect(second.twin.dump()).toEqual(before.dump)
  expect((await second.client.get('/apis/example.com/v1/namespaces/default/widgets/w')).text).toBe(before.widget.text)
  expect((await second.client.get('/version')).body).toMatchObject({ minor: '34' })
  const asApp = new TestClient(second.twin.transport({ token: before.token }))
  expect((await asApp.get(maps)).message).toContain('User "system:serviceaccount:default:app" cannot list')
  const revisionOf = (text: string) => Number(JSON.parse(text).metadata.resourceVersion)
  expect(revisionOf((await second.client.get(maps)).text)).toBeGreaterThanOrEqual(revisionOf(before.list.text))
  const again = await second.client.post(maps, { metadata: { name: 'gone' } })
  expect(revisionOf(again.text)).toBeGreaterThan(revisionOf(before.list.text))
  using old = await second.client.watch(maps, { resourceVersion: '2' })
  expect(await old.next(1)).toMatchObject([{ type: 'ERROR', object: { code: 410, reason: 'Expired' } }])
})

test('who watched before a restart goes on, and hears what happened meanwhile', async () => {
  using folder = new Folder()
  const seen = await (async () => {
    await using first = await life(folder.path)
    const begun = JSON.parse((await first.client.get(maps)).text).metadata.resourceVersion
    for (const name of ['a', 'b', 'c']) await first.client.post(maps, { metadata: { name, labels: { app: name } } })
    const middle = JSON.parse((await first.client.get(maps)).text).metadata.resourceVersion
    await first.client.patch(`${maps}/a`, 'merge', { data: { k: 'v' } })
    await first.client.patch(`${maps}/c`, 'merge', { metadata: { labels: { app: 'a' } } })
    await first.client.call('DELETE', `${maps}/b`)
    return { begun, middle }
  })()
  await using second = await life(folder.path)
  await second.client.post(maps, { metadata: { name: 'd' } })
  const heard = async (resourceVersion: string, count: number, query = {}) => {
    using watch = await second.client.watch(maps, { resourceVersion, ...query })
    return (await watch.next(count)).map(({ type, object }) => `${type} ${textAt(object, 'metadata', 'name')}`)
  }
  expect(await heard(seen.middle, 4)).toEqual(['MODIFIED a', 'MODIFIED c', 'DELETED b', 'ADDED d'])
  expect(await heard(seen.middle, 2, { labelSelector: 'app=a' })).toEqual(['MODIFIED a', 'ADDED c'])
  expect(await heard(seen.begun, 3)).toEqual(['ADDED a', 'ADDED b', 'ADDED c'])
  const page = await second.client.get(maps, { query: { resourceVersion: seen.middle, resourceVersionMatch: 'Exact' } })
  expect(itemsAt(page.body, 'items').map(one => textAt(one, 'metadata', 'name'))).toEqual(['a', 'b', 'c'])
  expect(await heard(String(Number(seen.begun) - 1), 1)).toEqual(['ERROR undefined'])
})

test('of the last changes 10,000 are kept, with what was before them', async () => {
  using folder = new Folder()
  const map = (name: string, revision: number): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', resourceVersion: String(revision) },
  })
  {
    using state = open(folder.path)
    state.begin(() => startMs)
    for (let revision = 2; revision <= 12_001; revision++) {
      const name = `m${revision % 7}`
      state.note('configmaps', `default/${name}`, revision, revision % 5 === 0 ? undefined : map(name, revision))
      if (revision % 500 === 0) expect(await state.written()).toBeUndefined()
    }
  }
  expect(found(folder.path).revision).toBe(12_001)
  using state = open(folder.path)
  const steps = [...state.history()]
  expect(steps.length).toBeGreaterThanOrEqual(10_000)
  expect(steps.length).toBeLessThan(11_001)
  const first = steps[0]?.revision ?? 0
  expect(steps[0]?.previous).toEqual((first - 7) % 5 === 0 ? undefined : map(`m${first % 7}`, first - 7))
})

test('names and UIDs that an earlier process drew do not come again', async () => {
  using folder = new Folder()
  const drawn: string[] = []
  for (let count = 0; count < 3; count++) {
    await using one = await life(folder.path)
    const { text } = await one.client.post(maps, { metadata: { generateName: 'map-' } })
    const { name, uid } = JSON.parse(text).metadata
    drawn.push(name, uid)
  }
  expect(new Set(drawn).size).toBe(6)
})

test('a kill at any moment leaves what was acknowledged, and nothing in halves', async () => {
  using folder = new Folder()
  await using one = await life(folder.path)
  const random = seededRandom(11)
  const states = [found(folder.path)]
  for (let count = 0; count < 24; count++) {
    const name = `map-${Math.floor(random() * 6)}`
    const isThere = (await one.client.get(`${maps}/${name}`)).status === 200
    const asked =
      !isThere || random() < 0.3
        ? one.client.call(
            isThere ? 'DELETE' : 'POST',
            isThere ? `${maps}/${name}` : maps,
            isThere ? {} : { body: { metadata: { name } } },
          )
        : one.client.patch(`${maps}/${name}`, 'merge', { data: { count: String(count), filling: 'x'.repeat(random() * 9_000) } })
    // Killed before it is written: as if it had not been asked for, unless it is written already.
    expect([states.at(-1)?.text]).toContain(found(folder.path).text)
    expect((await asked).status).toBeLessThan(300)
    const after = found(folder.path)
    expect(after.revision).toBeGreaterThan(states.at(-1)?.revision ?? 0)
    states.push(after)
  }
  // Killed in the middle of writing: SQLite's log ends at any byte.
  const log = readFileSync(`${database(folder.path)}-wal`)
  const known = new Map(states.map(({ revision, text }) => [revision, text]))
  const seen = new Set<number>()
  for (let count = 0; count < 60; count++) {
    using copy = new Folder()
    cpSync(folder.path, copy.path, { recursive: true })
    truncateSync(`${database(copy.path)}-wal`, Math.floor(random() * log.length))
    const { revision, text } = found(copy.path)
    expect(known.get(revision)).toBe(text)
    seen.add(revision)
  }
  expect(seen.size).toBeGreaterThan(10)
})

test('a start that was killed before its end begins anew', async () => {
  using folder = new Folder()
  {
    using state = open(folder.path)
    state.note('configmaps', 'default/half', 2, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'half' } })
    await state.written()
  }
  using state = open(folder.path)
  expect([state.isFilled, state.revision, ...state.objects()]).toEqual([false, 1])
})

test('two twins do not share a folder', async () => {
  using folder = new Folder()
  await using _one = await life(folder.path)
  expect(() => open(folder.path)).toThrow(/another twin works on it \(process \d+\)/)
})

function inDatabase(sql: string): (path: string) => void {
  return path => {
    const opened = new DatabaseSync(path)
    opened.exec(sql)
    opened.close()
  }
}

test.each<readonly [string, (path: string) => void, RegExp]>([
  ['is empty', path => truncateSync(path, 0), /an empty file/],
  ['was cut', path => truncateSync(path, Math.floor(readFileSync(path).length / 2)), /malformed|not as it was written/],
  ['is something else', path => writeFileSync(path, 'apiVersion: v1\n'.repeat(500)), /not a database/],
  ['is of a later version', inDatabase('PRAGMA user_version = 2'), /format 2/],
  [
    'has another text in an object',
    inDatabase(`UPDATE object SET text = replace(text, 'kube-system', 'kube-sistem')`),
    /not as it was written/,
  ],
  ['has lost what it says of itself', inDatabase(`DELETE FROM meta WHERE name = 'revision'`), /revision is not there/],
  ['does not say whether it was filled', inDatabase(`DELETE FROM meta WHERE name = 'filled'`), /filled is not there/],
  ['has lost a table', inDatabase('DROP TABLE object'), /no such table/],
])('a file that %s is refused, and stays as it is', async (_, harm, found) => {
  using folder = new Folder()
  {
    await using _life = await life(folder.path)
  }
  harm(database(folder.path))
  const bytes = readFileSync(database(folder.path))
  const attempt = async () => {
    await using _life = await life(folder.path)
  }
  const error = await attempt().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(InputError)
  expect(String(error)).toMatch(found)
  if (!/is not there|no such/.test(found.source)) expect(readFileSync(database(folder.path)).length).toBe(bytes.length)
})
