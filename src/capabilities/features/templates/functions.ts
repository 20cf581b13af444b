// How functions of templates are written here: what they take, and what they make of it.

import { RuleFailure } from '../matching/rule-failure.ts'
import { printed } from './printing.ts'
import { type GoValue, isList, kindOf } from './values.ts'

export interface GoFunction {
  call(values: readonly GoValue[]): GoValue
  /** For functions that look at their arguments one after the other, and may stop. */
  lazy?(values: readonly (() => GoValue)[]): GoValue
}

/** What one argument may be. */
interface Parameter<T> {
  readonly called: string
  /** `undefined`: it is nothing of the kind. */
  read(value: GoValue): T | undefined
}

/** Anything, nil included. */
export const any: Parameter<{ readonly value: GoValue }> = { called: 'any value', read: value => ({ value }) }

export const text: Parameter<string> = { called: 'string', read: value => (typeof value === 'string' ? value : undefined) }

export const integer: Parameter<bigint> = { called: 'int', read: value => (typeof value === 'bigint' ? value : undefined) }

export const boolean: Parameter<boolean> = { called: 'bool', read: value => (typeof value === 'boolean' ? value : undefined) }

export const list: Parameter<readonly GoValue[]> = { called: 'slice', read: value => (isList(value) ? value : undefined) }

type Read<P extends readonly Parameter<unknown>[]> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never
}

/** A function with these parameters; the last of a pipeline comes last. */
export function fn<const P extends readonly Parameter<unknown>[]>(...parameters: P) {
  return (body: (...values: Read<P>) => GoValue): GoFunction => ({
    call(values) {
      if (values.length !== parameters.length) wrongCount(`${parameters.length}`, values.length)
      return body(...readAll(parameters, values))
    },
  })
}

/** The same with any number of values of one kind behind them. */
export function variadic<const P extends readonly Parameter<unknown>[], T>(parameters: P, rest: Parameter<T>) {
  return (body: (values: Read<P>, more: readonly T[]) => GoValue): GoFunction => ({
    call(values) {
      if (values.length < parameters.length) wrongCount(`at least ${parameters.length}`, values.length)
      const more = values.slice(parameters.length).map(value => readOne(rest, value))
      return body(readAll(parameters, values.slice(0, parameters.length)), more)
    },
  })
}

/** A function of values as they are: any number of them. */
export function ofAll(body: (values: readonly GoValue[]) => GoValue): GoFunction {
  return { call: body }
}

function readAll<P extends readonly Parameter<unknown>[]>(parameters: P, values: readonly GoValue[]): Read<P> {
  return parameters.map((parameter, index) => readOne(parameter, values[index] ?? null)) as Read<P>
}

function readOne<T>(parameter: Parameter<T>, value: GoValue): T {
  const read = parameter.read(value)
  if (read === undefined) throw new RuleFailure(`wrong type for value; expected ${parameter.called}; got ${described(value)}`)
  return read
}

function described(value: GoValue): string {
  return value === null ? 'nil' : `${kindOf(value)} ${printed(value).slice(0, 80)}`
}

function wrongCount(wanted: string, got: number): never {
  throw new RuleFailure(`wrong number of args: want ${wanted} got ${got}`)
}
