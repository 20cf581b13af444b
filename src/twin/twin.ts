// A whole cluster in one process: an API server that real clients can use, and simulated components behind it.
import { type Clock, systemClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject, Node } from '#kube/objects.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import type { Transport } from '#kube/transport.ts'
import type { ClusterAccess } from './access.ts'
import type { ApiServer } from './api/api-server.ts'
import { Authorizer } from './api/authorization.ts'
import { Deletion } from './api/deletion.ts'
import type { Handler, TwinRequest, TwinResponse } from './api/request.ts'
import { ResourceHandlers } from './api/resource-handlers.ts'
import { ResourceRegistry } from './api/resource-registry.ts'
import { minorOf, newestMinor } from './api/server-version.ts'
import { type TokenAsk, Tokens } from './api/tokens.ts'
import { webhookCaller } from './api/webhook-call.ts'
import { Webhooks } from './api/webhooks.ts'
import { WritePipeline } from './api/write-pipeline.ts'
import { type Authority, makeAuthority } from './authority.ts'
import { bootstrap } from './bootstrap.ts'
import { clusterAccess } from './cluster-access.ts'
import { type ComponentOptions, type Components, startComponents } from './components.ts'
import { type HttpServer, startHttpServer } from './http-server.ts'
import { inMemoryTransport, type TransportCredentials } from './in-memory-transport.ts'
import { kubeconfigText } from './kubeconfig.ts'
import { type LoadReport, loadObjects } from './load.ts'
import { requestHandler } from './request-handler.ts'
import { type LoggedRequest, RequestLog } from './request-log.ts'
import { Store } from './store.ts'

export interface TwinOptions {
  /** The cluster's time. */
  readonly clock: Clock
  /** Every random choice: the same seed gives the same names and UIDs. */
  readonly seed?: number
  readonly objects?: readonly KubeObject[]
  /** `1.32` to `1.36`; when absent the minor of the newest kubelet among the objects, else the newest. */
  readonly kubernetesVersion?: string
  /** `*` and `-name`, as kube-controller-manager takes them; all when absent. */
  readonly controllers?: readonly string[]
  /** False leaves the part to a real one, or to a test. */
  readonly scheduler?: boolean
  readonly kubelet?: boolean
  /** HTTPS as well; port 0 takes a free one. Without it the twin is reached in memory only. */
  readonly listen?: { readonly port: number; readonly bind?: string }
  readonly authorization?: 'RBAC' | 'AlwaysAllow'
  readonly allowsAnonymous?: boolean
  /** Revisions that watches can go back. */
  readonly historyLimit?: number
  /** Further settings of the simulated components; false: none are started. */
  readonly components?: Partial<ComponentOptions> | false
  /** Sees every request with its answer: how traces of clients are recorded. */
  readonly onExchange?: (request: TwinRequest, answer: TwinResponse) => void
  /** Told of errors that are bugs, not answers. */
  readonly onUnexpected?: (error: unknown, request: { readonly method: string; readonly path: string }) => void
}

export interface Twin extends AsyncDisposable {
  /** Undefined where nothing is listened on. */
  readonly url: string | undefined
  /** A kubeconfig of the administrator, or of another user with the groups given. @throws where nothing is listened on. */
  kubeconfig(user?: { readonly name: string; readonly groups: readonly string[] }): Promise<string>
  /** The same handler as HTTP has, in memory. */
  transport(credentials: TransportCredentials): Transport
  readonly access: ClusterAccess
  /** The simulated cluster behind the API server; undefined where it was not started. */
  readonly components: Components | undefined
  /** A bearer token of a ServiceAccount that exists. @throws StatusError 404 */
  issueToken(ask: TokenAsk): Promise<string>
  /** Puts objects into the cluster as they are, with their identities and status. */
  load(objects: readonly KubeObject[]): LoadReport
  /** What the load at the start left out. */
  readonly report: LoadReport
  readonly requests: { readonly entries: readonly LoggedRequest[]; readonly total: number }
  /** Resolves when nothing moves any more: on a virtual clock it is driven there. @throws Error at the limit. */
  settle(options: { readonly limitMs: number }): Promise<void>
  stop(): Promise<void>
}

