// Who does the same to the same thing as somebody else. Without a trace of it in the cluster it is only said that they could fight.
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { hasVariables } from '../repository/left-alone.ts'
import type { Present, Rivalry, Verb } from './look.ts'

/** Kinds whose replicas are scaled, and whose pods are replaced. */
const workloadKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet'])

const verbs: Readonly<Record<string, Verb>> = {
  deschedule: 'evicts',
  rightsize: 'evicts',
  provision: 'evicts',
  reload: 'restarts',
}

/** Evictors by the name under which they write Events. */
const evictors: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/descheduler/, 'descheduler'],
  [/^vpa-updater/, 'VPA'],
  [/^karpenter/, 'Karpenter'],
  [/^ballast/, 'Ballast'],
]

/** Every rivalry among the programs and objects of a cluster or a repository, those with evidence first. */
export function rivalries(present: readonly Present[], objects: readonly KubeObject[]): readonly Rivalry[] {
  const found = [...evicted(objects), ...programs(present, objects), ...scaled(objects), ...written(objects)]
  return found.toSorted((a, b) => rank(a) - rank(b))
}

const rank = ({ certainty }: Rivalry) => (certainty === 'fights' ? 0 : 1)

/** Two programs that evict, or restart: whether they meet depends on what each is told. */
function programs(present: readonly Present[], objects: readonly KubeObject[]): readonly Rivalry[] {
  const active = present.filter(one => !one.isOff && acts(one, objects))
  return [...Map.groupBy(active, ({ capability }) => verbs[capability])].flatMap(([verb, ones]): readonly Rivalry[] => {
    const rivals = [...new Set(ones.map(({ name, where }) => `${name} (${where})`))]
    if (verb === undefined || rivals.length < 2) return []
    if (evicted(objects).some(one => one.verb === verb)) return []
    return [{ verb, target: 'what both may reach', rivals, certainty: 'could fight', evidence: [] }]
  })
}

/** Goldilocks evicts nobody; the VPA does only where one of its objects lets it, and Karpenter where one of its NodePools does. */
function acts({ name, capability }: Present, objects: readonly KubeObject[]): boolean {
  if (capability === 'provision') {
    const pools = objects.filter(({ kind, apiVersion }) => kind === 'NodePool' && apiVersion.startsWith('karpenter.sh/'))
    return pools.length === 0 || pools.some(disrupts)
  }
  if (capability !== 'rightsize') return true
  return name === 'VPA' && objects.some(evictsBySize)
}

/**
 * May Karpenter empty nodes of a pool? Nodes that expire are emptied whatever the budgets say; a budget of none that holds always, for
 * every reason, forbids the rest (https://karpenter.sh/docs/concepts/disruption/).
 */
function disrupts(pool: KubeObject): boolean {
  if ((textAt(pool, 'spec', 'template', 'spec', 'expireAfter') ?? '720h') !== 'Never') return true
  return !listAt(pool, 'spec', 'disruption', 'budgets').some(
    budget =>
      /^0%?$/.test(textAt(budget, 'nodes') ?? '') &&
      at(budget, 'schedule') === undefined &&
      listAt(budget, 'reasons').length === 0,
  )
}

function evictsBySize(object: KubeObject): boolean {
  if (object.kind !== 'VerticalPodAutoscaler') return false
  const mode = textAt(object, 'spec', 'updatePolicy', 'updateMode') ?? 'Auto'
  return mode !== 'Off' && mode !== 'Initial'
}

/** Pods of one workload that several have evicted, by their Events. */
function evicted(objects: readonly KubeObject[]): readonly Rivalry[] {
  const events = objects.flatMap(evictionIn)
  return [...Map.groupBy(events, ({ workload }) => workload)].flatMap(([target, ones]): readonly Rivalry[] => {
    const by = Map.groupBy(ones, ({ evictor }) => evictor)
    if (by.size < 2) return []
    const evidence = Array.from(by, ([name, rows]) => {
      const times = rows.reduce((sum, { count }) => sum + count, 0)
      return `Events: ${name} evicted ${times} of its pods`
    })
    return [{ verb: 'evicts', target, rivals: [...by.keys()], certainty: 'fights', evidence }]
  })
}

interface Eviction {
  readonly evictor: string
  readonly workload: string
  readonly count: number
}

