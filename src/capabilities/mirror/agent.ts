// The mirror of one node: its store, its way to the others, and the ports at which containerd and the others ask it.
import type { IncomingMessage } from 'node:http'
import type { Registry } from 'prom-client'
import type { Check } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import type { Random } from '#kube/random.ts'
import { advertisedBy } from './advertised.ts'
import type { Exchange, Router, Store } from './contract.ts'
import { MirrorMetrics } from './counts.ts'
import { PlaneDoors, takesNginx } from './data-plane/plane-doors.ts'
import { startExchange } from './exchange/exchange.ts'
import { UploadLimit } from './exchange/transfer/upload-limit.ts'
import { Announcer } from './front/announcer.ts'
import { addressesOfNode, askersOf } from './front/askers.ts'
import { ContentFinder } from './front/content-finder.ts'
import { DebugPages } from './front/debug-pages.ts'
import { type ListenAddress, parseListenAddress } from './front/listen-address.ts'
import { type Listener, listenPlain } from './front/listener.ts'
import { listenForMetrics } from './front/metrics-listener.ts'
import { PeerCertificates } from './front/peer-certificates.ts'
import { PeerDoor } from './front/peer-door.ts'
import { answerPrefetch, isPrefetch } from './front/prefetch-door.ts'
import { type Readiness, readinessOf } from './front/readiness.ts'
import { RegistryFront } from './front/registry-front.ts'
import { realFiles } from './node-files/file-operations.ts'
import { lookAtEdits } from './node-files/hosts-edits.ts'
import { lookAtHostsFiles } from './node-files/hosts-look.ts'
import { bootstrapOf } from './peers/bootstrap/bootstrap.ts'
import { startRouter } from './peers/router.ts'
import type { Prefetcher } from './prefetch.ts'
import { SelfCheck } from './self-check.ts'
import type { MirrorSettings } from './settings.ts'
import { openContainerdStore } from './store/containerd-store.ts'

export interface AgentOptions {
  readonly settings: MirrorSettings
  readonly version: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** What is shown at `/metrics`. */
  readonly metrics: Registry
  /** Pulls images beforehand; absent: it does not. */
  readonly prefetcher?: Prefetcher | undefined
  /** For bootstrap `kubernetes` only: whose EndpointSlices name the others. */
  readonly service?: { readonly api: Api; readonly namespace: string; readonly name: string } | undefined
  /** Instead of containerd's: for agents on stores of another kind. */
  readonly store?: Store & AsyncDisposable
}

/** Disposing drains: what is being sent ends, for 30 s at most, and nothing new is taken. */
export interface MirrorAgent extends AsyncDisposable {
  readonly ports: { readonly registry: readonly number[]; readonly metrics: number; readonly peers: number | undefined }
  readonly router: Pick<Router, 'id' | 'state'>
  readiness(): Readiness
  checks(): readonly Check[]
}

