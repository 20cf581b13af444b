// `ballast up` (and `npm start`): a cluster in trouble, in the twin, put right through its API, with everything shown on the way.
import { once } from 'node:events'
import { join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { planRecord } from '#capabilities/deschedule'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { PlanStep, RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import type { Api } from '#kube/api.ts'
import { type Clock, hostClock, systemClock, VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informer.ts'
import { type Log, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { seededRandom } from '#kube/random.ts'
import { builtIn } from '#kube/resource.ts'
import {
  CommandRefused,
  type DefineCommand,
  type ExitCode,
  exitCodes,
  oneOf,
  type Surroundings,
  wholeNumber,
} from './command-line.ts'
import { type EmbeddedCluster, startEmbeddedCluster } from './embedded-cluster.ts'
import { type NodeFigures, nodeFigures, nodeTable } from './node-table.ts'
import { policyOf } from './plan.ts'
import { moveTable, staySummary } from './plan-report.ts'
import { writePrivately } from './private-file.ts'
import { processLog } from './process-log.ts'
import { exitCodeOf, type RunEnd, type RunWatch, runRebalance } from './rebalance-run.ts'
import { readSourceOrInput } from './source.ts'

interface UpOptions {
  readonly cluster: string
  readonly policy?: string
  readonly apiPort: number
  readonly bind: string
  readonly kubeconfigOut: string
  readonly speed: number
  readonly seed?: number
  readonly ask?: boolean
  readonly hold?: boolean
  readonly once?: boolean
  readonly output: 'table' | 'json'
  readonly verbose?: boolean
}

/** Of the cluster's time: a run that is not over then never will be. */
const longestRunMs = 24 * 3_600_000

const example = join(import.meta.dirname, '..', '..', 'examples', 'talos-homelab')

export const defineUp: DefineCommand = (program, surroundings) => {
  program
    .command('up')
    .description('a cluster in the twin with Ballast in it: shows it, plans, moves, proves; then keeps running for you')
    .option('--cluster <path>', 'file or folder of objects, - for standard input', example)
    .option('--policy <name>', 'the RebalancePolicy to run, where the cluster has several')
    .option('--api-port <number>', 'HTTPS port of the API server; 0 takes a free one', wholeNumber(0, 65_535), 0)
    .option('--bind <address>', 'address to listen on', '127.0.0.1')
    .option('--kubeconfig-out <file>', "where the administrator's kubeconfig is written", join('.ballast', 'kubeconfig'))
    .option('--speed <factor>', 'how many seconds of the cluster pass in one of yours', wholeNumber(1, 10_000), 1)
    .option('--seed <number>', 'of every random choice; default BALLAST_SEED, else 1', wholeNumber(0, 2 ** 32 - 1))
    .option('--ask', 'wait for a key before the plan is approved')
    .option('--hold', 'steer landings by the gate of a webhook instead of a taint')
    .option('--once', 'on a virtual clock, to convergence, then end: 0 goals met, 3 not met, 4 cannot be met')
    .option('-o, --output <format>', 'table or json (with --once: one document)', oneOf('table', 'json'), 'table')
    .option('--verbose', 'log lines of the controller on standard error')
    .addHelpText('after', '\nExample: ballast up --once -o json > run.json')
    .action(async (options: UpOptions) => {
      if (options.output === 'json' && options.once !== true)
        throw new CommandRefused('-o json needs --once: a cluster that goes on has no last word')
      surroundings.end(options.once === true ? await runOnce(options, surroundings) : await runOn(options, surroundings))
    })
}

interface Loaded {
  readonly objects: readonly KubeObject[]
  readonly policy: RebalancePolicy
}

async function load(options: UpOptions, { terminal, signal }: Surroundings): Promise<Loaded> {
  if (options.cluster === '-' && options.ask === true)
    throw new CommandRefused(
      '--ask and --cluster - exclude each other: standard input cannot carry both the cluster and your key',
    )
  const source = await readSourceOrInput(options.cluster, process.stdin, signal)
  const where = new Map(source.objects.map(entry => [entry.object, entry.where]))
  const objects = source.objects.map(({ object }) => object)
  const { problems } = buildClusterState(objects, { where: object => where.get(object) })
  const fatal = problems.filter(problem => problem.isFatal)
  if (fatal.length > 0) throw new InputError(fatal)
  for (const problem of [...source.problems, ...problems]) terminal.say(`set aside: ${problemSentence(problem)}`)
  return {
    objects,
    policy: policyOf({ objects, shown: options.cluster }, options.policy === undefined ? {} : { policy: options.policy }),
  }
}

const seedOf = (options: UpOptions, { environment }: Surroundings): number => {
  if (options.seed !== undefined) return options.seed
  const given = environment['BALLAST_SEED']
  return given === undefined || given === '' ? 1 : wholeNumber(0, 2 ** 32 - 1)(given)
}

/** The nodes as they are now, read through the API. */
async function figuresOf(admin: Api, policy: RebalancePolicy, signal: AbortSignal): Promise<NodeFigures[]> {
  const metrics = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'nodes' }
  const lists = await Promise.all(
    [builtIn.nodes, builtIn.pods, metrics].map(resource => admin.resource(resource).list({ signal })),
  )
  const objects = lists.flatMap(list =>
    list.items.map(item => ({ ...item, apiVersion: list.apiVersion, kind: list.kind.replace(/List$/, '') })),
  )
  return nodeFigures(buildClusterState(objects).state, policy.spec.goals)
}

/** Starts the cluster, runs the policy once and hands both to `use`. */
async function withRun<T>(
  loaded: Loaded,
  setting: Setting,
  use: (cluster: EmbeddedCluster, run: () => Promise<RunEnd>) => Promise<T>,
): Promise<T> {
  const { clock, seed, log, surroundings } = setting
  const stop = new AbortController()
  const signal = AbortSignal.any([surroundings.signal, stop.signal])
  await using cluster = await startEmbeddedCluster({
    objects: loaded.objects,
    clock,
    seed,
    log,
    signal,
    ...(setting.listen === undefined ? {} : { listen: setting.listen, leaseClock: systemClock }),
    hold: setting.hold,
  })
  await using informers = new Informers(cluster.admin, { clock, random: seededRandom(seed + 2), log, signal })
  const run = () =>
    runRebalance({ admin: cluster.admin, informers, clock, policy: loaded.policy.metadata.name, watch: setting.watch, signal })
  const faulted = cluster.controller.then(() => new Promise<never>(() => undefined))
  try {
    return await Promise.race([use(cluster, run), faulted])
  } finally {
    stop.abort(new DOMException('the run is over', 'AbortError'))
  }
}

interface Setting {
  readonly clock: Clock
  readonly seed: number
  readonly log: Log
  readonly listen?: { readonly port: number; readonly bind: string }
  readonly hold: boolean
  readonly watch: RunWatch
  readonly surroundings: Surroundings
}

async function runOnce(options: UpOptions, surroundings: Surroundings): Promise<ExitCode> {
  const loaded = await load(options, surroundings)
  const { terminal, signal } = surroundings
  const clock = new VirtualClock(startOf(loaded.objects))
  const seed = seedOf(options, surroundings)
  const story =
    options.output === 'table' ? tell(surroundings, clock, { ask: false, goals: loaded.policy.spec.goals }) : silentWatch
  const setting = { clock, seed, hold: options.hold === true, log: logFor(options, clock), watch: story, surroundings }
  return await withRun(loaded, setting, async (cluster, run) => {
    const before = await figuresOf(cluster.admin, loaded.policy, signal)
    if (options.output === 'table') terminal.write(`${nodeTable(before, terminal.colour)}\n`)
    let isDone = false
    const running = run().finally(() => {
      isDone = true
    })
    const driving = clock.runUntil(() => isDone, { limitMs: longestRunMs, signal })
    const [end] = await Promise.all([running, driving])
    const after = await figuresOf(cluster.admin, loaded.policy, signal)
    const code = exitCodeOf(end)
    if (options.output === 'json') terminal.write(JSON.stringify(runDocument({ seed, before, after, end, code }), undefined, 2))
    else tellEnd({ surroundings, after, end, code })
    return code
  })
}

const hourMs = 3_600_000
const startWithoutAges = Date.UTC(2026, 0, 1)

/** When a virtual clock starts: an hour after the newest object was made. Of the host's time nothing is in a run, so that it can be had again. */
function startOf(objects: readonly KubeObject[]): number {
  const made = objects.map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? '')).filter(ms => !Number.isNaN(ms))
  return made.length === 0 ? startWithoutAges : made.reduce((a, b) => Math.max(a, b)) + hourMs
}

/** Short where it lies below the working directory, else whole. */
function shownPath(path: string): string {
  const short = relative(process.cwd(), path)
  return short === '' || short.startsWith('..') ? path : short
}

const silentWatch: RunWatch = { proposed: () => Promise.resolve(), step: () => undefined, replaced: () => undefined }

function runDocument(run: {
  readonly seed: number
  readonly before: readonly NodeFigures[]
  readonly after: readonly NodeFigures[]
  readonly end: RunEnd
  readonly code: ExitCode
}) {
  const { plans, permits } = run.end
  return {
    seed: run.seed,
    exitCode: run.code,
    before: run.before,
    after: run.after,
    plans: plans.map(plan => ({
      name: plan.metadata.name,
      phase: plan.status?.phase,
      message: plan.status?.message,
      objective: plan.status?.objective,
      goals: plan.status?.goals,
      snapshotHash: plan.spec.snapshotHash,
      unmovable: plan.status?.unmovable,
    })),
    moves: plans.flatMap(plan =>
      plan.spec.moves.map(({ certificate: _proof, ...move }) => ({
        plan: plan.metadata.name,
        ...move,
        step: plan.status?.steps?.find(step => step.id === move.id),
      })),
    ),
    permits: permits.map(permit => ({
      namespace: permit.metadata.namespace,
      name: permit.metadata.name,
      ...permit.spec,
      status: permit.status,
    })),
  }
}

async function runOn(options: UpOptions, surroundings: Surroundings): Promise<ExitCode> {
  const loaded = await load(options, surroundings)
  const { terminal, signal } = surroundings
  const clock = hostClock({ speed: options.speed })
  const kubeconfigPath = resolve(options.kubeconfigOut)
  const listen = { port: options.apiPort, bind: options.bind }
  const setting = {
    clock,
    seed: seedOf(options, surroundings),
    hold: options.hold === true,
    log: logFor(options, clock),
    listen,
    watch: tell(surroundings, clock, { ask: options.ask === true, goals: loaded.policy.spec.goals }),
    surroundings,
  }
  return await withRun(loaded, setting, async (cluster, run) => {
    writePrivately(kubeconfigPath, await cluster.twin.kubeconfig())
    const shown = shownPath(kubeconfigPath)
    terminal.write(`${shownPath(resolve(options.cluster))} runs in the twin: ${cluster.twin.url ?? ''}, kubeconfig ${shown}\n`)
    terminal.write(`${nodeTable(await figuresOf(cluster.admin, loaded.policy, signal), terminal.colour)}\n`)
    const onAbort = () => terminal.say('\nstopping: what is under way may still land; once more ends at once')
    signal.addEventListener('abort', onAbort, { once: true })
    const end = await run()
    signal.removeEventListener('abort', onAbort)
    const code = exitCodeOf(end)
    const after = await figuresOf(cluster.admin, loaded.policy, signal)
    tellEnd({ surroundings, after, end, code })
    terminal.write(lookAround(shown, after, end))
    if (!signal.aborted) await once(signal, 'abort')
    return code
  })
}

const logFor = (options: UpOptions, clock: Clock): Log =>
  options.verbose === true ? processLog({ level: 'debug', clock }) : silentLog

/** Tells a run on the terminal while it goes on. */
function tell(
  surroundings: Surroundings,
  clock: Clock,
  options: { readonly ask: boolean; readonly goals: RebalancePolicy['spec']['goals'] },
): RunWatch {
  const { ask, goals } = options
  const { terminal, signal } = surroundings
  const startedMs = clock.elapsed()
  const at = () => `${((clock.elapsed() - startedMs) / 1000).toFixed(1).padStart(7)} s`
  return {
    async proposed(plan) {
      const read = planRecord(plan)
      if (!read.ok) throw new InputError(read.problems)
      terminal.write(`plan ${plan.metadata.name}: ${plan.status?.message ?? ''}\n`)
      terminal.write(`${moveTable(read.record.moves, goals)}\n`)
      terminal.write(staySummary(plan.status?.unmovable ?? []))
      for (const goal of plan.status?.goals ?? []) terminal.write(`goal ${goal.name}: ${goal.message}`)
      if (ask) await keyPressed(plan, signal)
      terminal.write(
        `\napproved, as this would: kubectl patch rebalanceplan ${plan.metadata.name} --type merge -p '{"spec":{"approved":true}}'\n`,
      )
    },
    step: (plan, step) => terminal.write(stepLine(plan, step, at(), terminal.colour)),
    replaced: plan =>
      terminal.write(
        `${at()}  ${plan.metadata.name} ends here: ${plan.status?.message ?? 'it was replaced'}; a new plan follows\n`,
      ),
  }
}

function stepLine(plan: RebalancePlan, step: PlanStep, at: string, colour: Surroundings['terminal']['colour']): string {
  const move = plan.spec.moves.find(candidate => candidate.id === step.id)
  const what = move === undefined ? step.id : `${step.id}  ${move.pod.namespace}/${move.pod.name}  ${move.from} -> ${move.to}`
  switch (step.state) {
    case 'Waiting':
      return `${at}  ${what}  waits${step.message === undefined ? '' : `: ${step.message}`}`
    case 'Acting':
      return `${at}  ${what}  ${move?.action === 'surge' ? 'new pod first' : 'evict'}`
    case 'Landing':
      return `${at}  ${what}  ${move?.action === 'surge' ? 'rolled out' : 'evicted'}; its replacement starts`
    case 'Landed':
      return `${at}  ${what}  ${colour.green(`ready on ${step.landedOn ?? '?'}`)}${step.seconds === undefined ? '' : ` after ${step.seconds} s`}`
    case 'Mismatch':
      return `${at}  ${what}  ${colour.yellow(`landed on ${step.landedOn ?? '?'}`)}: ${step.message ?? ''}`
    case 'Skipped':
    case 'Failed':
      return `${at}  ${what}  ${colour.red(step.state.toLowerCase())}: ${step.message ?? step.reason ?? ''}`
  }
}

/** Resolves at a line of input. @throws CommandRefused where input ends without one; the signal's reason */
async function keyPressed(plan: RebalancePlan, signal: AbortSignal): Promise<void> {
  // Not the terminal mode of readline: it would keep Ctrl-C for itself.
  const lines = createInterface({ input: process.stdin, terminal: false })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = () => reject(signal.reason)
  process.stderr.write(`\nPress Enter to approve ${plan.metadata.name} (Ctrl-C leaves everything as it is) `)
  lines.once('line', () => resolve())
  lines.once('close', () =>
    reject(new CommandRefused(`nobody approved ${plan.metadata.name}: standard input has ended`, exitCodes.notSo)),
  )
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    lines.close()
  }
}

