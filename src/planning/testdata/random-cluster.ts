// Small random clusters: the same seed gives the same cluster, goals included.

import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import type { Goal } from '../goals/policy.ts'
import { boundVolume, claimVolume, namespace, node, workload, type WorkloadOptions } from './objects.ts'

export interface RandomCluster {
  readonly objects: readonly KubeObject[]
  readonly goals: readonly Goal[]
}

interface RandomClusterLimits {
  readonly nodes: readonly [least: number, most: number]
  /** Movable and other pods together stop here. */
  readonly mostPods: number
}

interface Place {
  readonly name: string
  readonly cpu: number
  readonly memoryMi: number
  usedCpu: number
  usedMemoryMi: number
}

/** A cluster that stands: no node is overdrawn and no anti-affinity broken. Its goals ask the fullest node down and the emptiest up. */
export function randomCluster(seed: number, limits: RandomClusterLimits): RandomCluster {
  const random = seededRandom(seed)
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const chance = (part: number) => random() < part
  const places = Array.from({ length: whole(...limits.nodes) }, (_, at): Place => ({ name: `node-${at}`, cpu: whole(4, 12) * 500, memoryMi: whole(4, 12) * 1024, usedCpu: 0, usedMemoryMi: 0 }))
  const objects: KubeObject[] = [namespace('shop')]
  for (const [at, place] of places.entries()) {
    const taints = at > 1 && chance(0.15) ? [{ key: 'only', value: 'some', effect: 'NoSchedule' }] : undefined
    objects.push(node(place.name, { cpu: place.cpu, memoryMi: place.memoryMi, pods: whole(6, 20), labels: { 'topology.kubernetes.io/zone': `zone-${at % 2}` }, ...(taints === undefined ? {} : { taints }) }))
  }
  let pods = 0
  for (let number = 0; pods < limits.mostPods && number < 20; number++) {
    const made = randomWorkload({ number, places, random, whole, chance, most: limits.mostPods - pods })
    pods += made.pods
    objects.push(...made.objects)
  }
  return { objects, goals: randomGoals(places, whole) }
}

interface Dice {
  readonly number: number
  readonly places: readonly Place[]
  readonly random: () => number
  readonly whole: (least: number, most: number) => number
  readonly chance: (part: number) => boolean
  readonly most: number
}

function randomWorkload({ number, places, whole, chance, most }: Dice): { readonly objects: readonly KubeObject[]; readonly pods: number } {
  const name = `app-${number}`
  const [cpu, memoryMi] = [whole(1, 12) * 50, whole(1, 10) * 64]
  const kind = chance(0.25) ? 'StatefulSet' : 'Deployment'
  const isApart = chance(0.25)
  const isSpread = !isApart && chance(0.2)
  const isPinned = kind === 'StatefulSet' && chance(0.3)
  const replicas = isPinned ? 1 : Math.min(most, whole(1, 4))
  const on: string[] = []
  // The first node is the one that everything crowds on.
  const order = [...places.keys()].map(at => (chance(0.6) ? 0 : at))
  for (let at = 0; at < replicas; at++) {
    const wanted = isApart || isSpread ? places[(at + number) % places.length] : places[order[whole(0, order.length - 1)] ?? 0]
    const place = wanted !== undefined && fits(wanted, cpu, memoryMi) && !(isApart && on.includes(wanted.name)) ? wanted : undefined
    if (place === undefined) continue
    place.usedCpu += cpu
    place.usedMemoryMi += memoryMi
    on.push(place.name)
  }
  if (on.length === 0) return { objects: [], pods: 0 }
  const selector = { matchLabels: { 'app.kubernetes.io/name': name } }
  const spec = {
    ...(isApart ? { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: selector, topologyKey: 'kubernetes.io/hostname' }] } } } : {}),
    ...(isSpread
      ? { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: chance(0.5) ? 'topology.kubernetes.io/zone' : 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule', labelSelector: selector }] }
      : {}),
    ...(chance(0.5) ? { tolerations: [{ operator: 'Exists' }] } : {}),
    ...(isPinned ? claimVolume(`data-${name}`) : {}),
  }
  const budget = on.length > 1 && chance(0.3) ? { minAvailable: on.length - 1 } : { maxUnavailable: 1 }
  const options: WorkloadOptions = { kind, cpu, memoryMi, on, spec, owner: chance(0.85) ? 'descheduler' : 'none', ...(chance(0.9) ? { budget } : {}) }
  const volume = isPinned ? boundVolume('shop', `data-${name}`, { volume: `volume-${name}`, pinnedTo: on[0] ?? '' }) : []
  return { objects: [...workload(`shop/${name}`, options), ...volume], pods: on.length }
}

function fits(place: Place, cpu: number, memoryMi: number): boolean {
  return place.usedCpu + cpu <= place.cpu * 0.95 && place.usedMemoryMi + memoryMi <= place.memoryMi * 0.95
}

function randomGoals(places: readonly Place[], whole: (least: number, most: number) => number): readonly Goal[] {
  const share = (place: Place) => (place.usedCpu * 100) / place.cpu
  const ordered = places.toSorted((a, b) => share(b) - share(a))
  const [fullest, emptiest] = [ordered[0], ordered.at(-1)]
  if (fullest === undefined || emptiest === undefined) return []
  const common = { resource: 'cpu', stat: 'requests', margin: 1, hard: false } as const
  const max = Math.max(5, Math.floor(share(fullest)) - whole(5, 30))
  const min = Math.min(60, Math.floor(share(emptiest)) + whole(2, 15))
  return [
    { ...common, name: 'down', nodes: [fullest.name], max },
    ...(whole(0, 2) === 0 ? [] : [{ ...common, name: 'up', nodes: [emptiest.name], min }]),
  ]
}
