// A whole cluster in one process: an API server that real clients can use, and simulated components behind it.

import type { Transport } from '#kube/client/transport.ts'
import { type Clock, systemClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import type { ClusterAccess } from './access.ts'
import { Aggregator } from './aggregation/aggregator.ts'
import { makeFrontProxy } from './aggregation/front-proxy.ts'
import { Authorizer } from './api/access/authorization.ts'
import { makeTokenKey, type TokenAsk, Tokens } from './api/access/tokens.ts'
import { expressionWarnings } from './api/admission/policy-warnings.ts'
import { webhookCaller } from './api/admission/webhook-call.ts'
import { Webhooks } from './api/admission/webhooks.ts'
import { minorOf, newestMinor } from './api/answers/server-version.ts'
import type { ApiServer } from './api/api-server.ts'
import { Deletion } from './api/deletion.ts'
import type { Handler, TwinRequest, TwinResponse } from './api/request.ts'
import { ResourceHandlers } from './api/resource-handlers.ts'
import { ResourceRegistry } from './api/resource-registry.ts'
import { KubeletApi } from './api/subresources/kubelet-api.ts'
import type { EndContainer } from './api/subresources/pod-exec.ts'
import { Uids } from './api/uids.ts'
import { WatchHub } from './api/watches/watch-hub.ts'
import { WritePipeline } from './api/write-pipeline.ts'
import { type Authority, makeAuthority } from './authority.ts'
import { bootstrap } from './bootstrap.ts'
import { clusterAccess } from './cluster-access.ts'
import type { PullRecord } from './components/kubelets/image-pulls.ts'
import { type ComponentOptions, type Components, startComponents } from './components.ts'
import { dumpObjects } from './dump.ts'
import type { FaultSpec } from './faults/fault-spec.ts'
import { type FaultHandle, Faults } from './faults/faults.ts'
import { type HttpServer, startHttpServer } from './http-server.ts'
import { inMemoryTransport, type TransportCredentials } from './in-memory-transport.ts'
import { kubeconfigText } from './kubeconfig.ts'
import { type HostAndPort, KubeletServers } from './kubelet-servers/kubelet-servers.ts'
import { type LoadReport, loadObjects, wellFormed } from './load.ts'
import { Readiness, type StartProgress } from './observe/readiness.ts'
import { TwinObserver } from './observe/twin-observer.ts'
import { isTwinKind, twinDefinitions } from './own-kinds/definitions.ts'
import { translateKwok } from './own-kinds/kwok.ts'
import { startOwnKinds } from './own-kinds/own-kinds.ts'
import { requestHandler } from './request-handler.ts'
import { type LoggedRequest, RequestLog } from './request-log.ts'
import type { SharedValues } from './shared-values.ts'
import { catchUp } from './snapshot-time.ts'
import { PodServers } from './sources/pod-server.ts'
import { SourceServer } from './sources/source-server.ts'
import { keptAuthority, withKept } from './state/kept.ts'
import { keepReport, restoreObjects } from './state/restore.ts'
import type { TwinState } from './state/twin-state.ts'
import { Store } from './store.ts'
import { type TellTrouble, throwTrouble } from './trouble.ts'

export interface TwinOptions {
  /** The cluster's time. */
  readonly clock: Clock
  /** Clock of connections: time-outs, bookmarks, injected waits. Real time when absent; a virtual one lets a test wait for nothing. */
  readonly wire?: Clock
  /** Every random choice: the same seed gives the same names and UIDs. */
  readonly seed?: number
  readonly objects?: readonly KubeObject[]
  /** Where what is stored finds its equal parts: the pool in which `objects` are, when they are in one. */
  readonly sharedValues?: SharedValues
  /** Where the cluster is kept. One that was filled before is restored, in the place of `objects`; whoever opened it closes it after the twin. */
  readonly state?: TwinState
  /** `1.32` to `1.36`; when absent the minor of the newest kubelet among the objects, else the newest. */
  readonly kubernetesVersion?: string
  /** `*` and `-name`, as kube-controller-manager takes them; all when absent. */
  readonly controllers?: readonly string[]
  /** False leaves the part to a real one, or to a test. */
  readonly scheduler?: boolean
  readonly kubelet?: boolean
  /** HTTPS as well; port 0 takes a free one. Without it the twin is reached in memory only. */
  readonly listen?: {
    readonly port: number
    readonly bind?: string
    /** Each Node tells a port of loopback on which its kubelet is reached, for clients that are no part of the twin. */
    readonly kubelets?: boolean
  }
  readonly authorization?: 'RBAC' | 'AlwaysAllow'
  readonly allowsAnonymous?: boolean
  /** Revisions that watches can go back. */
  readonly historyLimit?: number
  /** Serves TwinClock, TwinFault, TwinUsage and TwinStage; without it they are served where the objects hold some. */
  readonly ownKinds?: boolean
  /** Further settings of the simulated components; false: none are started. */
  readonly components?: Partial<ComponentOptions> | false
  /** Sees every request with its answer: how traces of clients are recorded. */
  readonly onExchange?: (request: TwinRequest, answer: TwinResponse) => void
  /** Told how far the start is, often: whoever shows it chooses how often. */
  readonly onProgress?: (progress: StartProgress) => void
  /** Told of faults of the twin itself. Each is contained; without a listener it is thrown outside, for tests: a product always listens. */
  readonly onTrouble?: TellTrouble
}

export interface Twin extends AsyncDisposable {
  /** Undefined where nothing is listened on. */
  readonly url: string | undefined
  /** A kubeconfig of the administrator, or of another user with the groups given. @throws where nothing is listened on. */
  kubeconfig(user?: { readonly name: string; readonly groups: readonly string[] }): Promise<string>
  /** The same handler as HTTP has, in memory. */
  transport(credentials: TransportCredentials): Transport
  readonly access: ClusterAccess
  /** Resolves when what was loaded is there, with the pods that it asks for: from then on `/readyz` says ok. */
  readonly ready: Promise<void>
  /** The simulated cluster behind the API server; undefined where it was not started. */
  readonly components: Components | undefined
  /** The kubelets as servers; each is opened when it is dialled. */
  readonly kubelets: KubeletDoor
  /**
   * Where on this host a Service answers that says so by an annotation, for clients that ask it over HTTP.
   * @throws Error for every other host: a twin reaches nothing outside
   */
  readonly sources: (host: string, port: number) => Promise<HostAndPort>
  /** Where on this host a pod's address answers. @throws Error where no pod that is ready has it */
  readonly pods: (address: string) => Promise<HostAndPort>
  /** A bearer token of a ServiceAccount that exists. @throws StatusError 404 */
  issueToken(ask: TokenAsk): Promise<string>
  /** Sets a fault: the same `spec` as a TwinFault has. @throws InputError where it is wrong */
  fault(spec: FaultSpec): FaultHandle
  /** All objects but events and leases, in an order of their own: the same cluster gives the same bytes. */
  dump(): readonly KubeObject[]
  /** Puts objects into the cluster as they are, with their identities and status. */
  load(objects: readonly KubeObject[]): LoadReport
  /** What the load at the start left out. */
  readonly report: LoadReport
  readonly requests: { readonly entries: readonly LoggedRequest[]; readonly total: number }
  /** The latest image pulls of all nodes, in the order they were begun: from outside, or from a node that had the bytes. */
  readonly imagePulls: readonly PullRecord[]
  /** Resolves when nothing moves any more: on a virtual clock it is driven there. @throws StillMoving at the limit. */
  settle(options: { readonly limitMs: number }): Promise<void>
  stop(): Promise<void>
}

/** How clients in this process get to the kubelets: over real TLS, whatever addresses their nodes have. */
export interface KubeletDoor {
  /**
   * Where on this host the kubelet listens that the cluster has at `host` (an address or name of a node) and `port`.
   * @throws Error with the code that connecting would fail with
   */
  readonly dial: (host: string, port: number) => Promise<HostAndPort>
  /** Whose certificates kubelets show, and which certificates of clients they believe. */
  readonly authority: () => Promise<Authority>
}

/** Starts a twin; it answers when this resolves. @throws InputError on an unknown version, Error when the port is taken. */
export async function startTwin(asked: TwinOptions): Promise<Twin> {
  // Nothing is started yet: the clock only moves.
  const given = wellFormed(asked.state?.isFilled === true ? [] : (asked.objects ?? []))
  const options = await withKept({ ...asked, objects: given.objects })
  const { state } = options
  await catchUp(options.clock, options.objects)
  const { server, close } = apiServer(options)
  const writes = new WritePipeline(server)
  const deletion = new Deletion(server, writes)
  const webhooks = new Webhooks(server, server.callWebhook)
  const log = new RequestLog()
  const { store } = server
  const faults = new Faults({
    clock: options.clock,
    seed: options.seed ?? 1,
    compact: keepRevisions => store.compact(store.revision - keepRevisions),
  })
  const authorizer = new Authorizer(server.store, options.authorization ?? 'RBAC')
  const tokens = await Tokens.make(server, await state?.kept('token-key', makeTokenKey))
  const { onProgress = () => undefined } = options
  const { report, hasOwnKinds } = filled(server, options, given.problems)
  state?.keep('version', `1.${server.minor}`)
  state?.begin(() => options.clock.now())
  let components: Components | undefined
  let aggregator: Aggregator | undefined
  const access = clusterAccess({ server, writes, deletion, webhooks })
  const observer = new TwinObserver({ server, access, faults, components: () => components })
  const checkToken = async (token: string) => {
    const verdict = await tokens.verify(token)
    return verdict.ok ? verdict.user : undefined
  }
  const readiness = new Readiness({ store: server.store, clock: options.clock, onProgress })
  const usage = () => components?.usage
  const isDead = (node: string) => options.kubelet !== false && components?.nodes.isAlive(node) === false
  const kubeletApi = new KubeletApi(server, usage, isDead)
  const endContainer: EndContainer = (pod, name, code) => components?.endContainer(pod, name, code)
  const handler = requestHandler({
    server,
    aggregator: () => aggregator,
    resources: new ResourceHandlers({
      server,
      writes,
      deletion,
      webhooks,
      authorizer,
      tokens,
      usage,
      kubelets: kubeletApi,
      endContainer,
    }),
    authorizer,
    checkToken,
    log,
    faults,
    observer,
    readiness,
    ...(state === undefined ? {} : { state }),
    allowsAnonymous: options.allowsAnonymous ?? false,
    onTrouble: server.onTrouble,
    ...(options.onExchange === undefined ? {} : { onExchange: options.onExchange }),
  })
  const stack = new AsyncDisposableStack()
  stack.defer(close)
  stack.use(observer)
  stack.use(readiness)
  const listening = options.listen === undefined ? undefined : await listen(handler, options.listen, server.onTrouble, state)
  if (listening !== undefined) stack.defer(() => listening.http.close())
  // Servers behind the twin ask it for the ConfigMap: where nobody can, there is nobody to show a certificate to.
  const frontProxy =
    listening === undefined ? undefined : await makeFrontProxy(server, listening.authority.certificate, systemClock.now())
  aggregator = stack.use(new Aggregator({ server, access, certificate: () => frontProxy }))
  const rootCertificate = listening?.authority.certificate
  const api = inMemoryTransport(handler, autoscalerCredentials)
  components = startedComponents(options, { server, access, report, faults, rootCertificate, api })
  if (components !== undefined) stack.use(components)
  readiness.follow(components)
  const running = components
  const authority = onFirstUse(async () => listening?.authority ?? (await makeAuthority(systemClock.now(), [])))
  const { nodes } = components ?? {}
  const isAlive = nodes === undefined || options.kubelet === false ? undefined : (node: string) => nodes.isAlive(node)
  const kubelets = stack.use(new KubeletServers({ server, access, api: kubeletApi, authorizer, checkToken, isAlive, authority }))
  const sources = stack.use(new SourceServer({ access, clock: options.clock }))
  const pods = stack.use(new PodServers({ access }))
  let catchingUp = Promise.resolve()
  if (hasOwnKinds) {
    const { clock, seed = 1 } = options
    stack.use(startOwnKinds({ access, clock, wire: server.wire, seed, faults, components: running }))
  }
  if (options.listen?.kubelets === true) await kubelets.announceAll()
  return {
    url: listening?.url,
    async kubeconfig(user = { name: 'ballast-admin', groups: ['system:masters'] }) {
      if (listening === undefined) throw new Error('a kubeconfig needs a twin that listens')
      return kubeconfigText(
        listening.url,
        listening.authority.certificate,
        await listening.authority.issueClient(user.name, user.groups),
      )
    },
    transport: credentials => inMemoryTransport(handler, credentials),
    access,
    ready: readiness.ready,
    components: running,
    kubelets: { dial: (host, port) => kubelets.dial(host, port), authority },
    sources: (host, port) => sources.dial(host, port),
    pods: address => pods.dial(address),
    issueToken: async ask => (await tokens.issue(ask)).token,
    fault: spec => faults.add(spec),
    dump: () => dumpObjects(access),
    load: values => {
      const well = wellFormed(values)
      const { objects, problems } = translateKwok(well.objects)
      const loading = loadObjects(server, objects)
      running?.snapshotLoaded(loading.absentOwners)
      catchingUp = catchingUp.then(() => catchUp(options.clock, objects))
      return { ...loading, problems: [...well.problems, ...problems, ...loading.problems] }
    },
    report,
    requests: log,
    get imagePulls() {
      return running?.imagePulls ?? []
    },
    settle: async limits => {
      await catchingUp
      await settle(options.clock, running, limits)
    },
    stop: () => stack.disposeAsync(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** The objects of an earlier process, or those of a new cluster. @throws InputError where the state is broken */
function filled(
  server: ApiServer,
  options: TwinOptions,
  shapeless: LoadReport['problems'],
): { readonly report: LoadReport; readonly hasOwnKinds: boolean } {
  const { state, onProgress = () => undefined } = options
  if (state?.isFilled === true) {
    const total = state.count
    const report = restoreObjects(server, state, done => onProgress({ step: 'load', done, total }))
    return { report, hasOwnKinds: options.ownKinds ?? false }
  }
  bootstrap(server)
  const { objects, problems } = translateKwok(options.objects ?? [])
  const hasOwnKinds = options.ownKinds ?? objects.some(isTwinKind)
  if (hasOwnKinds) loadObjects(server, twinDefinitions())
  const loaded = loadObjects(server, objects, (done, total) => onProgress({ step: 'load', done, total }))
  const report = { ...loaded, problems: [...shapeless, ...problems, ...loaded.problems] }
  if (state !== undefined) keepReport(state, report)
  return { report, hasOwnKinds }
}

/** What `make` makes, from the first time it is wanted on. */
function onFirstUse<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

interface Cluster {
  readonly server: ApiServer
  readonly access: ClusterAccess
  readonly report: LoadReport
  readonly faults: Faults
  readonly rootCertificate: string | undefined
  /** The API as the controllers have it that are its clients. */
  readonly api: Transport
}

/** What the role of that name allows is all it may: it is a client like others. */
const autoscalerCredentials = {
  user: 'system:serviceaccount:kube-system:horizontal-pod-autoscaler',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
}

function startedComponents(options: TwinOptions, cluster: Cluster): Components | undefined {
  if (options.components === false) return undefined
  const { server, access, report, faults, rootCertificate, api } = cluster
  const { controllers, scheduler, kubelet } = options
  return startComponents(access, {
    clock: options.clock,
    random: server.random,
    seed: options.seed ?? 1,
    minorVersion: server.minor,
    absentOwners: report.absentOwners,
    onTrouble: server.onTrouble,
    faults,
    api,
    // Types are told apart by the nanoseconds of the time.
    policyWarnings: policy => expressionWarnings(policy, server.resources.all(), (server.clock.now() % 1_000) * 1_000_000),
    resourceOf: (group, kind) => server.resources.all().find(type => type.group === group && type.kind === kind)?.key,
    ...(rootCertificate === undefined ? {} : { rootCertificate }),
    ...(controllers === undefined ? {} : { controllers }),
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(kubelet === undefined ? {} : { kubelet }),
    ...options.components,
  })
}

function apiServer(options: TwinOptions): { readonly server: ApiServer; close(): Promise<void> } {
  const minor = options.kubernetesVersion === undefined ? kubeletMinor(options.objects ?? []) : minorOf(options.kubernetesVersion)
  if (minor === undefined)
    throw new Error(`Kubernetes ${options.kubernetesVersion ?? ''} is not one the twin can play; 1.32 to 1.36 are`)
  const random: Random = seededRandom(options.seed ?? 1)
  const onTrouble = options.onTrouble ?? throwTrouble
  const history = options.historyLimit
  const store = new Store({
    ...(history === undefined ? {} : { historyLimit: history }),
    ...(options.sharedValues === undefined ? {} : { sharedValues: options.sharedValues }),
    ...(options.state === undefined ? {} : { journal: options.state, startRevision: options.state.revision }),
    onTrouble,
  })
  const { call, close } = webhookCaller(store)
  const server: ApiServer = {
    store,
    watches: new WatchHub({ clock: options.clock, onTrouble }, store),
    resources: new ResourceRegistry(),
    clock: options.clock,
    wire: options.wire ?? systemClock,
    random,
    minor,
    unsigned: new Set(),
    uids: new Uids({ seed: options.seed ?? 1, clock: options.clock }),
    callWebhook: call,
    onTrouble,
  }
  return { server, close }
}

/** The newest minor that a kubelet of the snapshot runs, as far as the twin plays it. */
function kubeletMinor(objects: readonly KubeObject[]): number {
  const minors = objects
    .filter(object => object.kind === 'Node')
    .map(object => (object as Node).status?.nodeInfo?.['kubeletVersion'])
    .flatMap(version =>
      typeof version === 'string' ? (minorOf(version.replace(/^v/, '').split('.').slice(0, 2).join('.')) ?? []) : [],
    )
  return minors.length === 0 ? newestMinor : Math.max(...minors)
}

interface Listening {
  readonly http: HttpServer
  readonly url: string
  readonly authority: Authority
}

async function listen(
  handler: Handler,
  where: { readonly port: number; readonly bind?: string },
  onTrouble: TellTrouble,
  state: TwinState | undefined,
): Promise<Listening> {
  const bind = where.bind ?? '127.0.0.1'
  const authority = state === undefined ? await makeAuthority(systemClock.now(), [bind]) : await keptAuthority(state, [bind])
  await state?.written()
  const http = await startHttpServer(handler, authority.server, { port: where.port, bind, clock: systemClock, onTrouble })
  const host = bind.includes(':') ? `[${bind}]` : bind
  return { http, url: `https://${host}:${http.port}`, authority }
}

/** Something comes round again and again. */
export class StillMoving extends Error {
  /** What waits for its turn: its queue, its key, in how long, and how often it has failed. */
  readonly moving: readonly string[]

  constructor(limitMs: number, moving: readonly string[]) {
    super(`the cluster still moves after ${limitMs} ms: ${moving.join('; ')}`)
    this.moving = moving
  }
}

/** How often a real clock is asked whether all is quiet. */
const settlePollMs = 100

/** Works off what moves by itself: a virtual clock is driven there, on a real one it is waited for. */
async function settle(
  clock: Clock,
  components: Components | undefined,
  { limitMs }: { readonly limitMs: number },
): Promise<void> {
  const untilMs = clock.elapsed() + limitMs
  for (;;) {
    if (clock instanceof VirtualClock) await clock.quiet()
    else await clock.after(settlePollMs)
    if (components === undefined || components.isSettled) return
    if (clock.elapsed() > untilMs) throw new StillMoving(limitMs, components.moving())
    if (clock instanceof VirtualClock && !clock.step()) return
  }
}
