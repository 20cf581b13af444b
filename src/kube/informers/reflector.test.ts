// kube-machinery.md §7, cases 4 to 10: the dialogue of a reflector with a server, on a virtual clock.

import { afterEach, describe, expect, test } from 'vitest'
import {
  answer,
  broken,
  Feed,
  hanging,
  refusal,
  type Scripted,
  ScriptedTransport,
  type SeenRequest,
  statusOf,
  watchOf,
} from '#test/scripted-transport.ts'
import { openApi } from '../client/api.ts'
import { VirtualClock } from '../clock.ts'
import type { KubeObject } from '../objects/objects.ts'
import { builtIn } from '../objects/resource.ts'
import type { Random } from '../random.ts'
import { Informers } from './informer.ts'
import type { Informer } from './informer-view.ts'
import type { Change } from './store.ts'

const running: AbortController[] = []
afterEach(() => {
  for (const stop of running.splice(0)) stop.abort(new Error('the test is over'))
})

function pod(name: string, resourceVersion: number, uid = name): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', uid, resourceVersion: String(resourceVersion) } }
}

function listOf(resourceVersion: number, pods: readonly KubeObject[], more: object = {}): Scripted {
  // Items of built-in lists have no kind on the wire.
  const items = pods.map(({ apiVersion, kind, ...rest }) => rest)
  return answer(200, {
    kind: 'PodList',
    apiVersion: 'v1',
    metadata: { resourceVersion: String(resourceVersion), ...more },
    items,
  })
}

const added = (object: KubeObject) => ({ type: 'ADDED', object })
const modified = (object: KubeObject) => ({ type: 'MODIFIED', object })
const bookmark = (resourceVersion: number, annotations?: object) => ({
  type: 'BOOKMARK',
  object: {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { resourceVersion: String(resourceVersion), ...(annotations === undefined ? {} : { annotations }) },
  },
})
const endOfInitialEvents = { 'k8s.io/initial-events-end': 'true' }

interface Scene {
  readonly clock: VirtualClock
  readonly transport: ScriptedTransport
  readonly informers: Informers
  readonly informer: Informer<KubeObject>
  readonly changes: string[]
  /** `list` and `watch` requests as words: `list 0 500`, `watch 7`, `stream ''`. */
  asked(): string[]
}

function words({ query }: SeenRequest): string {
  const version = query['resourceVersion'] ?? "''"
  if (query['sendInitialEvents'] === 'true') return `stream ${version}`
  if (query['watch'] === 'true') return `watch ${version}`
  const rest = [query['limit'], query['continue']].filter(word => word !== undefined)
  return ['list', version, ...rest].join(' ')
}

function changeWords(change: Change<KubeObject>): string {
  const flags = [change.initial ? 'initial' : '', change.finalStateUnknown ? 'unseen' : ''].filter(word => word !== '')
  return [
    change.type,
    change.object.metadata.name,
    change.object.metadata.uid,
    change.object.metadata.resourceVersion,
    ...flags,
  ].join(' ')
}

const secretWith = (hidden: string): object => ({
  apiVersion: 'meta.k8s.io/v1',
  kind: 'PartialObjectMetadata',
  metadata: { name: 'db', namespace: 'shop', uid: 'u', resourceVersion: '5', annotations: { ask: 'true', hidden } },
})

function scene(
  script: (request: SeenRequest, index: number) => Scripted | Promise<Scripted>,
  options: { watchList?: 'auto' | 'off'; random?: Random; isAllOptional?: boolean } = {},
): Scene {
  const clock = new VirtualClock(0)
  const transport = new ScriptedTransport(script)
  const stop = new AbortController()
  running.push(stop)
  const api = openApi(transport, { clock, userAgent: 'test' })
  const informers = new Informers(api, {
    clock,
    random: options.random ?? (() => 0),
    watchList: options.watchList ?? 'off',
    isAllOptional: options.isAllOptional === true,
    signal: stop.signal,
  })
  const informer = informers.of(builtIn.pods)
  const changes: string[] = []
  informer.onChange(change => changes.push(changeWords(change)))
  return { clock, transport, informers, informer, changes, asked: () => transport.seen.map(words) }
}

