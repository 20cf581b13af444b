// What a CertificateKeeper may do, and no more: made here, beside it, so that nobody writes it by hand.
import type { GroupVersionResource } from '../objects/resource.ts'

/** An object that names us and wants our bundle. */
export interface InjectedPlace {
  readonly resource: GroupVersionResource
  readonly name: string
  /** In a configuration of webhooks: ours, by name; all of them unless given. What others added to it trusts whom they say. */
  readonly webhooks?: readonly string[]
  /** It asks for no bundle and gets one: objects of an upstream, which its own program would write to. */
  readonly isUnasked?: boolean
}

interface Right {
  readonly groups: readonly string[]
  readonly resources: readonly string[]
  readonly names?: readonly string[]
  readonly verbs: readonly string[]
}

/** The Secret named `secret` in its own namespace, and the bundle in `places`. */
export function certificateRights(
  secret: string,
  places: readonly InjectedPlace[],
): { readonly own: readonly Right[]; readonly cluster: readonly Right[] } {
  return {
    own: [
      // A name cannot bound who may create.
      { groups: [''], resources: ['secrets'], verbs: ['create'] },
      { groups: [''], resources: ['secrets'], names: [secret], verbs: ['get', 'list', 'update', 'watch'] },
    ],
    cluster: places.map(({ resource, name }) => ({
      groups: [resource.group],
      resources: [resource.resource],
      names: [name],
      verbs: ['get', 'list', 'patch', 'watch'],
    })),
  }
}
