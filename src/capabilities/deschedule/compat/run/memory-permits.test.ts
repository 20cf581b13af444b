// Permits in memory answer the arbiter as an API server would, and are bounded.
import { expect, test } from 'vitest'
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { seededRandom } from '#kube/random.ts'
import { permitsInMemory } from './memory-permits.ts'

const { signal } = new AbortController()

function memory() {
  const clock = new VirtualClock(Date.UTC(2026, 10, 21))
  const asked: string[] = []
  const cluster = openApi(
    {
      request: async ({ path }) => {
        asked.push(path)
        return { status: 404, headers: {}, body: new TextEncoder().encode('{"kind":"Status","code":404}') }
      },
      stream: () => Promise.reject(new Error('nobody streams')),
      close: async () => undefined,
    },
    { clock, userAgent: 'test' },
  )
  const { api, permits } = permitsInMemory(cluster, { clock, random: seededRandom(1) })
  return { api, permits, asked, of: api.resource<DisruptionPermit>(disruptionPermits) }
}

function permit(name: string): DisruptionPermit {
  const spec = { requester: 'deschedule', verb: 'evict', targets: [] }
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'DisruptionPermit',
    metadata: { name, namespace: 'shop' },
    spec,
  } as object as DisruptionPermit
}
const at = { namespace: 'shop', signal }
const released = { type: 'merge', body: { status: { releasedAt: '2026-11-21T00:00:01Z', until: null } } } as const

test('what is created is read, patched by merge, listed and deleted; versions rise', async () => {
  const { of } = memory()
  const created = await of.create(permit('a'), at)
  expect(created.metadata).toMatchObject({ uid: expect.any(String), creationTimestamp: '2026-11-21T00:00:00Z' })
  const patched = await of.patch('a', released, { ...at, subresource: 'status' })
  expect(patched.status).toEqual({ releasedAt: '2026-11-21T00:00:01Z' })
  expect(Number(patched.metadata.resourceVersion)).toBeGreaterThan(Number(created.metadata.resourceVersion))
  expect((await of.list({ signal })).items).toEqual([patched])
  await of.delete('a', at)
  const gone = await of.get('a', at).catch((error: unknown) => error)
  expect(isNotFound(gone)).toBe(true)
})

test('everything else goes to the cluster, and no permit does', async () => {
  const { api, asked, of } = memory()
  await of.create(permit('a'), at)
  await api
    .resource(builtIn.pods)
    .get('web', at)
    .catch(() => undefined) // there is none
  expect(asked).toEqual(['/api/v1/namespaces/shop/pods/web'])
})

test('beyond 2,000 the oldest that are over are forgotten, and whoever watches is told', async () => {
  const { of, permits } = memory()
  const forgotten: string[] = []
  permits.onChange(({ type, object }) => forgotten.push(`${type} ${object.metadata.name}`))
  for (let count = 0; count < 2_000; count++) {
    await of.create(permit(`p${count}`), at)
    if (count !== 1) await of.patch(`p${count}`, released, at)
  }
  await of.create(permit('q'), at)
  expect(forgotten).toEqual(['DELETED p0'])
  // One that is out is kept, and what came after it.
  await of.create(permit('r'), at)
  expect(forgotten).toHaveLength(1)
  await of.patch('p1', released, at)
  await of.create(permit('s'), at)
  expect(forgotten).toEqual(['DELETED p0', 'DELETED p1', 'DELETED p2'])
})
