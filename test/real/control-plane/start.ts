// Starts a real control plane on loopback: etcd, kube-apiserver, and on demand kube-scheduler and kube-controller-manager.
// There are no kubelets: nodes and pod statuses are what the caller writes.
// By hand: `node test/real/control-plane/start.ts [1.34|1.36|off]` prints the kubeconfig's path and runs until Ctrl-C.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { atEnd } from '../endings.ts'
import { ApiClient } from './api-client.ts'
import { componentPath, type MinorVersion } from './build.ts'
import { type CertificateAndKey, type Certificates, type FrontProxy, makeCertificates } from './certificates.ts'
import { etcdPath } from './debian.ts'
import { freePorts } from './free-ports.ts'

export interface ControlPlaneOptions {
  /** `off` leaves pods Pending; {@link ControlPlane.startScheduler} can start one later. */
  readonly scheduler: MinorVersion | 'off'
  /** Minor version of the API server and of the controllers; 1.36 without it. */
  readonly server?: MinorVersion
  /** Runs all controllers but those that judge nodes by their heartbeats, which nobody sends here. */
  readonly controllerManager: boolean
  /** Further flags of the controller manager, which win over the ones it has here. */
  readonly controllerFlags?: readonly string[]
  /** Gets each line of the controller manager's log. */
  readonly onControllerLine?: (line: string) => void
  /** Has the API server write down who asked for what, for {@link ControlPlane.answered}. */
  readonly audit?: boolean
  /** Leaves the admission of ServiceAccounts on: pods need one, and mount its token. */
  readonly serviceAccounts?: boolean
  /** The API server asks webhooks and further API servers at their pods: nobody makes Services' addresses lead anywhere. */
  readonly asksEndpoints?: boolean
  /** For clusters of real kubelets: where the programs run. Nodes are judged, and kubelets may do what a kubelet may. */
  readonly place?: ControlPlanePlace
}

/** A network namespace of its own, that nodes can reach. */
export interface ControlPlanePlace {
  readonly namespace: string
  /** Address by which this process reaches it. */
  readonly reach: string
  /** Address by which nodes reach it. */
  readonly address: string
}

/** Address of the Service `kubernetes`. */
export const kubernetesAddress = '10.0.0.1'

export interface SchedulerOptions {
  readonly version: MinorVersion
  readonly flags?: readonly string[]
  /** Fields of a KubeSchedulerConfiguration (`profiles`, `percentageOfNodesToScore`, …); the defaults without it. */
  readonly configuration?: Readonly<Record<string, unknown>>
  /** Gets each line of its log. */
  readonly onLine?: (line: string) => void
}

/** As the API server's audit log has it. */
export interface AnsweredRequest {
  readonly user: string
  /** What the client calls itself. */
  readonly agent: string
  readonly verb: string
  readonly path: string
  readonly code: number
  /** When it was received, in milliseconds since 1970. */
  readonly receivedMs: number
}

export interface ControlPlane {
  /** Path of a kubeconfig with a client certificate of group `system:masters`. */
  readonly kubeconfig: string
  readonly server: string
  /** Where etcd answers, for objects that no client can write as they are: with times of their own. */
  readonly etcd: string
  readonly serverVersion: string
  /** A client with the same rights; closed by {@link stop}. */
  readonly client: ApiClient
  startScheduler(options: SchedulerOptions): Promise<void>
  /** Halts kube-controller-manager until the returned function is called: nothing is replaced meanwhile. */
  haltControllers(): () => void
  /** Halts kube-apiserver as it is until the returned function is called: connections stay, and nothing is answered. */
  haltServer(): () => void
  /** A client certificate of another user: `CN=jane, O=dev`. */
  issueClient(subject: string): Promise<CertificateAndKey>
  /** What API servers' certificates and client certificates are checked by. */
  readonly authority: string
  /** Has the API server show itself to aggregated API servers with another certificate; it notices within a minute. */
  replaceFrontProxy(frontProxy: FrontProxy): void
  /** What it shows itself with at first. */
  readonly frontProxy: FrontProxy
  /** Requests that were answered so far, oldest first; none without `audit`. */
  answered(): readonly AnsweredRequest[]
  /** Ends the programs and removes what they have written. */
  stop(): Promise<void>
}