/** Answers in order; what is asked beyond hangs. */
function inOrder(...answers: readonly Scripted[]): (request: SeenRequest, index: number) => Scripted {
  return (_, index) => answers[index] ?? hanging
}

test('7.4 a 410 in the stream leads to a list at the last version, a 410 of that at once to a consistent one', async () => {
  const { clock, changes, asked, informer } = scene(
    inOrder(
      listOf(100, [pod('a', 90), pod('b', 95)]),
      watchOf([{ type: 'ERROR', object: statusOf(410, 'Expired') }]),
      refusal(410, 'Expired'),
      listOf(300, [pod('a', 90), pod('c', 200)]),
    ),
  )
  await clock.quiet()
  expect(clock.elapsed()).toBe(0)
  expect(asked()).toEqual(['list 0 500', 'watch 100', 'list 100', "list '' 500", 'watch 300'])
  expect(changes).toEqual(['ADDED a a 90 initial', 'ADDED b b 95 initial', 'ADDED c c 200', 'DELETED b b 95 unseen'])
  expect(informer.counts.relists).toEqual({ start: 1, expired: 1 })
})

describe('a server that answers every list and refuses every watch with 410', () => {
  const expired = { type: 'ERROR', object: statusOf(410, 'Expired') }
  const pages: (request: SeenRequest) => Scripted = ({ query }) =>
    query['watch'] === 'true' ? watchOf([expired]) : listOf(9, [pod('a', 9)])
  const streams: (request: SeenRequest) => Scripted = ({ query }) =>
    query['sendInitialEvents'] === 'true' ? watchOf([added(pod('a', 9)), bookmark(9, endOfInitialEvents), expired]) : hanging

  test.each([
    ['page by page', pages, 'off', 'list'],
    ['as a stream', streams, 'auto', 'stream'],
  ] as const)('is listed again later and later: %s', async (_, script, watchList, word) => {
    const { clock, asked } = scene(script, { watchList })
    const lists = () => asked().filter(each => each.startsWith(word)).length
    await clock.advance(60_000)
    // At once for the first; then after 0.8, 1.6, 3.2, 6.4, 12.8, 25.6 s.
    expect(lists()).toBe(8)
    await clock.advance(600_000)
    expect(lists()).toBeLessThan(50)
  })

  test('and watched as ever once it allows that', async () => {
    let isMended = false
    const { clock, asked } = scene(request =>
      isMended && request.query['watch'] === 'true' ? watchOf([], 'stay') : pages(request),
    )
    await clock.advance(60_000)
    isMended = true
    await clock.advance(60_000)
    const watched = asked().length
    await clock.advance(60_000)
    expect(asked()).toHaveLength(watched)
    expect(asked().at(-1)).toBe('watch 9')
  })
})

describe('7.5 a black hole', () => {
  test('is left when the watch is silent for its time and 10 s, and entered again at the last version without a list', async () => {
    const { clock, asked, informer } = scene(inOrder(listOf(5, []), watchOf([], 'stay')))
    await clock.advance(309_900)
    expect(asked()).toEqual(['list 0 500', 'watch 5'])
    await clock.advance(200)
    expect(asked()).toEqual(['list 0 500', 'watch 5', 'watch 5'])
    expect(informer.counts.watchRestarts).toEqual({ idle: 1 })
  })

  test('is known sooner where bookmarks come each minute', async () => {
    const feed = new Feed()
    const { clock, asked } = scene(inOrder(listOf(5, []), { kind: 'feed', feed }))
    await clock.advance(60_000)
    feed.say(bookmark(6))
    await clock.advance(60_000)
    feed.say(bookmark(7))
    await clock.advance(179_900)
    expect(asked()).toEqual(['list 0 500', 'watch 5'])
    await clock.advance(200)
    expect(asked()).toEqual(['list 0 500', 'watch 5', 'watch 7'])
    expect(feed.isAbandoned).toBe(true)
  })
})

