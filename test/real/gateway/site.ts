// A real control plane with the HTTP add-on's kinds, and the programs in the way of requests there: the add-on's interceptor, or ours.
// Backends are programs of this machine: the interceptor dials names of Services, which a hosts file in a mount namespace of its own leads
// to the machine's address; ours dials what EndpointSlices say. A Service's port is the backend's own, as nobody translates it here.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { environment as ofTheImage } from '../../../scripts/image/build-image.ts'
import { gatewayMemory } from '../../../src/deployment/objects/gateway-objects.ts'
import { PartUnavailable } from '../cache.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { freePort, freePorts } from '../control-plane/free-ports.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { ended, until } from '../metrics/servers.ts'
import { upstreamPath, upstreamSource } from '../upstreams/build.ts'

/** Something that answers requests in place of backends. */
export interface Door {
  readonly port: number
  readonly adminPort: number
  /** Where metrics are served, on loopback. */
  readonly metricsPort: number
  readonly pid: number
  readonly output: () => string
  /** Tells it something; SIGKILL ends it as it is. */
  signal(signal: NodeJS.Signals): void
  hasEnded(): boolean
  stop(): Promise<void>
}

/** One of ours, which answers KEDA too. */
export interface OwnDoor extends Door {
  readonly scalerPort: number
}

/** Where a replica is to be, and as which pod. */
export interface ReplicaPlace {
  readonly pod: string
  readonly address: string
  readonly ports: { readonly traffic: number; readonly admin: number; readonly scaler: number }
}

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const outputLimit = 200_000
const startLimitMs = 90_000

/** An address of this machine that EndpointSlices may bear: they refuse loopback. @throws PartUnavailable where it has none */
export function machineAddress(): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find(one => one !== undefined && !one.internal && one.family === 'IPv4')
  if (found === undefined) throw new PartUnavailable('the machine has no address besides loopback')
  return found.address
}

const plurals: Readonly<Record<string, string>> = {
  Service: '/api/v1/namespaces/NAMESPACE/services',
  ConfigMap: '/api/v1/namespaces/NAMESPACE/configmaps',
  EndpointSlice: '/apis/discovery.k8s.io/v1/namespaces/NAMESPACE/endpointslices',
  InterceptorRoute: '/apis/http.keda.sh/v1beta1/namespaces/NAMESPACE/interceptorroutes',
  HTTPScaledObject: '/apis/http.keda.sh/v1alpha1/namespaces/NAMESPACE/httpscaledobjects',
  ScaledObject: '/apis/keda.sh/v1alpha1/namespaces/NAMESPACE/scaledobjects',
  Deployment: '/apis/apps/v1/namespaces/NAMESPACE/deployments',
}

/** Where objects of a kind are. */
export function collectionPath(kind: string, namespace = 'default'): string {
  const path = plurals[kind]
  if (path === undefined) throw new Error(`no path is known of ${kind}`)
  return path.replace('NAMESPACE', namespace)
}

/** A Service whose only port is the backend's, and the slice that leads there. */
export function backendObjects(name: string, port: number, isReady = true): readonly ApiObject[] {
  const address = machineAddress()
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { ports: [{ name: 'web', port, targetPort: port }] },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'web', port, protocol: 'TCP' }],
      endpoints: [{ addresses: [address], conditions: { ready: isReady } }],
    },
  ]
}

interface ProgramStart {
  readonly command: string
  readonly args: readonly string[]
  readonly environment: NodeJS.ProcessEnv
  readonly ports: Pick<Door, 'port' | 'adminPort' | 'metricsPort'>
  readonly name: string
  /** Loopback unless given. */
  readonly address?: string
}

