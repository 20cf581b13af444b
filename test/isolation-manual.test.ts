// docs/isolation.md against what it speaks of: every setting has its row, with its default, and every stage has its row.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { isolationFields, isolationStatusOf } from '#coordination/isolation-fields.ts'

const manual = readFileSync(join(import.meta.dirname, '..', 'docs', 'isolation.md'), 'utf8')
/** Cells of the rows of a section's table, without their quotes. */
const rows = (title: string) =>
  (manual.split(/^## /m).find(part => part.startsWith(`${title}\n`)) ?? '')
    .split('\n')
    .filter(line => line.startsWith('| ') && !/^\| (key|stage) \|/.test(line))
    .map(line => line.split('|').map(cell => cell.trim().replace(/^`([^`]*)`$/, '$1')))

test('every setting has its row, with its default', () => {
  const defaults: Readonly<Record<string, unknown>> = isolationFields.parse({})
  const told = new Map(rows('Settings').map(([, key = '', value = '']) => [key, value]))
  expect([...told.keys()].toSorted()).toEqual(Object.keys(isolationFields.shape).toSorted())
  for (const [key, value] of Object.entries(defaults))
    if (!Array.isArray(value)) expect([key, told.get(key)]).toEqual([key, String(value)])
})

test('every stage has its row, in order', () => {
  const { stage } = isolationStatusOf(z.unknown()).shape
  expect(rows('The five stages').map(([, name]) => name)).toEqual(stage.options.map((name, number) => `${number} ${name}`))
})
