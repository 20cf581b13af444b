// Autoscalers with metrics served to them: what they ask for, and what holds them back.
import { workload } from './manifests.ts'
import type { MetricsTable } from './metrics-table.ts'
import type { Loose, Scenario, ScenarioRun } from './scenario.ts'

const kinds = ['HorizontalPodAutoscaler', 'Deployment'] as const

async function running(run: ScenarioRun, replicas: number, requests: Loose = { cpu: '100m', memory: '100Mi' }): Promise<void> {
  const containers = [{ name: 'main', image: 'registry.example/app:1', resources: { requests } }]
  await run.create('Deployment', workload('web', { replicas }, { containers }))
  await run.step('running', () => run.ready())
}

function autoscaler(run: ScenarioRun, spec: Loose, name = 'web'): Promise<void> {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
  return run.create('HorizontalPodAutoscaler', { metadata: { name }, spec: { scaleTargetRef, maxReplicas: 20, ...spec } })
}

const cpu = (averageUtilization: number): Loose => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
})

/** Every standing pod but `silent` ones uses this. */
async function usage(run: ScenarioRun, each: Readonly<Record<string, string>>, silent = 0): Promise<MetricsTable> {
  const pods = (await run.pods()).filter(pod => pod.metadata.deletionTimestamp === undefined).slice(silent)
  return { pods: Object.fromEntries(pods.map(pod => [pod.metadata.name, { main: each }])) }
}

/** One round of the autoscaler with these metrics. */
async function round(run: ScenarioRun, step: string, table: () => Promise<MetricsTable> | MetricsTable): Promise<void> {
  await run.step(step, async () => run.autoscalerRound(await table()))
}

