// Programs in metrics-server's place, upstream's and ours: started with equal flags and the rights that upstream's manifests give, asked directly.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { commandLine } from '../../cli/bundled.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { metricsAccount, upstreamMetricsRole } from '../../metrics-server-role.ts'
import { apiPath } from '../control-plane/api-client.ts'
import { freePort } from '../control-plane/free-ports.ts'
import type { ControlPlane, ControlPlanePlace } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { upstreamPath } from '../upstreams/build.ts'

export type Maker = 'upstream' | 'ours'

export interface MetricsServerUnderTest {
  readonly name: Maker
  readonly port: number
  readonly output: () => string
  readonly exited: () => number | null
  /** Asks it directly, as an administrator unless it is to be nobody. */
  ask(path: string, more?: AskOptions): Promise<{ readonly status: number; readonly contentType: string; readonly text: string }>
}

interface AskOptions {
  readonly method?: 'GET' | 'POST'
  readonly accept?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly isAnonymous?: boolean | undefined
}

const limitMs = 90_000

export async function until(
  what: string | (() => string),
  holds: () => Promise<boolean> | boolean,
  mostMs = limitMs,
): Promise<void> {
  const startedAt = Date.now()
  while (!(await holds())) {
    if (Date.now() - startedAt > mostMs) throw new Error(`waited in vain for ${typeof what === 'string' ? what : what()}`)
    await pause(200)
  }
}

/** Flags of all, whatever else a check gives: the shortest resolution that upstream takes. */
const commonFlags = ['--metric-resolution=10s', '--kubelet-request-timeout=5s', '--kubelet-use-node-status-port']

export class MetricsServers implements AsyncDisposable {
  readonly #plane: ControlPlane
  readonly #place: ControlPlanePlace | undefined
  readonly #kubeconfig: string
  readonly #directory: string
  readonly #agents: { readonly admin: Agent; readonly anonymous: Agent }
  readonly #stack: AsyncDisposableStack

  private constructor(
    plane: ControlPlane,
    place: ControlPlanePlace | undefined,
    kubeconfig: string,
    directory: string,
    agents: { readonly admin: Agent; readonly anonymous: Agent },
    stack: AsyncDisposableStack,
  ) {
    this.#plane = plane
    this.#place = place
    this.#kubeconfig = kubeconfig
    this.#directory = directory
    this.#agents = agents
    this.#stack = stack
  }

  /** Makes the account with its roles; `place` where servers run in the control plane's namespace. */
  static async open(plane: ControlPlane, place?: ControlPlanePlace): Promise<MetricsServers> {
    await using stack = new AsyncDisposableStack()
    for (const object of upstreamMetricsRole) await plane.client.want('POST', apiPath(object, object.metadata.namespace), object)
    const directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    const { name, namespace } = metricsAccount
    const review = await plane.client.want('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 7_200 },
    })
    const token = String(Reflect.get(Object(Object(review).status), 'token'))
    const kubeconfig = stack.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), token)).file
    const admin = await plane.issueClient('CN=ballast-admin, O=system:masters')
    const agents = {
      admin: new Agent({ connect: { rejectUnauthorized: false, cert: admin.certificate, key: admin.key } }),
      anonymous: new Agent({ connect: { rejectUnauthorized: false } }),
    }
    stack.defer(() => Promise.all([agents.admin.destroy(), agents.anonymous.destroy()]).then(() => undefined))
    return new MetricsServers(plane, place, kubeconfig, directory, agents, stack.move())
  }

  /** A directory for files of a check. */
  get directory(): string {
    return this.#directory
  }

  async start(name: Maker, flags: readonly string[]): Promise<MetricsServerUnderTest> {
    const port = await freePort()
    const host = this.#place?.reach ?? '127.0.0.1'
    const agents = this.#agents
    const access = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
      flag => `--${flag}=${this.#kubeconfig}`,
    )
    const serving = [
      `--secure-port=${port}`,
      `--bind-address=${this.#place === undefined ? host : '0.0.0.0'}`,
      `--cert-dir=${join(this.#directory, String(port))}`,
    ]
    const program =
      name === 'upstream' ? [await upstreamPath('metrics-server')] : [process.execPath, commandLine, 'metrics-server']
    const within = this.#place === undefined ? [] : ['ip', 'netns', 'exec', this.#place.namespace]
    const [command = '', ...args] = [...within, ...program, ...access, ...serving, ...commonFlags, ...flags]
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } })
    const isOver = atEnd(() => child.kill('SIGKILL'))
    this.#stack.defer(async () => {
      await ended(child)
      isOver()
    })
    const texts: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => texts.push(text))
    return {
      name,
      port,
      output: () => texts.join(''),
      exited: () => child.exitCode,
      async ask(path, { method = 'GET', accept = 'application/json', headers = {}, isAnonymous = false } = {}) {
        const answer = await request(`https://${host}:${port}${path}`, {
          method,
          dispatcher: isAnonymous ? agents.anonymous : agents.admin,
          headers: { accept, ...headers, ...(method === 'POST' ? { 'content-type': 'application/json' } : {}) },
          ...(method === 'POST' ? { body: '{}' } : {}),
        })
        return {
          status: answer.statusCode,
          contentType: String(answer.headers['content-type'] ?? ''),
          text: await answer.body.text(),
        }
      },
    }
  }

  /** Has the API server ask this one for metrics.k8s.io. */
  async putInPlace({ port, name }: MetricsServerUnderTest): Promise<void> {
    const { client } = this.#plane
    const service = `metrics-${name}`
    await client.want('POST', '/api/v1/namespaces/kube-system/services', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: service },
      spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port, name: 'https' }] },
    })
    const registration = '/apis/apiregistration.k8s.io/v1/apiservices'
    await client.send('DELETE', `${registration}/v1beta1.metrics.k8s.io`)
    await client.want('POST', registration, {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: 'v1beta1.metrics.k8s.io' },
      spec: {
        ...{ group: 'metrics.k8s.io', version: 'v1beta1', groupPriorityMinimum: 100, versionPriority: 100 },
        insecureSkipTLSVerify: true,
        service: { namespace: 'kube-system', name: service, port },
      },
    })
    await until(`the API of ${name}`, async () => (await client.send('GET', '/apis/metrics.k8s.io/v1beta1/nodes')).status === 200)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

/** Tells it to end, and sees that it does. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const { promise, resolve } = Promise.withResolvers<void>()
  child.once('exit', () => resolve())
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await promise
  clearTimeout(late)
}

/** Resolves when the server has something to serve. */
export async function untilReady({ name, ask, exited, output }: MetricsServerUnderTest): Promise<void> {
  await until(
    () => `${name} to be ready: ${output().slice(-2_000)}`,
    async () => {
      if (exited() !== null) throw new Error(`${name} ended: ${output()}`)
      return await ask('/readyz').then(
        ({ status }) => status === 200,
        () => false,
      )
    },
  )
}