export class GatewaySite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly directory: string
  readonly #stack: AsyncDisposableStack

  private constructor(plane: ControlPlane, directory: string, stack: AsyncDisposableStack) {
    this.plane = plane
    this.directory = directory
    this.#stack = stack
  }

  /** With the definitions of the add-on's release. @throws PartUnavailable */
  static async start(more: readonly ApiObject[] = []): Promise<GatewaySite> {
    await using stack = new AsyncDisposableStack()
    await upstreamSource('http-add-on-interceptor')
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
    stack.defer(() => plane.stop())
    const { directory, stack: own } = await begun(plane, more)
    stack.use(own)
    return new GatewaySite(plane, directory, stack.move())
  }

  /** On a control plane that somebody else ends. @throws PartUnavailable */
  static async on(plane: ControlPlane, more: readonly ApiObject[] = []): Promise<GatewaySite> {
    const { directory, stack } = await begun(plane, more)
    return new GatewaySite(plane, directory, stack)
  }

  /** Makes objects, some at one time. */
  async make(objects: readonly ApiObject[]): Promise<void> {
    const left = [...objects]
    const worker = async () => {
      for (let object = left.shift(); object !== undefined; object = left.shift())
        await this.plane.client.want('POST', collectionPath(object.kind, object.metadata.namespace), object)
    }
    await Promise.all(Array.from({ length: 8 }, worker))
  }

  /** The add-on's interceptor; `services` are the names (`service.namespace`) that it may dial. @throws PartUnavailable */
  async upstream(services: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Door> {
    const program = await upstreamPath('http-add-on-interceptor')
    const hosts = join(this.directory, `hosts-${services.length}-${await freePort()}`)
    const lines = services.map(name => `${machineAddress()} ${name}`)
    writeFileSync(hosts, ['127.0.0.1 localhost', ...lines, ''].join('\n'))
    const [port = 0, adminPort = 0, metricsPort = 0] = await freePorts(3)
    return await this.#start({
      name: 'the interceptor',
      command: 'unshare',
      args: ['-m', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, program, '--zap-log-level=error'],
      environment: {
        PATH: process.env['PATH'],
        KUBECONFIG: this.plane.kubeconfig,
        KEDA_HTTP_PROXY_PORT: String(port),
        KEDA_HTTP_ADMIN_PORT: String(adminPort),
        OTEL_PROM_EXPORTER_PORT: String(metricsPort),
        KEDA_HTTP_SHUTDOWN_DELAY: '0s',
        ...environment,
      },
      ports: { port, adminPort, metricsPort },
    })
  }

  /** Ours: `command` starts Ballast's command line; `more` goes into the gateway's section of its configuration. At free ports unless `place` is given. */
  async ours(command: readonly string[], more: Readonly<Record<string, unknown>> = {}, place?: ReplicaPlace): Promise<OwnDoor> {
    const [metricsPort = 0, ...free] = await freePorts(4)
    const [traffic = 0, admin = 0, scaler = 0] = free
    const ports = place?.ports ?? { traffic, admin, scaler }
    const address = place?.address ?? '127.0.0.1'
    const config = join(this.directory, `config-${metricsPort}.yaml`)
    const section = {
      ports,
      bind: address,
      drain: { delay: '0s', timeout: '5s' },
      ...more,
    }
    const content = { apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration', capabilities: { gateway: section } }
    writeFileSync(config, JSON.stringify(content))
    const [program = '', ...first] = command
    const door = await this.#start({
      name: 'ballast gateway',
      command: program,
      args: [
        ...first,
        'gateway',
        `--config=${config}`,
        `--kubeconfig=${this.plane.kubeconfig}`,
        '--enable=gateway',
        `--health-probe-bind-address=127.0.0.1:${metricsPort}`,
        '--log-level=warn',
      ],
      environment: {
        ...ofTheImage,
        ...(place === undefined ? {} : { BALLAST_POD_NAME: place.pod }),
        // Where HAProxy is looked for.
        PATH: process.env['PATH'],
        ...gatewayMemory,
        NODE_OPTIONS: `--disable-warning=ExperimentalWarning ${gatewayMemory.NODE_OPTIONS.replace(/--max-old-space-size\S+/, '--max-old-space-size=384')}`,
      },
      ports: { port: ports.traffic, adminPort: ports.admin, metricsPort },
      address,
    })
    return { ...door, scalerPort: ports.scaler }
  }

  async #start({ name, command, args, environment, ports, address = '127.0.0.1' }: ProgramStart): Promise<Door> {
    const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment })
    const isOver = atEnd(() => child.kill('SIGKILL'))
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-outputLimit)
      })
    const stop = async () => {
      await ended(child)
      isOver()
    }
    this.#stack.defer(stop)
    await until(
      () => `${name} to be ready: ${output.slice(-2_000)}`,
      async () => {
        if (child.exitCode !== null) throw new Error(`${name} ended: ${output.slice(-4_000)}`)
        return await fetch(`http://${address}:${ports.adminPort}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        )
      },
      startLimitMs,
    )
    if (child.pid === undefined) throw new Error(`${name} did not start`)
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null
    return { ...ports, pid: child.pid, output: () => output, signal: signal => void child.kill(signal), hasEnded, stop }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

/** The add-on's kinds are served, and there is a directory for files of a check. */
async function begun(plane: ControlPlane, more: readonly ApiObject[]) {
  await using stack = new AsyncDisposableStack()
  const folder = join(await upstreamSource('http-add-on-interceptor'), 'config', 'crd', 'bases')
  const kinds = [...readdirSync(folder).map(file => parse(readFileSync(join(folder, file), 'utf8')) as ApiObject), ...more]
  for (const definition of kinds) await plane.client.want('POST', definitions, definition)
  for (const { metadata } of kinds)
    await until(`${metadata.name} to be served`, async () => {
      const { status } = Object(await plane.client.want('GET', `${definitions}/${metadata.name}`))
      const conditions: readonly { readonly type: string; readonly status: string }[] = Object(status)['conditions'] ?? []
      return conditions.some(({ type, status: is }) => type === 'Established' && is === 'True')
    })
  const directory = mkdtempSync(join(tmpdir(), 'ballast-gateway-site-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  return { directory, stack: stack.move() }
}
