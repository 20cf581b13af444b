// The effective configuration as a list, read only: what was given, and what follows for the page. No secret leaves here.
import { ownerKeys } from '#cluster/ownership.ts'
import type { SettingRow } from '../contract.ts'
import type { Picture } from '../picture.ts'

const hidden = '••••'
/** Keys of secrets, wherever they stand in a path. Names of files that hold one are none. */
const secretKey = /(^|[.[])[a-z]*(token|password|secret|key|credentials)(\]|$)/i

/** `given` and what Ballast runs with, in order of their keys; values of secrets as dots. */
export function settingRows(picture: Picture, given: readonly SettingRow[]): readonly SettingRow[] {
  const keys = new Set(given.map(({ key }) => key))
  const added = derived(picture).filter(({ key }) => !keys.has(key))
  return [...given, ...added].map(withoutSecret).toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

function withoutSecret(row: SettingRow): SettingRow {
  return secretKey.test(row.key) && row.value !== '' ? { ...row, value: hidden } : row
}

const running = 'as it runs'

function derived({ cluster, mode, ownNamespace, capabilities, ownerLabel, arbiter, twin }: Picture): readonly SettingRow[] {
  const row = (key: string, value: string): SettingRow => ({ key, value, origin: running })
  return [
    row('cluster', cluster),
    row('mode', mode),
    row('namespace', ownNamespace),
    row('arbiter.freeze', String(arbiter.freeze)),
    row('arbiter.ownerLabel', ownerKeys(ownerLabel).join(', ')),
    row('arbiter.gates', [...arbiter.gates].toSorted().join(', ')),
    ...capabilities.map(name => row(`capabilities.${name}.enabled`, 'true')),
    ...(twin === undefined ? [] : [row('twin.source', twin.source), row('twin.seed', String(twin.seed))]),
  ]
}