function evictionIn(event: KubeObject): readonly Eviction[] {
  if (event.kind !== 'Event') return []
  const { about, message, reporter } = toldBy(event)
  const words = `${textAt(event, 'reason') ?? ''} ${textAt(event, 'action') ?? ''} ${message}`
  if (textAt(about, 'kind') !== 'Pod' || !/evict|deschedul|disrupt/i.test(words)) return []
  const evictor = evictors.find(([pattern]) => pattern.test(reporter))?.[1]
  if (evictor === undefined) return []
  const workload = `${textAt(about, 'namespace') ?? 'default'}/${stem(textAt(about, 'name') ?? '')}`
  return [{ evictor, workload, count: timesOf(event) }]
}

/** An Event has other names for the same in `v1` and in `events.k8s.io/v1`. */
function toldBy(event: KubeObject) {
  const text = (...paths: readonly (readonly string[])[]) =>
    paths.map(path => textAt(event, ...path)).find(found => (found ?? '') !== '') ?? ''
  return {
    about: at(event, 'involvedObject') ?? at(event, 'regarding'),
    message: text(['message'], ['note']),
    reporter: text(['reportingComponent'], ['reportingController'], ['source', 'component'], ['deprecatedSource', 'component']),
  }
}

/** How often it came; a series counts those before it, too. */
const timesOf = (event: KubeObject): number =>
  numberAt(event, 'series', 'count') ?? numberAt(event, 'count') ?? numberAt(event, 'deprecatedCount') ?? 1

/** Name of the workload in that of its pod, which is gone: `web` of `web-6f9c8d7b5-x2x4z`, `db` of `db-0`. */
function stem(pod: string): string {
  return pod.replace(/(-[a-z0-9]{6,10})?-[a-z0-9]{5}$|-\d+$/, '')
}

interface Scaler {
  readonly shown: string
  readonly target: string
  /** Which resources it scales by; `undefined`: by something else. */
  readonly by: readonly string[]
  readonly isVertical: boolean
}

/** Several that scale one workload. A ScaledObject's own autoscaler is a part of it. */
function scaled(objects: readonly KubeObject[]): readonly Rivalry[] {
  const scalers = new Map(objects.flatMap(one => scalerOf(one, objects)).map(one => [one.shown, one]))
  // What Flux has yet to fill in is another name each time.
  const named = [...scalers.values()].filter(({ target }) => !hasVariables(target))
  return [...Map.groupBy(named, ({ target }) => target)].flatMap(([target, ones]): readonly Rivalry[] => {
    const across = ones.filter(({ isVertical }) => !isVertical)
    const upright = ones.filter(({ isVertical, by }) => isVertical && across.some(one => one.by.some(name => by.includes(name))))
    const rivals = [...across, ...upright].map(({ shown }) => shown)
    if (rivals.length < 2) return []
    return [{ verb: 'scales', target, rivals, certainty: 'could fight', evidence: [] }]
  })
}

function scalerOf(object: KubeObject, objects: readonly KubeObject[]): readonly Scaler[] {
  const { kind, metadata } = object
  const namespace = metadata.namespace ?? 'default'
  const shown = `${kind} ${namespace}/${metadata.name}`
  const target = (reference: unknown) => targetOf(reference, namespace)
  if (kind === 'HorizontalPodAutoscaler') {
    if (isOfScaledObject(object, objects)) return []
    const by = listAt(object, 'spec', 'metrics').flatMap(one => textAt(one, 'resource', 'name') ?? [])
    const plain = at(object, 'spec', 'targetCPUUtilizationPercentage') === undefined ? [] : ['cpu']
    return [{ shown, target: target(at(object, 'spec', 'scaleTargetRef')), by: [...by, ...plain], isVertical: false }]
  }
  if (kind === 'ScaledObject') {
    const by = listAt(object, 'spec', 'triggers').flatMap(one => textAt(one, 'type') ?? [])
    return [{ shown, target: target(at(object, 'spec', 'scaleTargetRef')), by, isVertical: false }]
  }
  if (!evictsBySize(object)) return []
  const controlled = listAt(object, 'spec', 'resourcePolicy', 'containerPolicies').flatMap(one =>
    listAt(one, 'controlledResources'),
  )
  const by = controlled.length === 0 ? ['cpu', 'memory'] : controlled.map(String)
  return [{ shown, target: target(at(object, 'spec', 'targetRef')), by, isVertical: true }]
}

