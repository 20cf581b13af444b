// Objects as YAML in one form: the same object gives the same bytes everywhere.
import { parseDocument } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'

const firstKeys = ['apiVersion', 'kind', 'metadata', 'type', 'spec', 'data', 'rules'] as const
const firstOfMetadata = ['name', 'namespace', 'labels', 'annotations'] as const

/** Documents behind `---`, one newline at the end. */
export function yamlDocuments(objects: readonly KubeObject[]): string {
  return objects.map(object => `---\n${yamlText(ordered(object))}`).join('')
}

/** Fields in the order of readers: what it is and what it is called first, the rest by name; inside of specs as they were made. */
function ordered(object: KubeObject): Readonly<Record<string, unknown>> {
  const { metadata, ...rest } = object
  const inOrder = (fields: Readonly<Record<string, unknown>>, first: readonly string[]) => {
    const others = Object.keys(fields).filter(key => !first.includes(key))
    return Object.fromEntries(
      [...first.filter(key => fields[key] !== undefined), ...others.sort()].map(key => [key, fields[key]]),
    )
  }
  return inOrder({ ...rest, metadata: inOrder({ ...metadata }, firstOfMetadata) }, firstKeys)
}

/** Block style; a string is quoted only where it would be read as something else. */
export function yamlText(value: unknown, indent = 0): string {
  const pad = ' '.repeat(indent)
  if (typeof value !== 'object' || value === null) return `${pad}${scalarText(value)}\n`
  if (Array.isArray(value))
    return value.length === 0 ? `${pad}[]\n` : value.map(item => `${pad}- ${below(item, indent + 2).trimStart()}`).join('')
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  if (entries.length === 0) return `${pad}{}\n`
  return entries.map(([key, inner]) => `${pad}${scalarText(key)}:${fieldValue(inner, indent)}`).join('')
}

function below(item: unknown, indent: number): string {
  return typeof item === 'string' && isLong(item) ? blockScalar(item, indent) : yamlText(item, indent)
}

/** What stands behind the colon of a field at `indent`. */
export function fieldValue(value: unknown, indent: number): string {
  if (typeof value === 'string' && isLong(value)) return ` ${blockScalar(value, indent + 2)}`
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return ` ${yamlText(value).trimEnd()}\n`
  return `\n${yamlText(value, indent + 2)}`
}

/** Several lines that a block can show as they are. */
const isLong = (text: string) =>
  text.includes('\n') &&
  /^[^\s]/.test(text) &&
  !/[ \t]\n|[^\n\t\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/.test(text) &&
  !/\n\n$/.test(text)

function blockScalar(text: string, indent: number): string {
  const pad = ' '.repeat(indent)
  const kept = text.endsWith('\n')
  const lines = (kept ? text.slice(0, -1) : text).split('\n')
  return `|${kept ? '' : '-'}\n${lines.map(line => (line === '' ? '\n' : `${pad}${line}\n`)).join('')}`
}

/** A scalar in one line: plain where every reader of YAML 1.1 and 1.2 takes it for the same text. */
export function scalarText(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value) ?? 'null'
  return isPlain(value) ? value : JSON.stringify(value)
}

/** Words that some reader takes for another type: booleans, null, numbers of all notations, times, merge keys. */
const otherType =
  /^(?:y|n|yes|no|on|off|true|false|null|~|<<|=|\.nan|[-+]?\.inf|[-+]?[\d._][\d_,:]*(?:\.[\d_]*)?(?:e[-+]?\d+)?|[-+]?e[-+]?\d+|[-+]?0[xob][\da-f_]+|\d{4}-\d\d?-\d\d?.*|[-+.\d].*:.*)$/i

function isPlain(text: string): boolean {
  if (!/^[A-Za-z0-9_./+(][\x21-\x7e]*(?: [\x21-\x7e]+)*$/.test(text)) return false
  if (/: |:$| #|[{}[\],"'&*!|>%@`]/.test(text) || text === '---' || otherType.test(text)) return false
  // What is left is asked of a reader, so that a slip above cannot change a type.
  return parseDocument(text).toJS() === text
}
