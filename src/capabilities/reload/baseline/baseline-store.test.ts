// The baseline in its ConfigMaps: what was written is read, damage is told, and conflicts are overcome.
import { describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { applyMergePatch } from '#kube/objects/merge-patch.ts'
import { markOfUid } from './baseline.ts'
import { BaselineStore, baselineNames } from './baseline-store.ts'

const { signal } = new AbortController()
const mark = 'a'.repeat(40)
const baseline = (uid: string, key = 'configmap/shop/settings', its: string = mark) => ({
  uid: markOfUid(uid),
  marks: new Map([[key, its]]),
})

interface Stored {
  readonly metadata: { readonly name: string; readonly resourceVersion: string }
  readonly data?: Readonly<Record<string, string>>
}

/** An API server of ConfigMaps. */
class Server {
  readonly objects = new Map<string, Stored>()
  #version = 1
  /** Writes that are answered with a conflict first. */
  conflicts = 0

  store(clock = new VirtualClock(0)): { readonly store: BaselineStore; readonly told: string[] } {
    const told: string[] = []
    const api = openApi(this.#transport(), { clock, userAgent: 'test' })
    const leadership = {
      transitions: 1,
      assert: () => undefined,
      confirm: async () => undefined,
      annotations: () => ({}),
      outlast: async () => undefined,
      annotate: async () => undefined,
    }
    const unreadable = (name: string, why: string) => void told.push(`${name}: ${why}`)
    const full = unreadable
    return { store: new BaselineStore({ api, clock, log: silentLog, leadership, namespace: 'ours', unreadable, full }), told }
  }

  put(name: string, data: Readonly<Record<string, string>>): Stored {
    const stored = { metadata: { name, resourceVersion: String(this.#version++) }, data }
    this.objects.set(name, stored)
    return stored
  }

  #transport(): Transport {
    const answer = (status: number, body: unknown) => ({ status, headers: {}, body: Buffer.from(JSON.stringify(body)) })
    const failure = (code: number, reason: string) =>
      answer(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason })
    return {
      request: async ({ verb, path, body }) => {
        const name = path.split('/').at(-1) ?? ''
        const sent: Partial<Stored> = JSON.parse(String(body ?? '{}'))
        if (verb === 'GET') return this.objects.has(name) ? answer(200, this.objects.get(name)) : failure(404, 'NotFound')
        if (verb === 'POST') return answer(201, this.put(sent.metadata?.name ?? '', sent.data ?? {}))
        const known = this.objects.get(name)
        if (known === undefined) return failure(404, 'NotFound')
        if (this.conflicts-- > 0) return failure(409, 'Conflict')
        if (sent.metadata?.resourceVersion !== known.metadata.resourceVersion) return failure(409, 'Conflict')
        const data = Object.entries({ ...Object(applyMergePatch({ ...known.data }, { ...sent.data })) })
        return answer(200, this.put(name, Object.fromEntries(data.map(([key, text]) => [key, String(text)]))))
      },
      stream: () => Promise.reject(new Error('nothing is streamed')),
      close: async () => undefined,
    }
  }
}

describe('BaselineStore', () => {
  test('what one wrote the next one reads; what is gone is forgotten', async () => {
    const server = new Server()
    const { store } = server.store()
    await store.load(signal)
    store.set('Deployment/shop/web', baseline('u1'))
    store.set('Deployment/shop/api', baseline('u2'))
    await store.flush(signal)
    store.delete('Deployment/shop/api')
    await store.flush(signal)
    const { store: next, told } = server.store()
    await next.load(signal)
    expect(next.get('Deployment/shop/web')).toEqual(baseline('u1'))
    expect([...next.workloads()]).toEqual(['Deployment/shop/web'])
    expect(told).toEqual([])
  })

  test('a name that is too long for a key, and one with dots', async () => {
    const server = new Server()
    const names = [`Deployment/shop/${'n'.repeat(250)}`, 'Deployment/shop/a.b', 'StatefulSet/a/b']
    const { store } = server.store()
    for (const name of names) store.set(name, baseline(name))
    await store.flush(signal)
    const { store: next } = server.store()
    await next.load(signal)
    expect(names.map(name => next.get(name)?.uid)).toEqual(names.map(markOfUid))
  })

  test('conflicts are read over and written again', async () => {
    const server = new Server()
    const { store } = server.store()
    store.set('Deployment/shop/web', baseline('u1'))
    await store.flush(signal)
    server.conflicts = 2
    store.set('Deployment/shop/web', baseline('u1', 'secret/shop/token'))
    await store.flush(signal)
    const { store: next } = server.store()
    await next.load(signal)
    expect(next.get('Deployment/shop/web')).toEqual(baseline('u1', 'secret/shop/token'))
  })

  test('what cannot be written stays to be written', async () => {
    const server = new Server()
    const { store } = server.store()
    store.set('Deployment/shop/web', baseline('u1'))
    await store.flush(signal)
    server.conflicts = 5
    store.set('Deployment/shop/web', baseline('u9'))
    await expect(store.flush(signal)).rejects.toThrow('Conflict')
    server.conflicts = 0
    await store.flush(signal)
    const { store: next } = server.store()
    await next.load(signal)
    expect(next.get('Deployment/shop/web')).toEqual(baseline('u9'))
  })

  test.each([
    'no JSON',
    '{}',
    '{"workload":"Deployment/shop/bad","uid":"12345678","marks":{"a":"b"}}',
    '{"workload":"other","uid":"12345678","marks":{}}',
  ])('%s is told and left out, the others are read', async text => {
    const server = new Server()
    const { store } = server.store()
    store.set('Deployment/shop/web', baseline('u1'))
    await store.flush(signal)
    const [name = ''] = server.objects.keys()
    server.put(name, { ...server.objects.get(name)?.data, 'Deployment.shop.bad': text })
    const { store: next, told } = server.store()
    await next.load(signal)
    expect(told).toHaveLength(1)
    expect([...next.workloads()]).toEqual(['Deployment/shop/web'])
  })

  test('what is new is written at once, what changed after a second, what a permit says, too, after ten', async () => {
    const server = new Server()
    const clock = new VirtualClock(0)
    const { store } = server.store(clock)
    const stop = new AbortController()
    const running = store.run(stop.signal)
    const texts = () => JSON.stringify([...server.objects.values()])
    store.set('Deployment/shop/seen', baseline('u1'))
    store.set('Deployment/shop/acted', baseline('u2'), 'with-permit')
    await clock.advance(300)
    expect(texts()).toContain('shop/seen')
    expect(texts()).toContain('shop/acted')
    await clock.advance(2_000)
    const [seen, acted] = ['c'.repeat(40), 'd'.repeat(40)]
    store.set('Deployment/shop/seen', baseline('u1', 'configmap/shop/settings', seen))
    store.set('Deployment/shop/acted', baseline('u2', 'configmap/shop/settings', acted), 'with-permit')
    await clock.advance(900)
    expect(texts()).not.toContain(seen)
    await clock.advance(200)
    expect(texts()).toContain(seen)
    expect(texts()).not.toContain(acted)
    await clock.advance(8_000)
    expect(texts()).not.toContain(acted)
    await clock.advance(1_000)
    expect(texts()).toContain(acted)
    stop.abort()
    await running
  })

  test('of a thousand that are seen one after the other, each ConfigMap is written about once a second', async () => {
    const server = new Server()
    const clock = new VirtualClock(0)
    const { store } = server.store(clock)
    const stop = new AbortController()
    const running = store.run(stop.signal)
    for (let at = 0; at < 1_000; at++) {
      store.set(`Deployment/shop/w${at}`, baseline(`u${at}`))
      await clock.advance(3)
    }
    await clock.advance(1_500)
    const writes = Array.from(server.objects.values(), ({ metadata }) => Number(metadata.resourceVersion))
    expect(Math.max(...writes)).toBeLessThanOrEqual(64 * 6)
    const { store: next } = server.store()
    await next.load(signal)
    expect([...next.workloads()]).toHaveLength(1_000)
    stop.abort()
    await running
  })

  test('what has no room is told and not written; the others are', async () => {
    const server = new Server()
    const { store, told } = server.store()
    const marks = new Map(Array.from({ length: 20_000 }, (_, at) => [`configmap/shop/${at}`, mark]))
    store.set('Deployment/shop/web', baseline('u1'))
    await store.flush(signal)
    store.set('Deployment/shop/big', { uid: markOfUid('u2'), marks })
    await store.flush(signal)
    expect(told).toEqual([expect.stringContaining('of 1 workloads nothing is remembered')])
    const { store: next } = server.store()
    await next.load(signal)
    expect([...next.workloads()]).toEqual(['Deployment/shop/web'])
  })

  test('what was written when there were fewer ConfigMaps is moved to where it belongs', async () => {
    const server = new Server()
    const { store } = server.store()
    store.set('Deployment/shop/web', baseline('u1'))
    await store.flush(signal)
    const [[name, { data }] = ['', { data: {} }]] = server.objects
    const other = baselineNames.find(one => one !== name) ?? ''
    server.objects.delete(name)
    server.put(other, data ?? {})
    const { store: next } = server.store()
    await next.load(signal)
    expect(next.get('Deployment/shop/web')).toEqual(baseline('u1'))
    await next.flush(signal)
    expect(server.objects.get(name)?.data).toEqual(data)
    expect(server.objects.get(other)?.data).toEqual({})
  })

  test('what a permit says was done counts, unless something was written since', async () => {
    const { store } = new Server().store()
    store.recall('Deployment/shop/web', baseline('u1'), 5)
    expect(store.get('Deployment/shop/web')).toEqual(baseline('u1'))
    store.recall('Deployment/shop/web', baseline('u1', 'secret/shop/token'), -1)
    expect(store.get('Deployment/shop/web')).toEqual(baseline('u1'))
  })
})
