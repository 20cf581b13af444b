// A column of a table, and what stands in it.
import type { KubeObject } from '#kube/objects/objects.ts'
import { numberAt, valueAt } from '../../json-value.ts'

export type Cell = string | number | boolean | null

export interface Column {
  readonly name: string
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format?: string
  /** 1: only with `-o wide`. */
  readonly priority?: 0 | 1
  /** Description from a definition; built-in kinds are described by their schemas. */
  readonly description?: string
  /** Upstream has cells that no column is named for. */
  readonly isUnnamed?: true
  /** Whose table it is in. */
  readonly resource?: string
  cell(object: KubeObject, nowMs: number): Cell
}

export type Read = (object: KubeObject, nowMs: number) => Cell

export const text = (name: string, cell: Read): Column => ({ name, cell })
export const count = (name: string, cell: Read): Column => ({ name, type: 'integer', cell })
export const wide = (name: string, cell: Read): Column => ({ name, priority: 1, cell })

/** A field as text; `fallback` where it is absent or empty. */
export const field =
  (path: string, fallback = ''): Read =>
  object => {
    const value = valueAt(object, ...path.split('.'))
    return value === undefined || value === null || value === '' ? fallback : String(value)
  }
export const number =
  (path: string): Read =>
  object =>
    numberAt(object, ...path.split('.')) ?? 0
