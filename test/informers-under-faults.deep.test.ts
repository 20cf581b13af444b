// kube-machinery.md §3.3 to §3.6 as one law: whatever goes wrong between an informer and an API server, every state that arrives is told
// once and in order, ends are told once, what was not seen is said to be unseen, and at rest the store is what the server has.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import type { TransportRequest } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { FaultyWire, type RequestFault, type WatchFault } from './faulty-wire.ts'
import { type Commit, InformerCheck } from './told-and-arrived.ts'

type Step =
  | { readonly kind: 'write' | 'delete'; readonly name: number; readonly draw: number; readonly isObserved: boolean }
  | { readonly kind: 'elsewhere' | 'widen' }
  | { readonly kind: 'late-answer'; readonly back: number }
  | { readonly kind: 'request'; readonly fault: RequestFault }
  | { readonly kind: 'watch'; readonly fault: WatchFault }
  /** A fault of the twin itself, for requests to come and for watches that are open. */
  | { readonly kind: 'twin'; readonly fault: TwinFault }
  | { readonly kind: 'late-handler' }
  | { readonly kind: 'wait'; readonly ms: number }

type TwinFault = Parameters<Twin['fault']>[0]

interface Setting {
  readonly seed: number
  readonly watchList: 'auto' | 'off'
  readonly pageSize: number
  readonly historyLimit: number
  readonly scopes: readonly number[]
}

/** What informers ask for, and which objects that is. */
const scopes = [
  { scope: {}, isSelected: () => true },
  {
    scope: { labelSelector: 'tier!=front', metadataOnly: true },
    isSelected: (pod: KubeObject) => pod.metadata.labels?.['tier'] !== 'front',
  },
  { scope: { labelSelector: 'tier=front' }, isSelected: (pod: KubeObject) => pod.metadata.labels?.['tier'] === 'front' },
  { scope: { fieldSelector: 'spec.nodeName=n1' }, isSelected: (pod: KubeObject) => nodeOf(pod) === 'n1' },
  { scope: { namespace: 'default' }, isSelected: (pod: KubeObject) => pod.metadata.namespace === 'default' },
  {
    scope: { namespace: 'kube-public', labelSelector: 'tier=front', metadataOnly: true },
    isSelected: (pod: KubeObject) => pod.metadata.namespace === 'kube-public' && pod.metadata.labels?.['tier'] === 'front',
  },
  {
    scope: { fieldSelector: 'spec.nodeName=n0', fields: ['spec.containers.image'] },
    isSelected: (pod: KubeObject) => nodeOf(pod) === 'n0',
  },
] as const
const widenedFields = ['spec.containers.image', 'spec.containers.resources.requests']

const writer = { manager: 'someone', user: 'someone' }

const setting = fc.record<Setting>({
  seed: fc.nat(),
  watchList: fc.constantFrom('auto', 'off'),
  pageSize: fc.constantFrom(2, 3, 500),
  historyLimit: fc.constantFrom(3, 8, 1000),
  scopes: fc.uniqueArray(fc.nat(scopes.length - 1), { minLength: 1, maxLength: 2 }),
})

const write = fc.record({
  kind: fc.constantFrom('write' as const, 'write' as const, 'write' as const, 'delete' as const),
  name: fc.nat(5),
  draw: fc.nat(),
  isObserved: fc.boolean(),
})

