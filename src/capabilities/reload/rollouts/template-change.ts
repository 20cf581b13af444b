// What a reload writes into the pod template: upstream's environment variable or its annotation (config-reload 3.6, 3.7).
import type { TemplateChange } from '#coordination/intent.ts'
import { annotationOf, fixedAnnotationKeys } from '../annotations.ts'
import type { ReloadSettings } from '../settings.ts'
import { deletedHash, tellApart } from '../sources/content-hash.ts'
import type { SourceReference } from '../sources/source-state.ts'
import type { WorkloadFacts } from '../workloads/workload-facts.ts'
import { isOf, readLastReload, writtenReload } from './last-reloaded-from.ts'
import { variableName } from './variable-name.ts'

/** One source that is to be written down in the template. */
export interface MarkedChange {
  readonly source: SourceReference
  readonly event: 'create' | 'update' | 'delete'
  readonly container: string
  /** Upstream's hash of the content; of a deletion nothing. */
  readonly sha1: string
  /** The content differs from the one before although the hash is the same. */
  readonly collides: boolean
  readonly changedAtMs: number
}

export interface Variable {
  readonly container: string
  readonly name: string
}

export type Mark =
  | ({ readonly kind: 'set'; readonly value: string } & Variable)
  | ({ readonly kind: 'remove' } & Variable)
  | { readonly kind: 'annotate'; readonly text: string }
  /** The template says it already: upstream's "not updated". */
  | { readonly kind: 'already-written' }

type Marked = Pick<WorkloadFacts, 'pod' | 'templateAnnotations'>

/** The hash that the template says of the source, in the container that would take its mark; `undefined`: none. */
export function writtenHash(
  { pod, templateAnnotations }: Marked,
  { source, container }: { readonly source: SourceReference; readonly container: string | undefined },
  strategy: ReloadSettings['strategy'],
): string | undefined {
  if (strategy === 'env-vars') return pod.containers.find(({ name }) => name === container)?.variables.get(variableName(source))
  const last = readLastReload(annotationOf(templateAnnotations, fixedAnnotationKeys.lastReloadedFrom))
  return last !== undefined && isOf(last, source) ? last.hash : undefined
}

/** How the template takes note of the change. */
export function markOf(
  workload: Marked,
  change: MarkedChange,
  { strategy, nowMs }: { readonly strategy: ReloadSettings['strategy']; readonly nowMs: number },
): Mark {
  return strategy === 'annotations' ? annotation(workload, change, nowMs) : variable(workload, change)
}

function variable({ pod }: Marked, { source, event, container, sha1, collides }: MarkedChange): Mark {
  const name = variableName(source)
  const standing = pod.containers.find(one => one.name === container)?.variables.get(name)
  if (event === 'delete') return standing === undefined ? { kind: 'already-written' } : { kind: 'remove', container, name }
  const value = collides ? tellApart(sha1, standing) : sha1
  // Pods of one workload report a rotation one by one: any container that has it says that it was acted on.
  const first = pod.containers.find(one => one.variables.has(name))?.variables.get(name)
  if (source.type === 'secretproviderclass' && first === value) return { kind: 'already-written' }
  return standing === value ? { kind: 'already-written' } : { kind: 'set', container, name, value }
}

function annotation({ templateAnnotations }: Marked, change: MarkedChange, nowMs: number): Mark {
  const { source, event, container, sha1, collides, changedAtMs } = change
  const text = annotationOf(templateAnnotations, fixedAnnotationKeys.lastReloadedFrom)
  const last = readLastReload(text)
  const standing = last !== undefined && isOf(last, source) ? last : undefined
  const hash = event === 'delete' ? deletedHash : collides ? tellApart(sha1, standing?.hash) : sha1
  if (source.type === 'secretproviderclass' && text?.includes(source.name) === true && text.includes(hash)) {
    return { kind: 'already-written' }
  }
  // Written in whole seconds. A second deletion of the same source looks like the first but for its time.
  const isSince = event !== 'delete' || (standing?.atMs ?? 0) + 1_000 > changedAtMs
  if (standing?.hash === hash && isSince) return { kind: 'already-written' }
  return { kind: 'annotate', text: writtenReload(source, { hash, container, nowMs }) }
}

/** All marks as one change of the template; of two for one variable, or two annotations, the last holds, as upstream leaves them. */
export function changeOf(marks: readonly Mark[]): { readonly changes: TemplateChange; readonly removals: readonly Variable[] } {
  const variables = new Map<string, { readonly container: string; readonly name: string; readonly value: string | undefined }>()
  let text: string | undefined
  for (const mark of marks) {
    if (mark.kind === 'annotate') text = mark.text
    if (mark.kind === 'set' || mark.kind === 'remove') {
      const { container, name } = mark
      const value = mark.kind === 'set' ? mark.value : undefined
      variables.set(`${container}/${name}`, { container, name, value })
    }
  }
  const env = [...variables.values()].flatMap(({ value, ...one }) => (value === undefined ? [] : [{ ...one, value }]))
  const removals = [...variables.values()].flatMap(({ value, ...one }) => (value === undefined ? [one] : []))
  return {
    changes: {
      ...(env.length > 0 && { env }),
      ...(text !== undefined && { annotations: { [fixedAnnotationKeys.lastReloadedFrom]: text } }),
    },
    removals,
  }
}
