// The command line of upstream's `descheduler` (v0.36.0) as values: flags as pflag takes them, all that is wrong at once.

import { goQuote } from '#kube/objects/field-error.ts'
import type { Problem } from '#kube/problem.ts'
import { parseDuration } from '#kube/time/duration.ts'
import { parseStringSlice } from '#process/drop-ins/string-slice.ts'
import { type DeschedulerSettings, deschedulerSettings, type FlagValues } from './descheduler-settings.ts'

/** How a value is read; `gates` are pairs `key=bool`. */
type Form = 'bool' | 'text' | 'duration' | 'level' | 'whole' | 'number' | 'list' | 'gates'

// biome-ignore format: a table
const forms: Readonly<Record<string, Form>> = {
  'policy-config-file': 'text', 'descheduling-interval': 'duration', 'dry-run': 'bool',
  kubeconfig: 'text', 'client-connection-kubeconfig': 'text', 'client-connection-qps': 'number', 'client-connection-burst': 'whole',
  'leader-elect': 'bool', 'leader-elect-lease-duration': 'duration', 'leader-elect-renew-deadline': 'duration', 'leader-elect-retry-period': 'duration',
  'leader-elect-resource-lock': 'text', 'leader-elect-resource-name': 'text', 'leader-elect-resource-namespace': 'text',
  'secure-port': 'whole', 'bind-address': 'text', 'cert-dir': 'text', 'tls-cert-file': 'text', 'tls-private-key-file': 'text', 'tls-min-version': 'text', 'tls-cipher-suites': 'list',
  'disable-metrics': 'bool', 'enable-http2': 'bool', 'feature-gates': 'gates',
  v: 'level', vmodule: 'text', 'logging-format': 'text', 'log-flush-frequency': 'duration',
  'otel-collector-endpoint': 'text', 'otel-transport-ca-cert': 'text', 'otel-service-name': 'text', 'otel-trace-namespace': 'text', 'otel-sample-rate': 'number', 'otel-fallback-no-op-on-error': 'bool',
}

/** Taken, because upstream takes them, and without effect. */
// biome-ignore format: a table
const unusedForms: Readonly<Record<string, Form>> = {
  'disable-http2-serving': 'bool', 'http2-max-streams-per-connection': 'whole', 'permit-address-sharing': 'bool', 'permit-port-sharing': 'bool', 'tls-curve-preferences': 'list',
  'tls-sni-cert-key': 'text', 'log-json-info-buffer-size': 'text', 'log-json-split-stream': 'bool', 'log-text-info-buffer-size': 'text', 'log-text-split-stream': 'bool',
}

type DeschedulerFlags =
  | { readonly ok: true; readonly settings: DeschedulerSettings; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** The settings that `words` (what follows the program's name) say. Of a flag that is given twice the last one counts. */
export function parseDeschedulerFlags(words: readonly string[]): DeschedulerFlags {
  const problems: Problem[] = []
  const values = new Map<string, FlagValues extends ReadonlyMap<string, infer Value> ? Value : never>()
  const unused: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    const given = flagIn(word)
    const form = given && formOf(given.name)
    if (given === undefined || form === undefined) {
      problems.push(unknownFlag(word))
      continue
    }
    const text = given.value ?? (form === 'bool' ? 'true' : words[++at])
    if (text === undefined) {
      const message = `flag needs an argument: ${given.shown}`
      problems.push({ code: 'flag-value', where: given.shown, found: '', expected: 'a value', message })
      continue
    }
    const read = readValue(form, text, values.get(given.name))
    if (read.ok) values.set(given.name, read.value)
    else {
      const message = `invalid argument ${goQuote(text)} for "${given.shown}" flag: ${read.why}`
      problems.push({ code: 'flag-value', where: given.shown, found: text, expected: expectedWords[form], message })
    }
    if (Object.hasOwn(unusedForms, given.name)) unused.push(`--${given.name} is taken and has no effect`)
    // Both name the same file: the last one counts.
    if (given.name === 'kubeconfig' && read.ok) values.set('client-connection-kubeconfig', read.value)
  }
  const { settings, warnings, problems: further } = deschedulerSettings(values)
  problems.push(...further)
  return problems.length > 0 ? { ok: false, problems } : { ok: true, settings, warnings: [...unused, ...warnings] }
}

interface GivenFlag {
  readonly name: string
  /** As it stands in messages. */
  readonly shown: string
  readonly value: string | undefined
}

function flagIn(word: string): GivenFlag | undefined {
  const [, long, longValue] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? []
  if (long !== undefined) return { name: long, shown: long === 'v' ? '-v, --v' : `--${long}`, value: longValue }
  const [, rest] = /^-v([\s\S]*)$/.exec(word) ?? []
  if (rest === undefined) return undefined
  return { name: 'v', shown: '-v, --v', value: rest === '' ? undefined : rest.replace(/^=/, '') }
}

function formOf(name: string): Form | undefined {
  if (Object.hasOwn(forms, name)) return forms[name]
  return Object.hasOwn(unusedForms, name) ? unusedForms[name] : undefined
}

function unknownFlag(word: string): Problem {
  const message = word.startsWith('--')
    ? `unknown flag: ${word.replace(/=[\s\S]*/, '')}`
    : word.startsWith('-')
      ? `unknown shorthand flag: ${goQuote(word.slice(1, 2)).replaceAll('"', "'")} in ${word}`
      : `unknown command ${goQuote(word)} for "descheduler"`
  return { code: 'flag-value', where: 'descheduler', found: word, expected: 'a flag of the descheduler', message }
}

type Value = FlagValues extends ReadonlyMap<string, infer Known> ? Known : never
type Read = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly why: string }

const expectedWords: Readonly<Record<Form, string>> = {
  bool: 'true or false',
  text: 'a text',
  duration: 'a duration such as 5m',
  level: 'a whole number from 0 up',
  whole: 'a whole number',
  number: 'a number',
  list: 'values with commas between them',
  gates: 'key=true or key=false, with commas between them',
}

function readValue(form: Form, text: string, before: Value | undefined): Read {
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
    case 'gates':
      return readGates(text, before)
    case 'text':
      return { ok: true, value: text }
  }
}

function readGates(text: string, before: Value | undefined): Read {
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
