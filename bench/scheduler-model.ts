// How many pods a second the scheduler model places: 10,000 pods on 1,000 nodes, plain and with spread and anti-affinity, and a full
// evaluation on four nodes. Run it alone: `node bench/scheduler-model.ts`.

import { buildClusterState, podState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What it should be at least. */
  readonly target?: number
}

const nodeCount = 1_000
const podCount = 10_000
const workloadCount = 200

function nodes(count: number): readonly KubeObject[] {
  return Array.from({ length: count }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `node-${index}`,
      labels: { 'kubernetes.io/hostname': `node-${index}`, 'topology.kubernetes.io/zone': `zone-${index % 3}` },
    },
    status: { allocatable: { cpu: '16', memory: '64Gi', pods: '110' } },
  }))
}

function pods(constrain: (app: string) => Readonly<Record<string, unknown>>): readonly Pod[] {
  const random = seededRandom(7)
  return Array.from({ length: podCount }, (_, index) => {
    const app = `app-${index % workloadCount}`
    const cpu = `${50 + Math.floor(random() * 20) * 25}m`
    const memory = `${64 + Math.floor(random() * 16) * 64}Mi`
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${app}-${index}`, namespace: 'bench', uid: `uid-${index}`, labels: { app } },
      spec: {
        containers: [{ name: 'main', image: `registry.example/${app}:1`, resources: { requests: { cpu, memory } } }],
        ...constrain(app),
      },
    }
  })
}

/** Places the pods one by one where they land, the first of the set; pods a second of the whole loop. */
function podsPerSecond(constrain: (app: string) => Readonly<Record<string, unknown>>): number {
  const { state } = buildClusterState(nodes(nodeCount))
  const placement = new Placement(state, defaultSettings('1.34'))
  const pending = pods(constrain).map(pod => podState(state, pod))
  const start = systemClock.elapsed()
  let placed = 0
  for (const pod of pending) {
    const [node] = placement.evaluate(pod).landing
    if (node === undefined) continue
    placement.bind(pod, node)
    placed++
  }
  return placed / ((systemClock.elapsed() - start) / 1000)
}

/** Microseconds of one evaluation with landing on four nodes with thirty pods each. */
function smallEvaluation(): number {
  const rounds = 20_000
  const { state } = buildClusterState(nodes(4))
  const placement = new Placement(state, defaultSettings('1.34'))
  const [first, ...others] = pods(() => ({})).map(pod => podState(state, pod))
  if (first === undefined) return 0
  for (const [index, pod] of others.slice(0, 120).entries()) placement.bind(pod, `node-${index % 4}`)
  const start = systemClock.elapsed()
  for (let round = 0; round < rounds; round++) if (placement.evaluate(first).landing.length === 0) break
  return ((systemClock.elapsed() - start) * 1000) / rounds
}

function spreadAndAntiAffinity(app: string): Readonly<Record<string, unknown>> {
  const labelSelector = { matchLabels: { app } }
  return {
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector },
      { maxSkew: 2, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway', labelSelector },
    ],
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector }],
      },
    },
  }
}

/** The figures, measured one after the other. */
export function schedulerModelFigures(): readonly Figure[] {
  return [
    {
      name: 'place 10,000 pods on 1,000 nodes, default plugins',
      value: podsPerSecond(() => ({})),
      unit: 'pods/s',
      target: 1_000,
    },
    {
      name: 'place 10,000 pods on 1,000 nodes, spread and anti-affinity',
      value: podsPerSecond(spreadAndAntiAffinity),
      unit: 'pods/s',
      target: 200,
    },
    { name: 'evaluate one pod on 4 nodes', value: smallEvaluation(), unit: 'µs' },
  ]
}

if (import.meta.main) {
  for (const { name, value, unit, target } of schedulerModelFigures()) {
    console.info(`${name}: ${value.toFixed(1)} ${unit}${target === undefined ? '' : ` (target ${target})`}`)
  }
}
