// What a trigger is told: a table of its parameters, from where each is taken, and what may stand there. One table reads them, refuses what
// is wrong in upstream's words, and is the documentation of the scaler.
import { parseDuration } from '#kube/time/duration.ts'

/** Where a parameter is looked for: the trigger's own metadata, an environment variable that `<name>FromEnv` names, an authentication. */
type ParameterSource = 'metadata' | 'env' | 'auth'

/** What a trigger was given, resolved. */
export interface GivenParameters {
  readonly metadata: Readonly<Record<string, string>>
  /** Variables of the target's container. */
  readonly env: Readonly<Record<string, string>>
  /** What authentications gave. */
  readonly auth: Readonly<Record<string, string>>
}

/** Why a trigger cannot be used as it is written; each line one reason. */
export class TriggerProblem extends Error {
  override readonly name: string = 'TriggerProblem'
}

/** The same of what upstream can do and Ballast cannot, whatever else the trigger says. */
export class NotInBallast extends TriggerProblem {
  override readonly name = 'NotInBallast'
}

/** How a text is read. */
interface ParameterKind<T> {
  readonly name: string
  /** @throws TriggerProblem */
  readonly read: (text: string) => T
}

interface ParameterOptions {
  readonly from: readonly ParameterSource[]
  readonly about: string
  /** Where it is not the key of the table; earlier names win within a source. */
  readonly names?: readonly string[]
  /** A trigger that gives it is refused with this hint. */
  readonly deprecated?: string
  /** KEDA has none of that name, and drops it. */
  readonly isOurs?: true
}

interface Parameter<T> extends ParameterOptions {
  readonly kind: ParameterKind<unknown>
  readonly isOptional: boolean
  /** A text, as a user would write it. */
  readonly defaultText?: string
  readonly read: (text: string) => T
}

type Place = (about: string) => ParameterOptions

const place =
  (...from: readonly ParameterSource[]): Place =>
  about => ({ from, about })

/** Given by the trigger's own metadata alone. */
export const here = place('metadata')

/** Given by an authentication alone. */
export const secret = place('auth')

/** Given by either; the earlier wins. */
export const hereOrSecret = place('metadata', 'auth')
export const hereOrEnv = place('metadata', 'env')
export const secretOrHere = place('auth', 'metadata')

/** Given by any place; the earlier wins. */
export const hereSecretOrEnv = place('metadata', 'auth', 'env')
export const hereEnvOrSecret = place('metadata', 'env', 'auth')
export const secretHereOrEnv = place('auth', 'metadata', 'env')
export const secretEnvOrHere = place('auth', 'env', 'metadata')

/** What only an authentication or a variable of the container gives. */
export const secretOrEnv = place('auth', 'env')
export const envOrSecret = place('env', 'auth')

export type ParameterTable = Readonly<Record<string, Parameter<unknown>>>

type ParametersOf<Table extends ParameterTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Parameter<infer T> ? T : never
}

export function required<T>(kind: ParameterKind<T>, options: ParameterOptions): Parameter<T> {
  return { ...options, kind, isOptional: false, read: kind.read }
}

export function optional<T>(kind: ParameterKind<T>, options: ParameterOptions): Parameter<T | undefined> {
  return { ...options, kind, isOptional: true, read: kind.read }
}

/** `text` is what holds where nobody says anything. */
export function defaulted<T>(kind: ParameterKind<T>, text: string, options: ParameterOptions): Parameter<T> {
  return { ...options, kind, isOptional: false, defaultText: text, read: kind.read }
}

export const text: ParameterKind<string> = { name: 'text', read: given => given }

const refuse = (message: string): never => {
  throw new TriggerProblem(message)
}

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** As JSON writes numbers. */
export const float: ParameterKind<number> = {
  name: 'number',
  read(given) {
    const value = jsonNumber.test(given) ? Number(given) : Number.NaN
    return Number.isFinite(value) ? value : refuse('expected a number such as 5 or 0.5')
  },
}

export const integer: ParameterKind<number> = {
  name: 'integer',
  read(given) {
    const value = /^-?(?:0|[1-9]\d*)$/.test(given) ? Number(given) : Number.NaN
    return Number.isSafeInteger(value) ? value : refuse('expected a whole number such as 5')
  },
}

const truths: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map(word => [word, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map(word => [word, false] as const),
])

/** As Go reads booleans; undefined for every other word. */
export function goBoolean(given: string): boolean | undefined {
  return Object.hasOwn(truths, given) ? truths[given] : undefined
}

export const boolean: ParameterKind<boolean> = {
  name: 'boolean',
  read: given => goBoolean(given) ?? refuse('expected true or false'),
}

/** Milliseconds: a Go duration, or a plain number of milliseconds. */
export const duration: ParameterKind<number> = {
  name: 'duration',
  read(given) {
    if (/^[+-]?\d+$/.test(given)) {
      const plain = Number(given)
      return plain < 0 || !Number.isSafeInteger(plain) ? refuse(`duration cannot be negative: ${given} milliseconds`) : plain
    }
    const parsed = parseDuration(given)
    if (!parsed.ok) return refuse('expected a duration such as 30s or 5m, or a number of milliseconds')
    const ms = Number(parsed.value) / 1e6
    return ms < 0 ? refuse(`duration cannot be negative: ${JSON.stringify(given)}`) : ms
  },
}