/** @throws InputError for addresses and networks that are none; an Error with `code` where a port is taken */
export async function startMirrorAgent(options: AgentOptions): Promise<MirrorAgent> {
  const { settings, clock, random, log } = options
  const state = { isEnding: false }
  let store: (Store & AsyncDisposable) | undefined
  let router: Router | undefined
  let announcer: Announcer | undefined
  let self: SelfCheck | undefined
  let plane: PlaneDoors | undefined
  const readiness = () =>
    readinessOf({
      router: router?.state(),
      store: store?.health(),
      isEnding: state.isEnding,
      isServed: plane?.isUp,
    })
  const counts = new MirrorMetrics(options.metrics, {
    clock,
    beforeScrape: () => {
      plane?.hear()
      counts.peers(router?.state().peers ?? 0)
      counts.announced(announcer?.isFirstDone === true)
      counts.advertisedNow(advertisedBy(store?.images() ?? []))
      counts.troubles(self?.troubles().map(({ reason }) => reason) ?? [])
    },
  })
  await using opening = new AsyncDisposableStack()
  store = opening.use(
    options.store ??
      openContainerdStore({
        socket: settings.containerdSocket,
        namespace: settings.containerdNamespace,
        contentPath: settings.containerdContentPath,
        registryConfigPath: settings.containerdRegistryConfigPath,
        filters: settings.filters,
        clock,
        random,
        log,
        onReconciled: () => counts.storeReconciled(),
        onPulled: name => self?.pulled(name),
      }),
  )
  const checking = selfCheckOf(options, store)
  self = checking
  runUntilEnd(signal => checking.run(signal), opening)
  const { port: routerPort } = addressOf(settings.routerAddress, 'router-addr')
  const { service } = options
  router = opening.use(
    await startRouter({
      address: settings.routerAddress,
      bootstrap: bootstrapOf({ settings: settings.bootstrap, routerPort, log, ...(service === undefined ? {} : { service }) }),
      dataDirectory: settings.dataDirectory,
      version: options.version,
      zone: settings.ownZone,
      readyWhenAlone: settings.readyWhenAlone,
      clock,
      random,
      log,
      // Look-ups are measured by whoever waits for them.
      counts: { peers: count => counts.peers(count), resolved: () => undefined },
    }),
  )
  const certificates = await certificatesOf(options, opening)
  const tlsPort = settings.peerTlsAddress === undefined ? undefined : addressOf(settings.peerTlsAddress, 'peer-addr').port
  const exchange: Exchange = opening.use(
    startExchange({
      settings,
      store,
      router,
      counts,
      clock,
      log,
      ...(tlsPort === undefined ? {} : { peerTlsPort: tlsPort }),
      peerIdentity: () => certificates?.current,
      onPoisoned: event => checking.poisoned(event),
      schemeOf: registry => (settings.plainRegistries.has(registry) ? 'http' : 'https'),
    }),
  )
  const debug = settings.debugWebEnabled
    ? new DebugPages({ store, router, exchange, lastSuccessMs: () => counts.lastSuccessMs, clock })
    : undefined
  const metrics = opening.use(
    await listenForMetrics({
      address: addressOf(settings.metricsAddress, 'metrics-addr'),
      metrics: options.metrics,
      readiness,
      notices: () => checking.document(),
      debug,
      log,
    }),
  )
  announcer = new Announcer({ store, router, clock, log })
  const announcing = announcer
  runUntilEnd(signal => announcing.run(signal), opening)
  const { filters, headerTimeoutMs } = settings
  const finder = new ContentFinder({ filters, headerTimeoutMs, store, exchange, counts, clock, log })
  const limit = settings.uploadLimit > 0 ? new UploadLimit(settings.uploadLimit, clock) : undefined
  const limitUpload = limit === undefined ? undefined : () => limit.stream()
  const front = new RegistryFront({ finder, readiness, counts, meter: counts, limitUpload, clock, log })
  const doors = await openDoors(options, { front, counts, self: checking, certificates }, opening)
  plane = doors.plane
  opening.defer(() => {
    state.isEnding = true
  })
  const stack = opening.move()
  const { id } = router
  const { registry, peers } = doors
  const dataPlane = plane === undefined ? 'builtin' : 'nginx'
  log.info({ id, registry, metrics: metrics.port, peers: peers(), dataPlane }, 'the mirror runs')
  return {
    ports: { registry, metrics: metrics.port, peers: peers() },
    router,
    readiness,
    checks: () => checksOf(readiness()),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function checksOf({ isReady, reason }: Readiness): readonly Check[] {
  return [{ name: 'mirror', ok: isReady, ...(isReady ? {} : { message: reason }) }]
}

function addressOf(text: string, flag: string): ListenAddress {
  const parsed = parseListenAddress(text, `--${flag}`)
  if (!parsed.ok) throw new InputError([parsed.problem])
  return parsed.value
}

async function certificatesOf({ settings, clock, log }: AgentOptions, stack: AsyncDisposableStack) {
  const { peerCertificateDirectory: directory, peerTlsAddress, peerTransport, allowFrom } = settings
  if (directory !== undefined && peerTlsAddress !== undefined)
    return stack.use(await PeerCertificates.open({ directory, clock, log }))
  if (allowFrom === 'node')
    log.warn(
      { allowFrom, peerTransport },
      'other nodes can get nothing from here: allowFrom lets only this node ask, and there is no port with mutual TLS',
    )
  return undefined
}

/** Until the agent ends. What fails in it is a fault of whoever runs the agent. */
function runUntilEnd(run: (signal: AbortSignal) => Promise<void>, stack: AsyncDisposableStack): void {
  const stop = new AbortController()
  const running = run(stop.signal)
  stack.defer(async () => {
    stop.abort(new DOMException('the mirror ends', 'AbortError'))
    await running
  })
}

function selfCheckOf({ settings, clock, log }: AgentOptions, store: Store): SelfCheck {
  const addresses = settings.registryAddresses.map(text => addressOf(text, 'registry-addr'))
  const hosts = addresses.flatMap(({ host }) => host ?? [])
  return new SelfCheck({
    store,
    hostsFiles: () => lookAtHostsFiles(settings.containerdRegistryConfigPath, log),
    edits: () => lookAtEdits(realFiles, settings.containerdRegistryConfigPath, log),
    served: () => ({
      addresses: hosts.length === addresses.length ? hosts : [...addressesOfNode()],
      ports: addresses.map(({ port }) => port),
      registries: settings.filters.registries,
    }),
    seesEveryPull: settings.tags === 'always',
    clock,
    log,
  })
}

interface Opening {
  readonly front: RegistryFront
  readonly counts: Pick<MirrorMetrics, 'fellThrough'>
  readonly self: SelfCheck
  readonly certificates: PeerCertificates | undefined
}

interface Doors {
  /** Ports where containerd asks. */
  readonly registry: readonly number[]
  /** The one where other agents ask; undefined while there is none. */
  readonly peers: () => number | undefined
  /** nginx, where that has them. */
  readonly plane: PlaneDoors | undefined
}

async function openDoors(options: AgentOptions, opening: Opening, stack: AsyncDisposableStack): Promise<Doors> {
  const { settings, clock, log, prefetcher } = options
  const { front, self, certificates, counts } = opening
  if (!(await takesNginx(settings, log))) {
    const peers = certificates === undefined ? undefined : stack.use(new PeerDoor(options, { front, certificates }))
    await peers?.open()
    const registry = await openRegistry(options, opening, stack)
    return { registry: registry.map(({ port }) => port), peers: () => peers?.port, plane: undefined }
  }
  const registry = settings.registryAddresses.map(text => addressOf(text, 'registry-addr'))
  const { peerTlsAddress } = settings
  const peers = certificates === undefined || peerTlsAddress === undefined ? undefined : addressOf(peerTlsAddress, 'peer-addr')
  const plane = stack.use(
    await PlaneDoors.open({
      ...{ settings, registry, peers, certificates, front, clock, log },
      askers: askersOf(settings.allowFrom, { clock }),
      onAsked: request => noteAsked(request, self),
      onTurnedAway: () => counts.fellThrough('busy'),
      onPeersAsk: (request, response) => {
        if (!isPrefetch(request)) return false
        void answerPrefetch(request, response, { prefetcher, clock, log })
        return true
      },
    }),
  )
  return { registry: registry.map(({ port }) => port), peers: () => peers?.port, plane }
}

/** Whether containerd asks at all is worth knowing; other mirrors do not count. */
function noteAsked({ url, headers }: IncomingMessage, self: SelfCheck): void {
  if (url?.startsWith('/v2/') === true && headers['x-spegel-mirrored'] === undefined) self.asked()
}

async function openRegistry(
  { settings, clock }: AgentOptions,
  { front, self }: Pick<Opening, 'front' | 'self'>,
  stack: AsyncDisposableStack,
) {
  const askers = askersOf(settings.allowFrom, { clock })
  const door = { askers, credentials: settings.basicAuth, isForMirrors: false }
  const opened: Listener[] = []
  // All drain at the same time.
  stack.defer(async () => {
    await Promise.all(opened.map(listener => listener[Symbol.asyncDispose]()))
  })
  for (const text of settings.registryAddresses) {
    const address = addressOf(text, 'registry-addr')
    const handle: Parameters<typeof listenPlain>[0]['handle'] = (request, response) => {
      noteAsked(request, self)
      void front.handle(request, response, door)
    }
    opened.push(await listenPlain({ address, askers, clock, handle }))
  }
  return opened
}
