// Whether a pod may stand on a node beside what stands there: each rule in its plainest form, over the raw objects.

import type {
  NodeSelectorRequirement,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  TopologySpreadConstraint,
} from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { untoleratedTaint } from '#kube/objects/tolerations.ts'
import type { StandingNode, StandingPod, World } from './world.ts'

/** What speaks against it: a rule and its facts. */
interface Objection {
  readonly rule: string
  readonly found: string
}

/** All objections to `pod` on `node`; the pod itself must not stand in `world`. Amounts of resources are not looked at. */
export function objections(world: World, pod: StandingPod, node: StandingNode): readonly Objection[] {
  return [
    ...nodeObjections(pod.object, node),
    ...volumeObjections(world, pod, node),
    ...portObjections(pod, node),
    ...antiAffinityObjections(world, pod, node),
    ...affinityObjections(world, pod, node),
    ...spreadObjections(world, pod, node),
  ]
}

type Labels = Readonly<Record<string, string>>

function nodeObjections(pod: Pod, node: StandingNode): Objection[] {
  const found: Objection[] = []
  const { spec, metadata } = node.object
  const tolerations = pod.spec.tolerations ?? []
  const cordon = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }
  if (spec?.unschedulable === true && untoleratedTaint(tolerations, [cordon]) !== undefined)
    found.push({ rule: 'cordon', found: `${node.name} is cordoned` })
  const taint = untoleratedTaint(
    tolerations,
    spec?.taints ?? [],
    each => each.effect === 'NoSchedule' || each.effect === 'NoExecute',
  )
  if (taint !== undefined) found.push({ rule: 'taint', found: `${taint.key}=${taint.value ?? ''}:${taint.effect}` })
  if (!isWanted(pod, metadata.labels ?? {}, node.name)) found.push({ rule: 'node affinity', found: `the labels of ${node.name}` })
  return found
}

function isWanted(pod: Pod, labels: Labels, name: string): boolean {
  const pairs = Object.entries(pod.spec.nodeSelector ?? {})
  if (pairs.some(([key, value]) => labels[key] !== value)) return false
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || required.nodeSelectorTerms.some(term => termHolds(term, labels, name))
}

function termHolds(term: NodeSelectorTerm, labels: Labels, name: string): boolean {
  const expressions = term.matchExpressions ?? []
  const fields = term.matchFields ?? []
  if (expressions.length + fields.length === 0) return false
  return (
    expressions.every(each => requirementHolds(each, labels[each.key])) &&
    fields.every(each => requirementHolds(each, each.key === 'metadata.name' ? name : undefined))
  )
}

function requirementHolds({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number.parseInt(value, 10) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number.parseInt(value, 10) < Number(values[0])
    default:
      return false
  }
}

function volumeObjections(world: World, pod: StandingPod, node: StandingNode): Objection[] {
  return (pod.object.spec.volumes ?? []).flatMap((volume): Objection[] => {
    const claim = volume.persistentVolumeClaim?.claimName
    const bound =
      claim === undefined ? undefined : field(world.object('PersistentVolumeClaim', pod.namespace, claim)?.['spec'], 'volumeName')
    if (typeof bound !== 'string' || bound === '') return []
    const affinity = field(world.object('PersistentVolume', undefined, bound)?.['spec'], 'nodeAffinity')
    const required = field(affinity, 'required')
    const terms = field(required, 'nodeSelectorTerms')
    if (!Array.isArray(terms)) return []
    // The shape is that of core/v1; a term of another shape holds of no node.
    const holds = terms.some((term: NodeSelectorTerm) => termHolds(term, node.object.metadata.labels ?? {}, node.name))
    return holds ? [] : [{ rule: 'volume', found: `volume ${bound} is not reachable from ${node.name}` }]
  })
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? Reflect.get(value, name) : undefined
}

function portObjections(pod: StandingPod, node: StandingNode): Objection[] {
  const taken = [...node.pods.values()].flatMap(other => hostPorts(other.object))
  return hostPorts(pod.object).flatMap(port => {
    const clash = taken.find(
      other =>
        other.port === port.port &&
        other.protocol === port.protocol &&
        (other.address === port.address || other.address === '0.0.0.0' || port.address === '0.0.0.0'),
    )
    return clash === undefined ? [] : [{ rule: 'host port', found: `${port.protocol} ${port.port} is taken` }]
  })
}

function hostPorts(pod: Pod): readonly { readonly port: number; readonly protocol: string; readonly address: string }[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(container => container.restartPolicy === 'Always')
  return [...pod.spec.containers, ...sidecars]
    .flatMap(container => container.ports ?? [])
    .flatMap(({ hostPort = 0, protocol = 'TCP', hostIP }) =>
      hostPort > 0 ? [{ port: hostPort, protocol, address: hostIP || '0.0.0.0' }] : [],
    )
}