/** Starts a twin; it answers when this resolves. @throws InputError on an unknown version, Error when the port is taken. */
export async function startTwin(options: TwinOptions): Promise<Twin> {
  const server = apiServer(options)
  const writes = new WritePipeline(server)
  const deletion = new Deletion(server, writes)
  const caller = webhookCaller(server.store)
  const webhooks = new Webhooks(server, caller.call)
  const log = new RequestLog()
  const authorizer = new Authorizer(server.store, options.authorization ?? 'RBAC')
  const tokens = await Tokens.make(server)
  bootstrap(server)
  const report = loadObjects(server, options.objects ?? [])
  let components: Components | undefined
  const handler = requestHandler({
    server,
    resources: new ResourceHandlers({ server, writes, deletion, webhooks, authorizer, tokens, usage: () => components?.usage }),
    authorizer,
    checkToken: async token => {
      const verdict = await tokens.verify(token)
      return verdict.ok ? verdict.user : undefined
    },
    log,
    allowsAnonymous: options.allowsAnonymous ?? false,
    onUnexpected: options.onUnexpected ?? rethrowLater,
    ...(options.onExchange === undefined ? {} : { onExchange: options.onExchange }),
  })
  const access = clusterAccess({ server, writes, deletion, webhooks })
  const stack = new AsyncDisposableStack()
  stack.defer(() => caller.close())
  const listening = options.listen === undefined ? undefined : await listen(handler, options.listen)
  if (listening !== undefined) stack.defer(() => listening.http.close())
  components = startedComponents(options, { server, access, report, rootCertificate: listening?.authority.certificate })
  if (components !== undefined) stack.use(components)
  const running = components
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
    components: running,
    issueToken: async ask => (await tokens.issue(ask)).token,
    load: objects => {
      const loading = loadObjects(server, objects)
      running?.snapshotLoaded(loading.absentOwners)
      return loading
    },
    report,
    requests: log,
    settle: limits => settle(options.clock, running, limits),
    stop: () => stack.disposeAsync(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

interface Cluster {
  readonly server: ApiServer
  readonly access: ClusterAccess
  readonly report: LoadReport
  readonly rootCertificate: string | undefined
}

function startedComponents(options: TwinOptions, { server, access, report, rootCertificate }: Cluster): Components | undefined {
  if (options.components === false) return undefined
  const { controllers, scheduler, kubelet } = options
  return startComponents(access, {
    clock: options.clock,
    random: server.random,
    minorVersion: server.minor,
    absentOwners: report.absentOwners,
    ...(rootCertificate === undefined ? {} : { rootCertificate }),
    ...(controllers === undefined ? {} : { controllers }),
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(kubelet === undefined ? {} : { kubelet }),
    ...options.components,
  })
}

function apiServer(options: TwinOptions): ApiServer {
  const minor = options.kubernetesVersion === undefined ? kubeletMinor(options.objects ?? []) : minorOf(options.kubernetesVersion)
  if (minor === undefined)
    throw new Error(`Kubernetes ${options.kubernetesVersion ?? ''} is not one the twin can play; 1.32 to 1.36 are`)
  const random: Random = seededRandom(options.seed ?? 1)
  const history = options.historyLimit
  return {
    store: new Store(history === undefined ? {} : { historyLimit: history }),
    resources: new ResourceRegistry(),
    clock: options.clock,
    wire: systemClock,
    random,
    minor,
  }
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

async function listen(handler: Handler, where: { readonly port: number; readonly bind?: string }): Promise<Listening> {
  const bind = where.bind ?? '127.0.0.1'
  const authority = await makeAuthority(systemClock.now(), [bind])
  const http = await startHttpServer(handler, authority.server, { port: where.port, bind })
  const host = bind.includes(':') ? `[${bind}]` : bind
  return { http, url: `https://${host}:${http.port}`, authority }
}

function rethrowLater(error: unknown, request: Pick<TwinRequest, 'method' | 'path'>): void {
  queueMicrotask(() => {
    throw new Error(`the twin could not answer ${request.method} ${request.path}`, { cause: error })
  })
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
    if (clock.elapsed() > untilMs)
      throw new Error(`the cluster still moves after ${limitMs} ms: ${components.moving().join('; ')}`)
    if (clock instanceof VirtualClock && !clock.step()) return
  }
}