const targetOf = (reference: unknown, namespace: string): string =>
  `${textAt(reference, 'kind') ?? 'Deployment'} ${namespace}/${textAt(reference, 'name') ?? ''}`

function isOfScaledObject({ metadata }: KubeObject, objects: readonly KubeObject[]): boolean {
  const isOwned = (metadata.ownerReferences ?? []).some(({ kind }) => kind === 'ScaledObject')
  const name = metadata.name.replace(/^keda-hpa-/, '')
  const isNamed = objects.some(
    one => one.kind === 'ScaledObject' && one.metadata.name === name && one.metadata.namespace === metadata.namespace,
  )
  return isOwned || (name !== metadata.name && isNamed)
}

/**
 * Replicas that an autoscaler sets and somebody else writes, too. It is a fight where an autoscaler set the same number again and again and
 * never another: between two of these somebody else has set another one. Each takes the field over from the other, so that managedFields
 * name only the last of them.
 */
function written(objects: readonly KubeObject[]): readonly Rivalry[] {
  const scalers = Map.groupBy(
    objects.flatMap(one => scalerOf(one, objects)).filter(({ isVertical }) => !isVertical),
    ({ target }) => target,
  )
  const workloads = new Map(objects.filter(({ kind }) => workloadKinds.has(kind)).map(one => [shownTarget(one), one]))
  return [...scalers].flatMap(([target, [scaler]]): readonly Rivalry[] => {
    const appliers = replicaAppliers(workloads.get(target))
    const again = rescaledAgain(target, objects)
    if (scaler === undefined || hasVariables(target) || (appliers.length === 0 && again === undefined)) return []
    const rivals = [scaler.shown, ...(appliers.length === 0 ? ['somebody who writes spec.replicas'] : appliers)]
    if (again === undefined) return [{ verb: 'scales', target, rivals, certainty: 'could fight', evidence: [] }]
    const evidence = [
      `Events: ${again.name} set ${again.size} replicas ${again.times} times and no other number, so somebody set others in between`,
      ...appliers.map(name => `managedFields: ${name} owns spec.replicas`),
    ]
    return [{ verb: 'scales', target, rivals, certainty: 'fights', evidence }]
  })
}

const shownTarget = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.namespace ?? 'default'}/${metadata.name}`

/** Whose manifests have the replicas: they are set again whenever these are applied. */
const applier = /^(helm|kustomize-controller|argocd|kubectl-client-side-apply|fleet|pulumi|terraform|before-first-apply)/i

function replicaAppliers(workload: KubeObject | undefined): readonly string[] {
  const owners = (workload?.metadata.managedFields ?? []).filter(
    ({ subresource, operation, manager, fieldsV1 }) =>
      (subresource ?? '') === '' &&
      (operation === 'Apply' || applier.test(manager)) &&
      at(fieldsV1, 'f:spec', 'f:replicas') !== undefined,
  )
  return [...new Set(owners.map(({ manager }) => manager))]
}

interface Again {
  readonly name: string
  readonly size: string
  readonly times: number
}

/** The only number that the autoscaler of a workload set, where it had to set it more than once. */
function rescaledAgain(target: string, objects: readonly KubeObject[]): Again | undefined {
  for (const object of objects) {
    const { kind, metadata } = object
    const namespace = metadata.namespace ?? 'default'
    if (kind !== 'HorizontalPodAutoscaler' || target !== targetOf(at(object, 'spec', 'scaleTargetRef'), namespace)) continue
    const told = objects.flatMap(event => rescaleIn(event, namespace, metadata.name))
    const [first] = told
    const times = told.reduce((sum, { count }) => sum + count, 0)
    if (first === undefined || times < 2 || told.some(({ size }) => size !== first.size)) continue
    return { name: `HorizontalPodAutoscaler ${namespace}/${metadata.name}`, size: first.size, times }
  }
  return undefined
}

function rescaleIn(
  event: KubeObject,
  namespace: string,
  name: string,
): readonly { readonly size: string; readonly count: number }[] {
  if (event.kind !== 'Event' || textAt(event, 'reason') !== 'SuccessfulRescale') return []
  const { about, message } = toldBy(event)
  if (textAt(about, 'kind') !== 'HorizontalPodAutoscaler' || textAt(about, 'name') !== name) return []
  const size = /^New size: (\d+);/.exec(message)?.[1]
  return size === undefined || (textAt(about, 'namespace') ?? 'default') !== namespace ? [] : [{ size, count: timesOf(event) }]
}