test.each([
  [0, 800, 1600],
  [0.5, 1200, 2400],
  [0.999, 1599.2, 3198.4],
])(
  '7.6 three empty watches at one version are an expiry without words, asked with back-off (chance %d)',
  async (chance, ...waits) => {
    const atMs: number[] = []
    const { clock, asked } = scene(
      (_, index) => {
        atMs.push(clock.elapsed())
        return index === 0 || index === 4 ? listOf(7, []) : watchOf([])
      },
      { random: () => chance },
    )
    await clock.advance(4800)
    expect(asked().slice(0, 6)).toEqual(['list 0 500', 'watch 7', 'watch 7', 'watch 7', 'list 7', 'watch 7'])
    const [, first = 0, second = 0, third = 0, relist = 0] = atMs
    expect([second - first, third - second]).toEqual(waits.map(wait => expect.closeTo(wait, 6)))
    expect(relist).toBe(third)
    expect(atMs.filter(ms => ms < 2400).length).toBeLessThanOrEqual(3)
  },
)

describe('7.7 a streaming list', () => {
  test('fills the store at its bookmark and goes on with the same request', async () => {
    const feed = new Feed()
    const { clock, asked, changes, informer } = scene(inOrder({ kind: 'feed', feed }), { watchList: 'auto' })
    feed.say(added(pod('a', 40)))
    feed.say(added(pod('b', 45)))
    await clock.quiet()
    expect(informer.store.size).toBe(0)
    expect([informer.isSynced, informer.state]).toEqual([false, 'starting'])
    feed.say(bookmark(50, endOfInitialEvents))
    await clock.quiet()
    await informer.synced
    expect(informer.store.resourceVersion).toBe('50')
    expect([informer.isSynced, informer.state]).toEqual([true, 'synced'])
    feed.say(modified(pod('a', 51)))
    await clock.quiet()
    expect(changes).toEqual(['ADDED a a 40 initial', 'ADDED b b 45 initial', 'MODIFIED a a 51'])
    expect(asked()).toEqual(["stream ''"])
  })

  test('deletes what was there before and is not said again', async () => {
    const { clock, asked, changes } = scene(
      inOrder(
        watchOf([added(pod('c', 1)), bookmark(5, endOfInitialEvents), { type: 'ERROR', object: statusOf(410, 'Expired') }]),
        watchOf([added(pod('a', 7)), bookmark(50, endOfInitialEvents)], 'stay'),
      ),
      { watchList: 'auto' },
    )
    await clock.quiet()
    expect(asked()).toEqual(["stream ''", 'stream 5'])
    expect(changes).toEqual(['ADDED c c 1 initial', 'ADDED a a 7', 'DELETED c c 1 unseen'])
  })
})

test('7.8 a refused streaming list is remembered for the server', async () => {
  const message =
    'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled'
  const { clock, asked, informers } = scene(
    ({ query }) => {
      if (query['sendInitialEvents'] === 'true') return refusal(422, 'Invalid', message)
      return query['watch'] === 'true' ? hanging : listOf(9, [])
    },
    { watchList: 'auto' },
  )
  await clock.quiet()
  expect(asked()).toEqual(["stream ''", 'list 0 500', 'watch 9'])
  informers.of(builtIn.nodes)
  await clock.quiet()
  expect(asked().slice(3)).toEqual(['list 0 500', 'watch 9'])
})

