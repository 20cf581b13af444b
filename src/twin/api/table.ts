// `meta.k8s.io Table`: what `kubectl get` prints, computed by the server.
import type { KubeObject } from '#kube/objects.ts'
import { type Draft, textAt } from '../json-value.ts'
import { ageOf, nameColumn, parseTimeMs } from './ages.ts'
import { metadataOnly } from './answer.ts'
import type { ApiServer } from './api-server.ts'
import { columnDescription } from './column-descriptions.ts'
import { readPath } from './json-path.ts'
import type { ResourceType } from './resource-type.ts'
import { builtInColumns, defaultColumns } from './table-columns.ts'

export type Cell = string | number | boolean | null

export interface Column {
  readonly name: string
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format?: string
  /** 1: only with `-o wide`. */
  readonly priority?: 0 | 1
  /** Of a definition; those of the built-in kinds are described by their schemas. */
  readonly description?: string
  /** Whose table it is in. */
  readonly resource?: string
  cell(object: KubeObject, nowMs: number): Cell
}

export interface TableOptions {
  readonly version: string
  readonly includes: 'None' | 'Metadata' | 'Object'
  /** In a watch only the first event names the columns. */
  readonly hasColumns: boolean
}

/** The table of some objects of one type. */
export function tableOf(
  server: Pick<ApiServer, 'clock'>,
  type: ResourceType,
  objects: readonly KubeObject[],
  options: TableOptions,
): Draft {
  return tableWith(columnsOf(type), server, objects, options)
}

/** The table of some objects with the columns given. */
export function tableWith(
  columns: readonly Column[],
  server: Pick<ApiServer, 'clock'>,
  objects: readonly KubeObject[],
  options: TableOptions,
): Draft {
  const nowMs = server.clock.now()
  return {
    ...tableHead(columns, options, { resourceVersion: objects[0]?.metadata.resourceVersion ?? '' }),
    rows: objects.map(object => rowOf(columns, object, options, nowMs)),
  }
}

/** A table but for its rows. */
export function tableHead(columns: readonly Column[], options: TableOptions, metadata: Draft): Draft {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata,
    columnDefinitions: options.hasColumns ? columns.map(definitionOf) : null,
  }
}

export function rowOf(columns: readonly Column[], object: KubeObject, options: TableOptions, nowMs: number): Draft {
  return {
    cells: columns.map(column => column.cell(object, nowMs)),
    ...conditionsOf(object),
    object: options.includes === 'None' ? null : options.includes === 'Object' ? object : metadataOnly(object, options.version),
  }
}

/** What the table of a type shows. */
export function columnsOf(type: ResourceType): readonly Column[] {
  if (type.custom !== undefined) return customColumns(type.custom.columns)
  return (builtInColumns[type.key] ?? defaultColumns).map(column => ({ resource: type.key, ...column }))
}

function definitionOf(column: Column): Draft {
  return {
    name: column.name,
    type: column.type ?? 'string',
    format: column.format ?? '',
    description: column.description ?? columnDescription(column.resource ?? '', column.name),
    priority: column.priority ?? 0,
  }
}

/** Rows of pods that are done say so: `kubectl` used to hide them. */
function conditionsOf(object: KubeObject): Draft {
  if (object.kind !== 'Pod') return {}
  const status = object['status']
  const phase = typeof status === 'object' && status !== null && 'phase' in status ? status.phase : undefined
  if (phase !== 'Succeeded' && phase !== 'Failed') return {}
  const message = phase === 'Succeeded' ? 'The pod has completed successfully.' : 'The pod failed.'
  return { conditions: [{ type: 'Completed', status: 'True', reason: phase, message }] }
}

const ageColumn: Column = { name: 'Age', type: 'date', cell: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs) }

/** Name and the columns of the definition; Age where it has none. */
function customColumns(columns: readonly Draft[] | undefined): readonly Column[] {
  if (columns === undefined || columns.length === 0) return [nameColumn, ageColumn]
  return [nameColumn, ...columns.map(columnOf)]
}

function columnOf(definition: Draft): Column {
  const type = textAt(definition, 'type') ?? 'string'
  const path = textAt(definition, 'jsonPath') ?? ''
  return {
    name: textAt(definition, 'name') ?? '',
    type: type === 'integer' || type === 'number' || type === 'boolean' || type === 'date' ? type : 'string',
    format: textAt(definition, 'format') ?? '',
    priority: typeof definition['priority'] === 'number' && definition['priority'] > 0 ? 1 : 0,
    description:
      textAt(definition, 'description') ||
      `Custom resource definition column (in JSONPath format): ${textAt(definition, 'jsonPath') ?? ''}`,
    cell: (object, nowMs) => cellOf(type, readPath(object, path), nowMs),
  }
}

function cellOf(type: string, values: readonly unknown[], nowMs: number): Cell {
  const [value] = values
  if (value === undefined || value === null) return null
  switch (type) {
    case 'date':
      return typeof value === 'string' && parseTimeMs(value) !== undefined ? ageOf(value, nowMs) : '<invalid>'
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    default:
      return values.length === 1 ? textOf(value) : values.map(textOf).join(' ')
  }
}

function textOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}
