// Where containerd says that content came from: a label `containerd.io/distribution.source.<host>` with repositories, comma between.
import { mirrorsRegistry, passes, type RegistryFilters } from '../filters.ts'

const prefix = 'containerd.io/distribution.source.'

/** Whether content with these labels came from an image that passes. The host of a label has no port, a filter's registry may have one. */
export function comesFromMirrored(filters: RegistryFilters, labels: ReadonlyMap<string, string>): boolean {
  for (const [name, value] of labels) {
    if (!name.startsWith(prefix)) continue
    const registries = registriesOf(filters, name.slice(prefix.length))
    const repositories = value.split(',').filter(repository => repository !== '')
    if (registries.some(registry => repositories.some(repository => passes(filters, { registry, repository })))) return true
  }
  return false
}

export const hasSource = (labels: ReadonlyMap<string, string>): boolean =>
  [...labels.keys()].some(name => name.startsWith(prefix))

/** Registries that the host of a label may stand for. */
function registriesOf(filters: RegistryFilters, host: string): readonly string[] {
  if (filters.registries === undefined) return [host]
  const named = [...filters.registries].filter(registry => registry.replace(/:[0-9]+$/, '') === host)
  return mirrorsRegistry(filters, host) && !named.includes(host) ? [...named, host] : named
}
