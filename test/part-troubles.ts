// Every part under every trouble with every request that it makes: a row for each capability says what gives its parts work and how one
// sees that it is done; the harness records the requests of a run without trouble, then does each wrong to each of them.
import { seededRandom } from '#kube/random.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { repeated } from './crash-harness.ts'
import { type Trouble, TroubledWire, type TroubleKind, troubleKinds, WireScene } from './troubled-wire.ts'

/** What gives a capability's parts work. Units are what one does not wait for another for: workloads, nodes, plans. */
export interface TroubleRow {
  readonly cluster: Omit<ControlledOptions, 'between'>
  /** What is wrong at its start is wrong at the first start that there ever was. */
  readonly startsFirst?: boolean
  /** It has seen what there is: what is done to the cluster now is news to it. */
  isReady(cluster: ControlledCluster): boolean
  /** What people and other programs do. */
  work(cluster: ControlledCluster): Promise<void>
  /** Whether each unit has what it needs. */
  units(cluster: ControlledCluster): ReadonlyMap<string, boolean>
  /** Whose a request alone is; `undefined`: everybody's. */
  unitOf(path: string): string | undefined
  /** Requests whose answers only add to what is known: nobody waits for them, however long they fail. */
  isDispensable?(key: string): boolean
  /** What is wrong in the end: a line each. */
  faults(cluster: ControlledCluster): readonly string[]
  /** How long a unit takes at most without trouble, in milliseconds of the cluster. */
  readonly limitMs: number
}

/** `burst`: the next four requests; `long`: for five minutes. */
export interface Run {
  readonly capability: string
  readonly kind: TroubleKind
  readonly key: string
  readonly moment: 'at start' | 'under way'
  readonly length: 'burst' | 'long'
}

export function nameOf({ capability, kind, key, moment, length }: Run): string {
  return `${capability}: ${key}: ${kind}, ${length === 'burst' ? 'four times' : 'for five minutes'} ${moment}`
}

/** What a log says where something of ours is broken. */
const ownFaults = new Set([
  'fault of a part',
  'part stopped by its fault, started again',
  'part quarantined',
  'part did not end cleanly',
  'a part failed with one request or object, and goes on',
  'informer handler threw',
  'reflector met an unforeseen error',
  'a fault without an owner: the process ends in order',
])
/** What a log says where more than one unit was stopped: the net below the units, which a short trouble is not to reach. */
const netFaults = new Set(['part interrupted from outside, started again', 'term ended by a fault, tried again'])

const burst = 4
const longMs = 300_000
/** Waiting for what a burst delays: the longest retry after so many failures, of a request or of a part. */
const delayMs = 120_000
/** The longest back-off of anything, with its jitter. */
const afterLongMs = 660_000

/** The requests of a run without trouble, by key: what each moment has of them. */
export async function requestsOf(row: TroubleRow): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { scene, faults } = await play(row, undefined)
  if (faults.length > 0) throw new Error(`the row is wrong without trouble: ${faults.join('; ')}`)
  return scene.seen
}

/** Every run of a row. Leases are everybody's own affair elsewhere, and so is what they guard. */
export function runsOf(capability: string, row: TroubleRow, seen: ReadonlyMap<string, ReadonlySet<string>>): readonly Run[] {
  const own = [...seen].filter(([key]) => !key.includes(' leases.coordination.k8s.io ballast-'))
  const moments = ['at start', 'under way'] as const
  const bursts = own.flatMap(([key]) =>
    troubleKinds.flatMap(kind => moments.map(moment => ({ capability, kind, key, moment, length: 'burst' as const }))),
  )
  const alone = own.flatMap(([key, paths]) => {
    const path = [...paths].find(one => row.unitOf(one) !== undefined)
    return path === undefined ? [] : [`${key.split(' ')[0]?.replace(/LIST|WATCH/, 'GET')} ${path}`]
  })
  const longs = [...own.map(([key]) => key), ...new Set(alone)].flatMap(key =>
    troubleKinds.flatMap(kind => moments.map(moment => ({ capability, kind, key, moment, length: 'long' as const }))),
  )
  return [...bursts, ...longs]
}

/** What was wrong in a run (nothing where all is well), and how many requests met the trouble. */
export async function outcomeOf(
  row: TroubleRow,
  run: Run,
): Promise<{ readonly faults: readonly string[]; readonly fired: number }> {
  const { faults, scene } = await play(row, run)
  return { faults, fired: scene.fired }
}

