// Namespaces that are being deleted: empties them kind by kind, says what is left, and lets them go when nothing is.
import type { Condition, KubeObject, Namespace } from '#kube/objects/objects.ts'
import { isConflict, isNotFound, StatusError } from '#kube/objects/status.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import { isSameContent } from '../same-content.ts'
import { timeText, withCondition } from '../workloads/pod-state.ts'
import { watchEverything } from './every-resource.ts'

const writer = controllerWriter('namespace-controller')
const retryMs = 15_000
/** So long the controller waits before it looks: writes that were under way may still arrive. */
const graceMs = 5_000

export function startNamespaces(context: ComponentContext): void {
  const { view, loop } = context
  /** Those whose grace is over: before, what goes in them is nothing to look for. */
  const looked = new Set<string>()
  const queue = loop.queue('namespace', name => {
    const namespace = view.get('namespaces', undefined, name)
    if (namespace === undefined || !isGoing(namespace)) return
    looked.add(name)
    // What holds it up may hold it up for ever; its going away brings the namespace back at once.
    if (!empty(context, namespace)) queue.addPeriodic(name, retryMs)
  })
  view.on('namespaces', ({ type, object }) => {
    if (type === 'DELETED') looked.delete(object.metadata.name)
    else if (isGoing(object)) queue.addAfter(object.metadata.name, graceMs)
  })
  watchEverything(context, 'namespace', (_, { type, object }) => {
    const { namespace } = object.metadata
    if (namespace === undefined || type === 'ADDED' || !looked.has(namespace)) return
    const found = view.get('namespaces', undefined, namespace)
    if (found !== undefined && isGoing(found)) queue.add(namespace)
  })
  for (const namespace of view.list('namespaces')) if (isGoing(namespace)) queue.add(namespace.metadata.name)
}

function isGoing(namespace: Namespace): boolean {
  return namespace.metadata.deletionTimestamp !== undefined
}

/** True when the namespace is gone. */
function empty(context: ComponentContext, namespace: Namespace): boolean {
  const { access } = context
  const name = namespace.metadata.name
  const all = contentOf(context, name)
  // Pods first: what they use stays until they are gone.
  const pods = all.filter(([resource]) => resource === 'pods')
  for (const [resource, object] of pods.length > 0 ? pods : all) {
    if (object.metadata.deletionTimestamp !== undefined) continue
    try {
      access.remove(resource, name, object.metadata.name, writer, { propagationPolicy: 'Background' })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }
  const left = contentOf(context, name)
  writeConditions(context, name, pods.length > 0 ? [] : left)
  return left.length === 0 && finish(context, name)
}

/** Everything in the namespace, events first forgotten last: they are removed with the rest. */
function contentOf({ access }: ComponentContext, namespace: string): readonly (readonly [string, KubeObject])[] {
  return access.resources().flatMap(resource =>
    access
      .list(resource, namespace)
      .filter(object => object.metadata.namespace === namespace)
      .map(object => [resource, object] as const),
  )
}

function writeConditions(
  { access, view, clock }: ComponentContext,
  name: string,
  left: readonly (readonly [string, KubeObject])[],
): void {
  const namespace = view.get('namespaces', undefined, name)
  if (namespace === undefined) return
  let conditions = namespace.status?.conditions ?? []
  for (const condition of conditionsFor(left)) conditions = withCondition(conditions, condition, timeText(clock.now()))
  const status = { ...namespace.status, phase: 'Terminating', conditions }
  if (isSameContent(status, namespace.status)) return
  access.update('namespaces', { ...namespace, status }, writer, { subresource: 'status' })
}

function conditionsFor(left: readonly (readonly [string, KubeObject])[]): readonly Condition[] {
  const resources = counted(left.map(([resource]) => (resource.includes('.') ? resource : `${resource}.`)))
  const finalizers = counted(left.flatMap(([, object]) => object.metadata.finalizers ?? []))
  const remaining = [...resources].map(([resource, count]) => `${resource} has ${count} resource instances`).join(', ')
  const holding = [...finalizers].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`).join(', ')
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    {
      type: 'NamespaceDeletionContentFailure',
      status: 'False',
      reason: 'ContentDeleted',
      message: 'All content successfully deleted, may be waiting on finalization',
    },
    left.length === 0
      ? {
          type: 'NamespaceContentRemaining',
          status: 'False',
          reason: 'ContentRemoved',
          message: 'All content successfully removed',
        }
      : {
          type: 'NamespaceContentRemaining',
          status: 'True',
          reason: 'SomeResourcesRemain',
          message: `Some resources are remaining: ${remaining}`,
        },
    finalizers.size === 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${holding}`,
        },
  ]
}

function counted(words: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const word of words.toSorted()) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

/** Takes the finalizer of the namespace itself away. */
function finish({ access, view }: ComponentContext, name: string): boolean {
  const namespace = view.get('namespaces', undefined, name)
  if (namespace === undefined) return true
  try {
    access.update('namespaces', { ...namespace, spec: { ...namespace.spec, finalizers: [] } }, writer, {
      subresource: 'finalize',
    })
    if (view.get('namespaces', undefined, name) !== undefined) access.remove('namespaces', undefined, name, writer)
  } catch (error) {
    if (!(error instanceof StatusError) || !isNotFound(error)) throw error
  }
  return view.get('namespaces', undefined, name) === undefined
}