const requestFault: fc.Arbitrary<RequestFault> = fc.oneof(
  fc.record({
    kind: fc.constant('status' as const),
    status: fc.constantFrom(401, 403, 404, 422, 429, 500, 503),
    reason: fc.constant('InternalError'),
  }),
  fc.constantFrom<RequestFault>(
    { kind: 'status', status: 410, reason: 'Expired' },
    { kind: 'status', status: 410, reason: 'Gone' },
    { kind: 'status', status: 429, reason: 'TooManyRequests', retryAfter: 2 },
    { kind: 'status', status: 422, reason: 'Invalid' },
    { kind: 'reset-before' },
  ),
  fc.record({ kind: fc.constant('latency' as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
  fc.record({ kind: fc.constant('reset-after' as const), bytes: fc.integer({ min: 1, max: 6000 }) }),
)

/** Runs that found something: an own write that left a selection, a repeated event that set the watch back, an own write into a selection. */
const found: [Setting, Step[]][] = [
  [
    { seed: 0, watchList: 'auto', pageSize: 2, historyLimit: 3, scopes: [2] },
    [
      { kind: 'write', name: 1, draw: 84295, isObserved: false },
      { kind: 'wait', ms: 0 },
      { kind: 'write', name: 1, draw: 0, isObserved: true },
    ],
  ],
  [
    { seed: 0, watchList: 'auto', pageSize: 2, historyLimit: 3, scopes: [2] },
    [
      { kind: 'write', name: 0, draw: 121856353, isObserved: false },
      { kind: 'write', name: 1, draw: 0, isObserved: false },
      { kind: 'wait', ms: 0 },
      { kind: 'watch', fault: { kind: 'repeat', count: 1 } },
    ],
  ],
  [
    { seed: 0, watchList: 'auto', pageSize: 2, historyLimit: 3, scopes: [2, 0] },
    [
      { kind: 'write', name: 4, draw: 1151374, isObserved: false },
      { kind: 'watch', fault: { kind: 'repeat', count: 1 } },
      { kind: 'write', name: 0, draw: 0, isObserved: false },
      { kind: 'late-answer', back: 0 },
      { kind: 'write', name: 4, draw: 0, isObserved: false },
      { kind: 'write', name: 4, draw: 10411396, isObserved: true },
    ],
  ],
]

const watchFault: fc.Arbitrary<WatchFault> = fc.oneof(
  fc.constantFrom<WatchFault>(
    { kind: 'close' },
    { kind: 'break' },
    { kind: 'stall' },
    { kind: 'expire' },
    { kind: 'server-error' },
    { kind: 'garbage' },
    { kind: 'bookmark' },
    { kind: 'bookmark' },
  ),
  fc.record({ kind: fc.constant('cut' as const), share: fc.double({ min: 0.01, max: 1, noNaN: true }) }),
  fc.record({ kind: fc.constant('repeat' as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('delay' as const), ms: fc.integer({ min: 1, max: 30_000 }) }),
  fc.record({ kind: fc.constant('pieces' as const), bytes: fc.integer({ min: 7, max: 900 }) }),
)

const faultless: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: write },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'elsewhere' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'late-handler' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('late-answer' as const), back: fc.nat(12) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3000) }) },
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'widen' }) },
  { weight: 10, arbitrary: faultless },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('request' as const), fault: requestFault }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('watch' as const), fault: watchFault }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(400_000) }) },
)

const afterEvents = fc.record({ afterEvents: fc.nat(4) })
const wait = fc.integer({ min: 1, max: 30_000 }).map(ms => `${ms}ms`)
const spread = fc.record({ p50: wait, p99: wait })

/** Each of them hits so many requests or watches, then no more. */
const twinFault: fc.Arbitrary<TwinFault> = fc
  .record({
    effect: fc.oneof<fc.Arbitrary<TwinFault>[]>(
      fc.record({
        status: fc.oneof(
          fc.record({ code: fc.constantFrom(401, 403, 404, 422, 429, 500, 503, 504), retryAfterSeconds: fc.nat(3) }),
          fc.record({ code: fc.constant(410), reason: fc.constantFrom('Expired', 'Gone') }),
          fc.record({ code: fc.constant(500), reason: fc.constant('InternalError') }),
        ),
      }),
      fc.record({ latency: spread }),
      fc.record({ reset: fc.record({ when: fc.constantFrom('before' as const, 'after' as const) }) }),
      fc.record({
        watch: fc.oneof(
          fc.record({ drop: afterEvents }),
          fc.record({ cut: afterEvents }),
          fc.record({ expire: afterEvents }),
          fc.record({ stall: fc.record({ afterEvents: fc.nat(4) }) }),
          fc.record({ stall: fc.record({ afterEvents: fc.nat(4), for: wait }) }),
          fc.record({ delay: spread }),
          fc.record({ repeat: fc.record({ every: fc.integer({ min: 1, max: 3 }) }) }),
          fc.constant({ bookmarkless: {} }),
        ),
      }),
      fc.record({ compact: fc.record({ keepRevisions: fc.nat(3) }) }),
    ),
    count: fc.integer({ min: 1, max: 3 }),
    skipFirst: fc.nat(2),
    probability: fc.constantFrom(1, 0.5),
    isMatched: fc.boolean(),
  })
  .map(({ effect, isMatched, ...when }) => ({ ...effect, ...when, ...(isMatched ? { match: { resource: 'pods' } } : {}) }))