export const autoscalerScenarios: readonly Scenario[] = [
  {
    name: 'scale-by-cpu',
    kinds,
    async play(run) {
      await running(run, 3)
      await autoscaler(run, { metrics: [cpu(50)] })
      await round(run, '80 of 50', () => usage(run, { cpu: '80m' }))
      await run.step('ready', () => run.ready())
      await round(run, '54 of 50', () => usage(run, { cpu: '54m' }))
      await round(run, '10 of 50', () => usage(run, { cpu: '10m' }))
      await round(run, '400 of 50', () => usage(run, { cpu: '400m' }))
    },
  },
  {
    name: 'scale-with-silent-pods',
    kinds,
    async play(run) {
      await running(run, 4)
      await autoscaler(run, { metrics: [cpu(50)], behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } })
      await round(run, 'one silent, up', () => usage(run, { cpu: '90m' }, 1))
      await round(run, 'new ones are not ready', () => usage(run, { cpu: '90m' }))
      await run.step('ready', () => run.ready())
      await round(run, 'one silent, down', () => usage(run, { cpu: '20m' }, 1))
    },
  },
  {
    name: 'scale-by-policies',
    kinds,
    async play(run) {
      await running(run, 4)
      const behavior = {
        scaleUp: { policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] },
        scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 25, periodSeconds: 20 }] },
      }
      await autoscaler(run, { metrics: [cpu(50)], minReplicas: 3, behavior })
      await round(run, 'far above', () => usage(run, { cpu: '400m' }))
      await run.step('ready', () => run.ready())
      await round(run, 'still far above', () => usage(run, { cpu: '400m' }))
      await round(run, 'far below', () => usage(run, { cpu: '1m' }))
      await round(run, 'still far below', () => usage(run, { cpu: '1m' }))
      await run.step('no more down', () =>
        run.patch('HorizontalPodAutoscaler', 'web', { spec: { behavior: { scaleDown: { selectPolicy: 'Disabled' } } } }),
      )
      await round(run, 'below, but held', () => usage(run, { cpu: '1m' }))
    },
  },
  {
    name: 'scale-with-tolerance',
    kinds,
    async play(run) {
      await running(run, 4)
      const behavior = {
        scaleUp: { tolerance: '0.5', stabilizationWindowSeconds: 0 },
        scaleDown: { tolerance: '0', stabilizationWindowSeconds: 0 },
      }
      await autoscaler(run, { metrics: [cpu(50)], behavior })
      await round(run, '70 of 50', () => usage(run, { cpu: '70m' }))
      await round(run, '37 of 50', () => usage(run, { cpu: '37m' }))
    },
  },
  {
    name: 'scale-within-limits',
    kinds,
    async play(run) {
      await running(run, 5)
      await autoscaler(run, { metrics: [cpu(50)], minReplicas: 6, maxReplicas: 8 })
      await run.step('below the least', () => run.wait(16_000))
      await run.step('ready', () => run.ready())
      await round(run, 'more than the most', () => usage(run, { cpu: '90m' }))
      await run.step('above the most', async () => {
        await run.patch('Deployment', 'web', { spec: { replicas: 10 } })
        await run.wait(16_000)
      })
      await run.step('at nothing', async () => {
        await run.patch('Deployment', 'web', { spec: { replicas: 0 } })
        await run.wait(16_000)
      })
    },
  },
  {
    name: 'scale-without-metrics',
    kinds,
    async play(run) {
      await running(run, 2, { memory: '100Mi' })
      await autoscaler(run, { metrics: [cpu(50)] })
      await round(run, 'none', () => ({}))
      await round(run, 'no request', () => usage(run, { cpu: '80m' }))
      await round(run, 'of other resources', () => usage(run, { memory: '80Mi' }))
    },
  },
  {
    name: 'scale-by-memory-and-container',
    kinds,
    async play(run) {
      await running(run, 2)
      const memory = { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '100Mi' } } }
      const container = {
        type: 'ContainerResource',
        containerResource: { name: 'cpu', container: 'main', target: { type: 'Utilization', averageUtilization: 60 } },
      }
      await autoscaler(run, { metrics: [memory, container] })
      await round(run, 'memory above', () => usage(run, { cpu: '30m', memory: '150Mi' }))
      await run.step('ready', () => run.ready())
      await round(run, 'container above', () => usage(run, { cpu: '120m', memory: '100Mi' }))
    },
  },
  {
    name: 'scale-by-pods-metric',
    kinds,
    async play(run) {
      await running(run, 4)
      const metric = {
        type: 'Pods',
        pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '100m' } },
      }
      await autoscaler(run, { metrics: [metric], behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } })
      const of = async (value: string, silent: number): Promise<MetricsTable> => {
        const pods = (await run.pods()).filter(pod => pod.metadata.deletionTimestamp === undefined).slice(silent)
        return { custom: { requests: Object.fromEntries(pods.map(pod => [pod.metadata.name, value])) } }
      }
      await round(run, 'three of four at half', () => of('50m', 1))
      await round(run, 'double', () => of('200m', 0))
      await round(run, 'not served', () => ({}))
    },
  },
  {
    name: 'scale-by-object-metric',
    kinds,
    async play(run) {
      await running(run, 2)
      const describedObject = { apiVersion: 'v1', kind: 'Service', name: 'front' }
      const target = { type: 'Value', value: '100' }
      await autoscaler(run, { metrics: [{ type: 'Object', object: { describedObject, metric: { name: 'hits' }, target } }] })
      await round(run, 'double', () => ({ objects: { hits: '200' } }))
      await run.step('by pod', () => {
        const average = { type: 'AverageValue', averageValue: '30' }
        const object = { describedObject, metric: { name: 'hits' }, target: average }
        return run.patch('HorizontalPodAutoscaler', 'web', { spec: { metrics: [{ type: 'Object', object }] } })
      })
      await round(run, 'by pod', () => ({ objects: { hits: '200' } }))
      await round(run, 'not served', () => ({}))
    },
  },
  {
    name: 'scale-by-external-metrics',
    kinds,
    async play(run) {
      await running(run, 2)
      const selector = { matchLabels: { queue: 'a' } }
      const length = {
        type: 'External',
        external: { metric: { name: 'length', selector }, target: { type: 'AverageValue', averageValue: '10' } },
      }
      const age = { type: 'External', external: { metric: { name: 'age' }, target: { type: 'Value', value: '60' } } }
      await autoscaler(run, { metrics: [length, age] })
      await round(run, 'long', () => ({ external: { length: ['30', '25'], age: ['30'] } }))
      await round(run, 'one fails, up', () => ({ external: { length: ['90'] } }))
      await round(run, 'one fails, down', () => ({ external: { age: ['1'] } }))
    },
  },
  {
    name: 'scale-of-nothing',
    kinds: ['HorizontalPodAutoscaler'],
    async play(run) {
      await autoscaler(run, { metrics: [cpu(50)] })
      await run.step('no target', () => run.wait(16_000))
      const scaleTargetRef = { apiVersion: 'example.com/v1', kind: 'Widget', name: 'w' }
      await autoscaler(run, { metrics: [cpu(50)], scaleTargetRef }, 'kindless')
      await run.step('no such kind', () => run.wait(16_000))
    },
  },
  {
    name: 'scale-by-two',
    kinds: ['HorizontalPodAutoscaler'],
    async play(run) {
      await running(run, 2)
      await autoscaler(run, { metrics: [cpu(50)] })
      await autoscaler(run, { metrics: [cpu(50)] }, 'web2')
      await run.step('both', () => run.wait(32_000))
    },
  },
  {
    name: 'autoscaler-versions',
    kinds: [],
    async play(run) {
      const v1 = `/apis/autoscaling/v1/namespaces/${run.namespace}/horizontalpodautoscalers`
      const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'none' }
      const others = [
        cpu(50),
        { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '100Mi' } } },
        { type: 'Pods', pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '100m' } } },
        {
          type: 'External',
          external: { metric: { name: 'age', selector: { matchLabels: { a: 'b' } } }, target: { type: 'Value', value: '60' } },
        },
      ]
      const behavior = {
        scaleUp: { policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] },
        scaleDown: { stabilizationWindowSeconds: 5 },
      }
      const read = async (path: string) => {
        const { metadata, ...rest } = (await run.want('GET', path)) as { readonly metadata: { readonly annotations?: Loose } }
        return { ...rest, annotations: parsed(metadata.annotations) }
      }
      await run.step(
        'written as v2, read as v1',
        async () => {
          await autoscaler(run, { metrics: others, behavior, scaleTargetRef }, 'two')
          return read(`${v1}/two`)
        },
        true,
      )
      await run.step(
        'written as v1, read as v2',
        async () => {
          const spec = { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 70 }
          await run.want('POST', v1, {
            apiVersion: 'autoscaling/v1',
            kind: 'HorizontalPodAutoscaler',
            metadata: { name: 'one' },
            spec,
          })
          return read(run.path('HorizontalPodAutoscaler', 'one'))
        },
        true,
      )
      await run.step(
        'v1 patched, read as v2',
        async () => {
          await run.want('PATCH', `${v1}/two`, { spec: { targetCPUUtilizationPercentage: 20, maxReplicas: 9 } })
          return read(run.path('HorizontalPodAutoscaler', 'two'))
        },
        true,
      )
      await run.step(
        'neither target',
        async () => {
          const spec = { scaleTargetRef, maxReplicas: 3 }
          await run.want('POST', v1, {
            apiVersion: 'autoscaling/v1',
            kind: 'HorizontalPodAutoscaler',
            metadata: { name: 'bare' },
            spec,
          })
          return [await read(`${v1}/bare`), await read(run.path('HorizontalPodAutoscaler', 'bare'))]
        },
        true,
      )
      await run.step(
        'conditions',
        async () => {
          await run.wait(16_000)
          return read(`${v1}/one`)
        },
        true,
      )
    },
  },
]

function parsed(annotations: Loose = {}): Loose {
  const values = Object.entries(annotations).map(([key, value]) => [key, JSON.parse(String(value))] as const)
  return Object.fromEntries(values)
}
