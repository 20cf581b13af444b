// What the cluster says of a route's target, out of what is watched.
import { at, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { exactSelector } from '#kube/objects/selector.ts'
import type { Route } from '../routing/route.ts'
import { type BootFacts, conditionsOf } from './boot-stage.ts'

/** Objects of one kind. */
export interface Objects<T extends KubeObject = KubeObject> {
  get(namespace: string | undefined, name: string): T | undefined
  /** Those of a namespace, or all. */
  list(namespace?: string): Iterable<T>
}

/** What is watched; a kind that may not be read is an empty one. */
export interface BootObjects {
  readonly services: Objects
  readonly pods: Objects<Pod>
  readonly deployments: Objects
  readonly statefulSets: Objects
  readonly nodes: Objects
  readonly claims: Objects
  readonly scaledObjects: Objects
  /** Those of the reason TriggeredScaleUp alone. */
  readonly events: Objects
}

/** What the gateway itself knows of a target. */
export type Traffic = Pick<BootFacts, 'endpoints' | 'loading' | 'isAsked'>

/** Pods of one target that are looked at. A start has few. */
const mostPods = 100

export function bootFacts(
  objects: BootObjects,
  { namespace, target }: Pick<Route, 'namespace' | 'target'>,
  traffic: Traffic,
): BootFacts {
  const selector = selectorOf(objects.services.get(namespace, target.service))
  const pods: Pod[] = []
  if (selector !== undefined)
    for (const pod of objects.pods.list(namespace)) {
      if (pods.length >= mostPods) break
      if (selector.matches(pod.metadata.labels)) pods.push(pod)
    }
  const workload = selector === undefined ? undefined : workloadOf(objects, namespace, selector)
  const scaler = workload === undefined ? undefined : scalerOf(objects, namespace, workload)
  return {
    ...traffic,
    ...(workload === undefined ? {} : { workload: workloadFacts(workload) }),
    ...(scaler === undefined ? {} : { scaledObject: scalerFacts(scaler) }),
    pods,
    isNodeReady: name => nodeReady(objects.nodes.get(undefined, name)),
    claims: [...objects.claims.list()].filter(isComing),
    ordered: new Set(Array.from(objects.events.list(namespace), event => textAt(event, 'regarding', 'uid') ?? '')),
  }
}

type Selector = ReturnType<typeof exactSelector>

/** A Service without a selector has pods that nobody can name. */
function selectorOf(service: KubeObject | undefined): Selector | undefined {
  const labels = at(service, 'spec', 'selector')
  if (typeof labels !== 'object' || labels === null) return undefined
  const texts = Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return texts.length === 0 ? undefined : exactSelector(Object.fromEntries(texts))
}

/** The one whose pods the Service selects; of several the first by name, Deployments before StatefulSets. */
function workloadOf(objects: BootObjects, namespace: string, selector: Selector): KubeObject | undefined {
  for (const kind of [objects.deployments, objects.statefulSets]) {
    let first: KubeObject | undefined
    for (const one of kind.list(namespace))
      if (selector.matches(templateLabels(one)) && (first === undefined || one.metadata.name < first.metadata.name)) first = one
    if (first !== undefined) return first
  }
  return undefined
}

function templateLabels(workload: KubeObject): Readonly<Record<string, string>> {
  const labels = at(workload, 'spec', 'template', 'metadata', 'labels')
  return typeof labels === 'object' && labels !== null ? (labels as Readonly<Record<string, string>>) : {}
}

/** Absent replicas are one. */
function workloadFacts(workload: KubeObject): NonNullable<BootFacts['workload']> {
  const { kind, metadata } = workload
  return { kind, name: metadata.name, wanted: numberAt(workload, 'spec', 'replicas') ?? 1, conditions: conditionsOf(workload) }
}

function scalerOf(objects: BootObjects, namespace: string, { kind, metadata }: KubeObject): KubeObject | undefined {
  for (const one of objects.scaledObjects.list(namespace)) {
    const isIts =
      textAt(one, 'spec', 'scaleTargetRef', 'name') === metadata.name &&
      (textAt(one, 'spec', 'scaleTargetRef', 'kind') ?? 'Deployment') === kind
    if (isIts) return one
  }
  return undefined
}

/** Whatever is paused but not at zero is no hindrance; nor is one whose scale-in alone is. */
function scalerFacts(scaler: KubeObject): NonNullable<BootFacts['scaledObject']> {
  const annotations = scaler.metadata.annotations ?? {}
  const replicas = annotations['autoscaling.keda.sh/paused-replicas']
  const isPaused =
    replicas === undefined
      ? isSaid(annotations['autoscaling.keda.sh/paused']) || isSaid(annotations['autoscaling.keda.sh/paused-scale-out'])
      : !/^0*[1-9]/.test(replicas)
  return { name: scaler.metadata.name, isPaused, conditions: conditionsOf(scaler) }
}

/** As Go reads it: every value but a false means yes. */
function isSaid(value: string | undefined): boolean {
  return value !== undefined && !['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)
}

/** Undefined: the node is not known, or does not say. */
function nodeReady(node: KubeObject | undefined): boolean | undefined {
  const ready = node === undefined ? undefined : conditionsOf(node).find(({ type }) => type === 'Ready')
  return ready === undefined ? undefined : ready.status === 'True'
}

/** Its node is not there yet. */
function isComing(claim: KubeObject): boolean {
  if (claim.metadata.deletionTimestamp !== undefined) return false
  return !conditionsOf(claim).some(({ type, status }) => type === 'Initialized' && status === 'True')
}
