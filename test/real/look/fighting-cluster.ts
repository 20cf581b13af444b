// A real cluster in which real programs undo each other's work: the descheduler and the VPA's updater evict pods of one Deployment, an
// autoscaler and two that apply manifests set the replicas of another. There is no kubelet, and no scheduler: pods run where they are put.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseAllDocuments } from 'yaml'
import { type PodObject, startTinyKubelet } from '../ballast/tiny-kubelet.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { runOneCycle, upstreamCommand, upstreamProgram } from '../descheduler/programs.ts'
import { atEnd } from '../endings.ts'
import { ended } from '../metrics/servers.ts'
import { commandOutput } from '../run-command.ts'
import { upstreamPath, upstreamSource, upstreamVersion } from '../upstreams/build.ts'

const longestMs = 60_000
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const shop = '/apis/apps/v1/namespaces/shop/deployments'
const policy = JSON.stringify({
  apiVersion: 'descheduler/v1alpha2',
  kind: 'DeschedulerPolicy',
  profiles: [
    {
      name: 'hot',
      pluginConfig: [
        { name: 'DefaultEvictor', args: {} },
        { name: 'LowNodeUtilization', args: { thresholds: { cpu: 15 }, targetThresholds: { cpu: 50 } } },
      ],
      plugins: { balance: { enabled: ['LowNodeUtilization'] } },
    },
  ],
})

/** Puts web's pods on the node that is to be too full, everything else beside it. */
const place = ({ metadata }: PodObject) => (/^(web|hot)-/.test(metadata.name) ? 'hot' : 'calm')