/** One of each that a fault can do to requests; the others are about nodes and images. */
const eachTwinFault: readonly TwinFault[] = [
  { status: { code: 503 }, count: 2 },
  { latency: { p50: '20s' }, count: 2 },
  { reset: { when: 'before' }, count: 2 },
  { compact: { keepRevisions: 0 } },
  { watch: { drop: {} }, count: 1 },
  { watch: { cut: {} }, count: 1 },
  { watch: { expire: {} }, count: 1 },
  { watch: { stall: {} }, count: 1 },
  { watch: { delay: { p50: '20s' } }, count: 1 },
  { watch: { repeat: {} }, count: 1 },
  { watch: { bookmarkless: {} }, count: 1 },
]
const inBetween: Step = { kind: 'write', name: 0, draw: 1, isObserved: false }
/** Longer than a watch lasts: there are new requests, whatever the fault does to. */
const watchesAnew: Step = { kind: 'wait', ms: 700_000 }

const podKey = 'pods'
const startMs = Date.parse('2026-01-01T00:00:00Z')
/** Longer than any watch may be silent, any back-off and any list that was held up. */
const restMs = 1_300_000

interface Watched {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly isMetadata: boolean
  readonly fields: { names: readonly string[] } | undefined
  readonly check: InformerCheck
  informer: Informer<KubeObject> | undefined
}

/** One run: what the steps did to informers behind a bad wire; everything that was not as it must be. */
async function faultsOf(
  setting: Setting,
  steps: readonly Step[],
): Promise<{ faults: readonly string[]; relists: number; told: number; fired: readonly string[] }> {
  const clock = new VirtualClock(startMs)
  await using twin = await startTwin({ clock, wire: clock, components: false, historyLimit: setting.historyLimit })
  const commits: Commit[] = []
  twin.access.subscribe(podKey, ({ type, object, previous, revision }) =>
    commits.push({ version: revision, object, previous, isDeletion: type === 'DELETED' }),
  )
  const watched = setting.scopes.flatMap(number => scopes[number] ?? []).map(one => watchedAs(one, commits))
  const wire = new FaultyWire(twin.transport({ admin: true }), {
    clock,
    revision: () => twin.access.revision,
    observerOf: request => checkOf(watched, request),
  })
  const stop = new AbortController()
  await using informers = new Informers(openApi(wire, { clock, userAgent: 'test' }), {
    clock,
    random: seededRandom(setting.seed),
    watchList: setting.watchList,
    pageSize: setting.pageSize,
    signal: stop.signal,
  })
  setting.scopes.forEach((number, at) => {
    const informer = informers.of<KubeObject>(builtIn.pods, scopes[number]?.scope)
    const one = watched[at]
    if (one === undefined) return
    informer.onChange(one.check.tell)
    one.informer = informer
  })
  const late: LateHandler[] = []
  const set: SetFault[] = []
  const chance = seededRandom(setting.seed + 1)
  for (const step of steps) {
    // Half of what happens, happens before anybody could take notice of the last.
    if (chance() < 0.5) await clock.quiet(3)
    await take(step, { clock, twin, wire, informers, watched, late, commits, set })
  }
  wire.heal()
  for (const { handle } of set) handle.remove()
  await clock.advance(restMs)
  const faults = watched.flatMap(({ check, informer }) =>
    informer === undefined ? [] : check.atRest(informer, twin.access.list(podKey)),
  )
  stop.abort(new Error('the run is over'))
  return {
    faults: [...faults, ...late.flatMap(one => one.faults())],
    relists: watched.reduce((sum, { check }) => sum + check.relists, 0),
    told: watched.reduce((sum, { check }) => sum + check.told.length, 0),
    fired: set.filter(({ handle }) => handle.fired > 0).map(({ effect }) => effect),
  }
}

interface SetFault {
  readonly effect: string
  readonly handle: ReturnType<Twin['fault']>
}

interface Scene {
  readonly set: SetFault[]
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly wire: FaultyWire
  readonly informers: Informers
  readonly watched: readonly Watched[]
  readonly late: LateHandler[]
  readonly commits: readonly Commit[]
}

