// Nodes from a seed: sizes, labels, taints, images, cordons.
import type { ApiObject } from '../control-plane/api-client.ts'
import type { SeededRandom } from './seeded-random.ts'

interface NodesOptions {
  readonly count: number
  readonly isUniform: boolean
}

/** Names as containers use them, and how the container runtime reports them, with sizes in bytes. */
export const images = [
  { container: 'r.example/web:v1', names: ['r.example/web:v1'], sizeBytes: 48_000_000 },
  { container: 'r.example/web:v2', names: ['r.example/web:v2'], sizeBytes: 310_000_000 },
  { container: 'r.example/base', names: ['r.example/base:latest'], sizeBytes: 12_000_000 },
  { container: 'r.example/model:v3', names: ['r.example/model:v3'], sizeBytes: 2_400_000_000 },
  {
    container: 'r.example/report:v9',
    names: ['r.example/report:v9', 'r.example/report:stable'],
    sizeBytes: 877_123_456,
  },
  {
    container: `r.example/pinned@sha256:${'0123456789abcdef'.repeat(4)}`,
    names: [`r.example/pinned@sha256:${'0123456789abcdef'.repeat(4)}`],
    sizeBytes: 640_000_000,
  },
] as const

/** Nodes `n0`, `n1`, …, in a region of three zones; a few have no zone. */
export function seededNodes(random: SeededRandom, { count, isUniform }: NodesOptions): ApiObject[] {
  const zones = random.pick([
    ['a', 'b', 'c'],
    ['a', 'b'],
    ['a', 'b', 'c'],
  ])
  const missesZones = random.chance(0.3)
  const taintShare = random.pick([0, 0.15, 0.3])
  const imageShare = random.pick([0.2, 0.5])
  return Array.from({ length: count }, (_, index): ApiObject => {
    const name = `n${index}`
    const labels: Record<string, string> = {
      ...(!isUniform && random.chance(0.02) ? {} : { 'kubernetes.io/hostname': name }),
      'kubernetes.io/arch': !isUniform && random.chance(0.2) ? 'arm64' : 'amd64',
    }
    if (isUniform || !missesZones || random.chance(0.85)) {
      labels['topology.kubernetes.io/region'] = 'west'
      labels['topology.kubernetes.io/zone'] = isUniform ? (zones[index % zones.length] ?? 'a') : random.pick(zones)
    }
    if (!isUniform && random.chance(0.6)) labels['example.com/disk'] = random.pick(['ssd', 'hdd', 'nvme'])
    if (!isUniform && random.chance(0.7)) labels['example.com/rank'] = random.pick(['1', '3', '7', '12', 'none'])
    if (!isUniform && random.chance(0.15)) labels['example.com/dedicated'] = ''
    const resources = isUniform ? { cpu: '4', memory: '8Gi', pods: '30' } : nodeResources(random)
    const isCordoned = !isUniform && random.chance(0.06)
    const taints = isUniform ? [] : nodeTaints(random, taintShare)
    if (isCordoned && random.chance(0.5)) taints.push({ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' })
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels },
      spec: { ...(taints.length > 0 ? { taints } : {}), ...(isCordoned ? { unschedulable: true } : {}) },
      status: {
        capacity: resources,
        allocatable: resources,
        conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' }],
        images: random.some(images, isUniform ? 0 : imageShare).map(({ names, sizeBytes }) => ({ names, sizeBytes })),
      },
    }
  })
}

function nodeResources(random: SeededRandom): Record<string, string> {
  if (random.chance(0.015)) return { cpu: '0', memory: '0', pods: '110' }
  return {
    cpu: random.pick(['2', '4', '3920m', '8', '16', '1930m']),
    memory: random.pick(['4Gi', '7814320Ki', '8Gi', '15842Mi', '16000000000', '32Gi']),
    pods: random.pick(['110', '110', '30', '9']),
    ...(random.chance(0.7) ? { 'ephemeral-storage': random.pick(['20Gi', '95Gi']) } : {}),
    ...(random.chance(0.25) ? { 'example.com/gpu': random.pick(['1', '4', '8']) } : {}),
    ...(random.chance(0.15) ? { 'hugepages-2Mi': '512Mi' } : {}),
  }
}

interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute'
}

function nodeTaints(random: SeededRandom, share: number): Taint[] {
  const known: Taint[] = [
    { key: 'example.com/dedicated', value: 'database', effect: 'NoSchedule' },
    { key: 'example.com/spot', effect: 'PreferNoSchedule' },
    { key: 'example.com/slow', value: '1', effect: 'PreferNoSchedule' },
    { key: 'example.com/slow', value: '1', effect: 'NoSchedule' },
    { key: 'example.com/repair', effect: 'NoExecute' },
    { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' },
  ]
  return known.filter(taint => random.chance(taint.effect === 'PreferNoSchedule' ? share * 1.5 : share / 3))
}
