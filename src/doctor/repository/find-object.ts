// Looking for an object of a repository by name, where namespaces and parts of names may be filled in later.
import type { RepositoryObject } from '../repository.ts'
import { hasVariables, nameWithVariables } from './left-alone.ts'

/** May `one` lie in `namespace`? What says no namespace, or one that is filled in, may lie in any. */
export function mayLieIn(one: RepositoryObject, namespace: string | undefined): boolean {
  if (namespace === undefined || hasVariables(namespace) || one.namespaces.length === 0) return true
  return one.namespaces.some(place => place === namespace || hasVariables(place))
}

/** The first object that may be the one meant. */
export function findObject(
  objects: readonly RepositoryObject[],
  kind: string,
  name: string,
  namespaces: readonly (string | undefined)[],
): RepositoryObject | undefined {
  return objects.find(
    one =>
      one.object.kind === kind &&
      isNamed(one.object.metadata.name, name) &&
      namespaces.some(namespace => mayLieIn(one, namespace)),
  )
}

function isNamed(own: string, name: string): boolean {
  return own === name || (hasVariables(own) && nameWithVariables(own).test(name))
}

/** Where something that `one` names may lie: in the namespace that it says, else in its own; in any, where it has none. */
export function namespacesToTry(one: RepositoryObject, said?: string): readonly (string | undefined)[] {
  if (said !== undefined) return [said]
  return one.namespaces.length === 0 ? [undefined] : one.namespaces
}
