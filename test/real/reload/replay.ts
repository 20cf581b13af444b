// Plays a scenario before a program on a real control plane and judges what the witness has seen.
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '#kube/clock.ts'
import { seededRandom } from '#kube/random.ts'
import { type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { type Change, hashOf, type Judgement, judge, type Life, markNames } from './judge.ts'
import { type ProgramName, type ReloadProgram, startProgram } from './programs.ts'
import { requestResource } from './request-resource.ts'
import type { Form, Scenario, SourceName, SourceSpec, Stage, Target } from './scenario.ts'
import { Witness, workloadKeyOf } from './witness.ts'
import { workload } from './workloads.ts'

/** Without a further roll-out for so long nothing more comes: workloads that may not be watched are listed every other second. */
const quietMs = 9_000
const longestWaitMs = 180_000
const readyMs = 60_000

export interface Played extends Judgement {
  readonly scenario: string
  readonly program: ProgramName
  readonly changes: number
  readonly errors: number
  /** Rows of counters that grew from the first object to the last change, and by how much. */
  readonly counted: Readonly<Record<string, number>>
  /** ConfigMaps of others than Ballast that were there before it, and how many the program had counted as added and not as deleted. */
  readonly listed: { readonly there: number; readonly counted: number }
  readonly cpuMs: number
  /** From the first change to the last roll-out. */
  readonly tookMs: number
  /** What one write and its watch event took meanwhile, in milliseconds, sorted. */
  readonly echoesMs: readonly number[]
  /** While there were changes. */
  readonly playMs: number
  /** How long each pause was, in milliseconds; NaN of one that did not end. */
  readonly pausesMs: readonly number[]
  /** The marks of each workload at the end; one of the last change of a source says so: writers that race leave other data in each run. */
  readonly marks: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Requests of the program by verb and resource, such as `patch deployments`; lists of kinds that are not served apart. */
  readonly requests: Readonly<Record<string, number>>
}

export interface PlayOptions {
  /** Settings of ours besides, which win. */
  readonly reload?: object
  /** Settings of our process. */
  readonly process?: object
  /** Told of each scenario when it is over. */
  readonly told?: (played: Played) => void
}

export interface Replay extends AsyncDisposable {
  /** Plays scenarios one after the other before one program; it is started anew where the flags are others. */
  play(program: ProgramName, scenarios: readonly Scenario[], form: Form, options?: PlayOptions): Promise<readonly Played[]>
}

/** Starts the control plane. @throws PartUnavailable */
export async function openReplay(): Promise<Replay> {
  await using opening = new AsyncDisposableStack()
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false, audit: true })
  opening.defer(() => plane.stop())
  const witness = opening.use(await Witness.open(plane.client, { isStandIn: true }))
  const resources = opening.move()
  return {
    async play(program, scenarios, form, { reload = {}, process = {}, told } = {}) {
      const played: Played[] = []
      for (const [flags, some] of Map.groupBy(scenarios, scenario => scenario.flags.join(' '))) {
        await using theatre = await Theatre.open({
          plane,
          witness,
          program,
          reload,
          process,
          flags: flags === '' ? [] : flags.split(' '),
        })
        for (const scenario of some) {
          const one = await theatre.play(scenario, form)
          told?.(one)
          played.push(one)
        }
      }
      return played
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

interface TheatreOptions {
  readonly plane: ControlPlane
  readonly witness: Witness
  readonly program: ProgramName
  readonly flags: readonly string[]
  readonly reload: object
  readonly process: object
}

/** A program that is ready, and the stage before it. */
class Theatre implements AsyncDisposable {
  readonly #options: TheatreOptions
  #program: ReloadProgram
  #standingBy: ReloadProgram | undefined
  #changes: Change[] = []
  #lives: Life[] = []
  /** CPU time of processes that were killed. */
  #spentCpuMs = 0

  private constructor(options: TheatreOptions, program: ReloadProgram) {
    this.#options = options
    this.#program = program
  }

  static async open(options: TheatreOptions): Promise<Theatre> {
    const theatre = new Theatre(options, await startOf(options))
    try {
      await theatre.#untilReady()
    } catch (cause) {
      const { log } = theatre.#program
      await theatre[Symbol.asyncDispose]()
      throw new Error(`${options.program} does not reload: ${log.slice(-4_000)}`, { cause })
    }
    return theatre
  }

  async play(scenario: Scenario, form: Form): Promise<Played> {
    const { plane, witness } = this.#options
    this.#changes = []
    this.#lives = []
    const before = await this.#program.counted()
    const maps = (await plane.client.want('GET', '/api/v1/configmaps')) as { readonly items?: readonly ApiObject[] }
    const rowOf = (type: string) => `reloader_events_received_total{event_type="${type}",resource_type="configmaps"}`
    const listed = {
      there: (maps.items ?? []).filter(({ metadata }) => !metadata.name.startsWith('ballast-')).length,
      counted: (before.get(rowOf('add')) ?? 0) - (before.get(rowOf('delete')) ?? 0),
    }
    await this.#makeAll(scenario)
    const audited = plane.answered().length
    this.#spentCpuMs = -this.#program.cpuMs()
    witness.takeEchoesMs()
    const startMs = systemClock.elapsed()
    await scenario.play(this.#stage(form))
    const playMs = systemClock.elapsed() - startMs
    const judged = await this.#untilQuiet(scenario)
    const cpuMs = this.#spentCpuMs + this.#program.cpuMs()
    const { user } = this.#program
    const requests = Map.groupBy(
      plane
        .answered()
        .slice(audited)
        .filter(request => request.user === user),
      ({ verb, path, code }) => (verb === 'list' && code === 404 ? 'absent kinds' : `${verb} ${requestResource(path)}`),
    )
    const alive = this.#lives.filter(({ removedMs }) => removedMs === undefined)
    const watched = alive.map(({ target }) => ({
      key: workloadKeyOf(target.object),
      seen: witness.get(workloadKeyOf(target.object)),
    }))
    const played = {
      ...judged,
      scenario: scenario.id,
      program: this.#program.name,
      changes: this.#changes.length,
      errors: await this.#program.errors(),
      counted: Object.fromEntries(
        Array.from(await this.#program.counted(), ([row, count]) => [row, count - (before.get(row) ?? 0)] as const)
          .filter(([, count]) => count > 0)
          .sort(([one], [other]) => (one < other ? -1 : 1)),
      ),
      listed,
      cpuMs,
      playMs,
      echoesMs: witness.takeEchoesMs(),
      tookMs: Math.max(0, witness.lastMs - startMs),
      pausesMs: watched.flatMap(({ seen }) => (seen?.pauses ?? []).map(({ fromMs, toMs = Number.NaN }) => toMs - fromMs)),
      marks: Object.fromEntries(
        watched.map(({ key, seen }) => [key, Object.fromEntries(marksToCompare(seen?.marks ?? [], this.#changes))]),
      ),
      requests: Object.fromEntries(Array.from(requests, ([verb, all]) => [verb, all.length] as const)),
    }
    await this.#removeAll(scenario)
    return played
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#standingBy?.[Symbol.asyncDispose]()
    await this.#program[Symbol.asyncDispose]()
  }

  #stage(form: Form): Stage {
    const random = seededRandom(1)
    return {
      form,
      random,
      every: async (intervalMs, act) => {
        const startMs = systemClock.elapsed()
        const turns = Math.max(1, Math.floor((form.seconds * 1_000) / intervalMs))
        for (let turn = 0; turn < turns; turn++) {
          await pause(Math.max(0, startMs + turn * intervalMs - systemClock.elapsed()))
          await act(turn)
        }
      },
      change: (source, data) => this.#change(source, data),
      annotate: async (source, value) => {
        await this.#options.plane.client.want('PATCH', pathOf(source), { metadata: { annotations: { 'noop-counter': value } } })
      },
      create: target => this.#create(target),
      remove: target => this.#remove(target),
      restartProgram: () => this.#restart(),
      standBy: async () => {
        this.#standingBy = await startOf(this.#options)
      },
    }
  }

  async #change(source: SourceName, data: Readonly<Record<string, string>>): Promise<void> {
    const sentMs = systemClock.elapsed()
    const answer = await this.#options.plane.client.want('PATCH', pathOf(source), { data: encoded(source, data) })
    const answeredMs = systemClock.elapsed()
    const held = Object.entries((answer['data'] ?? {}) as Readonly<Record<string, string>>)
    const entries = new Map(held.map(([key, value]) => [key, Buffer.from(value, source.type === 'secret' ? 'base64' : 'utf8')]))
    const order = Number(answer.metadata.resourceVersion)
    this.#changes.push({ source, hash: hashOf(entries), order, sentMs, answeredMs })
  }

  async #create(target: Target): Promise<void> {
    const { object } = target
    await this.#options.plane.client.want('POST', apiPath(object, object.metadata.namespace), object)
    this.#lives.push({ target, createdMs: systemClock.elapsed(), removedMs: undefined })
  }

  async #remove({ object }: Target): Promise<void> {
    const life = this.#lives.findLast(
      one => one.target.object.metadata.name === object.metadata.name && one.removedMs === undefined,
    )
    if (life !== undefined) life.removedMs = systemClock.elapsed()
    await this.#options.plane.client.want('DELETE', apiPath(object, object.metadata.namespace, object.metadata.name))
  }

  async #restart(): Promise<void> {
    const killed = this.#program
    this.#spentCpuMs += killed.cpuMs()
    await killed.stop('SIGKILL')
    await killed[Symbol.asyncDispose]()
    this.#program = this.#standingBy ?? (await startOf(this.#options))
    this.#standingBy = undefined
  }

  async #makeAll({ sources, targets, warmMs = 1_000 }: Scenario): Promise<void> {
    const { plane, witness } = this.#options
    const namespaces = new Set([...sources, ...targets.map(({ object }) => object.metadata)].map(({ namespace }) => namespace))
    for (const name of namespaces) await this.#createIfAbsent({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    await inLanes(sources, source => plane.client.want('POST', collectionOf(source), objectOf(source)))
    await inLanes(targets, target => this.#create(target))
    const missing = () => targets.filter(({ object }) => witness.get(workloadKeyOf(object)) === undefined)
    await witness.until(
      () => `${missing().length} workloads are seen`,
      () => missing().length === 0,
      readyMs,
    )
    // A program that may only list workloads knows of new ones two seconds later.
    await pause(Math.max(warmMs, this.#options.program === 'ballast reloader' ? 4_000 : 0))
  }

  async #removeAll({ sources }: Scenario): Promise<void> {
    const { plane, witness } = this.#options
    const namespaces = new Set(sources.map(({ namespace }) => namespace))
    for (const namespace of namespaces)
      for (const collection of ['deployments', 'statefulsets', 'daemonsets'])
        await plane.client.want('DELETE', `/apis/apps/v1/namespaces/${namespace}/${collection}`)
    for (const namespace of namespaces)
      for (const collection of ['configmaps', 'secrets'])
        await plane.client.want('DELETE', `/api/v1/namespaces/${namespace}/${collection}`)
    const isOfThem = (key: string) => namespaces.has(key.split('/')[1] ?? '')
    await witness.until(
      () => 'the workloads are gone',
      () => this.#lives.every(({ target }) => witness.get(workloadKeyOf(target.object))?.isGone !== false),
      readyMs,
    )
    witness.forget(isOfThem)
  }

  async #createIfAbsent(object: ApiObject): Promise<void> {
    const { status, body } = await this.#options.plane.client.send('POST', apiPath(object, object.metadata.namespace), object)
    if (status !== 201 && status !== 409) throw new Error(`${object.kind}: ${status} ${JSON.stringify(body)}`)
  }

  #judgement(): Judgement {
    return judge(this.#lives, this.#changes, ({ object }) => this.#options.witness.get(workloadKeyOf(object)))
  }

  /** Until everything was seen, or nothing more comes. */
  async #untilQuiet(scenario: Scenario): Promise<Judgement> {
    const { witness } = this.#options
    const startMs = systemClock.elapsed()
    for (;;) {
      this.#program.look()
      witness.look()
      const judged = this.#judgement()
      const nowMs = systemClock.elapsed()
      const isPaused = this.#lives.some(({ target }) => isNowPaused(witness, target))
      const isQuiet = nowMs - Math.max(startMs, witness.lastMs) > quietMs + (scenario.patienceMs ?? scenario.pauseMs ?? 0)
      if ((judged.missed.length === 0 && !isPaused) || isQuiet || nowMs - startMs > longestWaitMs) {
        // What is done once too often comes soon after.
        await pause(scenario.settleMs ?? 1_000)
        return this.#judgement()
      }
      await pause(100)
    }
  }

  /** Changes a ConfigMap and a Secret until a workload shows both: only then it watches. */
  async #untilReady(): Promise<void> {
    const { witness } = this.#options
    const probes: readonly SourceSpec[] = (['configmap', 'secret'] as const).map(type => {
      return { type, namespace: 'probe', name: `probe-${type}`, data: { key: 'first' } }
    })
    const target = workload({ namespace: 'probe', name: 'probe', uses: probes })
    await this.#createIfAbsent({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'probe' } })
    for (const probe of probes)
      await this.#createIfAbsent({ ...objectOf(probe), metadata: { name: probe.name, namespace: 'probe' } })
    await this.#createIfAbsent(target.object)
    const key = workloadKeyOf(target.object)
    const before = new Map(witness.get(key)?.marks)
    const startMs = systemClock.elapsed()
    const isSeen = () =>
      new Set(
        witness
          .get(key)
          ?.sightings.filter(({ atMs }) => atMs > startMs)
          .flatMap(one => one.changed),
      ).size >= 2
    for (let turn = 0; !isSeen(); turn++) {
      this.#program.look()
      if (systemClock.elapsed() - startMs > readyMs) throw new Error(`not ready: ${JSON.stringify([...before])}`)
      for (const probe of probes) await this.#change(probe, { key: `${this.#program.name} ${systemClock.elapsed()} ${turn}` })
      await pause(500)
    }
    await pause(2_000)
  }
}

