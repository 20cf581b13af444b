// Which pods a strategy looks at before any evictor is asked: namespaces, then labels.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StrategyView } from '../contract.ts'
import type { NamespaceChoice, PodChoice } from '../policy/args.ts'

/** A test of the namespaces and labels that a policy names. Lists without entries choose every namespace. */
export function choosing(
  { namespaces, labelSelector }: PodChoice,
  view: Pick<StrategyView, 'byShape'>,
): (pod: PodState) => boolean {
  if (namespaces.include.length + namespaces.exclude.length === 0 && labelSelector === undefined) return () => true
  const isListed = choosingNamespaces(namespaces)
  return view.byShape(
    pod => isListed(pod.namespace) && (labelSelector === undefined || labelSelector.matches(pod.object.metadata.labels)),
  )
}

/** A test of names against the list that has entries. */
function choosingNamespaces({ include, exclude }: NamespaceChoice): (name: string) => boolean {
  const [included, excluded] = [new Set(include), new Set(exclude)]
  return name => (included.size === 0 || included.has(name)) && !excluded.has(name)
}
