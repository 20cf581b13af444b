// Command lines of upstreams written in Go, read as their library (pflag) reads them: forms of values, its messages, all that is wrong at once.
import { isIP } from 'node:net'
import { goQuote } from '#kube/objects/field-error.ts'
import type { Problem } from '#kube/problem.ts'
import { parseDuration } from '#kube/time/duration.ts'
import { parseStringSlice } from './string-slice.ts'

/** How a value is read. Durations come as milliseconds; `texts` are one value each time they are given; `gates` are pairs `key=bool`. */
export type FlagForm = 'bool' | 'text' | 'duration' | 'level' | 'whole' | 'number' | 'list' | 'texts' | 'gates' | 'address'
type FlagValue = string | boolean | number | readonly string[] | ReadonlyMap<string, boolean>

/** By the flag's long name. */
export type FlagValues = ReadonlyMap<string, FlagValue>

interface FlagTable {
  /** The program, as messages name it. */
  readonly program: string
  readonly forms: Readonly<Record<string, FlagForm>>
  /** Flags that are taken because upstream takes them, and that have no effect. */
  readonly unused: Readonly<Record<string, FlagForm>>
  /** Letters, and the flags that they stand for. */
  readonly letters: Readonly<Record<string, string>>
  /** Words that are no flags. */
  readonly words: 'refused' | 'ignored'
}

interface GivenFlags {
  readonly values: FlagValues
  /** A sentence for each flag that was given and has no effect. */
  readonly unused: readonly string[]
  readonly problems: readonly Problem[]
}

/** What `words` (what follows the program's name) say. Of a flag that is given twice the last one counts; lists and gates add up. */
export function readFlags(words: readonly string[], table: FlagTable): GivenFlags {
  const problems: Problem[] = []
  const values = new Map<string, FlagValue>()
  const unused = new Set<string>()
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (word === '--') break
    if (!word.startsWith('-') || word === '-') {
      if (table.words === 'refused') problems.push(unknownWord(word, table))
      continue
    }
    const given = flagIn(word, table)
    const form = given && formOf(given.name, table)
    if (given === undefined || form === undefined) {
      problems.push(unknownFlag(word, table))
      continue
    }
    const text = given.value ?? (form === 'bool' ? 'true' : words[++at])
    if (text === undefined) {
      const message = `flag needs an argument: ${given.shown}`
      problems.push({ code: 'flag-value', where: given.shown, found: '', expected: 'a value', message })
      continue
    }
    const read = readValue(form, text, values.get(given.name))
    // The last name of one flag counts: each value moves behind those that were given before.
    values.delete(given.name)
    if (read.ok) values.set(given.name, read.value)
    else {
      const message = `invalid argument ${goQuote(text)} for "${given.shown}" flag: ${read.why}`
      problems.push({ code: 'flag-value', where: given.shown, found: text, expected: expectedWords[form], message })
    }
    if (Object.hasOwn(table.unused, given.name)) unused.add(`--${given.name} is taken and has no effect`)
  }
  return { values, unused: [...unused], problems }
}

interface GivenFlag {
  readonly name: string
  /** As it stands in messages. */
  readonly shown: string
  readonly value: string | undefined
}

function flagIn(word: string, { letters }: FlagTable): GivenFlag | undefined {
  const [, long, longValue] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? []
  if (long !== undefined) return { name: long, shown: shownName(long, letters), value: longValue }
  const [, letter = '', rest = ''] = /^-([^-])([\s\S]*)$/.exec(word) ?? []
  const name = Object.hasOwn(letters, letter) ? letters[letter] : undefined
  if (name === undefined) return undefined
  return { name, shown: shownName(name, letters), value: rest === '' ? undefined : rest.replace(/^=/, '') }
}

function shownName(name: string, letters: FlagTable['letters']): string {
  const letter = Object.keys(letters).find(key => letters[key] === name)
  return letter === undefined ? `--${name}` : `-${letter}, --${name}`
}

