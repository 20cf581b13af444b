// Autoscalers that act on what Ballast serves: kube-controller-manager's, which changes how many pods there are, and VPA's recommender, which says
// how large they should be. Neither may complain.
import { deepStrictEqual, ok } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { freePort } from '../control-plane/free-ports.ts'
import { upstreamPath, upstreamSource } from '../upstreams/build.ts'
import { complaints } from './complaints.ts'
import { until } from './servers.ts'
import { type Load, SteeredSite } from './steered-site.ts'

const autoscalers = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers'
const deployments = '/apis/apps/v1/namespaces/default/deployments'

interface Scaled {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[]
    readonly currentMetrics?: readonly {
      readonly resource?: { readonly current: { readonly averageUtilization?: number } }
    }[]
  }
}

interface ClusterEvent {
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly involvedObject: { readonly kind: string }
}

/** Parts of a processor, shared by all pods as visitors are. */
const manyVisitors = 0.19
const fewVisitors = 0.01
const sidecarCores = 0.001
const wanted = 50
const mebibyte = 2 ** 20

export async function scaledByUse(): Promise<string> {
  const lines: string[] = []
  let visitors = manyVisitors
  const load: Load = (container, _, peers) => ({
    cores: container === 'app' ? visitors / peers : sidecarCores,
    bytes: 50 * mebibyte,
  })
  await using site = await SteeredSite.start(load, {
    controllerFlags: ['--horizontal-pod-autoscaler-sync-period=5s'],
    onControllerLine: line => lines.push(line),
  })
  const { client, serverVersion } = site.plane
  await site.deploy('web', 1, { app: { cpu: '100m' }, sidecar: { cpu: '10m' } })
  await site.untilMeasured(1)
  ok(lines.length > 0, 'kube-controller-manager has said nothing')
  const before = lines.length
  const target = { type: 'Utilization', averageUtilization: wanted }
  await client.want('POST', autoscalers, {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 8,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target } },
        { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'app', target } },
        { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
    },
  })
  const told = async () => {
    const scaler = (await client.want('GET', `${autoscalers}/web`)) as unknown as Scaled
    const { spec } = (await client.want('GET', `${deployments}/web`)) as unknown as {
      readonly spec: { readonly replicas: number }
    }
    const use = scaler.status?.currentMetrics?.[0]?.resource?.current.averageUtilization
    const metrics = scaler.status?.currentMetrics?.length
    return { replicas: spec.replicas, use, metrics, conditions: scaler.status?.conditions ?? [] }
  }
  const settles = async (replicas: number, most: number) => {
    const seen = { last: '' }
    await until(
      () => `${replicas} replicas with a use of at most ${most} %: ${seen.last}`,
      async () => {
        const now = await told()
        seen.last = JSON.stringify(now)
        return now.replicas === replicas && now.use !== undefined && now.use <= most && now.metrics === 3
      },
    )
    const { conditions } = await told()
    const active = conditions.find(({ type }) => type === 'ScalingActive')
    deepStrictEqual(active?.status, 'True', active?.message)
  }
  await settles(4, wanted)
  visitors = fewVisitors
  await settles(1, wanted)
  const { items } = (await client.want('GET', '/api/v1/namespaces/default/events')) as unknown as {
    readonly items: readonly ClusterEvent[]
  }
  const events = items.filter(({ involvedObject }) => involvedObject.kind === 'HorizontalPodAutoscaler')
  deepStrictEqual(
    events.filter(({ type }) => type !== 'Normal'),
    [],
  )
  deepStrictEqual(
    events.map(({ reason }) => reason),
    ['SuccessfulRescale', 'SuccessfulRescale'],
  )
  deepStrictEqual(
    complaints(lines.slice(before)).filter(line => /metric|horizontal|podautoscaler/i.test(line)),
    [],
  )
  return `kube-controller-manager ${serverVersion}: 1 pod to 4 and back to 1 by CPU of pods and of a container and by memory, two Events and no complaint`
}

