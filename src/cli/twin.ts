// `ballast twin`: the embedded cluster alone, for kubectl, tests and other people's controllers.

import { once } from 'node:events'
import { resolve } from 'node:path'
import { InvalidArgumentError } from 'commander'
import type { SchedulerConfiguration } from '#cluster/simulator-export.ts'
import { count } from '#dashboard/words/quantity.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { minorOf, servedVersions } from '#twin/api/answers/server-version.ts'
import type { ComponentOptions } from '#twin/components.ts'
import { withClock } from '#twin/own-kinds/clock-spec.ts'
import { SharedValues } from '#twin/shared-values.ts'
import { TwinState } from '#twin/state/twin-state.ts'
import { seldom, troubleText } from '#twin/trouble.ts'
import { StillMoving, startTwin, type Twin, type TwinOptions } from '#twin/twin.ts'
import { about } from './about.ts'
import { type DefineCommand, oneOf, type Surroundings, seedOfEnvironment, seedReader, wholeNumber } from './command-line.ts'
import { snapshotText } from './snapshot/snapshot-text.ts'
import { newestKubelet } from './source/cluster-source.ts'
import { writePrivately } from './source/private-file.ts'
import { schedulerOf } from './source/scheduler-source.ts'
import { readSource, readSourceOrInput } from './source/source.ts'
import { syntheticCluster } from './source/synthetic-cluster.ts'
import { withoutUnansweredWebhooks } from './source/unanswered-webhooks.ts'
import { Progress } from './terminal/progress.ts'
import { absentSentence, openLines } from './twin/twin-open.ts'
import { type ClockOptions, clockOf, momentOption, paceOption, startOf } from './up/twin-clock.ts'

interface TwinCommandOptions extends ClockOptions {
  readonly cluster: readonly string[]
  readonly nodes: number
  readonly pods: number
  readonly state?: string
  readonly faults?: string
  readonly port: number
  readonly bind: string
  readonly kubeconfigOut?: string
  readonly kubernetesVersion?: string
  readonly seed?: number
  readonly controllers?: readonly string[]
  readonly scheduler: 'on' | 'off'
  readonly kubelet: 'on' | 'off'
  readonly openKubelets?: boolean
  readonly authorization: 'RBAC' | 'AlwaysAllow'
  readonly anonymous?: boolean
  readonly history?: number
  readonly events: 'full' | 'scheduling' | 'off'
  readonly heartbeat: 'auto' | 'exact' | 'off'
  readonly once?: boolean
  readonly output?: 'json' | 'yaml'
}

/** Time of the cluster after which nothing more will settle. */
const longestOnceMs = 24 * 3_600_000
/** What still moves then is told up to so many lines. */
const mostMoving = 20
const mostHistory = 10_000_000
const mostNodes = 20_000
const mostPods = 500_000