export function oneOf<const Words extends readonly string[]>(...words: Words): ParameterKind<Words[number]> {
  return {
    name: words.join(' | '),
    read: given => words.find(word => word === given) ?? refuse(`must be one of [${words.join(' ')}]`),
  }
}

/** Values between commas. */
export function listOf<T>(kind: ParameterKind<T>, separator = ','): ParameterKind<readonly T[]> {
  return { name: `list of ${kind.name}`, read: given => given.split(separator).map(item => kind.read(item.trim())) }
}

/** Whole numbers between commas, and ranges such as `1-4`. */
export function integerRanges(most: number): ParameterKind<readonly number[]> {
  return {
    name: 'list of integers and ranges',
    read: given =>
      given.split(',').flatMap(item => {
        const range = /^\s*(\d+)-(\d+)\s*$/.exec(item)
        if (range === null) return [integer.read(item.trim())]
        const [first, last] = [Number(range[1]), Number(range[2])]
        if (last - first >= most) refuse(`a range of at most ${most}`)
        return Array.from({ length: Math.max(0, last - first + 1) }, (_none, index) => first + index)
      }),
  }
}

/** `key=value` between commas. */
export const pairs: ParameterKind<Readonly<Record<string, string>>> = {
  name: 'list of key=value',
  read: given =>
    Object.fromEntries(
      given.split(',').map(item => {
        const [key, value, ...more] = item.split('=')
        if (key === undefined || value === undefined || more.length > 0)
          return refuse(`expected format key=value, got ${JSON.stringify(item.trim())}`)
        return [key.trim(), value.trim()]
      }),
    ),
}

/** As a query of an address is written, `a=1&b=2`: names may come again. */
export const pairsOfQuery: ParameterKind<readonly (readonly [string, string])[]> = {
  name: 'query',
  read: given => [...new URLSearchParams(given)],
}

/** What upstream calls the places, so that its users know them. */
const sourceWords: Readonly<Record<ParameterSource, string>> = {
  metadata: 'triggerMetadata',
  env: 'resolvedEnv',
  auth: 'authParams',
}

/** The parameters that `table` names. @throws TriggerProblem with a line for each that is missing or wrong */
export function readParameters<Table extends ParameterTable>(
  table: Table,
  given: GivenParameters,
  type: string,
): ParametersOf<Table> {
  const problems: string[] = []
  const read = Object.entries(table).map(([key, parameter]): [string, unknown] => {
    try {
      return [key, readParameter(key, parameter, given, type)]
    } catch (error) {
      if (!(error instanceof TriggerProblem)) throw error
      problems.push(error.message)
      return [key, undefined]
    }
  })
  if (problems.length > 0) throw new TriggerProblem(problems.join('\n'))
  return Object.fromEntries(read) as ParametersOf<Table>
}

function readParameter(key: string, parameter: Parameter<unknown>, given: GivenParameters, type: string): unknown {
  const names = parameter.names ?? [key]
  const name = names.join(',')
  const found = givenText(names, parameter.from, given)
  if (found !== undefined && parameter.deprecated !== undefined) refuse(`scaler ${type} info: ${parameter.deprecated}`)
  const meant = found?.text ?? parameter.defaultText
  if (meant === undefined) {
    if (parameter.isOptional || parameter.deprecated !== undefined) return undefined
    return refuse(
      `missing required parameter ${JSON.stringify(name)} in [${parameter.from.map(source => sourceWords[source]).join(' ')}]`,
    )
  }
  try {
    return parameter.read(meant)
  } catch (error) {
    if (!(error instanceof TriggerProblem)) throw error
    // What was given elsewhere than in the trigger may be a secret: it is never said.
    const isShown = found === undefined || found.source === 'metadata'
    throw new TriggerProblem(
      `unable to set param ${JSON.stringify(name)}${isShown ? ` value ${JSON.stringify(meant)}` : ''}: ${error.message}`,
    )
  }
}

/** The first that is not blank, source by source. */
function givenText(
  names: readonly string[],
  from: readonly ParameterSource[],
  given: GivenParameters,
): { readonly source: ParameterSource; readonly text: string } | undefined {
  for (const source of from) {
    for (const name of names) {
      const found = source === 'env' ? own(given.env, own(given.metadata, `${name}FromEnv`)) : own(given[source], name)
      const trimmed = found?.trim()
      if (trimmed !== undefined && trimmed !== '') return { source, text: trimmed }
    }
  }
  return undefined
}

function own(record: Readonly<Record<string, string>>, key: string | undefined): string | undefined {
  return key !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}

/** Keys of the metadata that no parameter of `table` reads. */
export function unknownKeys(table: ParameterTable, metadata: Readonly<Record<string, string>>): readonly string[] {
  const known = new Set(
    Object.entries(table).flatMap(([key, { names }]) => (names ?? [key]).flatMap(name => [name, `${name}FromEnv`])),
  )
  return Object.keys(metadata).filter(key => !known.has(key))
}
