// Table columns of custom resources: `additionalPrinterColumns` of their definition.

import { type Draft, jsonText, textAt } from '../../json-value.ts'
import { ageOf, nameColumn, parseTimeMs } from '../answers/ages.ts'
import { readPath } from '../answers/json-path.ts'
import type { Cell, Column } from '../answers/table-column.ts'

const ageColumn: Column = { name: 'Age', type: 'date', cell: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs) }

/** Name and the columns of the definition; Age where it has none. */
export function customColumns(columns: readonly Draft[] | undefined): readonly Column[] {
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
  return typeof value === 'object' && value !== null ? jsonText(value) : String(value)
}
