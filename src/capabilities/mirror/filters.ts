// Which registries are mirrored, and which images are not: what is neither announced nor served.
import type { Pattern } from '#kube/values/regex.ts'
import type { ImageName } from './reference.ts'

export interface RegistryFilters {
  /** Hosts with their ports, as image names have them; `undefined`: all registries. */
  readonly registries: ReadonlySet<string> | undefined
  /** Over `registry/repository[:tag]`: a match is left out. */
  readonly patterns: readonly Pattern[]
}

export const everything: RegistryFilters = { registries: undefined, patterns: [] }

/** Whether images of the registry are mirrored; `ns` as containerd sends it. */
export function mirrorsRegistry({ registries }: RegistryFilters, registry: string): boolean {
  return registries?.has(registry) ?? true
}

/** The same for the host of a content label, which containerd writes without the port. */
export function mirrorsLabelHost({ registries }: RegistryFilters, host: string): boolean {
  if (registries === undefined) return true
  return [...registries].some(registry => withoutPort(registry) === host)
}

/** Whether the image passes registries and patterns. */
export function passes(
  filters: RegistryFilters,
  { registry, repository, tag }: Pick<ImageName, 'registry' | 'repository' | 'tag'>,
): boolean {
  if (!mirrorsRegistry(filters, registry)) return false
  const name = `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}`
  return !filters.patterns.some(pattern => pattern.isFoundIn(name))
}

const withoutPort = (registry: string): string => registry.replace(/:[0-9]+$/, '')
