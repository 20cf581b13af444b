// The baseline in the API server: what was last acted on, in ConfigMaps of our own namespace. Written after the effect, one by one while
// reloads go on, each on the version that was read; a workload lies in one of them by its name.
import { createHash } from 'node:crypto'
import type { Leadership } from '#coordination/arbiter/leadership.ts'
import type { Api, ResourceApi } from '#kube/client/api.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import { Turns } from '#kube/controllers/turns.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import { untilResolved } from '#kube/controllers/until-resolved.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNewer } from '#kube/objects/resource-version.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#kube/objects/status.ts'
import { isMark, isSameBaseline, isUidMark, type WorkloadBaseline } from './baseline.ts'

const shardCount = 64
/** A ConfigMap may have a mebibyte, its metadata included. */
const shardLimitBytes = 960 * 1024
const loadsAtOnce = 8
/** How long those that are read wait for those that are not. */
const loadGraceMs = 5_000
const flushesAtOnce = 8
const conflictTries = 5
const gatherMs = 1_000
/** What was never remembered is known to nobody else: it is written at once, where the ConfigMap was not written a moment before. */
const gatherNewMs = 200
const newAtOnce = 4
/** What a permit says, too, is not lost with us: it is written rarely, because each write takes a whole ConfigMap through the server. */
const gatherKeptMs = 10_000
const firstRetryMs = 1_000
const longestRetryMs = 60_000
export const fieldManager = 'ballast-reload'
const longestNameInKey = 200

export const baselineNames: readonly string[] = Array.from(
  { length: shardCount },
  (_, index) => `ballast-reload-baseline-${index}`,
)
export const baselineLabels = { 'app.kubernetes.io/managed-by': 'ballast', 'app.kubernetes.io/component': 'reload' } as const

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

class Shard {
  readonly name: string
  /** False while it is being loaded. */
  isRead = true
  /** `undefined`: there is none yet. */
  resourceVersion: string | undefined
  readonly dirty = new Set<string>()
  /** When what is dirty is to be written, and when it last was, as `elapsed` has it. */
  dueMs = Number.POSITIVE_INFINITY
  writtenMs = Number.NEGATIVE_INFINITY
  /** Something of it was never written. */
  hasNew = false
  /** Bytes of what is written there, by workload. */
  readonly #sizes = new Map<string, number>()
  #bytes = 0

  constructor(name: string) {
    this.name = name
  }

  get workloads(): Iterable<string> {
    return this.#sizes.keys()
  }

  /** Whether an entry of so many bytes has room there. */
  hasRoom(workload: string, bytes: number): boolean {
    return this.#bytes - (this.#sizes.get(workload) ?? 0) + bytes <= shardLimitBytes
  }

  /** What lies there of `workload` has so many bytes; none: nothing does. */
  count(workload: string, bytes: number): void {
    this.#bytes += bytes - (this.#sizes.get(workload) ?? 0)
    if (bytes === 0) this.#sizes.delete(workload)
    else this.#sizes.set(workload, bytes)
  }
}

export interface BaselineStoreOptions {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
  readonly leadership: Leadership
  /** Our own. */
  readonly namespace: string
  /** Told of a ConfigMap, or an entry in one, that cannot be read: it is left out, and written anew. */
  readonly unreadable: (name: string, why: string) => void
  /** Told of a ConfigMap that is full: of a workload without room nothing is remembered over a restart. */
  readonly full: (name: string, why: string) => void
}

/** How soon a baseline is written: what a permit says of it, too, may wait; what nobody else knows may not. */
type Keeping = 'soon' | 'with-permit'
type Haste = Keeping | 'new'

const gatherMsOf: Readonly<Record<Haste, number>> = { new: gatherNewMs, soon: gatherMs, 'with-permit': gatherKeptMs }

export class BaselineStore {
  readonly #options: BaselineStoreOptions
  readonly #configmaps: ResourceApi<ConfigMap>
  readonly #baselines = new Map<string, WorkloadBaseline>()
  /** When each was set, in milliseconds since 1970. */
  readonly #setMs = new Map<string, number>()
  readonly #shards: readonly Shard[] = baselineNames.map(name => new Shard(name))
  readonly #loadTurns = new Turns(loadsAtOnce)
  #wake = Promise.withResolvers<void>()
  #isRunning = false
  /** When the next write is due that an alarm is set for. */
  #alarmMs = Number.POSITIVE_INFINITY
  #cancelAlarm: Cancel = () => undefined
  #loadedVersion: string | undefined
  #problem: string | undefined

