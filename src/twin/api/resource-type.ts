// What the API server knows of a resource: names, scope, verbs, subresources. Built-in ones are rows of `built-in-resources.ts`,
// custom ones come from CustomResourceDefinitions.
import type { ResourceKey } from '../access.ts'
import type { Draft } from '../json-value.ts'

export interface Subresource {
  readonly name: string
  readonly kind: string
  /** Where its kind lives, when not in the group of the resource. */
  readonly group?: string
  readonly version?: string
  readonly verbs: readonly string[]
}

/** What a CustomResourceDefinition says of one served version. */
export interface CustomVersion {
  readonly definition: string
  /** The structural schema, as written. */
  readonly schema: Draft
  readonly columns: readonly Draft[] | undefined
  readonly selectableFields: readonly string[]
  readonly storageVersion: string
  /** `clientConfig` of the webhook that converts between versions. */
  readonly converter?: Draft | undefined
  readonly scale:
    | { readonly specReplicasPath: string; readonly statusReplicasPath: string; readonly labelSelectorPath: string | undefined }
    | undefined
}

export interface ResourceType {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly isNamespaced: boolean
  readonly verbs: readonly string[]
  readonly subresources: readonly Subresource[]
  /** Under which key its objects are stored: `deployments.apps`. Two types may share one (core and events.k8s.io events). */
  readonly key: ResourceKey
  /** The version in which objects are stored. */
  readonly storageVersion: string
  readonly custom?: CustomVersion
}

export function hasSubresource(type: ResourceType, name: string): boolean {
  return type.subresources.some(subresource => subresource.name === name)
}

/** `v1`, or `apps/v1`. */
export function groupVersion(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`
}

export function apiVersionOf(type: ResourceType): string {
  return groupVersion(type.group, type.version)
}

/** `pods`, `deployments.apps`: how error texts name a resource. */
export function qualifiedResource(type: { readonly group: string; readonly plural: string }): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`
}

export function splitApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}