function formOf(name: string, { forms, unused }: FlagTable): FlagForm | undefined {
  if (Object.hasOwn(forms, name)) return forms[name]
  return Object.hasOwn(unused, name) ? unused[name] : undefined
}

function unknownFlag(word: string, { program }: FlagTable): Problem {
  const message = word.startsWith('--')
    ? `unknown flag: ${word.replace(/=[\s\S]*/, '')}`
    : `unknown shorthand flag: ${goQuote(word.slice(1, 2)).replaceAll('"', "'")} in ${word}`
  return { code: 'flag-value', where: program, found: word, expected: `a flag of the ${program}`, message }
}

function unknownWord(word: string, { program }: FlagTable): Problem {
  const message = `unknown command ${goQuote(word)} for "${program}"`
  return { code: 'flag-value', where: program, found: word, expected: `a flag of the ${program}`, message }
}

type Read = { readonly ok: true; readonly value: FlagValue } | { readonly ok: false; readonly why: string }

const expectedWords: Readonly<Record<FlagForm, string>> = {
  bool: 'true or false',
  text: 'a text',
  duration: 'a duration such as 5m',
  level: 'a whole number from 0 up',
  whole: 'a whole number',
  number: 'a number',
  list: 'values with commas between them',
  texts: 'a text',
  gates: 'key=true or key=false, with commas between them',
  address: 'an IP address',
}

function readValue(form: FlagForm, text: string, before: FlagValue | undefined): Read {
  switch (form) {
    case 'bool': {
      const value = boolOf(text)
      return value === undefined
        ? { ok: false, why: `strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax` }
        : { ok: true, value }
    }
    case 'duration': {
      const parsed = parseDuration(text)
      if (parsed.ok) return { ok: true, value: Number(parsed.value) / 1_000_000 }
      return { ok: false, why: parsed.problem.message ?? parsed.problem.expected }
    }
    case 'level':
      if (/^[0-9]{1,9}$/.test(text)) return { ok: true, value: Number(text) }
      return { ok: false, why: `strconv.ParseUint: parsing ${goQuote(text)}: invalid syntax` }
    case 'whole':
      if (/^[+-]?[0-9]{1,15}$/.test(text)) return { ok: true, value: Number(text) }
      return { ok: false, why: `strconv.ParseInt: parsing ${goQuote(text)}: invalid syntax` }
    case 'number':
      if (/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(text)) return { ok: true, value: Number(text) }
      return { ok: false, why: `strconv.ParseFloat: parsing ${goQuote(text)}: invalid syntax` }
    case 'list': {
      const fields = parseStringSlice(text)
      if (fields === undefined) return { ok: false, why: 'parse error: bare " in non-quoted-field' }
      return { ok: true, value: [...(Array.isArray(before) ? before.map(String) : []), ...fields] }
    }
    case 'texts':
      return { ok: true, value: [...(Array.isArray(before) ? before.map(String) : []), text] }
    case 'gates':
      return readGates(text, before)
    case 'address':
      return isIP(text.trim()) === 0
        ? { ok: false, why: `failed to parse IP: ${goQuote(text)}` }
        : { ok: true, value: text.trim() }
    case 'text':
      return { ok: true, value: text }
  }
}

function readGates(text: string, before: FlagValue | undefined): Read {
  const gates = new Map(before instanceof Map ? before : [])
  for (const pair of text.split(',').filter(part => part !== '')) {
    const [, name = '', given = ''] = /^([^=]*)=([\s\S]*)$/.exec(pair) ?? []
    if (!pair.includes('=')) return { ok: false, why: 'malformed pair, expect string=bool' }
    const value = boolOf(given.trim())
    const key = name.trim()
    if (value === undefined) {
      const why = `invalid value of ${key}: ${given.trim()}, err: strconv.ParseBool: parsing ${goQuote(given.trim())}: invalid syntax`
      return { ok: false, why }
    }
    gates.set(key, value)
  }
  return { ok: true, value: gates }
}

function boolOf(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined
}
