// What the rules of a cluster make of one node: a pure function of its features, the rules and the configuration.

import { addFeatures, type FeatureSet, type GrowingFeatures, noFeatures, setAttributes } from '../matching/feature-set.ts'
import { type Rule, type RuleOutcome, runRule, type Taint } from '../matching/rule.ts'
import { RuleFailure } from '../matching/rule-failure.ts'
import { withFeatureNamespace } from '../names.ts'
import { type Judged, judgeAnnotation, judgeLabel, judgeResource, type KeySettings, taintProblem } from './allowed-keys.ts'
import { isLookedAt, withNode } from './node-own.ts'

/** A NodeFeature of the node. */
export interface NodeFeatureSource {
  readonly namespace: string
  readonly name: string
  readonly features: FeatureSet
  /** Asked for without a rule. */
  readonly labels: ReadonlyMap<string, string>
  /** The list that it was published for (`wanted-list.ts`): what that does not name may be on the node all the same. */
  readonly publishedFor?: string
}

/** A NodeFeatureRule. */
export interface RuleObject {
  readonly name: string
  readonly rules: readonly Rule[]
}

export interface OutcomeSettings extends KeySettings {
  readonly enableTaints: boolean
  /** `DisableAutoPrefix` is off: keys without a namespace get ours. */
  readonly autoPrefix: boolean
  readonly disableLabels: boolean
  readonly disableAnnotations: boolean
  readonly disableExtendedResources: boolean
  readonly disableTaints: boolean
  /** Labels that NodeFeatures ask for count only where the NodeFeature is the one of our own worker. */
  readonly denyNodeFeatureLabels: boolean
}

/** How one rule came out on the node. */
export interface RuleReport {
  readonly object: string
  readonly rule: string
  readonly outcome: 'matched' | 'unmatched' | 'failed'
  /** Why it failed. */
  readonly why?: string
  /** What it wants, as it was written. */
  readonly output?: RuleOutcome
}

/** What somebody asked for and does not get. */
interface LeftOut {
  readonly what: 'label' | 'annotation' | 'extended resource' | 'taint'
  readonly key: string
  readonly value: string
  readonly why: string
  /** The rule that asks for it, as `object/rule`; a NodeFeature as `namespace/name`. */
  readonly by: string
}

/** A value, and the last that asked for it. */
export interface Wanted {
  readonly value: string
  readonly by: string
}

export interface NodeOutcome {
  readonly labels: ReadonlyMap<string, Wanted>
  readonly annotations: ReadonlyMap<string, Wanted>
  readonly extendedResources: ReadonlyMap<string, Wanted>
  readonly taints: readonly (Taint & { readonly by: string })[]
  readonly leftOut: readonly LeftOut[]
  readonly reports: readonly RuleReport[]
}

interface Around {
  readonly node: string
  /** What the Node itself says (`featuresOfNode`); absent: nobody has it, and rules that look at it do not match. */
  readonly ofNode?: FeatureSet | undefined
  /** Where our workers publish. */
  readonly ownNamespace: string
  /** Told how long the rules of an object took, by `elapsedMs`. */
  readonly onRule?: (object: string, seconds: number) => void
  readonly elapsedMs?: () => number
}

/**
 * Merges the NodeFeatures of a node, runs all rules over them and keeps what is allowed.
 *
 * @param sources In any order; those in `ownNamespace` come first, then by name, then by namespace, and later ones win.
 * @param rules In any order; they run by name, and what a rule writes is seen by those behind it as `rule.matched`.
 */
export function decideNode(
  sources: readonly NodeFeatureSource[],
  rules: readonly RuleObject[],
  settings: OutcomeSettings,
  { node, ofNode, ownNamespace, onRule, elapsedMs = () => 0 }: Around,
): NodeOutcome {
  const prefixed = (key: string) => (settings.autoPrefix ? withFeatureNamespace(key) : key)
  const asking = ({ namespace, name }: NodeFeatureSource) =>
    !settings.denyNodeFeatureLabels || (namespace === ownNamespace && name === node)
  const { features, labels } = merge(sources, { prefixed, asking, ownNamespace })
  if (ofNode !== undefined) withNode(features, ofNode)
  const wanted = { labels, annotations: new Map<string, Wanted>(), resources: new Map<string, Wanted>() }
  const taints: (Taint & { readonly by: string })[] = []
  const reports: RuleReport[] = []
  for (const object of rules.toSorted((left, right) => byText(left.name, right.name))) {
    const startMs = elapsedMs()
    for (const rule of object.rules) {
      const report = reportOf(object.name, rule, features)
      reports.push(report)
      const { output } = report
      if (output === undefined) continue
      const by = `${object.name}/${rule.name}`
      setAll(wanted.labels, output.labels, by, prefixed)
      setAll(wanted.annotations, output.annotations, by, prefixed)
      setAll(wanted.resources, output.extendedResources, by, prefixed)
      taints.push(...output.taints.map(taint => ({ ...taint, by })))
      // A rule that did not match still makes the feature exist.
      setAttributes(features, 'rule.matched', [...output.labels, ...output.vars])
    }
    onRule?.(object.name, (elapsedMs() - startMs) / 1_000)
  }
  return { ...keepAllowed({ ...wanted, ofNode }, taints, features, settings), reports }
}

