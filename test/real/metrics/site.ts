// A real control plane with nodes whose kubelets are ours, and two metrics servers beside each other on them: upstream's and Ballast's.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FakeKubelets } from '../../fake-kubelets.ts'
import { nodeObject, openKubelets, podObjects } from '../../metrics-cluster.ts'
import { apiPath } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { MetricsServers, type MetricsServerUnderTest, untilReady } from './servers.ts'

export class MetricsSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly servers: MetricsServerUnderTest[] = []
  readonly #programs: MetricsServers
  readonly #stack: AsyncDisposableStack

  private constructor(plane: ControlPlane, programs: MetricsServers, stack: AsyncDisposableStack) {
    this.plane = plane
    this.#programs = programs
    this.#stack = stack
  }

  /** Both servers run. */
  static async start(): Promise<MetricsSite> {
    await using stack = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
    stack.defer(() => plane.stop())
    const kubelets = stack.use(await FakeKubelets.start())
    await loadCluster(plane, kubelets)
    const programs = stack.use(await MetricsServers.open(plane))
    const site = new MetricsSite(plane, programs, stack.move())
    const flags = flagsOf(kubelets, programs.directory)
    try {
      for (const name of ['upstream', 'ours'] as const) site.servers.push(await programs.start(name, flags))
    } catch (cause) {
      await site[Symbol.asyncDispose]()
      throw cause
    }
    return site
  }

  /** Resolves when both have something to serve. */
  async ready(): Promise<void> {
    for (const server of this.servers) await untilReady(server)
  }

  /** Has the API server ask this one for metrics.k8s.io. */
  async putInPlace(server: MetricsServerUnderTest): Promise<void> {
    await this.#programs.putInPlace(server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

/** Flags of a server that asks these kubelets. */
export function flagsOf({ authority }: FakeKubelets, directory: string): readonly string[] {
  const file = join(directory, 'kubelets.pem')
  writeFileSync(file, authority.certificate)
  return ['--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname', `--kubelet-certificate-authority=${file}`]
}

export async function loadCluster({ client }: ControlPlane, kubelets: FakeKubelets): Promise<void> {
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
}