  constructor(options: BaselineStoreOptions) {
    this.#options = options
    this.#configmaps = options.api.resource<ConfigMap>(builtIn.configmaps)
  }

  /** Why the last write failed, or what is not read yet; `undefined`: all is well. */
  get problem(): string | undefined {
    const unread = this.#shards.filter(({ isRead }) => !isRead).length
    return unread === 0 ? this.#problem : `${unread} of ${shardCount} ConfigMaps are not read yet`
  }

  /** What was remembered of it cannot be read yet: nobody knows what was done. */
  isUnread(workload: string): boolean {
    return this.#shards[shardOf(workload)]?.isRead === false
  }

  /** The version of the last write that `load` found: whoever wrote it was alive then. */
  get loadedVersion(): string | undefined {
    return this.#loadedVersion
  }

  /**
   * Reads what was written before. Each ConfigMap is asked for until it is read; resolves when all are, or a while after the first: workloads
   * of the others are not decided on before, and `onLate` is called when they can be. @throws `signal.reason`
   */
  async load(signal: AbortSignal, onLate: () => void = () => undefined): Promise<void> {
    const { clock, log } = this.#options
    const first = Promise.withResolvers<void>()
    let isLate = false
    for (const shard of this.#shards) shard.isRead = false
    const all = inLanes(this.#shards, this.#shards.length, async shard => {
      const read = async () => {
        using _ = await this.#loadTurns.take(signal)
        return await this.#read(shard, signal)
      }
      const found = await untilDone(read, { clock, log, what: `${shard.name} is read` }, signal)
      this.#take(shard, found)
      first.resolve()
      if (isLate) onLate()
    })
    const grace = first.promise.then(() => clock.after(loadGraceMs, signal))
    all.catch(() => undefined) // told by the race below, or by the signal
    grace.catch(() => undefined) // its abort ends the race
    await Promise.race([all, grace])
    isLate = true
  }

