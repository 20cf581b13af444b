// docs/install.md against what it speaks of: values and their defaults, files.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { installationValues } from '../src/deployment/installation.ts'
import { jsonSchemaOf, valueRows } from '../src/deployment/values/values-schema.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'

const root = dirname(import.meta.dirname)
const manual = readFileSync(join(root, 'docs', 'install.md'), 'utf8')
const blocks = (language: string) =>
  [...manual.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(found => found[1] === language).map(found => found[2] ?? '')

test('every value it names is there, with that default', () => {
  const rows = [...manual.matchAll(/^\| `([\w.]+)` \| `(.*?)` \|/gm)].filter(([, key = '']) => key.includes('.'))
  expect(rows.length).toBeGreaterThan(15)
  const known = new Map(valueRows(jsonSchemaOf(enabledCapabilities)).map(({ key, standard }) => [key, standard]))
  for (const [, key = '', standard] of rows) expect([key, known.get(key)]).toEqual([key, standard])
})

test('its table of capabilities says what is enabled', () => {
  const rows = [...manual.matchAll(/^\| `(\w+)` \| .* \| (on|off)\b/gm)].map(([, name, state]) => [name, state === 'on'])
  const { capabilities } = installationValues({}, enabledCapabilities) as {
    readonly capabilities: Readonly<Record<string, { readonly enabled: boolean }>>
  }
  expect(rows).toEqual(Object.entries(capabilities).map(([name, { enabled }]) => [name, enabled]))
})

test('its values are taken', () => {
  const texts = blocks('yaml')
    .flatMap(block => block.split('---\n'))
    .flatMap(text => valuesIn(text))
  expect(texts).toHaveLength(6)
  for (const text of texts)
    expect(() => installationValues({ values: { file: 'docs/install.md', text } }, enabledCapabilities)).not.toThrow()
})

/** Values of the chart, by themselves or within the object of a GitOps tool. */
function valuesIn(text: string): readonly string[] {
  const { apiVersion, kind, spec } = parse(text)
  if (apiVersion === undefined) return [text]
  const values = kind === 'HelmRelease' ? spec.values : kind === 'Application' ? spec.source.helm.valuesObject : undefined
  return values === undefined ? [] : [stringify(values)]
}

test('its files are there', () => {
  const named = [...manual.matchAll(/(?:^|[`\s])(deploy\/[\w./-]+)/g)].map(found => found[1] ?? '')
  expect(named.length).toBeGreaterThan(4)
  expect(named.filter(path => !existsSync(join(root, path)))).toEqual([])
})
