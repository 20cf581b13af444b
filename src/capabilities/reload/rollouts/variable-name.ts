// The environment variable that upstream writes for a source, and the words for the types in what it writes.
import type { SourceReference, SourceType } from '../sources/source-state.ts'

const writtenTypes = { configmap: 'CONFIGMAP', secret: 'SECRET', secretproviderclass: 'SECRETPROVIDERCLASS' } as const
type WrittenType = (typeof writtenTypes)[SourceType]

/** `CONFIGMAP`, `SECRET` or `SECRETPROVIDERCLASS`. */
export function writtenType(type: SourceType): WrittenType {
  return writtenTypes[type]
}

/** `STAKATER_APP_CONFIG_CONFIGMAP`. Names such as `my-config` and `my.config` share one. */
export function variableName({ type, name }: Pick<SourceReference, 'type' | 'name'>): string {
  return `STAKATER_${environmentName(name)}_${writtenType(type)}`
}

/** Upper case; each run of other bytes than `A-Z0-9` becomes `_`, a leading run vanishes. */
export function environmentName(name: string): string {
  return name
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')
    .replace(/^_/, '')
}
