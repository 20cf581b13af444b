import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { slabBytes } from '../slabs.ts'
import { Announcer, announcements } from './announcer.ts'
import { parseListenAddress } from './listen-address.ts'
import { looseImageName } from './loose-image-name.ts'
import { readBytesFor } from './read-size.ts'
import { readinessOf } from './readiness.ts'

// biome-ignore format: a table
test.each([
  [':5000', { host: undefined, port: 5000 }],
  ['10.0.0.7:29999', { host: '10.0.0.7', port: 29_999 }],
  ['[fd00::7]:29999', { host: 'fd00::7', port: 29_999 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['5000', undefined],
  ['fd00::7:29999', undefined],
  ['[10.0.0.7]:1', undefined],
  [':65536', undefined],
  ['a b:1', undefined],
  ['', undefined],
])('%s is listened on at %j', (text, address) => {
  const parsed = parseListenAddress(text, '--registry-addr')
  expect(parsed.ok ? parsed.value : undefined).toEqual(address)
})

// biome-ignore format: a table
test.each([
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1.37', 'docker.io/library/busybox:1.37'],
  ['acme/app', 'docker.io/acme/app:latest'],
  ['docker.io/nginx', 'docker.io/library/nginx:latest'],
  ['ghcr.io/acme/app:v2', 'ghcr.io/acme/app:v2'],
  ['registry.test:5000/acme/app', 'registry.test:5000/acme/app:latest'],
  ['localhost/app:1', 'localhost/app:1'],
  [`acme/app@sha256:${'a'.repeat(64)}`, `docker.io/acme/app@sha256:${'a'.repeat(64)}`],
  ['', undefined],
  ['Acme', undefined],
  ['a@b', undefined],
  ['a b', undefined],
])('people who type %s mean %s', (text, meant) => {
  const image = looseImageName(text)
  const named = image && `${image.registry}/${image.repository}${image.tag ? `:${image.tag}` : ''}${image.digest ? `@${image.digest}` : ''}`
  expect(named).toBe(meant)
})

const standing = {
  router: { isReady: true, reason: undefined },
  store: { isUp: true, problems: [] },
  isEnding: false,
}

// biome-ignore format: a table
test.each([
  [{}, ''],
  [{ isEnding: true }, 'Ending: shutting down'],
  [{ router: undefined }, 'NoPeers: not looked for yet'],
  [{ router: { isReady: false, reason: 'nobody\nanswers' } }, 'NoPeers: nobody answers'],
  [{ store: { isUp: false, problems: [{ reason: 'ContainerdUnreachable', message: 'gone' }] } }, 'ContainerdUnreachable: gone'],
  [{ router: undefined, store: undefined }, 'ContainerdUnreachable: not reached yet; NoPeers: not looked for yet'],
] as const)('readiness with %j', (change, reason) => {
  expect(readinessOf({ ...standing, ...change })).toEqual({ isReady: reason === '', reason })
})

test('the first announcement is done when it was told, not when it began, and is said once', async () => {
  const stop = new AbortController()
  const told = Promise.withResolvers<void>()
  const lines: unknown[] = []
  const all = { kind: 'all' as const, keys: new Set(['a', 'b']) }
  const announcer = new Announcer({
    store: {
      async *changes() {
        yield all
        await told.promise
        yield all
      },
    },
    router: { announce: () => told.promise, withdraw: () => undefined },
    clock: new VirtualClock(0),
    log: { ...silentLog, info: (fields, text) => void lines.push([fields, text]) },
  })
  const running = announcer.run(stop.signal)
  await expect.poll(() => announcer.announced.size).toBe(2)
  expect(announcer.isFirstDone).toBe(false)
  told.resolve()
  await running
  await expect.poll(() => announcer.isFirstDone).toBe(true)
  expect(lines).toEqual([[{ keys: 2, seconds: 0 }, 'what was here at the start is announced']])
})

test('a change is told at once, and what comes right after it together', async () => {
  const stop = new AbortController()
  const clock = new VirtualClock(0)
  const told: unknown[] = []
  let pending: string[] = ['a']
  const announcer = new Announcer({
    store: {
      async *changes() {
        yield { kind: 'all', keys: new Set<string>() }
        while (!stop.signal.aborted) yield { kind: 'changed', added: pending.splice(0), removed: [] }
      },
    },
    router: { announce: async keys => void told.push([clock.elapsed(), [...keys]]), withdraw: () => undefined },
    clock,
    log: silentLog,
  })
  const startMs = clock.elapsed()
  const running = announcer.run(stop.signal)
  await expect.poll(() => told).toEqual([[startMs, ['a']]])
  pending = ['b', 'c']
  await clock.advance(249)
  expect(told).toHaveLength(1)
  await clock.advance(1)
  await expect.poll(() => told.slice(1)).toEqual([[startMs + 250, ['b', 'c']]])
  stop.abort(new Error('over'))
  await running
})

test('what is announced becomes what the store has, whatever order it tells it in', () => {
  const key = fc.constantFrom(...['a', 'b', 'c', 'd'])
  const change = fc.oneof(
    fc.array(key).map(keys => ({ kind: 'all' as const, keys: new Set(keys) })),
    fc.record({ kind: fc.constant('changed' as const), added: fc.array(key), removed: fc.array(key) }),
  )
  fc.assert(
    fc.property(fc.array(change), changes => {
      const announced = new Set<string>()
      let there = new Set<string>()
      for (const one of changes) {
        const { add, remove } = announcements(announced, one)
        expect(add.every(added => !announced.has(added)) && remove.every(removed => announced.has(removed))).toBe(true)
        for (const added of add) announced.add(added)
        for (const removed of remove) announced.delete(removed)
        if (one.kind === 'all') there = new Set(one.keys)
        else there = new Set([...[...there].filter(kept => !one.removed.includes(kept)), ...one.added])
        expect(announced).toEqual(there)
      }
    }),
  )
})

test('all who read at once together hold no more than 60 MiB', () => {
  let sum = 0
  for (let others = 0; others < 1_000; others++) sum += 2 * readBytesFor(others)
  expect(sum).toBeLessThan(60 * 2 ** 20)
  expect(readBytesFor(0)).toBe(slabBytes)
})
