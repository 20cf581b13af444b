// Which right each action needs on the API server.
import type { ActionName, Ref } from '../contract.ts'
import { freezeActions, planActions } from '../contract-names.ts'
import { freezableScopes, writeOf } from './write-of.ts'

/** One verb on one resource, as a SubjectAccessReview asks for it. */
export interface NeededRight {
  readonly verb: 'patch' | 'create' | 'delete'
  /** Empty for the core group. */
  readonly group: string
  readonly resource: string
  readonly namespace?: string
  readonly name?: string
}

/**
 * What `action` needs; `undefined` for what writes nothing. Of freeze and thaw it depends on `scope`: without one it is everything, so
 * Ballast's own Namespace.
 */
export function rightsOf(action: ActionName, scope?: Ref | null, ownNamespace = 'ballast-system'): NeededRight | undefined {
  const write = writeOf(action, { scope: scope ?? null }, { viewer: '', ownNamespace })
  if (write.verb === 'reset') return undefined
  const { resource, namespace, name } = write.of
  return {
    verb: write.verb,
    group: resource.group,
    resource: resource.resource,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === '' ? {} : { name }),
  }
}

/** What an account needs that does all of it for others, outside of a twin; without names, in every namespace. */
export function writeRights(): readonly Pick<NeededRight, 'verb' | 'group' | 'resource'>[] {
  const needed = [
    ...planActions.map(action => rightsOf(action)),
    ...freezeActions.flatMap(action => [null, ...freezableScopes()].map(scope => rightsOf(action, scope))),
  ].filter(right => right !== undefined)
  const rights = new Map(needed.map(({ verb, group, resource }) => [`${verb} ${group}/${resource}`, { verb, group, resource }]))
  return [...rights.values()]
}

/** `Your account lacks patch on rebalanceplans (ballast.dev).` */
export function lackSentence({ verb, group, resource, namespace }: NeededRight): string {
  const where = namespace === undefined ? '' : ` in ${namespace}`
  return `Your account lacks ${verb} on ${group === '' ? resource : `${resource} (${group})`}${where}.`
}