function matchesTerm(world: World, term: PodAffinityTerm, holder: StandingPod, other: StandingPod): boolean {
  const spaces = term.namespaces ?? []
  const byLabels = term.namespaceSelector === undefined ? undefined : labelSelectorOf(term.namespaceSelector)
  const isIn =
    spaces.includes(other.namespace) ||
    (byLabels === undefined
      ? spaces.length === 0 && other.namespace === holder.namespace
      : byLabels.ok && byLabels.value.matches(world.object('Namespace', undefined, other.namespace)?.metadata.labels))
  if (!isIn) return false
  const selector = labelSelectorOf(term.labelSelector)
  if (!selector.ok || !selector.value.matches(other.object.metadata.labels)) return false
  const [own, theirs] = [holder.object.metadata.labels ?? {}, other.object.metadata.labels ?? {}]
  const same = (term.matchLabelKeys ?? []).every(key => own[key] === undefined || own[key] === theirs[key])
  return same && (term.mismatchLabelKeys ?? []).every(key => own[key] === undefined || own[key] !== theirs[key])
}

function domainPods(world: World, key: string, value: string): readonly StandingPod[] {
  return [...world.nodes.values()]
    .filter(node => node.object.metadata.labels?.[key] === value)
    .flatMap(node => [...node.pods.values()])
}

function antiTerms(pod: StandingPod): readonly PodAffinityTerm[] {
  return pod.object.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
}

function antiAffinityObjections(world: World, pod: StandingPod, node: StandingNode): Objection[] {
  const labels = node.object.metadata.labels ?? {}
  const own = antiTerms(pod).flatMap(term => {
    const value = labels[term.topologyKey]
    const other =
      value === undefined
        ? undefined
        : domainPods(world, term.topologyKey, value).find(each => matchesTerm(world, term, pod, each))
    return other === undefined ? [] : [{ rule: 'anti-affinity', found: `${other.key} in the same ${term.topologyKey}` }]
  })
  const theirs = world.nodes.values().flatMap(place =>
    [...place.pods.values()].flatMap(other =>
      antiTerms(other).flatMap(term => {
        const value = place.object.metadata.labels?.[term.topologyKey]
        const clashes = value !== undefined && value === labels[term.topologyKey] && matchesTerm(world, term, other, pod)
        return clashes ? [{ rule: 'anti-affinity', found: `${other.key} in the same ${term.topologyKey} wants it away` }] : []
      }),
    ),
  )
  return [...own, ...theirs]
}

function affinityObjections(world: World, pod: StandingPod, node: StandingNode): Objection[] {
  const terms = pod.object.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const everywhere = world.pods()
  const isFirst =
    terms.every(term => matchesTerm(world, term, pod, pod)) &&
    !everywhere.some(other => terms.every(term => matchesTerm(world, term, pod, other)))
  return terms.flatMap((term): Objection[] => {
    const value = node.object.metadata.labels?.[term.topologyKey]
    const objection = { rule: 'affinity', found: `nothing in the same ${term.topologyKey} matches` }
    if (value === undefined) return [objection]
    const beside = domainPods(world, term.topologyKey, value).some(other => matchesTerm(world, term, pod, other))
    return beside || isFirst ? [] : [objection]
  })
}

function spreadObjections(world: World, pod: StandingPod, node: StandingNode): Objection[] {
  const hard = (pod.object.spec.topologySpreadConstraints ?? []).filter(
    constraint => constraint.whenUnsatisfiable === 'DoNotSchedule',
  )
  return hard.flatMap((constraint): Objection[] => {
    const value = node.object.metadata.labels?.[constraint.topologyKey]
    if (value === undefined) return [{ rule: 'spread', found: `${node.name} has no label ${constraint.topologyKey}` }]
    const counts = spreadCounts(world, pod, constraint, hard)
    const least = counts.size < (constraint.minDomains ?? 1) ? 0 : Math.min(...counts.values())
    const skew = (counts.get(value) ?? 0) + (countsFor(constraint, pod)(pod) ? 1 : 0) - least
    return skew <= constraint.maxSkew
      ? []
      : [{ rule: 'spread', found: `skew ${skew} over ${constraint.topologyKey}, at most ${constraint.maxSkew}` }]
  })
}

function countsFor(constraint: TopologySpreadConstraint, holder: StandingPod): (other: StandingPod) => boolean {
  const selector = labelSelectorOf(constraint.labelSelector)
  const own = holder.object.metadata.labels ?? {}
  return other =>
    other.namespace === holder.namespace &&
    !other.isTerminating &&
    selector.ok &&
    selector.value.matches(other.object.metadata.labels) &&
    (constraint.matchLabelKeys ?? []).every(key => own[key] === undefined || own[key] === other.object.metadata.labels?.[key])
}

/** Pods by domain, over the nodes that the constraint looks at. */
function spreadCounts(
  world: World,
  pod: StandingPod,
  constraint: TopologySpreadConstraint,
  hard: readonly TopologySpreadConstraint[],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  const isCounted = countsFor(constraint, pod)
  for (const node of world.nodes.values()) {
    const labels = node.object.metadata.labels ?? {}
    const value = labels[constraint.topologyKey]
    if (value === undefined || hard.some(other => labels[other.topologyKey] === undefined)) continue
    if ((constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor' && !isWanted(pod.object, labels, node.name)) continue
    const repels = (taint: { readonly effect: string }) => taint.effect === 'NoSchedule' || taint.effect === 'NoExecute'
    const tolerations = pod.object.spec.tolerations ?? []
    if (
      constraint.nodeTaintsPolicy === 'Honor' &&
      untoleratedTaint(tolerations, node.object.spec?.taints ?? [], repels) !== undefined
    )
      continue
    counts.set(value, (counts.get(value) ?? 0) + [...node.pods.values()].filter(isCounted).length)
  }
  return counts
}