const verticalAutoscalers = '/apis/autoscaling.k8s.io/v1/namespaces/default/verticalpodautoscalers'
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const uses = {
  app: { cores: 0.5, bytes: 600 * mebibyte },
  sidecar: { cores: 0.05, bytes: 300 * mebibyte },
} as const
/** Longer than kubelets say the same: a sample that is read twice is told of as an error, whoever serves it. */
const roundSeconds = 12
const leastRounds = 3
/** Its margin of 15 %, and a bucket of its histogram. */
const mostAbove = 1.3

interface Recommended {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly recommendation?: {
      readonly containerRecommendations?: readonly {
        readonly containerName: string
        readonly target: { readonly cpu: string; readonly memory: string }
      }[]
    }
  }
}

export async function recommended(): Promise<string> {
  const program = await upstreamPath('recommender')
  const file = join(await upstreamSource('recommender'), 'deploy', 'vpa-v1-crd-gen.yaml')
  await using site = await SteeredSite.start(container => uses[container === 'app' ? 'app' : 'sidecar'])
  const { client } = site.plane
  for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
    const definition = document.toJS() as { readonly metadata: { readonly name: string } } | null
    if (definition === null) continue
    await client.want('POST', definitions, definition)
    await until(`${definition.metadata.name} to be established`, async () => {
      const { status } = (await client.want('GET', `${definitions}/${definition.metadata.name}`)) as Recommended
      return status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True') === true
    })
  }
  await site.deploy('web', 2, { app: { cpu: '1', memory: '1Gi' }, sidecar: { cpu: '1', memory: '1Gi' } })
  await client.want('POST', verticalAutoscalers, {
    apiVersion: 'autoscaling.k8s.io/v1',
    kind: 'VerticalPodAutoscaler',
    metadata: { name: 'web' },
    spec: { targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, updatePolicy: { updateMode: 'Off' } },
  })
  await site.untilMeasured(2)
  const lines: string[] = []
  const flags = [`--recommender-interval=${roundSeconds}s`, `--address=127.0.0.1:${await freePort()}`]
  const recommender = site.startClient(program, flags, line => lines.push(line))
  const samples = () =>
    lines.flatMap(line => {
      const [, count = ''] = /fed with ContainerUsageSamples" sampleCount=(\d+)/.exec(line) ?? []
      return count === '' ? [] : [Number(count)]
    })
  let found: Recommended['status']
  await until(
    () => `a recommendation: ${lines.slice(-30).join('\n')}`,
    async () => {
      if (recommender.hasEnded()) throw new Error(`the recommender ended: ${recommender.log()}`)
      found = ((await client.want('GET', `${verticalAutoscalers}/web`)) as Recommended).status
      return (
        found?.recommendation?.containerRecommendations?.length === 2 &&
        samples().filter(count => count > 0).length >= leastRounds
      )
    },
  )
  for (const { containerName, target } of found?.recommendation?.containerRecommendations ?? []) {
    const { cores, bytes } = uses[containerName === 'app' ? 'app' : 'sidecar']
    const near = (what: string, value: number, use: number) =>
      ok(value >= use && value <= use * mostAbove, `${containerName}: ${what} of ${value}, used ${use}`)
    near('cores', Number(target.cpu.replace(/m$/, '')) / 1_000, cores)
    near('bytes', Number(target.memory.replace(/k$/, '000')), bytes)
  }
  deepStrictEqual(
    lines.filter(line => complaints([line]).length > 0 || /error|droppedSampleCount=[1-9]/i.test(line)),
    [],
  )
  const targets = found?.recommendation?.containerRecommendations?.map(
    ({ containerName, target }) => `${containerName} ${target.cpu}, ${target.memory}`,
  )
  return `VPA's recommender read ${samples().reduce((sum, one) => sum + one, 0)} samples and recommends ${targets?.join('; ')}, without a complaint`
}
