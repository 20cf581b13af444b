// How many pods a second `simulate` places: 10,000 pods of 200 Deployments on 1,000 nodes, plain and with spread and anti-affinity, through a
// scenario from its text to its report. Run it alone: `node bench/simulate.ts`.
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { systemClock } from '#kube/clock.ts'
import { readScenario } from '#planning/simulation/read-scenario.ts'
import { simulate } from '#planning/simulation/simulate.ts'

const nodeCount = 1_000
const workloadCount = 200
const podsOfWorkload = 50

function deployment(index: number, constraints: object): object {
  const app = `app-${index}`
  const requests = { cpu: `${50 + (index % 20) * 25}m`, memory: `${64 + (index % 16) * 64}Mi` }
  const template = {
    metadata: { labels: { app } },
    spec: { containers: [{ name: 'main', resources: { requests } }], ...constraints },
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app, namespace: 'bench' },
    spec: { replicas: podsOfWorkload, selector: { matchLabels: { app } }, template },
  }
}

const constrained = (index: number) => {
  const labelSelector = { matchLabels: { app: `app-${index}` } }
  const spread = { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector }
  const apart = { weight: 100, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector } }
  return {
    topologySpreadConstraints: [spread],
    affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [apart] } },
  }
}

async function measure(name: string, constraints: (index: number) => object, target: number): Promise<void> {
  const zones = [0, 1, 2].map(zone => ({
    addNode: {
      name: `node-${zone}`,
      count: Math.floor(nodeCount / 3) + (zone === 0 ? 1 : 0),
      allocatable: { cpu: 16, memory: '64Gi', pods: 110 },
      labels: { 'topology.kubernetes.io/zone': `zone-${zone}` },
    },
  }))
  const objects = Array.from({ length: workloadCount }, (_, index) => deployment(index, constraints(index)))
  const read = readScenario('bench.json', JSON.stringify({ steps: [...zones, { apply: { objects }, expect: [{ pending: 0 }] }] }))
  if (!read.ok) throw new Error('the scenario of this benchmark does not read')
  const refused = { ok: false, problems: [] } as const
  const settings = settingsForServer('1.34')
  const outside = {
    plan: async () => refused,
    isolation: async () => refused,
    objectsOf: () => [],
    settings: () => ({ settings }),
  }
  const used = process.cpuUsage()
  const startMs = systemClock.elapsed()
  const report = await simulate(
    { objects: [], scenario: read.scenario, settings, server: '1.34', watts: new Map(), outside },
    new AbortController().signal,
  )
  const seconds = (systemClock.elapsed() - startMs) / 1000
  const { user, system } = process.cpuUsage(used)
  const pods = report.steps.at(-1)?.landings.length ?? 0
  if (!report.holds) process.exitCode = 1
  const perSecond = pods / seconds
  const perCpuSecond = pods / ((user + system) / 1e6)
  console.log(
    `simulate ${pods} pods on ${nodeCount} nodes, ${name}: ${perSecond.toFixed(0)} pods/s, ${perCpuSecond.toFixed(0)} a second of CPU (target ${target}); ${(JSON.stringify(report).length / 2 ** 20).toFixed(1)} MiB of report`,
  )
}

await measure('default plugins', () => ({}), 2_000)
await measure('spread and anti-affinity', constrained, 200)
