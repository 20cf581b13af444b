// A real control plane on which metrics-server stands by its own manifests, with processes in place of the pods of it and of Ballast's apiserver.
// Somebody asks `kubectl top nodes` each second.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeKubelets } from '../../fake-kubelets.ts'
import { metricsServerInstallation } from '../../metrics-swap-site.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { type Kubectl, kubectlOf } from '../helm/lifecycle.ts'
import { loadCluster } from '../metrics/site.ts'
import { apply } from '../reload/programs.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { Answers } from './answers.ts'
import { ballastProgram } from './ballast-program.ts'
import { PodProcesses } from './pod-processes.ts'

const upstreamPort = 10_250
/** The shortest that upstream takes. */
export const resolutionSeconds = 10

type Side = 'upstream' | 'ours'

export class MetricsRealSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly processes: PodProcesses<Side>
  /** Each second: whether callers were answered. */
  readonly answers = new Answers()
  readonly #kubectl: Kubectl
  readonly #stack: AsyncDisposableStack

  private constructor(plane: ControlPlane, kubectl: Kubectl, processes: PodProcesses<Side>, stack: AsyncDisposableStack) {
    this.plane = plane
    this.processes = processes
    this.#kubectl = kubectl
    this.#stack = stack
  }

  /** Upstream runs and answers. @throws PartUnavailable */
  static async open(): Promise<MetricsRealSite> {
    const program = await upstreamPath('metrics-server')
    await using stack = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, asksEndpoints: true })
    stack.defer(() => plane.stop())
    const kubelets = stack.use(await FakeKubelets.start())
    const directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-swap-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    writeFileSync(join(directory, 'kubelets.pem'), kubelets.authority.certificate)
    await loadCluster(plane, kubelets)
    const kubectl = await kubectlOf(plane)
    const processes = stack.use(
      new PodProcesses(plane, kubectl, address => ({
        upstream: {
          isOf: ({ metadata }) => metadata.labels?.['k8s-app'] === 'metrics-server',
          start: async (args, kubeconfig) => {
            const flags = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig']
            return { program, words: [...args, ...flags.map(flag => `--${flag}=${kubeconfig}`), `--cert-dir=${directory}`] }
          },
          readyUrl: `https://${address}:${upstreamPort}/readyz`,
        },
        ours: ballastProgram('apiserver', plane, { directory, address }),
      })),
    )
    await apply(plane, installation(directory) as readonly ApiObject[])
    processes.start()
    const site = new MetricsRealSite(plane, kubectl, processes, stack.move())
    try {
      processes.go(() => site.#ask(), 1_000)
      await processes.until(
        'upstream answers',
        () => site.answers.last?.isAnswered === true,
        () => String(site.answers.last?.said),
      )
      site.answers.taken()
    } catch (cause) {
      await site[Symbol.asyncDispose]()
      throw cause
    }
    return site
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  async #ask(): Promise<void> {
    const said = await this.#kubectl(['top', 'nodes']).catch((error: unknown) => `failed: ${String(error)}`)
    this.answers.add(/^n1 .*\d+m/m.test(said) && /^n2 .*\d+m/m.test(said), said)
  }
}

/** `components.yaml`, with the authority of the kubelets in a ConfigMap, which has to lie beside ours as well. */
function installation(directory: string): readonly unknown[] {
  const args = [
    '--cert-dir=/tmp',
    `--secure-port=${upstreamPort}`,
    '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
    '--kubelet-use-node-status-port',
    `--metric-resolution=${resolutionSeconds}s`,
    '--kubelet-request-timeout=5s',
    `--kubelet-certificate-authority=${join(directory, 'kubelets.pem')}`,
  ]
  const container = {
    name: 'metrics-server',
    image: 'registry.k8s.io/metrics-server/metrics-server:v0.9.0',
    args,
    ports: [{ name: 'https', containerPort: upstreamPort, protocol: 'TCP' }],
    volumeMounts: [{ name: 'kubelets', mountPath: directory, readOnly: true }],
  }
  const pod = { containers: [container], volumes: [{ name: 'kubelets', configMap: { name: 'kubelet-authority' } }] }
  const data = { 'kubelets.pem': readFileSync(join(directory, 'kubelets.pem'), 'utf8') }
  const file = (namespace: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kubelet-authority', namespace },
    data,
  })
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ballast-system' } },
    file('ballast-system'),
    file('kube-system'),
    ...metricsServerInstallation({ pod }),
  ]
}
