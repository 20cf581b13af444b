// `ballast up` without `--once`: the cluster goes on until it is stopped, and can be looked at and led from the page, the terminal and kubectl.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { count } from '#dashboard/words/quantity.ts'
import type { Api } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { StatusError } from '#kube/objects/status.ts'
import { PacedClock } from '#kube/time/paced-clock.ts'
import { type ExitCode, exitCodes } from '#process/surroundings.ts'
import type { TwinState } from '#twin/state/twin-state.ts'
import { typedAs } from '../called-as.ts'
import type { Surroundings } from '../command-line.ts'
import { writePrivately } from '../source/private-file.ts'
import { type NodeFigures, nodeTable } from '../terminal/node-table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { packing } from '../version/packing.ts'
import { exitCodeOf, followPlans, type RunEnd, type RunWatch } from './rebalance-run.ts'
import { TwinLives } from './twin-lives.ts'
import { keyOrElsewhere } from './up-approval.ts'
import { load, logFor, seedOf, shownPath, type UpOptions } from './up-options.ts'
import type { Loaded } from './up-run.ts'
import { UpSettings } from './up-settings.ts'
import type { UpSite } from './up-site.ts'
import { laterWatch, sinceStart, tell, tellEnd } from './up-story.ts'

/** A clone's own. */
const launcher = join(import.meta.dirname, '..', '..', '..', 'bin', 'ballast')

/** How long metrics may not be served when a kept cluster goes on. */
const metricsLimitMs = 60_000

interface Life {
  readonly options: UpOptions
  readonly surroundings: Surroundings
  readonly terminal: Terminal
  readonly clock: PacedClock
  readonly lives: TwinLives
  readonly site: UpSite | undefined
  readonly kept: TwinState | undefined
}

/** Until it is stopped. @returns what the run came to */
export async function runOn(options: UpOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { signal } = surroundings
  using kept = await stateOf(options, surroundings)
  // A cluster whose time ran faster goes on from its own.
  const startMs = Math.max(kept?.clockMs ?? 0, systemClock.now())
  using clock = new PacedClock(systemClock, { pace: options.speed, startMs })
  const lives = new TwinLives(() => load(options, surroundings, kept), kept !== undefined)
  await using site = await siteOf(options, surroundings, { clock, lives })
  const life = { options, surroundings, clock, lives, site, kept, terminal: site?.terminal ?? surroundings.terminal }
  let listen = { port: options.apiPort, bind: options.bind }
  let loaded = await lives.first()
  site?.load(loaded)
  if (site?.url !== undefined) life.terminal.write(`Ballast  ${site.url}  (twin of ${shownName(options)}, ${sizeOf(loaded)})`)
  for (;;) {
    const over = lives.begin(signal)
    try {
      const code = await oneLife(loaded, life, { signal: over, listen, onPort: port => (listen = { ...listen, port }) })
      if (!lives.isReset) return code
    } catch (error) {
      if (!lives.isReset || signal.aborted) {
        lives.fail(error)
        throw error
      }
    }
    loaded = lives.next(loaded)
    clock.setPace(options.speed)
    clock.resume()
    life.terminal.write(`\n${shownName(options)} is loaded anew\n`)
    site?.load(loaded)
  }
}

/** Loaded where it is wanted alone: Node's SQLite is not for every start. @throws InputError where the folder cannot be used */
async function stateOf({ state: folder }: UpOptions, { terminal }: Surroundings): Promise<TwinState | undefined> {
  if (folder === undefined) return undefined
  const { TwinState } = await import('#twin/state/twin-state.ts')
  const state = TwinState.open(resolve(folder), { clock: systemClock, tell: sentence => terminal.say(sentence) })
  if (state.isFilled) terminal.say(`${folder}: the cluster goes on from revision ${state.revision}; no other objects are read`)
  return state
}

/** The page and the terminal's view; `undefined` where neither is wanted or possible. Nothing of either is loaded before it is. */
async function siteOf(
  options: UpOptions,
  surroundings: Surroundings,
  { clock, lives }: { readonly clock: PacedClock; readonly lives: TwinLives },
): Promise<UpSite | undefined> {
  const { openUpSite, viewTty } = await import('./up-site.ts')
  const tty = viewTty(options, surroundings)
  if (!options.dashboard && tty === undefined) return undefined
  const seed = seedOf(options, surroundings)
  return await openUpSite({
    options,
    surroundings,
    clock,
    lives,
    tty,
    seed,
    shown: shownName(options),
    log: logFor(options, clock),
  })
}

interface OneLife {
  readonly signal: AbortSignal
  readonly listen: { readonly port: number; readonly bind: string }
  /** The port of the API server: the next life has the same. */
  readonly onPort: (port: number) => void
}

