// Three weeks of one target: its looks, its writes and what was learned of it are the operator's own; the server is played.
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { StatusError, statusBody } from '#kube/objects/status.ts'
import { formatTime } from '#kube/time/time.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { Acting } from './acting.ts'
import { Companions } from './companions.ts'
import type { Held, WorkContext } from './held-object.ts'
import { PreWarming } from './pre-warming.ts'
import { conditionOf } from './status-writes.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
/** A Sunday. */
const startMs = Date.UTC(2027, 0, 3)
const bootMs = 4 * minute
const kind = { group: 'apps', version: 'v1', kind: 'Deployment', resource: 'deployments' }

const isWorkday = (ms: number) => ![0, 6].includes(new Date(ms).getUTCDay())

class Site {
  readonly clock: VirtualClock
  readonly changes: string[] = []
  readonly events: string[] = []
  readonly warnings: string[] = []
  kept: KubeObject | undefined
  mayWrite = true
  object: ScaledObject
  replicas = 0
  #readyMs = 0
  #held: Held = { lastActiveMs: undefined } as Held
  #stop = new AbortController()
  #running = Promise.resolve()
  #preWarming: PreWarming
  #acting: Acting

  constructor(annotations: Record<string, string>, atMs = startMs, kept?: KubeObject) {
    this.clock = new VirtualClock(atMs)
    this.kept = kept
    this.object = {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 'web', namespace: 'shop', uid: 'web', annotations },
      spec: scaledObjectSpec.parse({ scaleTargetRef: { name: 'web' }, triggers: [{ type: 'redis', metadata: {} }] }),
      status: { scaleTargetGVKR: kind },
    }
    ;[this.#preWarming, this.#acting] = this.#started()
  }

  /** Another process takes over; the one before writes what it learned. */
  async handOver(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#stop = new AbortController()
    this.#held = { lastActiveMs: undefined } as Held
    ;[this.#preWarming, this.#acting] = this.#started()
  }

  /** Ends without a last write; another process begins. */
  async crash(): Promise<void> {
    this.mayWrite = false
    await this.handOver()
    this.mayWrite = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** A look each quarter of an hour, and when a span begins or ends. */
  async until(ms: number, isWanted: (ms: number) => boolean): Promise<void> {
    for (;;) {
      const nowMs = this.clock.now()
      if (nowMs >= ms) return
      const isActive = isWanted(nowMs)
      const state = { isActive, isError: false, activeMetrics: isActive ? ['s0-redis'] : [] }
      const check = { state, records: [], composite: undefined, isFallingBack: false }
      await this.#acting.act(this.object, check, { held: this.#held, kind }, new AbortController().signal)
      const spanMs = this.#preWarming.changesInMs('shop/web')
      this.#preWarming.takeDue('shop/web')
      const lookMs = 15 * minute - (nowMs % (15 * minute))
      await this.clock.advance(Math.min(ms - nowMs, lookMs, spanMs > 0 ? spanMs : lookMs))
    }
  }

  #started(): [PreWarming, Acting] {
    const informer = <T>(known: () => readonly T[]) => ({
      isSynced: false,
      store: { get: () => known()[0], list: () => known() },
      onChange: () => () => undefined,
      observe: () => undefined,
    })
    const objects = {
      ...informer(() => [this.object]),
      isSynced: true,
      resource: { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' },
    }
    const watches = { deployments: informer(() => []), statefulSets: informer(() => []), pods: informer(() => this.#pods()) }
    const api = { resource: ({ resource }: { resource: string }) => this.#server(resource) }
    const context: WorkContext = {
      ...{
        api,
        clock: this.clock,
        log: { ...silentLog, warn: (_facts: object, said: string) => void this.warnings.push(said) },
        groups: [],
        wake: () => undefined,
        objects,
        watches,
      },
      autoscalers: informer(() => []),
      ownNamespace: 'ballast',
      effects: { api, leadership: { assert: () => undefined } },
      events: { emit: ({ reason }: { reason: string }) => void this.events.push(reason) },
    } as never
    const preWarming = new PreWarming(context)
    this.#running = preWarming.run(this.#stop.signal)
    return [preWarming, new Acting(context, new Companions(context), preWarming)]
  }

  #pods(): readonly KubeObject[] {
    if (this.replicas === 0 || this.clock.now() < this.#readyMs) return []
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: formatTime(this.#readyMs) }]
    const metadata = { name: 'web-0', namespace: 'shop', labels: { app: 'web' } }
    return [{ apiVersion: 'v1', kind: 'Pod', metadata, status: { phase: 'Running', conditions } } as KubeObject]
  }

  #server(resource: string) {
    const scale = () => ({ spec: { replicas: this.replicas }, status: { selector: 'app=web' } })
    if (resource === 'configmaps')
      return {
        get: async () => {
          if (this.kept === undefined) throw new StatusError(statusBody(404, 'there is none', 'NotFound'))
          return this.kept
        },
        create: async (object: KubeObject) => this.#keep(object),
        update: async (object: KubeObject) => this.#keep(object),
      }
    if (resource === 'deployments')
      return {
        get: async () => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } }),
        sub: async (_name: string, _sub: string, verb: string, body?: { spec: { replicas: number } }) => {
          if (verb === 'PUT' && body !== undefined) this.#scaled(body.spec.replicas)
          return scale()
        },
      }
    return {
      patch: async (_name: string, { body }: { body: { status: object } }) => {
        this.object = { ...this.object, status: { ...this.object.status, ...body.status } }
        return this.object
      },
    }
  }

  #keep(object: KubeObject): KubeObject {
    if (!this.mayWrite) throw new StatusError(statusBody(403, 'forbidden', 'Forbidden'))
    this.kept = object
    return object
  }

  #scaled(replicas: number): void {
    const nowMs = this.clock.now()
    this.changes.push(`${new Date(nowMs).toUTCString().slice(0, 3)} ${formatTime(nowMs).slice(11, 16)} ${replicas}`)
    this.replicas = replicas
    this.#readyMs = nowMs + bootMs
  }
}