test('a server that takes no notice of sendInitialEvents is left after 30 s and not asked again', async () => {
  const { clock, asked } = scene(
    ({ query }) => {
      if (query['sendInitialEvents'] === 'true') return watchOf([], 'stay')
      return query['watch'] === 'true' ? watchOf([{ type: 'ERROR', object: statusOf(410, 'Expired') }]) : listOf(9, [])
    },
    { watchList: 'auto' },
  )
  await clock.advance(29_000)
  expect(asked()).toEqual(["stream ''"])
  await clock.advance(2000)
  expect(asked().filter(word => word.startsWith('stream'))).toHaveLength(1)
  expect(asked().slice(1, 3)).toEqual(['list 0 500', 'watch 9'])
})

describe('7.9 in the synthetic phase of a watch at 0', () => {
  test.each([
    ['versions of objects are no positions', [added(pod('a', 90)), added(pod('b', 40))], 'watch 0'],
    ['a bookmark is one', [added(pod('a', 90)), added(pod('b', 40)), bookmark(95)], 'watch 95'],
  ])('%s', async (_, events, expected) => {
    const { clock, asked } = scene(inOrder(listOf(0, []), watchOf(events, 'break')))
    await clock.quiet()
    expect(asked()).toEqual(['list 0 500', 'watch 0', expected])
  })
})

test('7.10 a name used again is a deletion and a creation, in this order', async () => {
  const { clock, changes } = scene(
    inOrder(
      listOf(10, [pod('x', 10, '1')]),
      watchOf([{ type: 'ERROR', object: statusOf(410, 'Gone') }]),
      listOf(20, [pod('x', 20, '2')]),
    ),
  )
  await clock.quiet()
  expect(changes).toEqual(['ADDED x 1 10 initial', 'DELETED x 1 10 unseen', 'ADDED x 2 20'])
})

describe('trouble', () => {
  test('a line that is not JSON ends the watch and lists again', async () => {
    const feed = new Feed()
    feed.say(added(pod('a', 11)))
    feed.raw('{"type":"MODIFIED","object":{"kind":"Pod"\n')
    const { clock, asked, informer } = scene(inOrder(listOf(10, []), { kind: 'feed', feed }, listOf(12, [pod('a', 12)])))
    await clock.advance(900)
    expect(asked()).toEqual(['list 0 500', 'watch 10', 'list 11', 'watch 12'])
    expect(informer.store.get('shop', 'a')?.metadata.resourceVersion).toBe('12')
    expect(informer.counts.relists).toEqual({ start: 1, decode: 1 })
  })

  test.each([
    [403, 'Forbidden', 'denied'],
    [404, 'NotFound', 'absent'],
  ] as const)('%i on the list is a state and asked again at most every 5 minutes', async (code, reason, state) => {
    let isCured = false
    const { clock, asked, informer } = scene(({ query }) => {
      if (query['watch'] === 'true') return hanging
      return isCured ? listOf(3, []) : refusal(code, reason)
    })
    await clock.advance(3_600_000)
    expect(informer.state).toBe(state)
    const before = asked().length
    await clock.advance(1_200_000)
    // Steps of 300 s times (1 + random), random being 0.
    expect(asked().length - before).toBe(4)
    isCured = true
    informer.retryNow()
    await clock.quiet()
    expect(informer.state).toBe('synced')
  })

  test('where only watching is denied lists become as rare as the tries', async () => {
    const { clock, asked, informer } = scene(({ query }) =>
      query['watch'] === 'true' ? refusal(403, 'Forbidden') : listOf(3, [pod('a', 2)]),
    )
    await clock.advance(3_600_000)
    // 0.8, 1.6, … 204.8 s, then each 300 s.
    expect(asked().filter(word => word.startsWith('list'))).toHaveLength(20)
    expect(informer.state).toBe('denied')
    expect(informer.store.size).toBe(1)
  })

  test('a refused connection is tried again at the same version with growing waits', async () => {
    let isDown = false
    const { clock, asked } = scene(({ query }) => {
      if (isDown) return broken('ECONNREFUSED')
      isDown = true
      return query['watch'] === 'true' ? hanging : listOf(4, [])
    })
    await clock.advance(60_000)
    const watches = asked().filter(word => word.startsWith('watch'))
    expect(new Set(watches)).toEqual(new Set(['watch 4']))
    // 0, 0.8, 2.4, 5.6, 12, 24.8, 50.4 s
    expect(watches).toHaveLength(7)
  })

  test('pages of a snapshot that expires midway are not mixed', async () => {
    const { clock, asked, changes } = scene(
      inOrder(listOf(10, [pod('a', 1)], { continue: 'more' }), refusal(410, 'Expired'), listOf(20, [pod('b', 15), pod('c', 16)])),
    )
    await clock.quiet()
    expect(asked()).toEqual(['list 0 500', "list '' 500 more", "list ''", 'watch 20'])
    expect(changes).toEqual(['ADDED b b 15 initial', 'ADDED c c 16 initial'])
  })

  test('a collection restored from a backup is taken as the truth', async () => {
    const { clock, informer, changes } = scene(
      inOrder(
        listOf(100, [pod('a', 90)]),
        watchOf([{ type: 'ERROR', object: statusOf(410, 'Expired') }]),
        listOf(50, [pod('a', 30)]),
      ),
    )
    await clock.quiet()
    expect(informer.store.get('shop', 'a')?.metadata.resourceVersion).toBe('30')
    expect(changes.at(-1)).toBe('MODIFIED a a 30')
    expect(informer.store.resourceVersion).toBe('50')
  })
})

