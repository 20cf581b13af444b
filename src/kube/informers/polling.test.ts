// A kind that may be listed and not watched: next to no requests while nothing happens, and what is asked for is as of after the asking.
import { afterEach, expect, test } from 'vitest'
import { answer, hanging, refusal, type Scripted, ScriptedTransport, type SeenRequest } from '#test/scripted-transport.ts'
import { openApi } from '../client/api.ts'
import { VirtualClock } from '../clock.ts'
import { builtIn } from '../objects/resource.ts'
import { Informers } from './informer.ts'

const running: AbortController[] = []
afterEach(() => {
  for (const stop of running.splice(0)) stop.abort(new Error('the test is over'))
})

/** `namespace/name` of what there is. */
type Present = ReadonlyMap<string, number>

function listOf({ path, query }: SeenRequest, present: Present, version: number): Scripted {
  const within = /namespaces\/([^/]+)\//.exec(path)?.[1]
  const all = Array.from(present, ([key, resourceVersion]) => {
    const [namespace = '', name = ''] = key.split('/')
    return { metadata: { namespace, name, uid: key, resourceVersion: String(resourceVersion) } }
  })
  const items = all.filter(({ metadata }) => within === undefined || metadata.namespace === within)
  const from = Number(query['continue'] ?? 0)
  const limit = Number(query['limit'] ?? items.length)
  const more = from + limit < items.length ? { continue: String(from + limit) } : {}
  const metadata = { resourceVersion: String(version), ...more }
  return answer(200, { kind: 'PodList', apiVersion: 'v1', metadata, items: items.slice(from, from + limit) })
}

interface SceneOptions {
  readonly clock?: VirtualClock
  readonly namespaces?: readonly string[]
  readonly pageSize?: number
  /** What is answered instead, if anything. */
  readonly instead?: (word: string) => Promise<Scripted | undefined> | Scripted | undefined
}

async function scene(options: SceneOptions = {}) {
  const { clock = new VirtualClock(0) } = options
  const present = new Map([
    ['shop/a', 2],
    ['web/b', 3],
  ])
  const at = { version: 3 }
  const asked: string[] = []
  const transport = new ScriptedTransport(async request => {
    const word = wordOf(request)
    asked.push(word)
    const instead = await options.instead?.(word)
    if (instead !== undefined) return instead
    return request.query['watch'] === 'true' ? refusal(403, 'Forbidden') : listOf(request, present, at.version)
  })
  const stop = new AbortController()
  running.push(stop)
  const api = openApi(transport, { clock, userAgent: 'test' })
  const pool = { clock, random: () => 0, watchList: 'off', pageSize: options.pageSize ?? 500, pollMs: 60_000 } as const
  const { namespaces } = options
  const informers = new Informers(api, { ...pool, ...(namespaces === undefined ? {} : { namespaces }), signal: stop.signal })
  const informer = informers.of(builtIn.pods)
  await clock.advance(0)
  const put = (key: string, version: number) => {
    present.set(key, version)
    at.version = version
  }
  const names = () => [...informer.store.list()].map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort()
  return { clock, informer, asked, present, put, names }
}

function wordOf({ path, query }: SeenRequest): string {
  const within = /namespaces\/([^/]+)\//.exec(path)?.[1]
  const rest = [within, query['limit'], query['continue']].filter(word => word !== undefined)
  return [query['watch'] === 'true' ? 'watch' : 'list', query['resourceVersion'] ?? "''", ...rest].join(' ')
}

test('in ten minutes of nothing a kind is listed ten times, and watching is tried twice again', async () => {
  const { clock, asked, informer } = await scene()
  expect(informer.isPolled).toBe(true)
  await clock.advance(600_500)
  expect(asked.filter(word => word.startsWith('list'))).toHaveLength(11)
  expect(asked.filter(word => word.startsWith('watch'))).toHaveLength(3)
  expect(informer.state).toBe('synced')
  expect(informer.problem).toBeUndefined()
})

test('where refusals are expected they are told in one line for all kinds', async () => {
  const clock = new VirtualClock(0)
  const told: string[] = []
  const tell = (facts: object, message: string) => void told.push(`${message} ${JSON.stringify(facts)}`)
  const log = { debug: tell, info: tell, warn: tell, error: tell }
  const isNode = ({ path }: SeenRequest) => path.endsWith('/nodes') || path.endsWith('/namespaces')
  const transport = new ScriptedTransport(request =>
    request.query['watch'] === 'true' || isNode(request) ? refusal(403, 'Forbidden') : listOf(request, new Map(), 1),
  )
  const stop = new AbortController()
  running.push(stop)
  const pool = { clock, random: () => 0, watchList: 'off', pollMs: 60_000, isAllOptional: true, log } as const
  const informers = new Informers(openApi(transport, { clock, userAgent: 'test' }), { ...pool, signal: stop.signal })
  for (const resource of [builtIn.pods, builtIn.nodes, builtIn.deployments, builtIn.namespaces]) informers.of(resource)
  await clock.advance(3_000)
  expect(told.sort()).toEqual([
    'allowed to be listed and not to be watched: listed when a change asks for it, and now and then {"kinds":"pods, deployments"}',
    'not allowed to be read: done without {"kinds":"nodes, namespaces"}',
  ])
})

