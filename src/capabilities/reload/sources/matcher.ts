// What an index must know of a workload to find it when a source changes, without asking every workload.

import { type ReferredKind, referencesOf } from '#cluster/references.ts'
import type { NamePattern } from '../workloads/patterns.ts'
import { selectionsByType } from '../workloads/selection.ts'
import type { WorkloadFacts } from '../workloads/workload-facts.ts'
import type { SourceReference, SourceType } from './source-state.ts'

export interface Matcher {
  /** Named without a pattern, those of other namespaces too. */
  readonly named: readonly SourceReference[]
  /** To be tried on the names of each source of the type in the workload's namespace. */
  readonly patterns: readonly { readonly type: SourceType; readonly pattern: NamePattern }[]
  /** What the template refers to, where the workload takes it: by `auto`, or by `search` if the source carries `match`. */
  readonly referenced: readonly SourceReference[]
  /** Types of which it takes all that it refers to. */
  readonly auto: readonly SourceType[]
  /** Types of which it takes what it refers to and what carries `match`. */
  readonly search: readonly SourceType[]
}

const typesOfKinds: Readonly<Partial<Record<ReferredKind, SourceType>>> = {
  ConfigMap: 'configmap',
  Secret: 'secret',
  SecretProviderClass: 'secretproviderclass',
}

/** How sources find `workload`. */
export function matcherOf(workload: Pick<WorkloadFacts, 'namespace' | 'selection' | 'pod'>): Matcher {
  const { namespace } = workload
  const selections = selectionsByType(workload.selection)
  const auto = selections.flatMap(([type, selection]) => (selection.auto === 'no' ? [] : [type]))
  const search = selections.flatMap(([type, { isSearching }]) => (isSearching ? [type] : []))
  const taken = new Set([...auto, ...search])
  return {
    named: selections.flatMap(([type, { named }]) => [
      ...Array.from(named.names, name => ({ type, namespace, name })),
      ...named.elsewhere.map(entry => ({ type, ...entry })),
    ]),
    patterns: selections.flatMap(([type, { named }]) => named.patterns.map(pattern => ({ type, pattern }))),
    referenced: referencesOf(workload.pod).flatMap(({ kind, name }) => {
      const type = typesOfKinds[kind]
      return type === undefined || !taken.has(type) ? [] : [{ type, namespace, name }]
    }),
    auto,
    search,
  }
}
