// A real control plane with nodes whose kubelets are ours, and two metrics servers beside each other on them: upstream's and Ballast's.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { commandLine } from '../../cli/bundled.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { FakeKubelets } from '../../fake-kubelets.ts'
import { nodeObject, openKubelets, podObjects } from '../../metrics-cluster.ts'
import { metricsAccount, upstreamMetricsRole } from '../../metrics-server-role.ts'
import { apiPath } from '../control-plane/api-client.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { upstreamPath } from '../upstreams/build.ts'

export interface MetricsServerUnderTest {
  readonly name: 'upstream' | 'ours'
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

export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const startedAt = Date.now()
  while (!(await holds())) {
    if (Date.now() - startedAt > limitMs) throw new Error(`waited in vain for ${what}`)
    await pause(200)
  }
}

export class MetricsSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly servers: MetricsServerUnderTest[] = []
  readonly #stack: AsyncDisposableStack

  private constructor(plane: ControlPlane, stack: AsyncDisposableStack) {
    this.plane = plane
    this.#stack = stack
  }

  /** Both servers run, with the shortest resolution that upstream takes. */
  static async start(): Promise<MetricsSite> {
    const program = await upstreamPath('metrics-server')
    await using stack = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
    stack.defer(() => plane.stop())
    const kubelets = stack.use(await FakeKubelets.start())
    const directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    await loadCluster(plane, kubelets)
    const { name, namespace } = metricsAccount
    const review = await plane.client.want('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 7_200 },
    })
    const token = String(Reflect.get(Object(Object(review).status), 'token'))
    const kubeconfig = stack.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), token)).file
    const authorityFile = join(directory, 'kubelets.pem')
    writeFileSync(authorityFile, kubelets.authority.certificate)
    const admin = await plane.issueClient('CN=ballast-admin, O=system:masters')
    const agents = {
      admin: new Agent({ connect: { rejectUnauthorized: false, cert: admin.certificate, key: admin.key } }),
      anonymous: new Agent({ connect: { rejectUnauthorized: false } }),
    }
    stack.defer(() => Promise.all([agents.admin.destroy(), agents.anonymous.destroy()]).then(() => undefined))
    const site = new MetricsSite(plane, stack.move())
    const ports = await freePorts(2)
    const programs = [
      ['upstream', program, []],
      ['ours', process.execPath, [commandLine, 'metrics-server']],
    ] as const
    for (const [at, [which, command, before]] of programs.entries()) {
      const port = ports[at] ?? 0
      const flags = [
        ...[
          `--kubeconfig=${kubeconfig}`,
          `--authentication-kubeconfig=${kubeconfig}`,
          `--authorization-kubeconfig=${kubeconfig}`,
        ],
        ...[`--secure-port=${port}`, '--bind-address=127.0.0.1', `--cert-dir=${join(directory, which)}`],
        ...['--metric-resolution=10s', '--kubelet-request-timeout=5s', '--kubelet-use-node-status-port'],
        ...[
          '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
          `--kubelet-certificate-authority=${authorityFile}`,
        ],
      ]
      const child = spawn(command, [...before, ...flags], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'] },
      })
      site.#stack.defer(() => ended(child))
      const texts: string[] = []
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => texts.push(text))
      site.servers.push({
        name: which,
        port,
        output: () => texts.join(''),
        exited: () => child.exitCode,
        async ask(path, { method = 'GET', accept = 'application/json', headers = {}, isAnonymous = false } = {}) {
          const answer = await request(`https://127.0.0.1:${port}${path}`, {
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
      })
    }
    return site
  }

  /** Resolves when both have something to serve. */
  async ready(): Promise<void> {
    for (const server of this.servers)
      await until(`${server.name} to be ready: ${server.output().slice(-2_000)}`, async () => {
        if (server.exited() !== null) throw new Error(`${server.name} ended: ${server.output()}`)
        return await server.ask('/readyz').then(
          ({ status }) => status === 200,
          () => false,
        )
      })
  }

  /** Has the API server ask this one for metrics.k8s.io. */
  async putInPlace({ port, name }: MetricsServerUnderTest): Promise<void> {
    const { client } = this.plane
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

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const { promise, resolve } = Promise.withResolvers<void>()
  child.once('exit', () => resolve())
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await promise
  clearTimeout(late)
}

async function loadCluster({ client }: ControlPlane, kubelets: FakeKubelets): Promise<void> {
  const beganMs = Math.ceil(Date.now() / 10_000) * 10_000
  for (const [name, { port }] of await openKubelets(kubelets, beganMs)) {
    const { status, ...node } = nodeObject(name, port)
    await client.want('POST', '/api/v1/nodes', node)
    await client.want('PATCH', `/api/v1/nodes/${name}/status`, { status })
  }
  for (const { status, ...object } of podObjects()) {
    const { namespace, name } = object.metadata
    await client.want('POST', apiPath(object, namespace), object)
    if (status !== undefined) await client.want('PATCH', `/api/v1/namespaces/${namespace}/pods/${name}/status`, { status })
  }
  for (const object of upstreamMetricsRole) await client.want('POST', apiPath(object, object.metadata.namespace), object)
}