function marksToCompare(
  marks: Iterable<readonly [string, string]>,
  changes: readonly Change[],
): readonly (readonly [string, string])[] {
  const last = new Map<string, string>()
  for (const { source, hash } of changes.toSorted((a, b) => a.order - b.order))
    for (const name of markNames(source)) last.set(name, hash)
  return Array.from(marks, ([name, mark]) => [name, last.get(name) === mark ? 'of the last change' : mark])
}

function isNowPaused(witness: Witness, { object }: Target): boolean {
  const watching = witness.get(workloadKeyOf(object))
  const last = watching?.pauses.at(-1)
  return watching?.isGone === false && last !== undefined && last.toMs === undefined
}

const startOf = ({ program, plane, ...settings }: TheatreOptions) => startProgram(program, plane, settings)

const collectionOf = ({ type, namespace }: SourceName) => `/api/v1/namespaces/${namespace}/${type}s`
const pathOf = (source: SourceName) => `${collectionOf(source)}/${source.name}`

function encoded({ type }: SourceName, data: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const text = (value: string) => (type === 'secret' ? Buffer.from(value).toString('base64') : value)
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, text(value)]))
}

function objectOf(source: SourceSpec): ApiObject {
  const kind = source.type === 'secret' ? 'Secret' : 'ConfigMap'
  const { name, annotations = {} } = source
  return { apiVersion: 'v1', kind, metadata: { name, annotations }, data: encoded(source, source.data) }
}

const lanes = 16

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...items]
  const lane = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