/** Used on workdays from eight for half an hour. */
const used = (ms: number) => isWorkday(ms) && ms % day >= 8 * hour && ms % day < 8.5 * hour

/** What two weeks of it leave in the ConfigMap, once. */
const taught = (() => {
  let kept: Promise<KubeObject> | undefined
  return () => {
    kept ??= (async () => {
      await using site = new Site({ 'ballast.dev/pre-warm': '1h' })
      await site.until(startMs + 14 * day, used)
      await site.handOver()
      return site.kept ?? expect.unreachable()
    })()
    return kept
  }
})()

test('used on workdays at eight for two weeks: in the third it is warm before, on no Sunday, and over a change of leaders', async () => {
  await using site = new Site({ 'ballast.dev/pre-warm': '1h' }, startMs + 14 * day, await taught())
  const nobody = (ms: number) => used(ms) && new Date(ms).getUTCDay() !== 2
  await site.until(startMs + 21 * day, nobody)
  const usedDay = (of: string) => [`${of} 07:55 1`, `${of} 08:30 0`]
  // On Tuesday nobody comes: it rests when the likely time is over.
  expect(site.changes).toEqual([...usedDay('Mon'), 'Tue 07:55 1', 'Tue 08:30 0', ...['Wed', 'Thu', 'Fri'].flatMap(usedDay)])
  expect(site.events.filter(reason => reason === 'KEDAScaleTargetPreWarmed')).toHaveLength(5)
  expect(conditionOf(site.object, 'PreWarm')).toMatchObject({ status: 'False', reason: 'PreWarmNotWorthIt' })
  expect(Object.keys(site.kept?.['data'] as object)).toEqual(['shop.web'])
})

test('a process that ended while it was warm: the time that nobody knows of is spent', async () => {
  const monday = startMs + 15 * day
  await using site = new Site({ 'ballast.dev/pre-warm': '40m' }, monday + 7 * hour, await taught())
  await site.until(monday + 8 * hour + 5 * minute, () => false)
  expect(site.replicas).toBe(1)
  await site.crash()
  await site.until(monday + 8 * hour + 5 * minute + 1, () => false)
  // These went of the 40 minutes: a quarter of an hour before the first look, five minutes that were written, five that were not; one is kept back.
  expect(conditionOf(site.object, 'PreWarm')).toMatchObject({
    status: 'True',
    message: expect.stringContaining('; 15m0s of 40m0s are left today; warm until 2027-01-18T08:19:00Z;'),
  })
})

test('without the annotation nothing is learned, nothing is written, and nothing wakes ahead', async () => {
  const [monday, kept] = [startMs + 15 * day, await taught()]
  await using site = new Site({}, monday, kept)
  await site.until(monday + 9 * hour, used)
  expect(site.changes).toEqual(['Mon 08:00 1', 'Mon 08:30 0'])
  expect([site.kept, conditionOf(site.object, 'PreWarm')]).toEqual([kept, undefined])
})

test.each([
  ['frozen', { 'ballast.dev/freeze': 'true' }],
  ['its way up is paused', { 'autoscaling.keda.sh/paused-scale-out': 'true' }],
  ['its way back is paused', { 'autoscaling.keda.sh/paused-scale-in': 'true' }],
])('what was learned wakes nothing: %s', async (_what, annotations) => {
  const [monday, kept] = [startMs + 15 * day, await taught()]
  await using site = new Site({ 'ballast.dev/pre-warm': '1h', ...annotations }, monday + 7 * hour, kept)
  await site.until(monday + 8 * hour, used)
  expect([site.changes, site.replicas]).toEqual([[], 0])
  expect(conditionOf(site.object, 'PreWarm')).toMatchObject({ status: 'False' })
  expect(conditionOf(site.object, 'Ready')).toMatchObject({ status: 'True' })
})

test('what cannot be read begins anew; what may not be written is gone on without, and both are said once', async () => {
  await using site = new Site({ 'ballast.dev/pre-warm': '1h' })
  site.kept = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' }, data: { 'shop.web': '{}', 'shop.gone': '{}' } }
  site.mayWrite = false
  await site.until(startMs + 2 * hour, used)
  expect(site.warnings).toEqual([
    'what was learned of its arrivals cannot be read: it is learned anew',
    'what was learned of arrivals is not kept: it is learned anew when this process ends',
  ])
  site.mayWrite = true
  await site.until(startMs + 3 * hour, used)
  expect(Object.keys(site.kept?.['data'] as object)).toEqual(['shop.web'])
})
