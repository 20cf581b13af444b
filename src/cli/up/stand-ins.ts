// What `ballast up` runs in the place of machines that a twin has not, such as file servers: each with the token of the account that its part has in a
// cluster, and with a folder of its own. One that fails is said, and the cluster goes on without it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { accountToken } from '#deployment/install-ballast.ts'
import { openApi } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { seededRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import type { ControllerSettings, SettingsFeed } from '#process/configuration/controller-settings.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { NamedStory, StandIn } from './capability-stories.ts'
import { type EmbeddedCluster, tokenSeconds } from './embedded-cluster.ts'

interface Around {
  readonly cluster: EmbeddedCluster
  readonly feed: SettingsFeed
  readonly clock: Clock
  readonly seed: number
  readonly log: Log
  /** Where the cluster is kept; undefined: nowhere. */
  readonly state: string | undefined
  readonly terminal: Terminal
  readonly signal: AbortSignal
}

interface NamedStandIn extends StandIn {
  readonly capability: string
  readonly config: unknown
}

/** Those of enabled capabilities, with their sections. */
function standInsOf(stories: readonly NamedStory[], { capabilities }: ControllerSettings): readonly NamedStandIn[] {
  return stories.flatMap(({ capability, standIn }) => {
    const section = capabilities[capability]
    return standIn === undefined || section?.isEnabled !== true ? [] : [{ ...standIn, capability, config: section.config }]
  })
}

/** Provisioners whose volumes the twin leaves to stand-ins. */
export function provisionersOf(stories: readonly NamedStory[], settings: ControllerSettings): ReadonlySet<string> {
  return new Set(standInsOf(stories, settings).flatMap(({ provisioners, config }) => provisioners(config)))
}

interface StandIns extends AsyncDisposable {
  /** What they told while they started. */
  readonly told: readonly string[]
}

/** Starts them, and waits until each is there or has failed; disposing ends them, and takes away what is not kept. */
export async function runStandIns(stories: readonly NamedStory[], around: Around): Promise<StandIns> {
  const stop = new AbortController()
  const signal = AbortSignal.any([around.signal, stop.signal])
  const told: string[] = []
  let isStarted = false
  const tell = (line: string) => (isStarted ? around.terminal.write(line) : void told.push(line))
  const lives = standInsOf(stories, around.feed.current).map(standIn => {
    const { promise: isThere, resolve } = Promise.withResolvers<void>()
    const over = live(standIn, around, { signal, onStarted: resolve, tell }).finally(resolve)
    return { isThere, over }
  })
  // What fails by a fault of ours is thrown here where it fails at once, else when they are disposed of.
  const overs = Promise.all(lives.map(({ over }) => over))
  await Promise.race([overs, Promise.all(lives.map(({ isThere }) => isThere))])
  isStarted = true
  return {
    told,
    async [Symbol.asyncDispose]() {
      stop.abort(new DOMException('the cluster is stopped', 'AbortError'))
      await overs
    },
  }
}

interface Life {
  readonly signal: AbortSignal
  readonly onStarted: () => void
  readonly tell: (line: string) => void
}

/** Until `signal` is aborted; a section that changes has it begin anew. Throws nothing but faults of our own. */
async function live(standIn: NamedStandIn, around: Around, { signal, onStarted, tell }: Life): Promise<void> {
  const { feed, state, terminal } = around
  const folder =
    state === undefined ? mkdtempSync(join(tmpdir(), `ballast-${standIn.capability}-`)) : join(state, standIn.capability)
  const configNow = (): unknown => feed.current.capabilities[standIn.capability]?.config
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    while (!signal.aborted) {
      const config = configNow()
      const over = new AbortController()
      using _reloads = feed.onReload(() => {
        if (JSON.stringify(configNow()) !== JSON.stringify(config)) over.abort()
      })
      const until = AbortSignal.any([signal, over.signal])
      await using _running = await started({ ...standIn, config }, { ...around, folder, tell }, until)
      onStarted()
      if (!until.aborted) await new Promise(resolve => until.addEventListener('abort', resolve, { once: true }))
    }
  } catch (error) {
    if (signal.aborted) return
    if (!isOutside(error) && !(error instanceof Error && 'code' in error)) throw error
    terminal.say(`${standIn.capability}: nothing stands in for its machines: ${messageOf(error)}`)
  } finally {
    if (state === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

async function started(
  { capability, role, config, start }: NamedStandIn,
  around: Around & { readonly folder: string; readonly tell: (line: string) => void },
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  const { cluster, clock, seed, log, folder, state, tell } = around
  const { trust = '' } =
    enabledCapabilities
      .filter(({ name }) => name === capability)
      .flatMap(one => partsIn('node', one))
      .find(part => part.role === role) ?? {}
  const account = `ballast-${trust}`
  const namespace = standardAgentNamespace
  const token = await accountToken(cluster.admin, account, { namespace, seconds: tokenSeconds, signal })
  await using stack = new AsyncDisposableStack()
  const api = openApi(cluster.twin.transport({ token }), { clock, userAgent: `ballast/${programVersion} ${role}`, log })
  stack.defer(() => api.close())
  stack.use(
    await start(
      {
        api,
        clock,
        random: seededRandom(seed + 5),
        log,
        identity: { name: 'ballast-up', namespace, instance: `ballast-up_${role}` },
        ports: stack.use(cluster.ports.forPart()),
        node: 'ballast-up',
        folder,
        isKept: state !== undefined,
        tell,
      },
      config,
      signal,
    ),
  )
  const whole = stack.move()
  return { [Symbol.asyncDispose]: () => whole.disposeAsync() }
}