function tellEnd(run: {
  readonly surroundings: Surroundings
  readonly after: readonly NodeFigures[]
  readonly end: RunEnd
  readonly code: ExitCode
}): void {
  const { terminal } = run.surroundings
  const landed = run.end.plans.flatMap(plan => plan.status?.steps ?? []).filter(step => step.state === 'Landed').length
  const last = run.end.plans.at(-1)
  terminal.write(`\n${nodeTable(run.after, terminal.colour)}\n`)
  const goals = run.code === 0 ? terminal.colour.green('every goal is met') : terminal.colour.red('not every goal is met')
  terminal.write(
    `${goals}: ${landed} moves under ${run.end.permits.length} permits. ${run.end.cutShort ?? last?.status?.message ?? ''}`,
  )
}

function lookAround(kubeconfig: string, nodes: readonly NodeFigures[], end: RunEnd): string {
  const plan = end.cutShort === undefined ? end.plans.at(-1)?.metadata.name : undefined
  const node = nodes.find(one => one.goals.length > 0) ?? nodes[0]
  return [
    '',
    'The cluster goes on. Look around, from another terminal:',
    `  export KUBECONFIG=${kubeconfig}`,
    ...(node === undefined ? [] : [`  kubectl describe node ${node.node}`]),
    ...(plan === undefined ? [] : [`  kubectl get rebalanceplan ${plan} -o yaml`]),
    '  kubectl get disruptionpermits -A',
    '  kubectl events -A',
    'Ctrl-C ends it.',
  ].join('\n')
}