export const defineTwin: DefineCommand = (program, surroundings) => {
  program
    .command('twin')
    .description(about.twin)
    .option('--cluster <path>', 'file or folder of objects to start with, - for standard input; may be repeated', appended, [])
    .option('--nodes <number>', 'nodes of an invented cluster, where no --cluster is given', wholeNumber(0, mostNodes), 0)
    .option('--pods <number>', 'pods of the invented cluster, in Deployments of 30', wholeNumber(0, mostPods), 0)
    .option(
      '--state <folder>',
      'keep the cluster there: the next start with the folder goes on with it, in the place of --cluster',
    )
    .option('--faults <file>', 'TwinFault objects that are in force from the start')
    .option('--port <number>', 'HTTPS port of the API server; 0 takes a free one', wholeNumber(0, 65_535), 0)
    .option('--bind <address>', 'address to listen on', '127.0.0.1')
    .option('--kubeconfig-out <file>', "where the administrator's kubeconfig is written; without it, it is printed")
    .option(
      '--kubernetes-version <minor>',
      `${servedVersions}; default: that of the newest kubelet in the cluster, else the newest`,
      versionReader,
    )
    .option(
      '--clock <kind>',
      'real, or virtual: moves only when told, by a speed or by the TwinClock',
      oneOf('real', 'virtual'),
      'real',
    )
    .option(
      '--speed <factor>',
      'how many seconds of the cluster pass in one real second; max goes from one event to the next',
      paceOption,
    )
    .option(
      '--start <time>',
      'when a virtual clock starts; default: the newest moment of the cluster, else 2026-01-01',
      momentOption,
    )
    .option('--paused', 'time stands still until the TwinClock says otherwise')
    .option('--seed <number>', 'seed of every random choice', seedReader)
    .option('--controllers <list>', 'controllers to run, in the form of kube-controller-manager, such as *,-deployment', listed)
    .option('--scheduler <switch>', 'on, or off: a real one does the work', oneOf('on', 'off'), 'on')
    .option('--kubelet <switch>', 'on, or off: a real one does the work', oneOf('on', 'off'), 'on')
    .option(
      '--open-kubelets',
      "open each node's kubelet on a port of loopback, which its Node tells: for a metrics-server of yours",
    )
    .option('--authorization <mode>', 'RBAC or AlwaysAllow', oneOf('RBAC', 'AlwaysAllow'), 'RBAC')
    .option('--anonymous', 'accept requests without credentials, as system:anonymous')
    .option('--history <revisions>', 'how many revisions watches and lists can go back', wholeNumber(1, mostHistory))
    .option('--events <mode>', 'which components write Events: full, scheduling, off', oneOf('full', 'scheduling', 'off'), 'full')
    .option('--heartbeat <mode>', 'heartbeats of nodes: auto, exact, off', oneOf('auto', 'exact', 'off'), 'auto')
    .option('--once', 'run on a virtual clock, as fast as possible, until nothing moves; print the cluster and end')
    .option('-o, --output <format>', 'format of what --once prints: yaml or json', oneOf('yaml', 'json'))
    .addHelpText(
      'after',
      '\nExample: ballast twin --cluster examples/talos-homelab --kubeconfig-out kubeconfig\n         kubectl --kubeconfig kubeconfig get nodes',
    )
    .action(async (options: TwinCommandOptions) => {
      checkTogether(options)
      const progress = new Progress(surroundings.terminal, systemClock)
      using state = stateOf(options, surroundings)
      const loaded = { ...(await objectsOf(options, surroundings, progress, state)), progress, state }
      if (options.once === true) surroundings.end(await runOnce(options, loaded, surroundings))
      else await runOn(options, loaded, surroundings)
    })
}

function versionReader(text: string): string {
  if (minorOf(text) === undefined) throw new InvalidArgumentError(`It must be ${servedVersions}.`)
  return text
}

function appended(path: string, before: readonly string[]): readonly string[] {
  return [...before, path]
}

function listed(text: string): readonly string[] {
  return text.split(',').map(name => name.trim())
}

function checkTogether(options: TwinCommandOptions): void {
  if (options.cluster.length > 0 && options.nodes + options.pods > 0)
    throw new CommandRefused('--nodes and --pods invent a cluster: use them or --cluster, not both')
  if (options.output !== undefined && options.once !== true)
    throw new CommandRefused('-o needs --once: only a run that ends has one result')
  if (options.openKubelets === true && options.kubelet === 'off')
    throw new CommandRefused('--open-kubelets opens the simulated kubelets: leave out --kubelet off')
  if (options.openKubelets === true && options.once === true)
    throw new CommandRefused('--once listens nowhere: leave out --open-kubelets')
  if (options.once === true && options.state !== undefined)
    throw new CommandRefused('--once ends with what it prints: leave out --state')
  if (options.once === true && options.paused === true)
    throw new CommandRefused('--once and --paused exclude each other: a clock that stands still never settles')
  if (options.once === true && typeof options.speed === 'number')
    throw new CommandRefused('--once runs as fast as possible: leave out --speed, or set it to max')
}