/** It serves schedulers of both recorded versions. */
const newestServer: MinorVersion = '1.36'
const startTimeoutMs = 120_000

/** Starts the programs and yields when the API server is ready. Throws PartUnavailable where a program cannot be had. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const serverMinor = options.server ?? newestServer
  const programs = {
    etcd: await etcdPath(),
    server: await componentPath('kube-apiserver', serverMinor),
    controllers: options.controllerManager ? await componentPath('kube-controller-manager', serverMinor) : undefined,
  }
  const directory = mkdtempSync(join(tmpdir(), 'ballast-control-plane-'))
  const { place } = options
  const processes = new Processes(directory, place?.namespace)
  const addresses = place === undefined ? [] : [place.reach, place.address, kubernetesAddress]
  const certificates = await makeCertificates(addresses)
  // In a namespace of its own every port is free, and a Service's port leads there without a proxy.
  const [etcdPort = 0, peerPort = 0, port = 0] = place === undefined ? await freePorts(3) : [2379, 2380, 443]
  const server = `https://${place?.reach ?? '127.0.0.1'}:${port}`
  const client = new ApiClient(server, certificates)
  const kubeconfig = writeFiles(directory, server, certificates)
  const stop = async () => {
    await client.close()
    await processes.stop()
  }
  try {
    processes.start(programs.etcd, etcdFlags(join(directory, 'etcd'), etcdPort, peerPort))
    processes.start(programs.server, [
      ...serverFlags(directory, etcdPort, port),
      ...(place === undefined
        ? [
            '--authorization-mode=RBAC',
            `--disable-admission-plugins=${[...unwantedAdmission, ...(options.serviceAccounts === true ? [] : ['ServiceAccount'])]}`,
          ]
        : placedFlags(directory, place)),
      ...(options.audit === true ? auditFlags(directory) : []),
      ...(options.asksEndpoints === true ? ['--enable-aggregator-routing'] : []),
    ])
    await untilReady(client, processes)
    if (programs.controllers !== undefined) {
      processes.start(
        programs.controllers,
        [...controllerFlags(directory, place !== undefined), ...(options.controllerFlags ?? [])],
        options.onControllerLine,
      )
    }
    const haltControllers = () => {
      processes.signal(programs.controllers, 'SIGSTOP')
      return () => processes.signal(programs.controllers, 'SIGCONT')
    }
    const haltServer = () => {
      processes.signal(programs.server, 'SIGSTOP')
      return () => processes.signal(programs.server, 'SIGCONT')
    }
    const version = (await client.want('GET', '/version')) as { readonly gitVersion?: unknown }
    const startScheduler = async ({ version: minor, flags = [], configuration, onLine }: SchedulerOptions) => {
      const program = await componentPath('kube-scheduler', minor)
      const connection =
        configuration === undefined
          ? [`--kubeconfig=${kubeconfig}`]
          : [`--config=${writeConfiguration(directory, kubeconfig, configuration)}`]
      processes.start(program, [...connection, '--leader-elect=false', '--secure-port=0', ...flags], onLine)
    }
    if (options.scheduler !== 'off') await startScheduler({ version: options.scheduler })
    return {
      kubeconfig,
      server,
      etcd: `http://127.0.0.1:${etcdPort}`,
      serverVersion: String(version.gitVersion),
      client,
      startScheduler,
      haltControllers,
      haltServer,
      issueClient: certificates.issueClient,
      authority: certificates.authority,
      frontProxy: certificates.frontProxy,
      replaceFrontProxy: frontProxy => writeFrontProxy(directory, frontProxy),
      answered: () => auditedRequests(directory),
      stop,
    }
  } catch (cause) {
    await stop()
    throw cause
  }
}

/** The programs of one control plane: their last lines are kept for the message when one ends too soon. */
class Processes {
  readonly #children: { readonly program: string; readonly child: ChildProcess }[] = []
  #failure: Error | undefined
  #isStopping = false
  readonly #directory: string
  readonly #namespace: string | undefined
  readonly #isEnded: () => void