async function play(
  row: TroubleRow,
  run: Run | undefined,
): Promise<{ readonly scene: WireScene; readonly faults: readonly string[] }> {
  const scene = new WireScene()
  await using cluster = await controlledCluster({
    ...row.cluster,
    between: (inner, clock) => new TroubledWire(inner, clock, scene),
  })
  const faults: string[] = []
  const waits = async (done: () => boolean, limitMs: number, what: () => string): Promise<void> => {
    await passesUntil(cluster, limitMs, done)
    if (!done()) faults.push(what())
  }
  const trouble: Trouble | undefined =
    run === undefined ? undefined : { kind: run.kind, key: run.key, ...(run.length === 'burst' ? { count: burst } : {}) }
  const isFirst = row.startsFirst === true && run?.moment === 'at start'
  if (!isFirst) {
    cluster.startController()
    await waits(
      () => row.isReady(cluster),
      row.limitMs,
      () => 'it never came to be ready without trouble',
    )
  }
  if (trouble !== undefined && run?.moment === 'at start') {
    if (!isFirst) await cluster.stopController()
    scene.begin(trouble)
    cluster.startController()
    await passes(cluster, 2_000)
  } else {
    await passes(cluster, 5_000)
    if (trouble !== undefined) scene.begin(trouble)
  }
  await row.work(cluster)
  const open = (of: (unit: string) => boolean) => () =>
    Array.from(row.units(cluster))
      .filter(([unit, isDone]) => of(unit) && !isDone)
      .map(([unit]) => unit)
  const hit = run === undefined ? undefined : row.unitOf(run.key)
  const isWaitedFor = hit === undefined && (run === undefined || row.isDispensable?.(run.key) !== true)
  const isLong = run?.length === 'long'
  // Where everybody's request fails for long everybody waits; where one unit's does the others do not.
  const others = open(unit => unit !== hit)
  // So many answers that do not come take their time themselves.
  if (!isLong && isWaitedFor) await passesUntil(cluster, longMs, () => scene.isOver || others().length === 0)
  if (!isLong || !isWaitedFor) {
    const limitMs = row.limitMs + (run === undefined ? 0 : delayMs)
    await waits(
      () => others().length === 0,
      limitMs,
      () => `not done in time: ${others().join(', ')}`,
    )
  }
  if (isLong) await passes(cluster, Math.max(0, longMs - row.limitMs - delayMs))
  scene.end()
  const all = open(() => true)
  const lastMs = row.limitMs + (isLong ? afterLongMs : delayMs)
  await waits(
    () => all().length === 0,
    lastMs,
    () => `not done in the end: ${all().join(', ')}`,
  )
  const own = new Set((row.cluster.capabilities ?? []).map(({ name }) => name))
  const off = () =>
    cluster.health
      .ready()
      .filter(({ group = '', check }) => own.has(group) && check() !== undefined)
      .map(({ name, check }) => `${name}: ${check()}`)
  await waits(
    () => off().length === 0,
    lastMs,
    () => `off in the end: ${off().join(', ')}`,
  )
  await passes(cluster, 60_000)
  if (cluster.ended !== undefined) faults.push(`the process ended: ${String(cluster.ended)}`)
  for (const { facts, message } of [...cluster.errors, ...cluster.warnings])
    if (ownFaults.has(message) || (run?.length === 'burst' && netFaults.has(message)))
      faults.push(`${message}: ${JSON.stringify(facts).slice(0, 300)}`)
  faults.push(...repeated(cluster), ...row.faults(cluster))
  return { scene, faults }
}

function passes(cluster: ControlledCluster, ms: number): Promise<void> {
  return passesUntil(cluster, ms, () => false)
}

async function passesUntil(cluster: ControlledCluster, ms: number, done: () => boolean): Promise<void> {
  const untilMs = cluster.clock.now() + ms
  cluster.clock.schedule(ms, () => undefined)
  await cluster.clock.runUntil(() => done() || cluster.clock.now() >= untilMs, { limitMs: ms + 1_000 })
}

/** So many of them, drawn by `seed`. */
export function drawn(runs: readonly Run[], count: number, seed: number): readonly Run[] {
  const random = seededRandom(seed)
  return Array.from({ length: Math.min(count, runs.length) }, () => runs[Math.floor(random() * runs.length)]).filter(
    run => run !== undefined,
  )
}
