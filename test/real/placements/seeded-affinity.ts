// What seeded pods ask of nodes' labels and of other pods: node affinity, topology spread, affinity and anti-affinity.
import type { ApiObject } from '../control-plane/api-client.ts'
import type { SeededRandom } from './seeded-random.ts'

export type Json = Record<string, unknown>

export const namespaceNames = ['shop', 'data', 'infra'] as const
const hostname = 'kubernetes.io/hostname'
export const zoneLabel = 'topology.kubernetes.io/zone'
const region = 'topology.kubernetes.io/region'
export const diskLabel = 'example.com/disk'
const rank = 'example.com/rank'

export interface TemplateContext {
  readonly nodes: readonly ApiObject[]
  /** Names of all applications: what affinities look for. */
  readonly names: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

function nodeExpression(random: SeededRandom): Json {
  return random.pick<Json>([
    { key: diskLabel, operator: 'In', values: ['ssd', 'nvme'] },
    { key: diskLabel, operator: 'NotIn', values: ['hdd'] },
    { key: diskLabel, operator: 'Exists' },
    { key: diskLabel, operator: 'DoesNotExist' },
    { key: rank, operator: 'Gt', values: ['2'] },
    { key: rank, operator: 'Lt', values: ['8'] },
    { key: zoneLabel, operator: 'In', values: ['a', 'b'] },
    { key: zoneLabel, operator: 'NotIn', values: ['b'] },
    { key: 'example.com/dedicated', operator: 'DoesNotExist' },
  ])
}

/** Terms over labels and names of nodes; a few are empty and match nothing. */
export function nodeAffinity(random: SeededRandom, { nodes }: TemplateContext): Json {
  const fields = (operator: string) => ({
    matchFields: [{ key: 'metadata.name', operator, values: [random.pick(nodes).metadata.name] }],
  })
  const term = (): Json => ({
    matchExpressions: Array.from({ length: random.pick([1, 1, 2]) }, () => nodeExpression(random)),
    ...(random.chance(0.1) ? fields('NotIn') : {}),
  })
  const emptyOr = (otherwise: () => Json): Json => (random.chance(0.05) ? {} : otherwise())
  const required = Array.from({ length: random.pick([1, 2]) }, () => emptyOr(() => (random.chance(0.06) ? fields('In') : term())))
  const preferred = Array.from({ length: random.between(1, 3) }, () => ({
    weight: random.between(1, 100),
    preference: emptyOr(() => (random.chance(0.1) ? fields('In') : term())),
  }))
  return {
    ...(random.chance(0.3) ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: required } } : {}),
    ...(random.chance(0.75) ? { preferredDuringSchedulingIgnoredDuringExecution: preferred } : {}),
  }
}

/** At most one constraint for each of four labels. */
export function spreadConstraints(random: SeededRandom, { labels }: TemplateContext): Json[] {
  return random.some([hostname, zoneLabel, diskLabel, region], 0.4).map(topologyKey => {
    const isHard = random.chance(0.4)
    return {
      topologyKey,
      maxSkew: random.between(1, 3),
      whenUnsatisfiable: isHard ? 'DoNotSchedule' : 'ScheduleAnyway',
      ...spreadSelector(random, labels),
      ...(isHard && random.chance(0.3) ? { minDomains: random.between(2, 5) } : {}),
      ...(random.chance(0.3) ? { nodeAffinityPolicy: random.pick(['Honor', 'Ignore']) } : {}),
      ...(random.chance(0.3) ? { nodeTaintsPolicy: random.pick(['Honor', 'Ignore']) } : {}),
    }
  })
}

/** Without a selector nothing is counted, with an empty one every pod of the namespace is. */
function spreadSelector(random: SeededRandom, labels: TemplateContext['labels']): Json {
  if (random.chance(0.05)) return random.pick<Json>([{}, { labelSelector: {} }])
  return {
    labelSelector: random.chance(0.6)
      ? { matchLabels: { app: labels.app } }
      : { matchExpressions: [{ key: 'tier', operator: 'In', values: [labels.tier, 'back'] }] },
    ...(random.chance(0.25) ? { matchLabelKeys: ['revision'] } : {}),
  }
}

export interface PodTermsOptions {
  readonly requiredShare: number
  readonly isAnti: boolean
}

/** Terms about other pods: with `isAnti` mostly about those of the same application. */
export function podTerms(random: SeededRandom, context: TemplateContext, { requiredShare, isAnti }: PodTermsOptions): Json {
  const isRequired = random.chance(requiredShare)
  const required = Array.from({ length: random.pick([1, 1, 1, 2]) }, () => podTerm(random, context, isAnti))
  const preferred = Array.from({ length: random.between(1, 2) }, () => ({
    weight: random.between(1, 100),
    podAffinityTerm: podTerm(random, context, isAnti),
  }))
  return {
    ...(isRequired ? { requiredDuringSchedulingIgnoredDuringExecution: required } : {}),
    ...(!isRequired || random.chance(0.4) ? { preferredDuringSchedulingIgnoredDuringExecution: preferred } : {}),
  }
}

function podTerm(random: SeededRandom, { names, labels }: TemplateContext, isAnti: boolean): Json {
  const topologyKey = random.pick(isAnti ? [hostname, hostname, diskLabel] : [hostname, zoneLabel, zoneLabel, diskLabel])
  if (random.chance(0.04)) return { topologyKey, ...random.pick<Json>([{}, { labelSelector: {} }]) }
  return {
    topologyKey,
    labelSelector: random.pick<Json>([
      ...Array.from({ length: isAnti ? 4 : 1 }, () => ({ matchLabels: { app: labels.app } })),
      { matchLabels: { app: random.pick(names) } },
      { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['batch', 'front'] }] },
      {
        matchExpressions: [
          { key: 'app', operator: 'Exists' },
          { key: 'tier', operator: 'In', values: ['batch'] },
        ],
      },
    ]),
    ...(random.chance(0.2) ? { namespaces: random.some(namespaceNames, 0.6) } : {}),
    ...(random.chance(0.2) ? { namespaceSelector: random.pick([{}, { matchLabels: { team: 'store' } }]) } : {}),
    ...(random.chance(0.12) ? { matchLabelKeys: ['revision'] } : {}),
    ...(random.chance(0.08) ? { mismatchLabelKeys: ['shard'] } : {}),
  }
}