function reportOf(object: string, rule: Rule, features: FeatureSet): RuleReport {
  try {
    const output = runRule(rule, features)
    return { object, rule: rule.name, outcome: output.matched ? 'matched' : 'unmatched', output }
  } catch (error) {
    if (error instanceof RuleFailure) return { object, rule: rule.name, outcome: 'failed', why: error.message }
    throw error
  }
}

function merge(
  sources: readonly NodeFeatureSource[],
  {
    prefixed,
    asking,
    ownNamespace,
  }: {
    readonly prefixed: (key: string) => string
    readonly asking: (source: NodeFeatureSource) => boolean
    readonly ownNamespace: string
  },
): { readonly features: GrowingFeatures; readonly labels: Map<string, Wanted> } {
  const features = noFeatures()
  const labels = new Map<string, Wanted>()
  const rank = ({ namespace }: NodeFeatureSource) => (namespace === ownNamespace ? 0 : 1)
  const ordered = sources.toSorted(
    (left, right) => rank(left) - rank(right) || byText(left.name, right.name) || byText(left.namespace, right.namespace),
  )
  for (const source of ordered) {
    const { namespace, name, features: more, labels: asked } = source
    addFeatures(features, more)
    if (!asking(source)) continue
    // A key that is there with its namespace and without it: the one that says its namespace wins.
    const plain = [...asked].filter(([key]) => !key.includes('/'))
    const full = [...asked].filter(([key]) => key.includes('/'))
    setAll(labels, [...plain, ...full], `${namespace}/${name}`, prefixed)
  }
  return { features, labels }
}

/** What the NodeFeatures of a node and the Node say together, in the order that `decideNode` keeps to. */
export function mergedFeatures(
  sources: readonly NodeFeatureSource[],
  { ownNamespace, ofNode }: Pick<Around, 'ownNamespace' | 'ofNode'>,
): GrowingFeatures {
  const { features } = merge(sources, { prefixed: key => key, asking: () => false, ownNamespace })
  return ofNode === undefined ? features : withNode(features, ofNode)
}

function setAll(
  into: Map<string, Wanted>,
  values: Iterable<readonly [string, string]>,
  by: string,
  prefixed: (key: string) => string,
): void {
  for (const [key, value] of values) into.set(prefixed(key), { value, by })
}

interface AskedFor {
  readonly labels: ReadonlyMap<string, Wanted>
  readonly annotations: ReadonlyMap<string, Wanted>
  readonly resources: ReadonlyMap<string, Wanted>
  readonly ofNode: FeatureSet | undefined
}

function keepAllowed(
  asked: AskedFor,
  taints: readonly (Taint & { readonly by: string })[],
  features: FeatureSet,
  settings: OutcomeSettings,
): Omit<NodeOutcome, 'reports'> {
  const leftOut: LeftOut[] = []
  const keep = (
    what: LeftOut['what'],
    values: ReadonlyMap<string, Wanted>,
    off: string | undefined,
    judge: (key: string, value: string) => Judged,
  ) => {
    const kept = new Map<string, Wanted>()
    for (const [key, { value, by }] of values) {
      const judged: Judged = off === undefined ? judge(key, value) : { ok: false, why: off }
      if (judged.ok) kept.set(key, { value: judged.value, by })
      else leftOut.push({ what, key, value, why: judged.why, by })
    }
    return kept
  }
  const switchedOff = (name: 'Labels' | 'Annotations' | 'ExtendedResources' | 'Taints') =>
    settings[`disable${name}`] ? `restrictions.disable${name} is on` : undefined
  const labels = keep('label', asked.labels, switchedOff('Labels'), (key, value) =>
    // Written it would be ours, and seen no more: the rules would come out otherwise, and it would come and go for ever.
    isLookedAt(asked.ofNode, key)
      ? { ok: false, why: 'the node has it of somebody else, and rules look at it (node.label): it stays as it is' }
      : judgeLabel(key, value, features, settings),
  )
  const extendedResources = keep('extended resource', asked.resources, switchedOff('ExtendedResources'), (key, value) =>
    judgeResource(key, value, features),
  )
  const annotations = keep('annotation', asked.annotations, switchedOff('Annotations'), judgeAnnotation)
  const taintsOff = settings.enableTaints ? switchedOff('Taints') : 'enableTaints is off'
  const allowed = taints.filter(taint => {
    const why = taintsOff ?? taintProblem(taint)
    if (why !== undefined)
      leftOut.push({ what: 'taint', key: taint.key, value: `${taint.value ?? ''}:${taint.effect}`, why, by: taint.by })
    return why === undefined
  })
  return { labels, annotations, extendedResources, taints: allowed, leftOut }
}

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