  #take(shard: Shard, found: ConfigMap | undefined): void {
    const version = found?.metadata.resourceVersion
    shard.resourceVersion = version
    shard.isRead = true
    if (version !== undefined && (this.#loadedVersion === undefined || isNewer(version, this.#loadedVersion)))
      this.#loadedVersion = version
    for (const [key, text] of entriesOf(found)) {
      const entry = parsed(text)
      if (entry !== undefined && dataKey(entry.workload) === key) this.#loaded(shard, entry, key.length + String(text).length)
      else this.#options.unreadable(shard.name, `data[${JSON.stringify(key)}] is not what was written there: left out`)
    }
  }

  #loaded(shard: Shard, { workload, baseline, setMs }: Entry, bytes: number): void {
    shard.count(workload, bytes)
    const isElsewhere = this.#shards[shardOf(workload)] !== shard
    // Written when there were fewer of them.
    if (isElsewhere) this.#soil(shard, workload, 'soon')
    if ((this.#setMs.get(workload) ?? -1) >= setMs) return
    this.#baselines.set(workload, baseline)
    this.#setMs.set(workload, setMs)
    if (isElsewhere) this.#soilHome(workload, 'soon')
  }

  get(workload: string): WorkloadBaseline | undefined {
    return this.#baselines.get(workload)
  }

  workloads(): Iterable<string> {
    return this.#baselines.keys()
  }

  set(workload: string, baseline: WorkloadBaseline, keeping: Keeping = 'soon'): void {
    const known = this.#baselines.get(workload)
    this.#baselines.set(workload, baseline)
    this.#setMs.set(workload, this.#options.clock.now())
    // Most workloads have nothing to remember.
    const isNews = known === undefined ? baseline.marks.size > 0 : !isSameBaseline(known, baseline)
    if (isNews) this.#soilHome(workload, isNewTo(known, baseline) ? 'new' : keeping)
  }

  /** What was acted on at that time, by whoever did not come to write it; what was written since is newer. */
  recall(workload: string, acted: WorkloadBaseline, atMs: number): void {
    const known = this.#baselines.get(workload)
    if (known !== undefined && (known.uid !== acted.uid || (this.#setMs.get(workload) ?? 0) > atMs)) return
    this.set(workload, { uid: acted.uid, marks: new Map([...(known?.marks ?? []), ...acted.marks]) }, 'with-permit')
    this.#setMs.set(workload, atMs)
  }

  /** A workload that is gone. */
  delete(workload: string): void {
    this.#setMs.delete(workload)
    if (this.#baselines.delete(workload)) this.#soilHome(workload, 'soon')
  }

  /** Writes what changed, a second after it did or ten, what is new sooner, until `signal` is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    this.#isRunning = true
    this.#setAlarm()
    for (let retryMs = firstRetryMs; !signal.aborted; ) {
      try {
        await untilResolved(this.#wake.promise, signal)
        this.#wake = Promise.withResolvers()
        await this.#writeDue(signal)
        retryMs = firstRetryMs
        this.#problem = undefined
      } catch (error) {
        if (signal.aborted) break
        this.#problem = messageOf(error)
        log.warn({ why: messageOf(error), retryMs }, 'the baseline of reloads is not written: tried again')
        await clock.after(retryMs, signal).catch(() => undefined) // its abort ends the loop
        retryMs = Math.min(longestRetryMs, retryMs * 2)
        this.#wake.resolve()
      }
      this.#setAlarm()
    }
    this.#isRunning = false
    this.#cancelAlarm()
  }

  async #writeDue(signal: AbortSignal): Promise<void> {
    const nowMs = this.#options.clock.elapsed()
    const due = this.#shards.filter(({ dueMs, isRead }) => isRead && dueMs <= nowMs)
    await this.#writeAll(due, due.some(({ hasNew }) => hasNew) ? newAtOnce : 1, signal)
  }

  /** For what is due next, unless one is set for as soon. */
  #setAlarm(): void {
    const { clock } = this.#options
    const dueMs = Math.min(...this.#shards.map(shard => (shard.isRead ? shard.dueMs : Number.POSITIVE_INFINITY)))
    if (!this.#isRunning || dueMs >= this.#alarmMs) return
    this.#cancelAlarm()
    this.#alarmMs = dueMs
    this.#cancelAlarm = clock.schedule(Math.max(0, dueMs - clock.elapsed()), () => {
      this.#alarmMs = Number.POSITIVE_INFINITY
      this.#wake.resolve()
    })
  }

  /** Writes what changed and is not written yet. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#writeAll(
      this.#shards.filter(({ dirty, isRead }) => isRead && dirty.size > 0),
      flushesAtOnce,
      signal,
    )
  }

  /** Each by itself. @throws what the first of those said that failed */
  async #writeAll(shards: readonly Shard[], atOnce: number, signal: AbortSignal): Promise<void> {
    const errors: unknown[] = []
    await inLanes(shards, atOnce, shard => this.#write(shard, signal).catch((error: unknown) => void errors.push(error)))
    if (errors.length > 0) throw errors[0]
  }

  #soilHome(workload: string, haste: Haste): void {
    const shard = this.#shards[shardOf(workload)]
    if (shard !== undefined) this.#soil(shard, workload, haste)
  }

  #soil(shard: Shard, workload: string, haste: Haste): void {
    shard.dirty.add(workload)
    shard.hasNew ||= haste === 'new'
    const dueMs = Math.max(this.#options.clock.elapsed() + gatherMsOf[haste], shard.writtenMs + gatherMs)
    if (dueMs >= shard.dueMs) return
    shard.dueMs = dueMs
    this.#setAlarm()
  }

  async #write(shard: Shard, signal: AbortSignal): Promise<void> {
    const workloads = [...shard.dirty]
    shard.dirty.clear()
    shard.dueMs = Number.POSITIVE_INFINITY
    shard.writtenMs = this.#options.clock.elapsed()
    shard.hasNew = false
    try {
      for (let tries = 1; ; tries++) {
        this.#options.leadership.assert()
        try {
          const written =
            shard.resourceVersion === undefined
              ? await this.#create(shard, new Set([...shard.workloads, ...workloads]), signal)
              : await this.#patch(shard, workloads, signal)
          shard.resourceVersion = written.metadata.resourceVersion
          return
        } catch (error) {
          const isOvertaken = isConflict(error) || isAlreadyExists(error) || isNotFound(error)
          if (!isOvertaken || tries === conflictTries) throw error
          shard.resourceVersion = (await this.#read(shard, signal))?.metadata.resourceVersion
        }
      }
    } catch (error) {
      for (const workload of workloads) this.#soil(shard, workload, 'soon')
      throw error
    }
  }

  #create(shard: Shard, workloads: Iterable<string>, signal: AbortSignal): Promise<ConfigMap> {
    const { name } = shard
    const { namespace } = this.#options
    const entries = this.#entriesFor(shard, workloads)
    const data = Object.fromEntries(entries.flatMap(([key, text]) => (text === null ? [] : [[key, text] as const])))
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels: baselineLabels }, data }
    return this.#configmaps.create(object, { namespace, fieldManager, priority: 'status', signal })
  }

  #patch(shard: Shard, workloads: readonly string[], signal: AbortSignal): Promise<ConfigMap> {
    const { name, resourceVersion } = shard
    const { namespace } = this.#options
    const body = { metadata: { resourceVersion }, data: Object.fromEntries(this.#entriesFor(shard, workloads)) }
    const options = { namespace, fieldManager, metadataOnly: true, priority: 'status', signal } as const
    return this.#configmaps.patch(name, { type: 'merge', body }, options)
  }

  /** What is to lie in `shard` of `workloads`, `null` where nothing is. What has no room is left out and told. */
  #entriesFor(shard: Shard, workloads: Iterable<string>): readonly (readonly [string, string | null])[] {
    let left = 0
    const entries = Array.from(workloads, workload => {
      const key = dataKey(workload)
      const baseline = this.#shards[shardOf(workload)] === shard ? this.#baselines.get(workload) : undefined
      const text = baseline === undefined || baseline.marks.size === 0 ? null : this.#textOf(workload, baseline)
      const bytes = text === null ? 0 : key.length + text.length
      const fits = shard.hasRoom(workload, bytes)
      if (!fits) left++
      shard.count(workload, fits ? bytes : 0)
      return [key, fits ? text : null] as const
    })
    if (left > 0) this.#options.full(shard.name, `it holds ${shardLimitBytes} bytes: of ${left} workloads nothing is remembered`)
    return entries
  }

  #textOf(workload: string, { uid, marks }: WorkloadBaseline): string {
    return JSON.stringify({ workload, uid, setMs: this.#setMs.get(workload) ?? 0, marks: Object.fromEntries(marks) })
  }

  async #read({ name }: Shard, signal: AbortSignal): Promise<ConfigMap | undefined> {
    try {
      return await this.#configmaps.get(name, { namespace: this.#options.namespace, signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }
}

/** Something in it was never remembered. */
function isNewTo(known: WorkloadBaseline | undefined, { uid, marks }: WorkloadBaseline): boolean {
  if (known?.uid !== uid) return true
  for (const source of marks.keys()) if (!known.marks.has(source)) return true
  return false
}

function entriesOf(shard: ConfigMap | undefined): readonly (readonly [string, unknown])[] {
  return typeof shard?.data === 'object' && shard.data !== null ? Object.entries(shard.data) : []
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv */
/** What a ConfigMap of the baseline remembers, by workload; what cannot be read of it is left out. */
export function baselinesIn(shard: KubeObject): ReadonlyMap<string, WorkloadBaseline> {
  const entries = entriesOf(shard).flatMap(([, text]) => parsed(text) ?? [])
  return new Map(entries.map(({ workload, baseline }) => [workload, baseline]))
}

export function shardOf(workload: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < workload.length; at++) hash = Math.imul(hash ^ workload.charCodeAt(at), 0x01000193)
  // The low bits alone know little of each other.
  return ((hash ^ (hash >>> 16)) >>> 0) % shardCount
}

/** Calls `work` with each of `all`, `atOnce` at a time. Rejects with the first. */
async function inLanes<T>(all: readonly T[], atOnce: number, work: (one: T) => Promise<void>): Promise<void> {
  const rest = all.values()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const one of rest) await work(one)
    }),
  )
}

/** A key of a ConfigMap is short and knows no slash; what does not fit is told by its hash. */
function dataKey(workload: string): string {
  const plain = workload.replaceAll('/', '.')
  return plain.length <= longestNameInKey ? plain : `h.${createHash('sha1').update(workload).digest('hex')}`
}

interface Entry {
  readonly workload: string
  readonly setMs: number
  readonly baseline: WorkloadBaseline
}

/** What was written of one workload; `undefined` for anything else. */
function parsed(text: unknown): Entry | undefined {
  if (typeof text !== 'string') return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined // told by whoever asked
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (!('workload' in value && 'uid' in value && 'marks' in value)) return undefined
  const { workload, uid, marks } = value
  const setMs = 'setMs' in value && typeof value.setMs === 'number' ? value.setMs : 0
  if (typeof workload !== 'string' || typeof uid !== 'string' || !isUidMark(uid)) return undefined
  if (typeof marks !== 'object' || marks === null) return undefined
  const all = Object.entries(marks)
  const isWhole = all.every((mark): mark is [string, string] => typeof mark[1] === 'string' && isMark(mark[1]))
  return isWhole ? { workload, setMs, baseline: { uid, marks: new Map(all) } } : undefined
}
