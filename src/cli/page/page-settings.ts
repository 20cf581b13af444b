// The section `dashboard` as rows for people: each key with what holds and who said so.
import { type DashboardConfiguration, dashboardSchema } from '#dashboard/configuration.ts'
import type { SettingRow } from '#dashboard/contract.ts'

interface Origins {
  /** The file that the section was read from. */
  readonly file: string | undefined
  /** By key, the flag that said otherwise. */
  readonly flags: Readonly<Record<string, string>>
}

/** Rows of every key there is a value for, in order of the section. Nothing in it is secret: keys and certificates are files by name. */
export function pageSettings(configuration: DashboardConfiguration, { file, flags }: Origins): readonly SettingRow[] {
  const defaults = new Map(leaves(dashboardSchema.parse({}), 'dashboard'))
  return leaves(configuration, 'dashboard').map(([key, value]) => ({
    key,
    value,
    origin: flags[key] ?? (defaults.get(key) === value ? 'default' : (file ?? 'default')),
  }))
}

function leaves(value: unknown, path: string): readonly (readonly [key: string, text: string])[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return [[path, value.join(', ')]]
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`))
  return [[path, String(value)]]
}