test('what takes long is listed more rarely', async () => {
  const clock = new VirtualClock(0)
  const made = await scene({
    clock,
    instead: async word => {
      if (word.startsWith('list') && clock.elapsed() > 0) await clock.after(4_000)
      return undefined
    },
  })
  await clock.advance(600_000)
  // At 60 s, and then 120 s after each.
  expect(made.asked.filter(word => word.startsWith('list'))).toHaveLength(6)
})

test('a namespace that is wanted is listed by itself, as it is now, and nothing else is', async () => {
  const { asked, informer, put, present, names, clock } = await scene()
  asked.length = 0
  put('shop/new', 9)
  put('web/elsewhere', 10)
  present.delete('shop/a')
  await informer.freshen('shop')
  expect(asked).toEqual(["list '' shop 500"])
  expect(names()).toEqual(['shop/new', 'web/b'])
  await clock.advance(61_000)
  // What is listed of all afterwards is not older.
  expect(asked).toEqual(["list '' shop 500", 'list 10'])
  expect(names()).toEqual(['shop/new', 'web/b', 'web/elsewhere'])
})

test('page by page', async () => {
  const { asked, informer, put, names } = await scene({ pageSize: 2 })
  asked.length = 0
  for (const name of ['b', 'c', 'd']) put(`shop/${name}`, 9)
  await informer.freshen('shop')
  expect(asked).toEqual(["list '' shop 2", "list '' shop 2 2"])
  expect(names()).toEqual(['shop/a', 'shop/b', 'shop/c', 'shop/d', 'web/b'])
})

test('what is wanted while a list is under way waits for the next one, together', async () => {
  const gate = Promise.withResolvers<void>()
  const { asked, informer, put, names, clock } = await scene({
    instead: async word => {
      if (word.startsWith("list '' shop")) await gate.promise
      return undefined
    },
  })
  asked.length = 0
  const first = informer.freshen('shop')
  await clock.advance(0)
  put('shop/later', 12)
  let isTold = false
  const others = Promise.all([informer.freshen('shop'), informer.freshen('shop'), informer.freshen('web')]).then(() => {
    isTold = true
  })
  expect(asked).toEqual(["list '' shop 500"])
  gate.resolve()
  await first
  expect(isTold).toBe(false)
  await clock.advance(50)
  await others
  expect(asked).toEqual(["list '' shop 500", "list '' shop 500", "list '' web 500"])
  expect(names()).toContain('shop/later')
})

test('many namespaces are listed as one', async () => {
  const { asked, informer } = await scene()
  asked.length = 0
  await Promise.all(Array.from({ length: 20 }, (_, index) => informer.freshen(`n${index}`)))
  expect(asked).toEqual(["list '' 500"])
})

test('what fails is tried again until it works; whoever waits goes on waiting', async () => {
  let failures = 3
  const { asked, informer, clock } = await scene({
    instead: word => (word.startsWith("list '' shop") && failures-- > 0 ? refusal(500, 'InternalError') : undefined),
  })
  asked.length = 0
  let isTold = false
  const wanted = informer.freshen('shop').then(() => {
    isTold = true
  })
  await clock.advance(100)
  expect(isTold).toBe(false)
  await clock.advance(30_000)
  await wanted
  expect(informer.state).toBe('synced')
  expect(asked.at(-1)).toBe("list '' shop 500")
})

test('what may not be listed any more keeps nobody waiting', async () => {
  let isAllowed = true
  const { informer } = await scene({ instead: () => (isAllowed ? undefined : refusal(403, 'Forbidden')) })
  isAllowed = false
  await informer.freshen('shop')
  expect(informer.state).toBe('denied')
})

test('once watching is allowed nothing is polled any more', async () => {
  let mayWatch = false
  const { informer, clock, asked } = await scene({
    instead: word => (mayWatch && word.startsWith('watch') ? hanging : undefined),
  })
  mayWatch = true
  await clock.advance(400_000)
  expect(informer.isPolled).toBe(false)
  asked.length = 0
  await informer.freshen('shop')
  expect(asked).toEqual([])
})

test('namespaces that are watched one by one are listed one by one', async () => {
  const { informer, asked, put, names } = await scene({ namespaces: ['shop', 'web'] })
  expect(informer.isPolled).toBe(true)
  asked.length = 0
  put('shop/new', 9)
  await informer.freshen('shop')
  expect(asked).toEqual(["list '' shop 500"])
  expect(names()).toEqual(['shop/a', 'shop/new', 'web/b'])
  await informer.freshen('elsewhere')
  expect(asked).toHaveLength(1)
})
