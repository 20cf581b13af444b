// Whether a source that changed reloads a workload: upstream's table, first hit wins (config-reload 3.4), and objects of other namespaces
// by consent.
import type { AnnotationProblem } from '../annotations.ts'
import type { ReloadSettings } from '../settings.ts'
import type { SourceAnnotations, SourceReference } from '../sources/source-state.ts'
import { entryFor } from './patterns.ts'
import type { TypeSelection } from './selection.ts'
import type { WorkloadFacts } from './workload-facts.ts'

export type DecisionCode =
  | 'named'
  | 'searched'
  | 'auto'
  | 'auto-all'
  | 'kind-ignored'
  | 'source-ignored'
  | 'excluded'
  | 'without-consent'
  | 'not-selected'

export interface ReloadDecision {
  readonly reload: boolean
  /** The workload must use the source; otherwise its first container is taken. */
  readonly auto: boolean
  readonly code: DecisionCode
  /** The entry or pattern that names it. */
  readonly by?: string
  /** Patterns of the workload that do not compile. */
  readonly problems: readonly AnnotationProblem[]
}

/** The part of a source that the decision looks at. */
interface Changed {
  readonly reference: SourceReference
  readonly annotations: SourceAnnotations
}

const typesOfKinds: Readonly<Record<string, string>> = { Job: 'jobs', CronJob: 'cronjobs' }

/** Whether a change of `changed` reloads `workload`, and why. */
export function decideReload(
  { reference, annotations }: Changed,
  workload: Pick<WorkloadFacts, 'kind' | 'namespace' | 'selection'>,
  { ignoredTypes }: Pick<ReloadSettings, 'ignoredTypes'>,
): ReloadDecision {
  const selection = workload.selection[reference.type]
  const { problems } = selection.named
  const no = (code: DecisionCode): ReloadDecision => ({ reload: false, auto: false, code, problems })
  const type = Object.hasOwn(typesOfKinds, workload.kind) ? typesOfKinds[workload.kind] : workload.kind
  if (type !== undefined && ignoredTypes.includes(type)) return no('kind-ignored')
  if (annotations.ignore) return no('source-ignored')
  if (selection.excluded.includes(reference.name)) return no('excluded')
  const by = entryOf(selection, reference, workload.namespace)
  if (by !== undefined) {
    if (!consents(annotations, reference, workload.namespace)) return no('without-consent')
    return { reload: true, auto: false, code: 'named', by, problems }
  }
  if (reference.namespace !== workload.namespace) return no('not-selected')
  if (selection.isSearching && annotations.match) return { reload: true, auto: true, code: 'searched', problems }
  if (selection.auto === 'said') return { reload: true, auto: true, code: 'auto', problems }
  if (selection.auto === 'all') return { reload: true, auto: true, code: 'auto-all', problems }
  return no('not-selected')
}

/** The entry of the list that names the source. */
function entryOf({ named }: TypeSelection, { namespace, name }: SourceReference, home: string): string | undefined {
  const isListed = named.elsewhere.some(entry => entry.namespace === namespace && entry.name === name)
  if (isListed) return `${namespace}/${name}`
  return namespace === home ? entryFor(named, name) : undefined
}

function consents({ allowNamespaces }: SourceAnnotations, { namespace }: SourceReference, home: string): boolean {
  return namespace === home || allowNamespaces.some(allowed => allowed === home || allowed === '*')
}
