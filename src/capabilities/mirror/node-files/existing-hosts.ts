// Reads a `hosts.toml` that somebody else wrote, so that its hosts can be asked after ours. Pure.
import { parse, type TomlTable, type TomlValue } from 'smol-toml'
import { messageOf } from '#kube/log.ts'

interface ExistingHostsFile {
  /** `server` and what else stands before the hosts, written anew; empty where nothing does. */
  readonly top: string
  /** In the order of the file. */
  readonly hosts: readonly { readonly url: string; readonly text: string }[]
}

type ReadHosts =
  | { readonly ok: true; readonly file: ExistingHostsFile }
  /** containerd takes such a file for none. */
  | { readonly ok: false; readonly why: string }

const largestFile = 1024 * 1024

/** What a file says. The order is that of the table headers; TOML itself keeps none. */
export function readHosts(text: string): ReadHosts {
  if (text.length > largestFile) return { ok: false, why: `${text.length} characters, expected at most ${largestFile}` }
  let table: TomlTable
  try {
    table = parse(text)
  } catch (error) {
    return { ok: false, why: messageOf(error).split('\n', 1)[0] ?? '' }
  }
  const { host = {}, ...rest } = table
  if (!isTable(host)) return { ok: false, why: '`host` is no table' }
  const urls = inFileOrder(Object.keys(host), text)
  const hosts: { url: string; text: string }[] = []
  for (const url of urls) {
    const inner = host[url]
    if (!isTable(inner)) return { ok: false, why: `host.'${url}' is no table` }
    hosts.push({ url, text: tableText(['host', url], inner) })
  }
  return { ok: true, file: { top: Object.keys(rest).length === 0 ? '' : tableText([], rest), hosts } }
}

/** Hosts by their table headers; those that were written another way come last. */
function inFileOrder(urls: readonly string[], text: string): readonly string[] {
  const headers = text.matchAll(/^[ \t]*\[[ \t]*host[ \t]*\.[ \t]*(?:'([^'\n]*)'|"((?:[^"\\\n]|\\.)*)"|([A-Za-z0-9_-]+))/gm)
  const named = Array.from(headers, ([, literal, basic, bare]) => literal ?? unescaped(basic) ?? bare ?? '')
  return [...new Set([...named.filter(name => urls.includes(name)), ...urls])]
}

function unescaped(basic: string | undefined): string | undefined {
  if (basic === undefined) return undefined
  const value = parse(`k = "${basic}"`)['k']
  return typeof value === 'string' ? value : undefined
}

const isTable = (value: TomlValue | undefined): value is TomlTable =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** A table as upstream's encoder writes it: keys sorted, then its tables, each after an empty line. */
function tableText(path: readonly string[], table: TomlTable): string {
  const keys = Object.keys(table).toSorted()
  const plain = keys.filter(key => !isTable(table[key]))
  const own = [
    ...(path.length === 0 ? [] : [`[${path.map(keyText).join('.')}]`]),
    ...plain.map(key => `${keyText(key)} = ${valueText(table[key])}`),
  ].join('\n')
  const inner = keys.flatMap(key => {
    const value = table[key]
    return isTable(value) ? [tableText([...path, key], value)] : []
  })
  return [own, ...inner].filter(part => part !== '').join('\n\n')
}

const keyText = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? key : quoted(key))

function valueText(value: TomlValue | undefined): string {
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`
  if (value instanceof Date) return value.toISOString()
  if (isTable(value))
    return `{${Object.keys(value)
      .toSorted()
      .map(key => `${keyText(key)} = ${valueText(value[key])}`)
      .join(', ')}}`
  return numberText(value)
}

function numberText(value: TomlValue | undefined): string {
  if (value === Number.POSITIVE_INFINITY) return 'inf'
  if (value === Number.NEGATIVE_INFINITY) return '-inf'
  return String(value).toLowerCase()
}

/** As a literal where that is possible, else with escapes. */
function quoted(text: string): string {
  if (!/['\p{Cc}]/u.test(text)) return `'${text}'`
  // JSON's escapes are TOML's, but for the one control character that JSON lets stand.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
