// Machines with kubelets by chance: NUMA nodes, what there is for pods, and what pods hold of it. What ours does otherwise on purpose is in none of them.

import type { KubeObject } from '#kube/objects/objects.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import type { Allocatable, HeldByPod, HeldMemory } from '../../../src/capabilities/features/topology/pod-resources-api.ts'
import { nodeName } from './worker-answer.ts'

export interface TopologyScene {
  /** Files of the machine, below its root. */
  readonly files: Readonly<Record<string, string>>
  /** The configuration of a kubelet, and of a topology updater. */
  readonly kubelet: string
  readonly updater: string
  readonly allocatable: Allocatable
  readonly held: readonly HeldByPod[]
  readonly pods: readonly KubeObject[]
}

const card = 'gpu.example.com/card'
const link = 'net.example.com/link'
const at = (...ids: readonly number[]) => ({ nodes: ids.map(id => ({ id })) })

/** As many as asked for. */
export function topologyScenes(seed: number, count: number): readonly TopologyScene[] {
  return Array.from({ length: count }, (_, index) => scene(seededRandom(seed * 1_000 + index)))
}

class Chance {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** A whole number, both ends among them. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1))
  }

  oneOf<T>(values: readonly [T, ...T[]]): T {
    return values[this.whole(0, values.length - 1)] ?? values[0]
  }

  some<T>(values: readonly T[], share: number): readonly T[] {
    return values.filter(() => this.#random() < share)
  }
}

function scene(random: Random): TopologyScene {
  const chance = new Chance(random)
  const ids = Array.from({ length: chance.whole(1, 3) }, (_, id) => id)
  const perNode = chance.whole(2, 6)
  const cpusOf = (id: number) => Array.from({ length: perNode }, (_, index) => id * perNode + index)
  const files: Record<string, string> = {}
  for (const id of ids) {
    const node = `sys/devices/system/node/node${id}`
    files[`${node}/cpulist`] = `${cpusOf(id).join(',')}\n`
    files[`${node}/distance`] = `${ids.map(to => (to === id ? 10 : 20 + Math.abs(to - id))).join(' ')}\n`
    files[`${node}/meminfo`] = `Node ${id} MemTotal:       ${chance.whole(1_000_000, 9_000_000)} kB\n`
    for (const [size, most] of [
      ['2048kB', 512],
      ['1048576kB', 3],
    ] as const) {
      const pages = `${node}/hugepages/hugepages-${size}`
      files[`${pages}/nr_hugepages`] = `${chance.whole(0, most)}\n`
      // What follows upstream's library asks for, and does without a node where it is not there.
      for (const name of ['free', 'surplus']) files[`${pages}/${name}_hugepages`] = '0\n'
    }
    for (const cpu of cpusOf(id)) files[`${node}/cpu${cpu}/topology/core_id`] = `${cpu}\n`
  }
  files['proc/meminfo'] = 'MemTotal: 1000 kB\nHugepagesize: 2048 kB\nHugetlb: 0 kB\n'
  // Upstream looks for kinds of processors one folder too deep.
  const kinds = chance.whole(0, 1) === 1 ? ['sys/devices', 'sys/sys/devices'] : []
  for (const folder of kinds) files[`${folder}/cpu_core/cpus`] = `0-${perNode - 1}\n`
  // Pods may have nothing at all of some nodes.
  const used = ids.filter(id => id === 0 || chance.whole(0, 4) > 0)
  const cpuIds = used.flatMap(id => cpusOf(id).slice(chance.whole(0, 1)))
  const memory = used.flatMap(id =>
    ['memory', 'hugepages-2Mi', 'hugepages-1Gi'].flatMap(memoryType =>
      chance.some([{ memoryType, size: chance.whole(1, 4_000) * 2 ** 20, topology: at(id) }], 0.7),
    ),
  )
  const names = Array.from({ length: 6 }, (_, index) => `device-${index}`)
  const devices = names.map(name => ({
    resourceName: chance.oneOf([card, link]),
    deviceIds: [name],
    topology: chance.whole(0, 5) === 0 ? undefined : at(chance.oneOf([0, ...used])),
  }))
  const policy = chance.oneOf(['none', 'best-effort', 'restricted', 'single-numa-node'])
  const scope = chance.oneOf(['container', 'pod'])
  const allocatable = { cpuIds, devices, memory }
  return {
    files,
    allocatable,
    ...podsOn(allocatable, chance),
    kubelet: `apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ntopologyManagerPolicy: ${policy}\ntopologyManagerScope: ${scope}\n`,
    updater: JSON.stringify({ excludeList: chance.whole(0, 2) === 0 ? { [nodeName]: ['hugepages-1Gi'] } : {} }),
  }
}

function podsOn({ cpuIds, devices, memory }: Allocatable, chance: Chance): Pick<TopologyScene, 'held' | 'pods'> {
  const cpus = [...cpuIds]
  const free = [...devices]
  const held: HeldByPod[] = []
  const pods: KubeObject[] = []
  for (let index = 0, count = chance.whole(0, 5); index < count; index++) {
    const name = `pod-${index}`
    const namespace = chance.oneOf(['default', 'shop'])
    const qosClass = chance.oneOf(['Guaranteed', 'Guaranteed', 'Burstable', 'BestEffort'])
    const cpu = chance.oneOf(['1', '2000m', '500m', '1500m'])
    const block = chance.oneOf<HeldMemory | undefined>([undefined, ...memory])
    const second = chance.oneOf([undefined, ...memory.filter(other => other.memoryType === block?.memoryType)])
    const nodes = [block, second].flatMap(one => one?.topology?.nodes ?? [])
    const topology = { nodes: nodes.filter(({ id }, place) => nodes.findIndex(other => other.id === id) === place) }
    held.push({
      ...{ name, namespace },
      containers: [
        {
          name: 'main',
          cpuIds: cpus.splice(0, chance.whole(0, 2)),
          devices: free.splice(0, chance.whole(0, 1)),
          // What pods hold together is never more than there is of it.
          memory: block === undefined ? [] : [{ memoryType: block.memoryType, size: Math.floor(block.size / 6), topology }],
        },
        { name: 'second', cpuIds: [], devices: free.splice(0, chance.whole(0, 1)), memory: [] },
      ],
    })
    pods.push({
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { name, namespace },
      spec: {
        nodeName,
        containers: [
          { name: 'main', image: 'i', resources: { requests: { cpu } } },
          { name: 'second', image: 'i' },
        ],
      },
      status: { phase: 'Running', qosClass },
    })
  }
  return { held, pods }
}