/** What a twin starts with. */
interface Loaded {
  readonly objects: readonly KubeObject[]
  /** File and document of an object. */
  readonly where: ReadonlyMap<unknown, string>
  /** What was read and what the twin stores have their equal parts in common. */
  readonly sharedValues: SharedValues
  /** Further settings of the components: how the scheduler decides, where an export of kube-scheduler-simulator says so. */
  readonly components: Pick<ComponentOptions, 'schedulerSettings'>
  /** How far the start is. */
  readonly progress: Progress
  /** Where the cluster is kept. */
  readonly state: TwinState | undefined
}

/** @throws InputError where the folder cannot be used */
function stateOf({ state: folder }: TwinCommandOptions, { terminal }: Surroundings): TwinState | undefined {
  if (folder === undefined) return undefined
  const state = TwinState.open(resolve(folder), { clock: systemClock, tell: sentence => terminal.say(sentence) })
  if (state.isFilled) terminal.say(`${folder}: the cluster goes on from revision ${state.revision}; no other objects are read`)
  return state
}

async function objectsOf(
  options: TwinCommandOptions,
  { terminal, signal }: Surroundings,
  progress: Progress,
  state: TwinState | undefined,
): Promise<Omit<Loaded, 'progress' | 'state'>> {
  const sharedValues = new SharedValues()
  if (state?.isFilled === true) return { objects: [], where: new Map(), sharedValues, components: {} }
  let read = 0
  const keep = (object: KubeObject) => {
    read++
    progress.note(() => `reading: ${count(read)} objects`)
    return sharedValues.shared(object)
  }
  const sources = []
  for (const path of options.cluster) sources.push(await readSourceOrInput(path, process.stdin, signal, keep))
  const faults = options.faults === undefined ? [] : faultsOf(options.faults)
  for (const problem of sources.flatMap(source => source.problems)) terminal.say(`set aside: ${problemSentence(problem)}`)
  const found = sources.flatMap(source => source.objects.map(({ object }) => object))
  const { objects, leftOut } = withoutUnansweredWebhooks(found)
  for (const sentence of leftOut) terminal.say(sentence)
  const all = [...objects, ...syntheticCluster(options), ...faults]
  const configuration = sources.findLast(source => source.configuration !== undefined)?.configuration
  const where = new Map(sources.flatMap(source => source.objects.map(entry => [entry.object, entry.where] as const)))
  return { objects: all, where, sharedValues, components: schedulerFor(options, all, configuration) }
}

/** As far as the source says it: without a word of it the twin knows itself. */
function schedulerFor(
  { kubernetesVersion }: TwinCommandOptions,
  objects: readonly KubeObject[],
  configuration: SchedulerConfiguration | undefined,
): Loaded['components'] {
  if (configuration === undefined) return {}
  // As the twin itself chooses its version.
  const gitVersion = kubernetesVersion ?? newestKubelet(objects) ?? 'v1.36.0'
  return { schedulerSettings: schedulerOf({ gitVersion, configuration }) }
}

/** The file of `--faults`. @throws InputError where it holds something else */
function faultsOf(path: string): readonly KubeObject[] {
  const { objects, problems } = readSource(path)
  const others = objects
    .filter(({ object }) => object.kind !== 'TwinFault')
    .map(({ object, where }) => ({ code: 'twin-fault-file', where, found: object.kind, expected: 'TwinFault objects alone' }))
  if (problems.length + others.length > 0) throw new InputError([...problems, ...others])
  return objects.map(({ object }) => object)
}

function settingsOf(
  options: TwinCommandOptions,
  { components, progress, state }: Loaded,
  { environment, terminal }: Surroundings,
): Omit<TwinOptions, 'clock' | 'objects'> {
  const { controllers, kubernetesVersion, history } = options
  return {
    onTrouble: seldom(trouble => terminal.say(troubleText(trouble))),
    onProgress: ({ step, done, total }) =>
      progress.note(() => `${step === 'load' ? 'loading objects' : 'making pods'}: ${count(done)} of ${count(total)}`),
    seed: options.seed ?? seedOfEnvironment(environment),
    scheduler: options.scheduler === 'on',
    kubelet: options.kubelet === 'on',
    authorization: options.authorization,
    allowsAnonymous: options.anonymous === true,
    components: { ...components, events: options.events, heartbeat: options.heartbeat },
    ...(state === undefined ? {} : { state }),
    ...(controllers === undefined ? {} : { controllers }),
    ...(history === undefined ? {} : { historyLimit: history }),
    ...(kubernetesVersion === undefined ? {} : { kubernetesVersion }),
  }
}