async function take(step: Step, scene: Scene): Promise<void> {
  const { clock, twin, wire, watched, late } = scene
  switch (step.kind) {
    case 'write':
    case 'delete':
      return change(step, scene)
    case 'elsewhere':
      twin.access.create(
        'configmaps',
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c${twin.access.revision}`, namespace: 'default' } },
        writer,
      )
      return
    case 'widen':
      for (const one of watched) widen(one, scene)
      return
    case 'late-answer': {
      const written = scene.commits.at(-1 - step.back)
      if (written !== undefined && !written.isDeletion) offer(written.object, scene)
      return
    }
    case 'request':
      return wire.failNext(step.fault)
    case 'watch':
      // A server says a bookmark after all that it covers: what was committed has to be under way.
      if (step.fault.kind === 'bookmark') await clock.quiet()
      return wire.harm(step.fault)
    case 'twin':
      scene.set.push({ effect: effectOf(step.fault), handle: twin.fault(step.fault) })
      return
    case 'late-handler':
      for (const { check, informer } of watched) if (informer !== undefined) late.push(new LateHandler(check, informer))
      return
    case 'wait':
      await clock.advance(step.ms)
  }
}

function effectOf({ status, latency, reset, watch, compact }: TwinFault): string {
  const [effect] = Object.keys({
    ...(status && { status }),
    ...(latency && { latency }),
    ...(reset && { reset }),
    ...(compact && { compact }),
    ...watch,
  })
  return effect ?? 'none'
}

/** Names two namespaces, three nodes and two tiers over; the object of a name changes all of them but the namespace. */
function change(step: Extract<Step, { kind: 'write' | 'delete' }>, scene: Scene): void {
  const { twin } = scene
  const name = `p${step.name}`
  const namespace = step.name % 2 === 0 ? 'default' : 'kube-public'
  const known = twin.access.get(podKey, namespace, name)
  if (step.kind === 'delete') {
    if (known !== undefined) twin.access.remove(podKey, namespace, name, writer, { gracePeriodSeconds: 0 })
    return
  }
  const tier = step.draw % 3 === 0 ? 'back' : 'front'
  const object = known === undefined ? newPod(name, namespace, step.draw) : known
  const labelled = { ...object, metadata: { ...object.metadata, labels: { tier, draw: String(step.draw) } } }
  const written =
    known === undefined ? twin.access.create(podKey, labelled, writer) : twin.access.update(podKey, labelled, writer)
  if (step.isObserved) offer(written, scene)
}

/** The answer of a write, now or late. */
function offer(written: KubeObject, { informers, watched }: Scene): void {
  for (const { check } of watched) check.observed(written)
  informers.observe(builtIn.pods, written)
}

function newPod(name: string, namespace: string, draw: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } },
    spec: { nodeName: `n${draw % 2}`, containers: [{ name: 'main', image: 'app:1', resources: { requests: { cpu: '100m' } } }] },
  }
}

function nodeOf(pod: KubeObject): unknown {
  const spec = pod['spec']
  return typeof spec === 'object' && spec !== null && 'nodeName' in spec ? spec.nodeName : undefined
}

function watchedAs({ scope, isSelected }: (typeof scopes)[number], commits: readonly Commit[]): Watched {
  const {
    namespace,
    metadataOnly,
    fields: names,
    ...query
  } = { namespace: undefined, metadataOnly: false, fields: undefined, ...scope }
  const isMetadata = metadataOnly === true
  const fields = names === undefined ? undefined : { names }
  const forms = (object: KubeObject) =>
    fields === undefined ? [keptForm(object, isMetadata)] : [names, fields.names].map(kept => podWith(object, kept ?? []))
  return {
    path: namespace === undefined ? '/api/v1/pods' : `/api/v1/namespaces/${namespace}/pods`,
    query,
    isMetadata,
    fields,
    check: new InformerCheck({ commits, isSelected, forms }),
    informer: undefined,
  }
}

/** Somebody comes who needs more. */
function widen({ fields, query }: Watched, { informers }: Scene): void {
  if (fields === undefined) return
  fields.names = widenedFields
  informers.of(builtIn.pods, { ...query, fields: widenedFields.slice(1) })
}

/** A pod with its names, times, labels and owners, and of its containers what is named. */
function podWith(pod: KubeObject, names: readonly string[]): KubeObject {
  const { managedFields, annotations, generateName, finalizers, ...metadata } = pod.metadata
  // Written by `newPod`.
  const { containers } = pod['spec'] as {
    readonly containers: readonly { readonly image: string; readonly resources: { readonly requests: unknown } }[]
  }
  const withRequests = names.length > 1
  return {
    apiVersion: pod.apiVersion,
    kind: pod.kind,
    metadata,
    spec: {
      containers: containers.map(({ image, resources: { requests } }) => ({
        image,
        ...(withRequests ? { resources: { requests } } : {}),
      })),
    },
  }
}

function checkOf(watched: readonly Watched[], { path, query = {}, headers }: TransportRequest): InformerCheck {
  const isMetadata = headers?.['accept']?.includes('PartialObjectMetadata') === true
  const found = watched.find(
    one =>
      one.path === path &&
      one.isMetadata === isMetadata &&
      one.query['labelSelector'] === query['labelSelector'] &&
      one.query['fieldSelector'] === query['fieldSelector'],
  )
  if (found === undefined) throw new Error(`nobody watches ${path} ${JSON.stringify(query)}`)
  return found.check
}

/** An object as informers keep it. */
function keptForm(object: KubeObject, isMetadata: boolean): KubeObject {
  const { managedFields, annotations, ...metadata } = object.metadata
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...others } = annotations ?? {}
  const kept = { ...metadata, ...(annotations === undefined ? {} : { annotations: others }) }
  return isMetadata
    ? { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata: kept }
    : { ...object, metadata: kept }
}

/** A handler that came in the middle: told what is there, then what the first handler is told. */
class LateHandler {
  readonly #check: InformerCheck
  readonly #from: number
  readonly #present: readonly KubeObject[]
  readonly #told: Change<KubeObject>[] = []

  constructor(check: InformerCheck, informer: Informer<KubeObject>) {
    this.#check = check
    this.#from = check.told.length
    this.#present = [...informer.store.list()]
    informer.onChange(change => this.#told.push(change))
  }

  faults(): readonly string[] {
    const initial = this.#told.slice(0, this.#present.length)
    const isWhole = initial.every(({ type, object, initial }, at) => type === 'ADDED' && initial && object === this.#present[at])
    const rest = this.#told.slice(this.#present.length)
    const expected = this.#check.told.slice(this.#from)
    const isSame = rest.length === expected.length && rest.every((change, at) => change === expected[at])
    return [
      ...(isWhole ? [] : ['a late handler was not told what was there']),
      ...(isSame ? [] : ['a late handler was told other changes']),
    ]
  }
}

test('law: under faults of every kind each state that arrives is told once and in order, and at rest the store is what the server has', async () => {
  await fc.assert(
    fc.asyncProperty(setting, fc.array(step, { maxLength: 50 }), async (drawn, steps) => {
      expect((await faultsOf(drawn, steps)).faults).toEqual([])
    }),
    { numRuns: runs(150), examples: found },
  )
})

test('law: the same under every fault that the twin can be told', async () => {
  const fault = fc.record({ kind: fc.constant('twin' as const), fault: twinFault })
  const steps = fc.oneof<{ weight: number; arbitrary: fc.Arbitrary<Step> }[]>(
    { weight: 10, arbitrary: faultless },
    { weight: 5, arbitrary: fault },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(400_000) }) },
  )
  const all = new Set<string>()
  await fc.assert(
    fc.asyncProperty(setting, fc.array(steps, { maxLength: 50, size: '+1' }), async (drawn, taken) => {
      const { faults, fired } = await faultsOf(drawn, taken)
      for (const effect of fired) all.add(effect)
      expect(faults).toEqual([])
    }),
    {
      numRuns: runs(100),
      examples: eachTwinFault.map((fault): [Setting, Step[]] => [
        { seed: 0, watchList: 'auto', pageSize: 2, historyLimit: 1000, scopes: [0] },
        [inBetween, { kind: 'wait', ms: 0 }, { kind: 'twin', fault }, inBetween, watchesAnew, { ...inBetween, draw: 2 }],
      ]),
    },
  )
  expect([...all].sort()).toEqual(eachTwinFault.map(effectOf).sort())
})

test('law: without faults everything is told that happened, and nothing is listed twice', async () => {
  await fc.assert(
    fc.asyncProperty(setting, fc.array(faultless, { maxLength: 40 }), async (drawn, steps) => {
      const { faults, relists } = await faultsOf({ ...drawn, historyLimit: 1000 }, steps)
      expect(faults).toEqual([])
      expect(relists).toBe(drawn.scopes.length)
    }),
    { numRuns: runs(30) },
  )
})

/** More where there is time: `FAULT_RUNS=20` makes it twenty times as many. */
function runs(count: number): number {
  return count * Number(process.env['FAULT_RUNS'] ?? 1)
}
