// The client against the twin: the same dialogue as with a real API server, in memory and over HTTPS with a kubeconfig.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { appliedFields, applyFields } from '#kube/client/apply.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { updateObject } from '#kube/client/update.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import { LeaseElection } from '#kube/leases/lease.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isNotFound, StatusError } from '#kube/objects/status.ts'
import { seededRandom } from '#kube/random.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { startTwin, type Twin } from '#twin/twin.ts'

const signal = new AbortController().signal
const random = seededRandom(7)

describe.each(['in memory', 'over HTTPS'])('%s', way => {
  let twin: Twin
  let api: Api
  let informers: Informers
  let stop: AbortController

  beforeEach(async () => {
    twin = await startTwin({ clock: systemClock, listen: { port: 0 } })
    api = openApi(way === 'in memory' ? twin.transport({ admin: true }) : await httpTransport(twin), {
      clock: systemClock,
      userAgent: 'ballast-test',
    })
    stop = new AbortController()
    informers = new Informers(api, { clock: systemClock, random, signal: stop.signal })
  })

  afterEach(async () => {
    await informers[Symbol.asyncDispose]()
    await api.close()
    await twin.stop()
  })

  const maps = () => api.resource<KubeObject>(builtIn.configmaps)
  const map = (name: string, data: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data,
  })
  const at = { signal, namespace: 'default', fieldManager: 'ballast-test' }

  test('an informer follows what is written', async () => {
    const informer = informers.of(builtIn.configmaps, { namespace: 'default' })
    await informers.allSynced(signal)
    const before = informer.store.size
    const changes: string[] = []
    informer.onChange(({ type, object, initial }) => initial || changes.push(`${type} ${object.metadata.name}`))
    await maps().create(map('a', { x: '1' }), at)
    const updated = await updateObject(maps(), 'a', one => ({ ...one, data: { x: '2' } }), { ...at, clock: systemClock, random })
    informers.observe(builtIn.configmaps, updated)
    expect(informer.store.get('default', 'a')).toMatchObject({ data: { x: '2' } })
    await maps().delete('a', { ...at, preconditions: { uid: updated.metadata.uid ?? '' } })
    await expect.poll(() => changes.at(-1)).toBe('DELETED a')
    expect(changes[0]).toBe('ADDED a')
    expect(informer.store.size).toBe(before)
    expect(informer.counts.relists).toEqual({ start: 1 })
  })

  test('a watch goes on where the last one ended', async () => {
    const list = await maps().list(at)
    await maps().create(map('a', {}), at)
    await maps().create(map('b', {}), at)
    const seen: string[] = []
    for await (const { type, object } of maps().watch({ ...at, resourceVersion: list.metadata.resourceVersion })) {
      seen.push(`${type} ${object.metadata.name}`)
      if (seen.length === 2) break
    }
    expect(seen).toEqual(['ADDED a', 'ADDED b'])
  })

  test('pages add up to the list', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await maps().create(map(name, {}), at)
    // A controller puts one more into the namespace, sooner or later.
    const named = { ...at, limit: 2, fieldSelector: 'metadata.name!=kube-root-ca.crt' }
    const names: string[] = []
    for await (const page of maps().pages(named)) {
      expect(page.items.length).toBeLessThanOrEqual(2)
      names.push(...page.items.map(one => one.metadata.name))
    }
    const all = await maps().list({ ...named, limit: undefined })
    expect(names).toEqual(all.items.map(one => one.metadata.name))
    expect(names).toHaveLength(new Set(names).size)
  })

  test('refusals are in a server’s words', async () => {
    const refused = async (call: Promise<unknown>): Promise<string> => {
      const error: unknown = await call.catch((thrown: unknown) => thrown)
      return error instanceof StatusError ? `${error.code} ${error.reason}: ${error.message}` : String(error)
    }
    await maps().create(map('a', {}), at)
    expect(await refused(maps().get('none', at))).toBe('404 NotFound: configmaps "none" not found')
    expect(await refused(maps().create(map('a', {}), at))).toBe('409 AlreadyExists: configmaps "a" already exists')
    const stale = map('a', {})
    const update = maps().update({ ...stale, metadata: { ...stale.metadata, resourceVersion: '1' } }, at)
    expect(await refused(update)).toBe(
      '409 Conflict: Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    )
  })

  test('7.27 applies own their fields: what is left out goes, what others own is a conflict', async () => {
    const ours = { ...at, fieldManager: 'ours' }
    await applyFields(maps(), map('a', { kept: '1', left: '1' }), ours)
    await applyFields(maps(), map('a', { theirs: 'x' }), { ...at, fieldManager: 'kubectl' })
    expect(await applyFields(maps(), map('a', { kept: '1', theirs: 'y' }), ours)).toEqual({
      kind: 'conflict',
      conflicts: [{ manager: 'kubectl', field: '.data.theirs' }],
    })
    const outcome = await applyFields(maps(), map('a', { kept: '2' }), ours)
    expect(outcome).toMatchObject({ kind: 'applied', object: { data: { kept: '2', theirs: 'x' } } })
    expect(outcome.kind === 'applied' && outcome.object['data']).not.toHaveProperty('left')
    expect(outcome.kind === 'applied' && appliedFields(outcome.object, 'ours')).toMatchObject({ data: { kept: '2' } })
  })

  test('a lease is taken, confirmed and released', async () => {
    const leases = api.resource<Lease>(builtIn.leases)
    const events = new EventRecorder(api, { clock: systemClock, random, controller: 'ballast.dev/test', instance: 'test' })
    const election = new LeaseElection({
      api,
      namespace: 'default',
      name: 'test',
      identity: 'a',
      clock: systemClock,
      random,
      events,
    })
    await election.run(async leader => {
      await leader.confirm(signal)
      expect((await leases.get('test', at)).spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 })
      // Another replica has taken it: what was read before is no proof any more.
      const lease = await leases.get('test', at)
      const stolen = { ...lease, spec: { ...lease.spec, holderIdentity: 'b' } }
      expect((await leases.update(stolen, at)).spec?.holderIdentity).toBe('b')
      await expect(leader.confirm(signal)).rejects.toThrow('held by another')
      await leases.update({ ...(await leases.get('test', at)), spec: { ...lease.spec, holderIdentity: '' } }, at)
      stop.abort(new Error('the test is over'))
    }, stop.signal)
    await events.flush()
    const told = await api.resource(builtIn.events).list(at)
    expect(told.items.map(one => one['note'])).toContain('a became leader')
  })

  test('discovery names what is served', async () => {
    const { resources, unavailable } = await api.discover(signal)
    expect(unavailable).toEqual([])
    expect(resources).toContainEqual(
      expect.objectContaining({ group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment', namespaced: true }),
    )
  })

  test('predicates tell refusals apart', async () => {
    const error: unknown = await maps()
      .delete('none', at)
      .catch((thrown: unknown) => thrown)
    expect([isNotFound(error), isConflict(error)]).toEqual([true, false])
  })
})

async function httpTransport(twin: Twin): Promise<ReturnType<typeof openHttpTransport>> {
  const path = join(await temporaryDirectory(), 'config')
  await writeFile(path, await twin.kubeconfig())
  const config = await loadConfig({ environment: {}, homeDirectory: '/nowhere', kubeconfig: path })
  return openHttpTransport(config, { clock: systemClock, random })
}