  /** `directory` is removed with the programs: here, or when this process ends before. They run in the network namespace, where one is named. */
  constructor(directory: string, namespace: string | undefined) {
    this.#directory = directory
    this.#namespace = namespace
    this.#isEnded = atEnd(() => {
      for (const { child } of this.#children) child.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    })
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  start(program: string, flags: readonly string[], onLine?: (line: string) => void): void {
    const [command = program, ...args] =
      this.#namespace === undefined ? [program, ...flags] : ['ip', 'netns', 'exec', this.#namespace, program, ...flags]
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const lastLines: string[] = []
    let rest = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine?.(line)
      lastLines.push(...lines)
      lastLines.splice(0, lastLines.length - 10)
    })
    child.on('error', cause => {
      this.#failure ??= new Error(`${program} did not start`, { cause })
    })
    child.on('exit', (code, signal) => {
      if (this.#isStopping) return
      this.#failure ??= new Error(`${program} ended (${code ?? signal}): ${lastLines.join('\n')}`)
    })
    this.#children.push({ program, child })
  }

  /** Signals those that run `program`. */
  signal(program: string | undefined, signal: NodeJS.Signals): void {
    for (const started of this.#children) if (started.program === program) started.child.kill(signal)
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    // Last started, first ended: else the others log that their server is gone.
    for (const { child } of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue
      const { promise, resolve } = Promise.withResolvers<void>()
      child.once('exit', () => resolve())
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), 2_000)
      await promise
      clearTimeout(force)
    }
    this.#isEnded()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

async function untilReady(client: ApiClient, processes: Processes): Promise<void> {
  const deadline = Date.now() + startTimeoutMs
  let last: unknown
  while (Date.now() < deadline) {
    if (processes.failure !== undefined) throw processes.failure
    try {
      const answer = await client.send('GET', '/readyz')
      if (answer.status === 200) return
      last = answer.body
    } catch (cause) {
      last = cause
    }
    await pause(50)
  }
  throw new Error(`kube-apiserver was not ready after ${startTimeoutMs / 1000} s`, { cause: last })
}

function writeFiles(directory: string, server: string, certificates: Certificates): string {
  const files: Record<string, string> = {
    'authority.crt': certificates.authority,
    'authority.key': certificates.authorityKey,
    'server.crt': certificates.server.certificate,
    'server.key': certificates.server.key,
    'admin.crt': certificates.admin.certificate,
    'admin.key': certificates.admin.key,
    'tokens.key': certificates.tokens.privateKey,
    'tokens.pub': certificates.tokens.publicKey,
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o600 })
  writeFrontProxy(directory, certificates.frontProxy)
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const kubeconfig = join(directory, 'kubeconfig')
  // JSON is YAML: what reads kubeconfig files reads this.
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'real',
    contexts: [{ name: 'real', context: { cluster: 'real', user: 'admin' } }],
    clusters: [{ name: 'real', cluster: { server, 'certificate-authority-data': base64(certificates.authority) } }],
    users: [
      {
        name: 'admin',
        user: {
          'client-certificate-data': base64(certificates.admin.certificate),
          'client-key-data': base64(certificates.admin.key),
        },
      },
    ],
  }
  writeFileSync(kubeconfig, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 })
  return kubeconfig
}

function writeFrontProxy(directory: string, { authority, certificate, key }: FrontProxy): void {
  const files = { 'front-proxy-authority.crt': authority, 'front-proxy.crt': certificate, 'front-proxy.key': key }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o600 })
}

function writeConfiguration(directory: string, kubeconfig: string, configuration: Readonly<Record<string, unknown>>): string {
  const file = join(directory, 'scheduler.json')
  const content = {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    clientConnection: { kubeconfig },
    ...configuration,
  }
  writeFileSync(file, JSON.stringify(content), { mode: 0o600 })
  return file
}

