// A column of a table, and what stands in it.
import type { KubeObject } from '#kube/objects/objects.ts'

export type Cell = string | number | boolean | null

export interface Column {
  readonly name: string
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format?: string
  /** 1: only with `-o wide`. */
  readonly priority?: 0 | 1
  /** Description from a definition; built-in kinds are described by their schemas. */
  readonly description?: string
  /** Whose table it is in. */
  readonly resource?: string
  cell(object: KubeObject, nowMs: number): Cell
}