async function oneLife(loaded: Loaded, life: Life, { signal, listen, onPort }: OneLife): Promise<ExitCode> {
  const { options, surroundings, terminal, clock, lives, site, kept } = life
  const kubeconfigPath = resolve(options.kubeconfigOut)
  const log = logFor(options, clock)
  using feed = new UpSettings({ configuration: loaded.configuration, say: sentence => terminal.say(sentence), log })
  // The twin and the controller are loaded once the page listens: whoever waits for it need not wait for them.
  const { capabilityStories } = await import('./capability-stories.ts')
  const { provisionersOf, runStandIns } = await import('./stand-ins.ts')
  const { figuresOf, withRun } = await import('./up-run.ts')
  const stories = await capabilityStories()
  const setting = {
    clock,
    seed: seedOf(options, surroundings),
    provisioners: provisionersOf(stories, feed.current),
    hold: options.hold === true,
    log,
    listen,
    ...(kept === undefined ? {} : { kept }),
    feed,
    watch: watchOf(loaded, life, signal),
    signal,
    ending: surroundings.ending,
  }
  return await withRun(loaded, setting, async (cluster, run, informers) => {
    if (cluster.twin.url !== undefined) onPort(Number(new URL(cluster.twin.url).port))
    writePrivately(kubeconfigPath, await cluster.twin.kubeconfig())
    const shown = shownPath(kubeconfigPath)
    terminal.write(`${shownName(options)} runs in the twin: ${cluster.twin.url ?? ''}, kubeconfig ${shown}\n`)
    feed.follow(informers)
    await using _followed = await site?.follow(cluster, informers, { feed, signal })
    lives.loaded()
    const state = options.state === undefined ? undefined : resolve(options.state)
    const around = { cluster, feed, clock, seed: setting.seed, log, state, terminal, signal }
    await using standIns = await runStandIns(stories, around)
    if (kept !== undefined) await metricsServed(cluster.admin, signal)
    terminal.write(`${nodeTable(await figuresOf(cluster.admin, loaded.policy, signal), terminal.colour)}\n`)
    const onAbort = () => {
      if (!lives.isReset) terminal.say('\nstopping: moves under way may still land; interrupt again to end at once')
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const at = sinceStart(clock)
    for (const { watch } of stories) watch(informers, line => terminal.write(`${at()}  ${line}`))
    const program = typedAs({
      environment: surroundings.environment,
      launcher: packing().form === 'source' ? shownPath(launcher) : undefined,
      isThere: existsSync,
    })
    const toTry = [...standIns.told, ...stories.flatMap(story => story.toTry(loaded.objects, cluster.ports))]
    const tried = { toTry, program, url: site?.url }
    if (loaded.policy === undefined) {
      signal.removeEventListener('abort', onAbort)
      terminal.write('The cluster has no RebalancePolicy, so nothing is planned and nothing moves.')
      terminal.write(lookAround(shown, await figuresOf(cluster.admin, undefined, signal), { end: undefined, ...tried }))
      if (!signal.aborted) await once(signal, 'abort')
      return exitCodes.done
    }
    const end = await run()
    signal.removeEventListener('abort', onAbort)
    const code = exitCodeOf(end)
    const after = await figuresOf(cluster.admin, loaded.policy, signal)
    tellEnd({ terminal, after, end, code })
    terminal.write(lookAround(shown, after, { end, ...tried }))
    followPlans(informers, end, laterWatch(terminal, at))
    if (!signal.aborted) await once(signal, 'abort')
    return code
  })
}

/** Where a process of an earlier life served metrics, nobody does until that of this one has said where it is. */
async function metricsServed(admin: Api, signal: AbortSignal): Promise<void> {
  const untilMs = systemClock.elapsed() + metricsLimitMs
  for (;;) {
    try {
      await admin.getPath('/apis/metrics.k8s.io/v1beta1/nodes', { signal })
      return
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== 503 || systemClock.elapsed() > untilMs) throw error
    }
    await systemClock.after(250, signal)
  }
}

/** What is told of the run, and who approves. */
function watchOf(loaded: Loaded, { options, terminal, clock, site }: Life, signal: AbortSignal): RunWatch {
  const { goals } = loaded
  if (options.ask !== true) return tell(terminal, clock, { goals, isLed: true })
  const where = site?.url === undefined ? '' : `, or Run it on ${site.url}`
  const asked: RunWatch['proposed'] = async (plan, elsewhere) => {
    if (site?.readsKeys !== true) return await keyOrElsewhere(plan, { elsewhere, where, signal })
    terminal.say(`\nPress a, then y, to approve ${plan.metadata.name}${where} (Ctrl-C leaves everything as it is)`)
    await elsewhere(signal)
  }
  return tell(terminal, clock, { goals, asked, isLed: true })
}

function shownName({ cluster }: UpOptions): string {
  return cluster === '-' ? 'standard input' : shownPath(resolve(cluster))
}

/** `4 nodes, 124 pods`. */
function sizeOf({ objects }: Loaded): string {
  const counted = (kind: string, name: string) => {
    const number = objects.filter(object => object.kind === kind).length
    return `${count(number)} ${name}${number === 1 ? '' : 's'}`
  }
  return `${counted('Node', 'node')}, ${counted('Pod', 'pod')}`
}

interface LookAround {
  /** `undefined`: there was nothing to run. */
  readonly end: RunEnd | undefined
  /** What capabilities say that can be tried. */
  readonly toTry: readonly string[]
  readonly program: string
  /** Address of the page. */
  readonly url: string | undefined
}

function lookAround(kubeconfig: string, nodes: readonly NodeFigures[], { end, toTry, program, url }: LookAround): string {
  const plan = end !== undefined && end.cutShort === undefined ? end.plans.at(-1)?.metadata.name : undefined
  const node = nodes.find(one => one.goals.length > 0) ?? nodes[0]
  return [
    '',
    ...(url === undefined ? [] : [`The page: ${url}`]),
    'The cluster goes on. Look around, from another terminal:',
    `  export KUBECONFIG=${kubeconfig}`,
    ...(node === undefined ? [] : [`  kubectl describe node ${node.node}`]),
    ...(plan === undefined ? [] : [`  kubectl get rebalanceplan ${plan} -o yaml`]),
    '  kubectl get disruptionpermits -A',
    '  kubectl events -A',
    `  ${program} permits`,
    ...(node === undefined ? [] : [`  ${program} why node/${node.node}`]),
    ...toTry,
    'Ctrl-C ends it.',
  ].join('\n')
}
