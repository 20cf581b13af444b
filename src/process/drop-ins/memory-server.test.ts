// What is kept in memory keeps the rules by which its writers take turns: the same questions are put to the twin, and the answers are the same.
import { expect, test } from 'vitest'
import { ballastKinds } from '#coordination/kinds.ts'
import { openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { MemoryServer } from './memory-server.ts'

const { signal } = new AbortController()
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
const permits = '/apis/ballast.dev/v1alpha1/namespaces/default/disruptionpermits'
const lease = (more: object = {}, spec: object = { holderIdentity: 'one' }) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'l', ...more },
  spec,
})
const permit = {
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'DisruptionPermit',
  metadata: { name: 'p' },
  spec: {
    requester: 'reload',
    class: 'correctness',
    verb: 'restart',
    targets: [{ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'web', name: 'cart', uid: 'u' }],
    idempotencyKey: 'k',
    deadline: '2026-01-01T00:00:00Z',
    // The schema's defaults: the arbiter writes them all.
    ...{ joined: [], nodes: [], purpose: 'move', reasons: [], siblings: [] },
  },
}
const merge = 'application/merge-patch+json'
const apply = 'application/apply-patch+yaml'

interface Step {
  readonly verb: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: object
  readonly type?: string
  readonly query?: Readonly<Record<string, string>>
}

// biome-ignore format: a table
const steps: readonly Step[] = [
  { verb: 'GET',    path: `${leases}/l` },
  { verb: 'DELETE', path: `${leases}/l` },
  { verb: 'POST',   path: leases, body: lease(), query: { dryRun: 'All' } },
  { verb: 'GET',    path: `${leases}/l` },
  { verb: 'POST',   path: leases, body: lease() },
  { verb: 'POST',   path: leases, body: lease() },
  { verb: 'PUT',    path: `${leases}/l`, body: lease({ resourceVersion: '1' }, { holderIdentity: 'stale' }) },
  { verb: 'PUT',    path: `${leases}/l`, body: lease({}, { holderIdentity: 'two' }) },
  { verb: 'PATCH',  path: `${leases}/l`, body: { metadata: { annotations: { a: 'b' } } }, type: merge },
  { verb: 'PATCH',  path: `${leases}/l`, body: { metadata: { annotations: { a: null } }, spec: { holderIdentity: 'three' } }, type: merge, query: { dryRun: 'All' } },
  { verb: 'PATCH',  path: `${leases}/l`, body: { metadata: { resourceVersion: '1' }, spec: {} }, type: merge },
  { verb: 'GET',    path: leases },
  { verb: 'DELETE', path: `${leases}/l`, body: { preconditions: { uid: 'another' } } },
  { verb: 'POST',   path: permits, body: { ...permit, status: { decision: 'Granted' } } },
  { verb: 'PATCH',  path: `${permits}/p`, body: { status: { decision: 'Granted' } }, type: merge },
  { verb: 'PATCH',  path: `${permits}/p/status`, body: { spec: { requester: 'x' }, status: { decision: 'Granted' } }, type: merge },
  { verb: 'GET',    path: `${permits}/p` },
  { verb: 'GET',    path: '/apis/ballast.dev/v1alpha1/disruptionpermits' },
  { verb: 'PATCH',  path: '/api/v1/namespaces/default/configmaps/m', body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data: { a: '1', b: '2' } }, type: apply, query: { fieldManager: 'x', force: 'true' } },
  { verb: 'PATCH',  path: '/api/v1/namespaces/default/configmaps/m', body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data: { a: '3' } }, type: apply, query: { fieldManager: 'x', force: 'true' } },
  { verb: 'DELETE', path: `${permits}/p` },
  { verb: 'GET',    path: `${permits}/p` },
]

/** Code, and what is said of an object beside what servers add. */
async function told(server: Transport, { verb, path, body, type = 'application/json', query = {} }: Step): Promise<object> {
  const headers = { 'content-type': type, accept: 'application/json' }
  const given = body === undefined ? {} : { body: JSON.stringify(body) }
  const answer = await server.request({ verb, path, headers, query, signal, ...given })
  const plain = ({ metadata, spec, status, data }: KubeObject & { readonly data?: unknown }) => {
    const { name, namespace, annotations = {}, uid, resourceVersion } = metadata
    return {
      name,
      namespace,
      annotations,
      hasUid: uid !== undefined,
      hasVersion: resourceVersion !== undefined,
      spec,
      status,
      data,
    }
  }
  const read = JSON.parse(Buffer.from(answer.body).toString())
  if (answer.status >= 400) return { status: answer.status, reason: read.reason }
  if (Array.isArray(read.items)) return { status: answer.status, items: read.items.map(plain) }
  // Who deletes is told a Status or the object.
  return { code: answer.status, ...(verb === 'DELETE' ? {} : plain(read)) }
}

test('each answer is that of the twin', async () => {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const definitions = ballastKinds.flatMap(({ definition }) => (definition === undefined ? [] : [definition]))
  await using twin = await startTwin({ clock, objects: definitions, components: false, authorization: 'AlwaysAllow' })
  const memory = new MemoryServer({ clock, random: seededRandom(1) })
  const wire = twin.transport({ admin: true })
  for (const step of steps) {
    const [ours, theirs] = [await told(memory, step), await told(wire, step)]
    const isDryCreate = step.query?.['dryRun'] !== undefined
    expect(isDryCreate ? { ...ours, hasVersion: true } : ours, JSON.stringify(step)).toEqual(
      isDryCreate ? { ...theirs, hasVersion: true } : theirs,
    )
  }
})

test('an informer sees what there is and what changes, also after its place in the changes is forgotten', async () => {
  const clock = new VirtualClock(0)
  const server = new MemoryServer({ clock, random: seededRandom(1) })
  const around = { clock, random: seededRandom(1), log: silentLog }
  const api = openApi(server, { ...around, userAgent: 'test' })
  const maps = api.resource<KubeObject>(builtIn.leases)
  await maps.create(lease({ name: 'first' }) as KubeObject, { namespace: 'default', signal })
  await using informers = new Informers(api, { ...around, watchList: 'off', pageSize: 500, signal })
  const informer = informers.of<KubeObject>(builtIn.leases)
  const names = () => [...informer.store.list()].map(({ metadata }) => metadata.name).sort()
  const until = (expected: readonly string[]) =>
    clock.runUntil(() => JSON.stringify(names()) === JSON.stringify(expected), { limitMs: 600_000 })
  await until(['first'])
  await maps.create(lease({ name: 'second' }) as KubeObject, { namespace: 'other', signal })
  await until(['first', 'second'])
  await maps.delete('first', { namespace: 'default', signal })
  for (let number = 0; number < 2_500; number++)
    await server.request({
      verb: 'PATCH',
      path: '/apis/coordination.k8s.io/v1/namespaces/other/leases/second',
      headers: { 'content-type': merge },
      body: JSON.stringify({ spec: { leaseTransitions: number } }),
      signal,
    })
  await clock.advance(60_000)
  await until(['second'])
  expect(informer.store.get('other', 'second')?.['spec']).toMatchObject({ leaseTransitions: 2_499 })
})

test('what its guard forbids is not done', async () => {
  const server = new MemoryServer({ clock: new VirtualClock(0), random: seededRandom(1) })
  const guard = () => {
    throw new Error('we lead no more')
  }
  const request = { verb: 'POST', path: leases, body: JSON.stringify(lease()), signal } as const
  await expect(server.request({ ...request, guard })).rejects.toThrow('we lead no more')
  expect((await server.request({ verb: 'GET', path: `${leases}/l`, signal })).status).toBe(404)
})