function etcdFlags(dataDirectory: string, clientPort: number, peerPort: number): string[] {
  const client = `http://127.0.0.1:${clientPort}`
  const peer = `http://127.0.0.1:${peerPort}`
  return [
    `--data-dir=${dataDirectory}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
    '--log-level=error',
  ]
}

function serverFlags(directory: string, etcdPort: number, port: number): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${join(directory, 'server.crt')}`,
    `--tls-private-key-file=${join(directory, 'server.key')}`,
    `--client-ca-file=${join(directory, 'authority.crt')}`,
    `--requestheader-client-ca-file=${join(directory, 'front-proxy-authority.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${join(directory, 'front-proxy.crt')}`,
    `--proxy-client-key-file=${join(directory, 'front-proxy.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-signing-key-file=${join(directory, 'tokens.key')}`,
    `--service-account-key-file=${join(directory, 'tokens.pub')}`,
    '--service-cluster-ip-range=10.0.0.0/16',
    '--allow-privileged',
    '--enable-priority-and-fairness=false',
  ]
}

/** Listens where nodes and pods find it; kubelets have the rights of their own node, as in every cluster that is well kept. */
function placedFlags(directory: string, { address }: ControlPlanePlace): string[] {
  return [
    '--bind-address=0.0.0.0',
    `--advertise-address=${address}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    // Nobody makes Services' addresses lead anywhere here: webhooks are asked at their pods.
    '--enable-aggregator-routing',
    '--kubelet-preferred-address-types=InternalIP',
    `--kubelet-client-certificate=${join(directory, 'admin.crt')}`,
    `--kubelet-client-key=${join(directory, 'admin.key')}`,
  ]
}

/** Nobody here would take the not-ready taint from a new node. */
const unwantedAdmission = ['TaintNodesByCondition']

function auditFlags(directory: string): string[] {
  const policy = join(directory, 'audit-policy.json')
  const content = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived', 'ResponseStarted'],
    rules: [{ level: 'Metadata' }],
  }
  writeFileSync(policy, JSON.stringify(content))
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${join(directory, auditFile)}`, '--audit-log-mode=blocking']
}

const auditFile = 'audit.log'

function auditedRequests(directory: string): readonly AnsweredRequest[] {
  const file = join(directory, auditFile)
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map(line => {
    const { user, userAgent = '', verb, requestURI, responseStatus, requestReceivedTimestamp }: AuditEvent = JSON.parse(line)
    const answer = { code: responseStatus?.code ?? 0, receivedMs: Date.parse(requestReceivedTimestamp) }
    return { user: user.username, agent: userAgent, verb, path: requestURI.split('?')[0] ?? '', ...answer }
  })
}

interface AuditEvent {
  readonly user: { readonly username: string }
  readonly userAgent?: string
  readonly verb: string
  readonly requestURI: string
  readonly requestReceivedTimestamp: string
  readonly responseStatus?: { readonly code?: number }
}

function controllerFlags(directory: string, judgesNodes: boolean): string[] {
  return [
    `--kubeconfig=${join(directory, 'kubeconfig')}`,
    '--leader-elect=false',
    '--secure-port=0',
    `--root-ca-file=${join(directory, 'authority.crt')}`,
    `--service-account-private-key-file=${join(directory, 'tokens.key')}`,
    `--controllers=${judgesNodes ? '*' : '*,-node-lifecycle-controller,-taint-eviction-controller'}`,
    // Kubelets may ask for certificates; those that are approved are signed.
    ...(judgesNodes
      ? [
          `--cluster-signing-cert-file=${join(directory, 'authority.crt')}`,
          `--cluster-signing-key-file=${join(directory, 'authority.key')}`,
        ]
      : []),
  ]
}

if (import.meta.main) {
  const wanted = process.argv[2] ?? '1.36'
  const scheduler = (['1.34', '1.36', 'off'] as const).find(known => known === wanted)
  if (scheduler === undefined) throw new Error('usage: start.ts [1.34|1.36|off]')
  const { kubeconfig, serverVersion } = await startControlPlane({ scheduler, controllerManager: true })
  console.log(`Kubernetes ${serverVersion}: export KUBECONFIG=${kubeconfig}`)
}
