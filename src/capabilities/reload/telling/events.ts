// Events on workloads, in upstream's words, reasons and sources: `kubectl describe` shows the same after the swap.
import type { Permission } from '#coordination/needs.ts'
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { formatTime } from '#kube/time/time.ts'
import type { SourceType, ToldSource, ToldWorkload } from './telling.ts'

/** The word for a type in messages, in the name of the variable and in the annotation. */
export const typeWords = {
  configmap: 'CONFIGMAP',
  secret: 'SECRET',
  secretproviderclass: 'SECRETPROVIDERCLASS',
} as const satisfies Record<SourceType, string>

const components = {
  configmap: 'reloader-configmaps',
  secret: 'reloader-secrets',
  secretproviderclass: 'reloader-secretproviderclasspodstatuses',
} as const satisfies Record<SourceType, string>

const ownComponent = 'ballast-reload'

/** Upstream writes Events of the core group, and its role allows no other. */
export const eventPermission: Permission = {
  groups: [''],
  resources: ['events'],
  verbs: ['create', 'patch'],
  because: 'tells on a workload that it was reloaded, as Reloader does',
}

export function reloadedEvent(workload: ToldWorkload, source: ToldSource): EmittedEvent {
  const { namespace, name, kind } = workload
  const note = `Changes detected in '${source.name}' of type '${typeWords[source.type]}' in namespace '${source.namespace}', Updated '${name}' of type '${kind}' in namespace '${namespace}'`
  return { ...on(workload, note), type: 'Normal', reason: 'Reloaded', component: components[source.type] }
}

/** `source`: whose component tells it; without one it is our own. */
export function reloadFailEvent(workload: ToldWorkload, source: ToldSource | undefined, why: string): EmittedEvent {
  const { namespace, name, kind } = workload
  const note = `Update for '${name}' of type '${kind}' in namespace '${namespace}' failed with error ${why}`
  const component = source === undefined ? ownComponent : components[source.type]
  return { ...on(workload, note), type: 'Warning', reason: 'ReloadFail', component }
}

export function throttledEvent(workload: ToldWorkload, untilMs: number, sources: readonly ToldSource[]): EmittedEvent {
  const changed = sources.map(source => `${typeWords[source.type]} ${source.name}`).join(', ')
  const note = `Reloaded too often: the next roll-out waits until ${formatTime(untilMs)} and takes along what changes meanwhile${changed === '' ? '' : ` (now ${changed})`}`
  return { ...on(workload, note), type: 'Warning', reason: 'ReloadThrottled', component: ownComponent }
}

export function annotationInvalidEvent(
  workload: ToldWorkload,
  of: { readonly key: string; readonly value: string; readonly why: string },
): EmittedEvent {
  const note = `Annotation ${of.key}: found ${JSON.stringify(cut(of.value))}: ${of.why}`
  return { ...on(workload, note), type: 'Warning', reason: 'ReloadAnnotationInvalid', component: ownComponent }
}

/** On the Lease of the process: no workload is at fault. */
export function forbiddenEvent(kind: string, message: string, namespace: string): EmittedEvent {
  const note = `${kind} cannot be used: ${message}. Other kinds go on`
  return {
    type: 'Warning',
    reason: 'ReloadForbidden',
    action: 'Reload',
    regarding: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name: 'ballast-controller' },
    note,
    distinction: note,
    component: ownComponent,
  }
}

function on({ apiVersion, kind, namespace, name, uid }: ToldWorkload, note: string) {
  return { action: 'Reload', regarding: { apiVersion, kind, namespace, name, uid }, note, distinction: note }
}

const shownValue = 200

function cut(value: string): string {
  return value.length > shownValue ? `${value.slice(0, shownValue - 1)}…` : value
}