export class FightingCluster implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly #stack: AsyncDisposableStack
  readonly #directory: string

  private constructor(plane: ControlPlane, stack: AsyncDisposableStack, directory: string) {
    this.plane = plane
    this.#stack = stack
    this.#directory = directory
  }

  /** Two nodes, and nothing on them. Throws PartUnavailable where a program cannot be had. */
  static async start(): Promise<FightingCluster> {
    await using stack = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true })
    stack.defer(() => plane.stop())
    const directory = mkdtempSync(join(tmpdir(), 'ballast-look-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    for (const name of ['hot', 'calm']) await plane.client.want('POST', '/api/v1/nodes', node(name))
    for (const name of ['shop', 'kube-tools']) await plane.client.want('POST', '/api/v1/namespaces', namespaceOf(name))
    const kubelet = await startTinyKubelet(plane.client, place)
    stack.defer(() => kubelet.stop())
    return new FightingCluster(plane, stack.move(), directory)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  /** A file of this cluster's. */
  file(name: string): string {
    return join(this.#directory, name)
  }

  async deploy(
    name: string,
    { namespace = 'shop', replicas = 1, cpu = '10m', memory = '64Mi', image = 'registry.example/app:1' } = {},
  ): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments`
    await this.plane.client.want('POST', path, deployment(name, { namespace, replicas, cpu, memory, image }))
    await this.until(`${replicas} pods of ${name}`, async () => {
      const { status } = (await this.plane.client.want('GET', `${path}/${name}`)) as { status?: { readyReplicas?: number } }
      return (status?.readyReplicas ?? 0) === replicas
    })
  }

  /** A CronJob that is switched off. */
  async sleepingCronJob(name: string, image: string): Promise<void> {
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] } }
    await this.plane.client.want('POST', '/apis/batch/v1/namespaces/kube-tools/cronjobs', {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name },
      spec: { schedule: '0 4 * * *', suspend: true, jobTemplate: { spec: { template } } },
    })
  }

  async until(what: string, isSo: () => Promise<boolean>, more: () => string = () => ''): Promise<void> {
    const deadline = Date.now() + longestMs
    while (!(await isSo())) {
      if (Date.now() > deadline) throw new Error(`not within ${longestMs / 1000} s: ${what} ${more()}`)
      await pause(200)
    }
  }

  async list(path: string): Promise<readonly ApiObject[]> {
    const { items } = await this.plane.client.want('GET', path)
    if (!Array.isArray(items)) throw new Error(`GET ${path}: found no items`)
    return items
  }

  /** The kind of the VPA, and one object that may replace web's pods and thinks them too large. */
  async wishOtherSizes(): Promise<void> {
    const { client } = this.plane
    const file = join(await upstreamSource('updater'), 'deploy', 'vpa-v1-crd-gen.yaml')
    for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
      const definition = document.toJS() as ApiObject | null
      if (definition === null) continue
      await client.want('POST', definitions, definition)
      await this.until(`${definition.metadata.name} served`, async () =>
        /"type":"Established","status":"True"|"status":"True","type":"Established"/.test(
          JSON.stringify(await client.want('GET', `${definitions}/${definition.metadata.name}`)).replaceAll(
            /"(lastTransitionTime|reason|message)":"[^"]*",?/g,
            '',
          ),
        ),
      )
    }
    await client.want('POST', verticalAutoscalers, verticalAutoscaler)
    const { status } = verticalAutoscaler
    await client.want('PATCH', `${verticalAutoscalers}/web/status`, { status })
  }

  /** One cycle of the descheduler, from a node that is too full to one that is empty. */
  async deschedule(): Promise<void> {
    await runOneCycle(await upstreamProgram(), { kubeconfig: readFileSync(this.plane.kubeconfig, 'utf8'), policy })
  }

  /** The VPA's updater, until it has evicted one of web's pods. */
  async update(): Promise<void> {
    const [port] = await freePorts(1)
    const program = startProgram(await upstreamPath('updater'), [
      ...updaterFlags,
      `--address=127.0.0.1:${port}`,
      `--kubeconfig=${this.plane.kubeconfig}`,
    ])
    try {
      await this.until(
        'an eviction by the updater',
        async () => {
          if (program.hasEnded()) throw new Error(`the updater ended: ${program.output()}`)
          return (await this.list('/api/v1/namespaces/shop/events')).some(event => /vpa-updater/.test(JSON.stringify(event)))
        },
        program.output,
      )
    } finally {
      await program.stop()
    }
  }

  /** An autoscaler sets the replicas of `app`, which whoever applies its manifest sets, too. */
  async scaleAndApply(): Promise<void> {
    await this.deploy('app')
    await this.plane.client.want('POST', '/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers', autoscaler)
    await this.until('three replicas of app', async () => (await this.#replicas()) === 3)
    const manifest = this.file('app.json')
    writeFileSync(
      manifest,
      JSON.stringify(
        deployment('app', { namespace: 'shop', replicas: 1, cpu: '10m', memory: '64Mi', image: 'registry.example/app:1' }),
      ),
    )
    const kubectl = await kubectlPath('newest')
    await commandOutput(kubectl, [`--kubeconfig=${this.plane.kubeconfig}`, ...applyWords, `--filename=${manifest}`], {
      timeoutMs: 60_000,
    })
    await this.until('three replicas of app again', async () => (await this.#replicas()) === 3)
  }

  async #replicas(): Promise<number> {
    const { spec } = (await this.plane.client.want('GET', `${shop}/app`)) as { spec?: { replicas?: number } }
    return spec?.replicas ?? 0
  }
}

const updaterFlags = ['--updater-interval=5s', '--use-admission-controller-status=false', '--min-replicas=1', '--v=4']
const applyWords = ['apply', '--server-side', '--force-conflicts', '--field-manager=kustomize-controller']

/** How a recording says what was run. */
export const commands = {
  descheduler: { version: upstreamVersion('descheduler'), command: upstreamCommand },
  updater: { version: upstreamVersion('updater'), command: `updater ${updaterFlags.join(' ')}` },
  kubectl: { version: 'newest', command: `kubectl ${applyWords.join(' ')}` },
} as const

const namespaceOf = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

function node(name: string) {
  const amounts = { cpu: '4', memory: '8Gi', pods: '110' }
  const conditions = [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }]
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    status: { allocatable: amounts, capacity: amounts, conditions },
  }
}

interface Wanted {
  readonly namespace: string
  readonly replicas: number
  readonly cpu: string
  readonly memory: string
  readonly image: string
}

function deployment(name: string, { namespace, replicas, cpu, memory, image }: Wanted) {
  const labels = { app: name }
  const containers = [{ name: 'main', image, resources: { requests: { cpu, memory } } }]
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { automountServiceAccountToken: false, containers } },
    },
  }
}

const verticalAutoscalers = '/apis/autoscaling.k8s.io/v1/namespaces/shop/verticalpodautoscalers'
const less = { cpu: '50m', memory: '64Mi' }
const verticalAutoscaler = {
  apiVersion: 'autoscaling.k8s.io/v1',
  kind: 'VerticalPodAutoscaler',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, updatePolicy: { updateMode: 'Recreate' } },
  status: {
    conditions: [{ type: 'RecommendationProvided', status: 'True', lastTransitionTime: '2026-03-01T00:00:00Z' }],
    recommendation: {
      containerRecommendations: [
        { containerName: 'main', target: less, lowerBound: less, upperBound: { cpu: '60m', memory: '128Mi' } },
      ],
    },
  },
}

const autoscaler = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'app', namespace: 'shop' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    minReplicas: 3,
    maxReplicas: 5,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
  },
}

interface Started {
  readonly hasEnded: () => boolean
  readonly output: () => string
  stop(): Promise<void>
}

function startProgram(program: string, args: readonly string[]): Started {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  const texts: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => texts.push(text))
  return {
    hasEnded: () => child.exitCode !== null,
    output: () => texts.slice(-40).join(''),
    async stop() {
      await ended(child)
      isOver()
    },
  }
}