function report(twin: Twin, { where }: Loaded, { terminal }: Surroundings): void {
  for (const { object, ...problem } of twin.report.problems) {
    const place = where.get(object)
    const told = place === undefined ? problem : { ...problem, where: `${place}: ${problem.where}` }
    terminal.say(`loaded with a change: ${problemSentence(told)}`)
  }
  const absent = twin.report.absentOwners.size
  if (absent > 0) terminal.say(`${absent} owners of objects are not there: what they own is left as it is`)
}

async function runOn(options: TwinCommandOptions, loaded: Loaded, surroundings: Surroundings): Promise<void> {
  const { terminal, signal } = surroundings
  using clock = clockOf(options, loaded.objects, loaded.state?.clockMs)
  await using twin = await startTwin({
    ...settingsOf(options, loaded, surroundings),
    clock,
    sharedValues: loaded.sharedValues,
    objects: withClock(loaded.objects),
    ownKinds: true,
    listen: { port: options.port, bind: options.bind, kubelets: options.openKubelets === true },
  })
  report(twin, loaded, surroundings)
  const kubeconfig = await twin.kubeconfig()
  if (options.kubeconfigOut === undefined) terminal.write(kubeconfig.trimEnd())
  else {
    writePrivately(resolve(options.kubeconfigOut), kubeconfig)
    terminal.say(`API server ${twin.url ?? ''}; kubectl --kubeconfig ${options.kubeconfigOut} get nodes`)
  }
  void twin.ready.then(() => loaded.progress.end(seconds => `ready after ${seconds} s: ${count(podsOf(twin))} pods`))
  if (!signal.aborted) await once(signal, 'abort')
}

function podsOf({ access }: Twin): number {
  return access.list('pods').length
}

/** Until nothing moves any more, or a day has passed; then the whole cluster on standard output, and what is open on standard error. */
async function runOnce(options: TwinCommandOptions, loaded: Loaded, surroundings: Surroundings): Promise<ExitCode> {
  const clock = new VirtualClock(startOf(options, loaded.objects))
  await using twin = await startTwin({
    ...settingsOf(options, loaded, surroundings),
    clock,
    objects: loaded.objects,
    sharedValues: loaded.sharedValues,
  })
  report(twin, loaded, surroundings)
  const isSettled = await cameToRest(twin, surroundings)
  const objects = [...twin.dump()]
  for (const line of openLines(objects)) surroundings.terminal.say(`open: ${line}`)
  const absent = absentSentence(objects)
  if (absent !== undefined) surroundings.terminal.say(absent)
  const dumped = (async function* () {
    yield* objects
  })()
  let text = ''
  for await (const piece of snapshotText(dumped, options.output ?? 'yaml')) text += piece
  surroundings.terminal.write(text.trimEnd())
  return isSettled ? exitCodes.done : exitCodes.notSo
}

/** Whether it did, with what still moves told where it did not. */
async function cameToRest(twin: Twin, { terminal }: Surroundings): Promise<boolean> {
  try {
    await twin.settle({ limitMs: longestOnceMs })
    return true
  } catch (error) {
    if (!(error instanceof StillMoving)) throw error
    terminal.say(`after ${longestOnceMs / 3_600_000} hours of the cluster it still moves; it is printed as it is then`)
    for (const line of error.moving.slice(0, mostMoving)) terminal.say(`moves: ${line}`)
    if (error.moving.length > mostMoving) terminal.say(`moves: and ${error.moving.length - mostMoving} more`)
    return false
  }
}
