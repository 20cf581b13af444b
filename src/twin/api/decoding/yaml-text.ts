// YAML texts into values, with the words that upstream's reader has for what is malformed.
import { type Document, isCollection, isMap, isScalar, LineCounter, parseAllDocuments, visit, type YAMLParseError } from 'yaml'
import type { DecodedBody } from './decoded-body.ts'
import { readJson } from './json-text.ts'

type YamlReading = { readonly ok: true; readonly read: DecodedBody } | { readonly ok: false; readonly why: string }

/** Aliases that a document may have altogether: more is an attack. */
const mostAliases = 100

/** The first document of a text; nothing at all is null. */
export function readYaml(text: string): YamlReading {
  if (/^\s*\{/.test(text)) {
    const reading = readJson(text)
    if (reading.ok) {
      const textProblems = reading.read.duplicates.map(path => `duplicate field ${JSON.stringify(path)}`)
      return { ok: true, read: { ...reading.read, textProblems } }
    }
  }
  if (hasControlCharacter(text)) return { ok: false, why: 'yaml: control characters are not allowed' }
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { version: '1.1', prettyErrors: false, lineCounter: lines, logLevel: 'silent' })
  const document = 'empty' in documents ? undefined : documents[0]
  if (document === undefined) return { ok: true, read: { value: null, duplicates: [], hasOddNumbers: false, textProblems: [] } }
  const repeated = document.errors.filter(error => error.code === 'DUPLICATE_KEY')
  const [fault] = document.errors.filter(error => error.code !== 'DUPLICATE_KEY')
  if (fault !== undefined) return { ok: false, why: `yaml: ${wordsFor(fault, text, lines)}` }
  const broken = keyFault(document)
  if (broken !== undefined) return { ok: false, why: `yaml: ${broken}` }
  try {
    const value: unknown = document.toJS({ maxAliasCount: mostAliases })
    return {
      ok: true,
      read: { value, duplicates: [], hasOddNumbers: false, textProblems: repeatedKeys(document, repeated, lines) },
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (error.message.startsWith('Merge sources'))
      return { ok: false, why: 'yaml: map merge requires map or sequence of maps as the value' }
    const unknown = /Unresolved alias .*: (.*)$/.exec(error.message)?.[1]
    return {
      ok: false,
      why: unknown === undefined ? 'yaml: document contains excessive aliasing' : `yaml: unknown anchor '${unknown}' referenced`,
    }
  }
}

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x20 && code !== 9 && code !== 10 && code !== 13) return true
  }
  return false
}

function wordsFor(fault: YAMLParseError, text: string, lines: LineCounter): string {
  const { line } = lines.linePos(fault.pos[0])
  switch (fault.code) {
    case 'TAB_AS_INDENT':
      return `line ${line}: found character that cannot start any token`
    case 'MISSING_CHAR':
      return `line ${text.split('\n').length}: found unexpected end of stream`
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'BAD_INDENT':
      return `line ${line}: mapping values are not allowed in this context`
    default:
      return `line ${line}: ${fault.message}`
  }
}

/** Keys that are no scalars. */
function keyFault(document: Document.Parsed): string | undefined {
  let found: string | undefined
  visit(document, {
    Pair(_key, { key }) {
      if (!isCollection(key)) return undefined
      const items = isMap(key) ? '' : key.items.map(item => JSON.stringify(isScalar(item) ? item.value : null)).join(', ')
      found = `invalid map key: ${isMap(key) ? 'map[interface {}]interface {}{}' : `[]interface {}{${items}}`}`
      return visit.BREAK
    },
  })
  return found
}

function repeatedKeys(document: Document.Parsed, repeated: readonly YAMLParseError[], lines: LineCounter): readonly string[] {
  const keys = new Map<number, unknown>()
  if (repeated.length === 0) return []
  visit(document, {
    Pair(_key, { key }) {
      if (isScalar(key) && key.range != null) keys.set(key.range[0], key.value)
    },
  })
  return repeated.map(
    ({ pos }) => `line ${lines.linePos(pos[0]).line}: key ${JSON.stringify(keys.get(pos[0]) ?? '')} already set in map`,
  )
}
