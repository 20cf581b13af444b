// A rollout as one change of a pod template: everything that goes along and, where it is asked for, the mark that makes new pods of it.
import type { RolloutMark, TemplateChange } from '../intent.ts'

/** What `kubectl rollout restart` writes too. */
export const restartedAtAnnotation = 'kubectl.kubernetes.io/restartedAt'

type EnvPatch =
  | { readonly name: string; readonly value: string; readonly valueFrom: null }
  | { readonly name: string; readonly $patch: 'delete' }

interface Quantities {
  readonly requests?: Readonly<Record<string, string>>
  readonly limits?: Readonly<Record<string, string>>
}

/** What a change says of one container. */
interface ContainerChange {
  readonly set: Map<string, string>
  readonly removed: Set<string>
  resources?: Quantities
}

/** Whether the template is marked: it is, unless nobody who goes along asks for it. */
export function isMarked(rollout: {
  readonly mark?: RolloutMark | undefined
  readonly joined: readonly { readonly mark?: RolloutMark | undefined }[]
}): boolean {
  return [rollout, ...rollout.joined].some(({ mark }) => mark !== 'none')
}

/**
 * The strategic merge patch of a workload's template: containers and their variables are found by name, what is not named stays. Without a
 * mark it writes nothing but the change.
 */
export function templatePatch(change: TemplateChange | undefined, mark: string | undefined): object {
  const containers = Array.from(byContainer(change), ([name, { set, removed, resources }]) => {
    const env: EnvPatch[] = [
      // A variable has a value or a source; the server refuses both.
      ...Array.from(set, ([variable, value]) => ({ name: variable, value, valueFrom: null })),
      ...Array.from(removed, variable => ({ name: variable, $patch: 'delete' as const })),
    ]
    return { name, ...(env.length === 0 ? {} : { env }), ...(resources === undefined ? {} : { resources }) }
  })
  const annotations = annotationsOf(change, mark)
  return {
    ...(annotations === undefined ? {} : { metadata: { annotations } }),
    ...(containers.length === 0 ? {} : { spec: { containers } }),
  }
}

/** A pod template as it lies in an object: nothing of it is taken for granted. */
export interface Template {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>>; readonly [field: string]: unknown }
  readonly spec?: { readonly containers?: readonly TemplateContainer[]; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

interface TemplateContainer {
  readonly name: string
  readonly env?: readonly Variable[]
  readonly resources?: Quantities
  readonly [field: string]: unknown
}

interface Variable {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: unknown
}

type Changed =
  | { readonly ok: true; readonly template: Template }
  /** A container that is named is not there. */
  | { readonly ok: false; readonly message: string }

/** `template` with the change and the mark in it, as the server would make it of `templatePatch`: for kinds that it merges as plain JSON. */
export function changedTemplate(template: Template, change: TemplateChange | undefined, mark: string | undefined): Changed {
  const changes = byContainer(change)
  const containers = template.spec?.containers ?? []
  const missing = [...changes.keys()].find(name => !containers.some(one => one.name === name))
  if (missing !== undefined) return { ok: false, message: `its template has no container ${JSON.stringify(missing)}` }
  const annotations = annotationsOf(change, mark)
  return {
    ok: true,
    template: {
      ...template,
      ...(annotations === undefined
        ? {}
        : { metadata: { ...template.metadata, annotations: { ...template.metadata?.annotations, ...annotations } } }),
      ...(changes.size === 0
        ? {}
        : { spec: { ...template.spec, containers: containers.map(one => changedContainer(one, changes.get(one.name))) } }),
    },
  }
}

/** Whether all that `change` says is in `template` already. */
export function carries(template: Template | undefined, change: TemplateChange): boolean {
  if (template === undefined) return false
  const changed = changedTemplate(template, change, undefined)
  return changed.ok && JSON.stringify(changed.template) === JSON.stringify(template)
}

function changedContainer(container: TemplateContainer, change: ContainerChange | undefined): TemplateContainer {
  if (change === undefined) return container
  const { set, removed, resources } = change
  const before = container.env ?? []
  const kept = before.flatMap((one): readonly Variable[] => {
    const value = set.get(one.name)
    if (removed.has(one.name)) return []
    return [value === undefined || (one.value === value && one.valueFrom === undefined) ? one : { name: one.name, value }]
  })
  const added = Array.from(set, ([name, value]) => ({ name, value })).filter(({ name }) => !before.some(one => one.name === name))
  const env = [...kept, ...added]
  return {
    ...container,
    ...(env.length === 0 && container.env === undefined ? {} : { env }),
    ...(resources === undefined ? {} : { resources: mergedQuantities(container.resources, resources) }),
  }
}

function mergedQuantities(before: Quantities = {}, { requests, limits }: Quantities): Quantities {
  return {
    ...before,
    ...(requests === undefined ? {} : { requests: { ...before.requests, ...requests } }),
    ...(limits === undefined ? {} : { limits: { ...before.limits, ...limits } }),
  }
}

function annotationsOf(
  change: TemplateChange | undefined,
  mark: string | undefined,
): Readonly<Record<string, string>> | undefined {
  const annotations = { ...change?.annotations, ...(mark === undefined ? {} : { [restartedAtAnnotation]: mark }) }
  return Object.keys(annotations).length === 0 ? undefined : annotations
}

/** In the order in which they are first named. */
function byContainer(change: TemplateChange | undefined): ReadonlyMap<string, ContainerChange> {
  const containers = new Map<string, ContainerChange>()
  const containerOf = (name: string) => {
    const found = containers.get(name) ?? { set: new Map<string, string>(), removed: new Set<string>() }
    containers.set(name, found)
    return found
  }
  for (const { container, name, value } of change?.env ?? []) containerOf(container).set.set(name, value)
  for (const { container, name } of change?.removeEnv ?? []) containerOf(container).removed.add(name)
  for (const { container, requests, limits } of change?.resources ?? []) {
    containerOf(container).resources = {
      ...(requests === undefined ? {} : { requests }),
      ...(limits === undefined ? {} : { limits }),
    }
  }
  return containers
}
