// All scores together: raw for the feasible nodes, then normalised over them, weighted and summed.

import { type ScorePlugin, scorePlugins } from '../scheduler-settings.ts'
import { scaledQuotient } from './exact.ts'
import { affinityView, type FilterView, spreadView } from './filters.ts'
import { imageScores } from './image-locality.ts'
import { affinityScores, normaliseAffinity } from './pod-affinity.ts'
import { balancedScores, fitScores } from './resource-fit.ts'
import { normaliseSpread, spreadScores } from './spread-scores.ts'

/** How a score becomes 0..100 over the nodes that are compared. */
export type Normalisation = 'none' | 'share' | 'inverse-share' | 'spread' | 'affinity'

export interface RawScore {
  readonly plugin: ScorePlugin
  readonly normalisation: Normalisation
  /** By position in the feasible nodes, over all of them. */
  readonly raw: Float64Array
  /** Over those the scheduler finds: more than one where it depends on which these are; `undefined` where that is too many. */
  readonly variants: readonly Float64Array[] | undefined
}

interface ScoredNodes {
  /** Indexes of the feasible nodes. */
  readonly feasible: Int32Array
  /** How many of them the scheduler finds. */
  readonly found: number
  /** By node: PreferNoSchedule taints that are not tolerated. */
  readonly softTaints: Float64Array
}

/** Raw scores of the plugins that have a say on this pod. */
export function rawScores(view: FilterView, { feasible, found, softTaints }: ScoredNodes): readonly RawScore[] {
  const { table, loads, ask, settings, rules } = view
  const scores: RawScore[] = []
  for (const plugin of scorePlugins) {
    if (settings.weights[plugin] === 0) continue
    const raw = rawOf(plugin)
    if (raw === undefined) continue
    const isFoundAll = found === feasible.length || plugin !== 'PodTopologySpread'
    const variants = isFoundAll ? [raw] : spreadScores(spreadView(view), view.spread, feasible, found)
    scores.push({ plugin, normalisation: normalisations[plugin], raw, variants })
  }
  return scores

  function rawOf(plugin: ScorePlugin): Float64Array | undefined {
    switch (plugin) {
      case 'TaintToleration':
        return pick(softTaints, feasible)
      case 'NodeAffinity':
        return rules.preference && pick(rules.preference, feasible)
      case 'NodeResourcesFit':
        return fitScores(table, loads, ask, { strategy: settings.fit, feasible })
      case 'NodeResourcesBalancedAllocation':
        return balancedScores(table, loads, ask, { resources: settings.balancedResources, version: settings.version, feasible })
      case 'PodTopologySpread':
        return spreadScores(spreadView(view), view.spread, feasible, feasible.length)?.[0]
      case 'InterPodAffinity':
        return affinityScores(affinityView(view), settings, feasible)
      case 'ImageLocality':
        return imageScores(table, ask, feasible)
    }
  }
}

const normalisations: Readonly<Record<ScorePlugin, Normalisation>> = {
  TaintToleration: 'inverse-share',
  NodeAffinity: 'share',
  NodeResourcesFit: 'none',
  PodTopologySpread: 'spread',
  InterPodAffinity: 'affinity',
  NodeResourcesBalancedAllocation: 'none',
  ImageLocality: 'none',
}

function pick(column: Float64Array, nodes: Int32Array): Float64Array {
  const picked = new Float64Array(nodes.length)
  for (let at = 0; at < nodes.length; at++) picked[at] = column[nodes[at] ?? 0] ?? 0
  return picked
}

/** 0..100 for each node, in place. */
export function normalise(raw: Float64Array, normalisation: Normalisation): void {
  if (normalisation === 'spread') normaliseSpread(raw)
  if (normalisation === 'affinity') normaliseAffinity(raw)
  if (normalisation === 'share' || normalisation === 'inverse-share') normaliseShares(raw, normalisation === 'inverse-share')
}

function normaliseShares(raw: Float64Array, isInverse: boolean): void {
  let most = 0
  for (const score of raw) if (score > most) most = score
  for (let at = 0; at < raw.length; at++) {
    const share = most === 0 ? 0 : scaledQuotient(raw[at] ?? 0, 100, most)
    raw[at] = isInverse ? 100 - share : share
  }
}