describe('shared informers', () => {
  test('one watch serves all who ask for the same', async () => {
    const { clock, transport, informers, informer } = scene(({ query }) =>
      query['watch'] === 'true' ? hanging : listOf(3, [pod('a', 2)]),
    )
    expect(informers.of(builtIn.pods)).toBe(informer)
    await clock.quiet()
    expect(transport.seen).toHaveLength(2)
    const late: string[] = []
    informers.of(builtIn.pods).onChange(change => late.push(changeWords(change)))
    expect(late).toEqual(['ADDED a a 2 initial'])
  })

  test('kinds that are absent do not keep others from their first list while they wait', async () => {
    const absent = [builtIn.nodes, builtIn.services, builtIn.jobs, builtIn.leases, builtIn.namespaces]
    const { clock, informers } = scene(({ path, query }) => {
      if (query['watch'] === 'true') return hanging
      return absent.some(({ resource }) => path.endsWith(`/${resource}`)) ? refusal(404, 'NotFound') : listOf(3, [])
    })
    for (const resource of absent) informers.of(resource)
    await clock.advance(120_000)
    const late = informers.of(builtIn.secrets)
    await clock.advance(1)
    expect(late.state).toBe('synced')
  })

  test('four lists at once, and none waits for an optional kind that is not there', async () => {
    let open = 0
    let most = 0
    const made = scene(async ({ path, query }) => {
      if (query['watch'] === 'true') return hanging
      most = Math.max(most, ++open)
      await made.clock.after(100)
      open--
      return path.includes('csinodes') ? refusal(404, 'NotFound') : listOf(3, [])
    })
    const { clock, informers } = made
    informers.of(builtIn.csinodes, { optional: true })
    for (const resource of [builtIn.nodes, builtIn.services, builtIn.secrets, builtIn.leases, builtIn.jobs])
      informers.of(resource)
    let isSynced = false
    const synced = informers.allSynced(new AbortController().signal).then(() => (isSynced = true))
    await clock.advance(1000)
    expect(isSynced).toBe(true)
    await synced
    expect(most).toBe(4)
    informers.of(builtIn.csinodes)
    const stop = new AbortController()
    const waiting = informers.allSynced(stop.signal)
    stop.abort(new Error('not for ever'))
    await expect(waiting).rejects.toThrow('not for ever')
  })

  test('a dispensable kind that the server does not answer about holds up nobody for longer than a minute', async () => {
    const { clock, informers } = scene(({ path, query }) => {
      if (path.includes('csinodes')) return refusal(500, 'InternalError')
      return query['watch'] === 'true' ? hanging : listOf(3, [])
    })
    informers.of(builtIn.csinodes, { dispensable: true })
    informers.of(builtIn.nodes)
    let isSynced = false
    const synced = informers.allSynced(new AbortController().signal).then(() => (isSynced = true))
    await clock.advance(59_000)
    expect(isSynced).toBe(false)
    await clock.advance(2_000)
    expect(isSynced).toBe(true)
    await synced
    expect(informers.of(builtIn.csinodes, { dispensable: true }).problem).toContain('InternalError')
  })

  test.each([403, 404])('one %i where a role may leave kinds out is asked again within seconds', async code => {
    const { clock, informer } = scene(inOrder(refusal(code, code === 403 ? 'Forbidden' : 'NotFound'), listOf(3, [pod('a', 2)])), {
      isAllOptional: true,
    })
    await clock.advance(3_000)
    expect([informer.state, informer.store.size]).toEqual(['synced', 1])
  })

  test('a streaming list of which only some annotations are read ends with its bookmark', async () => {
    const end = {
      type: 'BOOKMARK',
      object: { kind: 'Secret', metadata: { resourceVersion: '7', annotations: { 'k8s.io/initial-events-end': 'true' } } },
    }
    const { clock, informers } = scene(
      ({ path }) =>
        path.endsWith('/secrets') ? watchOf([{ type: 'ADDED', object: secretWith('content') }, end], 'stay') : hanging,
      { watchList: 'auto' },
    )
    const secrets = informers.of(builtIn.secrets, { metadataOnly: true, annotations: ['ask'] })
    await clock.advance(10)
    expect(secrets.state).toBe('synced')
    expect(secrets.store.get('shop', 'db')?.metadata.annotations).toEqual({ ask: 'true' })
  })

  test('a handler that throws does not stop the others', async () => {
    const { clock, informer } = scene(inOrder(listOf(3, [pod('a', 2)])))
    const seen: string[] = []
    informer.onChange(() => {
      throw new Error('handler')
    })
    informer.onChange(change => seen.push(changeWords(change)))
    await clock.quiet()
    expect(seen).toEqual(['ADDED a a 2 initial'])
  })

  test('the answer of a write is seen before the watch brings it, and its event is then no change', async () => {
    const feed = new Feed()
    const { clock, informers, informer, changes } = scene(inOrder(listOf(10, [pod('a', 9)]), { kind: 'feed', feed }))
    await clock.quiet()
    informers.observe(builtIn.pods, pod('a', 12))
    informers.observe(builtIn.pods, pod('new', 13))
    // The answer of a write to what is deleted since: older than where the watch is.
    feed.say(modified(pod('a', 12)))
    feed.say(added(pod('new', 13)))
    feed.say({ type: 'DELETED', object: pod('new', 14) })
    await clock.quiet()
    informers.observe(builtIn.pods, pod('new', 13))
    expect(changes).toEqual(['ADDED a a 9 initial', 'MODIFIED a a 12', 'ADDED new new 13', 'DELETED new new 14'])
    expect(informer.store.size).toBe(1)
  })

  test.each([
    ['another namespace', { namespace: 'other' }, 0],
    ['metadata only', { labelSelector: 'a!=b', metadataOnly: true }, 0],
    ['a selector that does not take it', { labelSelector: 'a=b' }, 0],
    ['a selector that takes it', { labelSelector: 'a!=b', fieldSelector: 'metadata.name=new' }, 1],
    ['its own namespace', { namespace: 'shop' }, 1],
  ])('the answer of a write offered to an informer of %s', async (_, scope, size) => {
    const { clock, informers } = scene(({ query }) => (query['watch'] === 'true' ? hanging : listOf(3, [])))
    const scoped = informers.of(builtIn.pods, scope)
    await clock.quiet()
    informers.observe(builtIn.pods, pod('new', 5))
    expect(scoped.store.size).toBe(size)
  })
})
