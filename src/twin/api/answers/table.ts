// `meta.k8s.io Table`: what `kubectl get` prints, computed by the server.

import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Draft } from '../../json-value.ts'
import { customColumns } from '../custom/custom-columns.ts'
import type { ResourceType } from '../resource-type.ts'
import { metadataOnly } from './answer.ts'
import { columnDescription } from './column-descriptions.ts'
import type { Column } from './table-column.ts'
import { builtInColumns, defaultColumns } from './table-columns.ts'

export interface TableOptions {
  readonly version: string
  readonly includes: 'None' | 'Metadata' | 'Object'
  /** In a watch only the first event names the columns. */
  readonly hasColumns: boolean
}

/** The table of some objects of one type. */
export function tableOf(
  server: { readonly clock: Clock },
  type: ResourceType,
  objects: readonly KubeObject[],
  options: TableOptions,
): Draft {
  return tableWith(columnsOf(type), server, objects, options)
}

/** The table of some objects with the columns given. */
export function tableWith(
  columns: readonly Column[],
  server: { readonly clock: Clock },
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
    columnDefinitions: options.hasColumns ? columns.filter(column => column.isUnnamed !== true).map(definitionOf) : null,
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
